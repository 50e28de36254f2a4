"""``poetry.lock``: packages with their groups and markers, or, before Poetry 2, a bare graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...errors import Unverifiable
from ...values import dataclass
from ..documents import table
from ..names import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import (
    FALSE,
    Applies,
    LockedPackage,
    Projects,
    both,
    chosen,
    either,
    file_digests,
    group_lines,
    listed,
    merged,
    reached,
    requirements_of,
    text_of,
)

__all__ = ["resolve"]

_KEPT = ("pip", "setuptools", "wheel", "poetry", "poetry-core")
"""Packages that ``poetry sync`` leaves where they are."""


def resolve(
    document: Mapping[str, Any],
    projects: Projects,
    selection: LockSelection,
    applies: Applies,
    source: str,
) -> Requirements:
    """The packages that ``poetry install`` takes from a lock; ``projects`` reads its surroundings.

    Raises ConfigError for a document that is no lock of Poetry's, Unverifiable where too little is
    known to say which packages the command means.
    """
    project = projects(".")
    packages = listed(document, "package", source)
    version = text_of(table(document, "metadata"), "lock-version") or "1.0"
    if not project:
        raise Unverifiable(f"{source} has no pyproject.toml beside it, which says what is chosen")
    groups = _groups(project, selection)
    extras = _extras(document, project, selection)
    if version.startswith("2.") and any("groups" in package for package in packages):
        pins = _by_groups(packages, groups, extras, applies)
    else:
        pins = _by_walk(packages, project, groups, extras, applies, source)
    left_out = {normalised(name) for name in selection.left_out}
    pins = [pin for pin in pins if pin.name not in left_out]
    if not selection.local:
        pins = [pin for pin in pins if not pin.direct.startswith("directory ")]
    if root := _root(project, selection):
        pins.append(root)
    return requirements_of(source, merged(pins), removes=bool(selection.removes), optional=_KEPT)


def _root(project: Mapping[str, Any], selection: LockSelection) -> LockedPackage | None:
    """The project itself, which is installed besides; its version may have moved on."""
    own, poetry = table(project, "project"), table(project, "tool", "poetry")
    name = text_of(own, "name") or text_of(poetry, "name")
    if not selection.project or not name or poetry.get("package-mode") is False:
        return None
    version = text_of(own, "version") or text_of(poetry, "version")
    return LockedPackage(normalised(name), _plain(version), direct=".")


def _plain(version: str) -> str:
    """A version as metadata repeats it; "" for a placeholder that a plugin replaces (0.0.0)."""
    from packaging.version import InvalidVersion, Version

    try:
        return "" if version in ("", "0", "0.0.0") else str(Version(version))
    except InvalidVersion:
        return ""


def _declared_groups(project: Mapping[str, Any]) -> dict[str, bool]:
    """Every group besides ``main``, and whether it is optional."""
    poetry = table(project, "tool", "poetry")
    found = {normalised(str(name)): False for name in table(project, "dependency-groups")}
    for name, group in table(poetry, "group").items():
        optional = isinstance(group, dict) and group.get("optional") is True
        found[normalised(str(name))] = optional
    if "dev-dependencies" in poetry:
        found.setdefault("dev", False)
    return found


def _groups(project: Mapping[str, Any], selection: LockSelection) -> frozenset[str]:
    declared = _declared_groups(project)
    if selection.only:
        found = {normalised(group) for group in selection.only}
    elif EVERYTHING in selection.groups:
        found = {"main", *declared}
    else:
        found = {"main", *(name for name, optional in declared.items() if not optional)}
        found |= {normalised(group) for group in selection.groups}
    return frozenset(found - {normalised(group) for group in selection.without})


def _extras(
    document: Mapping[str, Any], project: Mapping[str, Any], selection: LockSelection
) -> frozenset[str]:
    if EVERYTHING in selection.extras:
        declared = {*table(document, "extras"), *table(project, "project", "optional-dependencies")}
        declared |= {*table(project, "tool", "poetry", "extras")}
        return frozenset(normalised(str(name)) for name in declared)
    return frozenset(normalised(extra) for extra in selection.extras)


# --- lock-version 2.1 and later -----------------------------------------------------------------


def _by_groups(
    packages: Sequence[Mapping[str, Any]],
    groups: frozenset[str],
    extras: frozenset[str],
    applies: Applies,
) -> list[LockedPackage]:
    pins = []
    for package in packages:
        marker = _marker(package, groups, extras)
        holds = applies(marker)
        if holds is not False:
            pins.append(_pin(package, "" if holds else marker))
    return pins


def _marker(package: Mapping[str, Any], groups: frozenset[str], extras: frozenset[str]) -> str:
    """The marker under which a package is installed for these groups and extras."""
    listed_groups = package.get("groups")
    own = [str(group) for group in listed_groups] if isinstance(listed_groups, list) else []
    markers = package.get("markers")
    found = []
    for group in own:
        if normalised(group) in groups:
            text = markers.get(group, "") if isinstance(markers, dict) else markers
            found.append(chosen(text if isinstance(text, str) else "", {"extra": extras}))
    return either(found) if found else FALSE


def _pin(package: Mapping[str, Any], doubt: str) -> LockedPackage:
    name, version = normalised(text_of(package, "name")), text_of(package, "version")
    origin = table(package, "source")
    kind, url = text_of(origin, "type"), text_of(origin, "url")
    if kind == "git":
        commit = text_of(origin, "resolved_reference")
        digests = frozenset({f"commit:{commit}"}) if commit else frozenset[str]()
        return LockedPackage(name, version, doubt, digests, url)
    if kind == "directory":
        return LockedPackage(name, "", doubt, direct=f"directory {url}")
    digests = file_digests(package.get("files"))
    return LockedPackage(name, version, doubt, digests, url if kind in ("url", "file") else "")


# --- before: from the project's dependencies over the graph -------------------------------------


class _PoetryNode(NamedTuple):
    package: int
    extra: str = ""


@dataclass(frozen=True)
class _Dependency:
    """A dependency as ``pyproject.toml`` or the lock has it."""

    name: str
    marker: str = ""
    extras: tuple[str, ...] = ()
    optional: bool = False
    allowed: tuple[str, ...] = ()
    """Specifiers of PEP 440 of which one has to hold; empty for any version."""


def _by_walk(
    packages: Sequence[Mapping[str, Any]],
    project: Mapping[str, Any],
    groups: frozenset[str],
    extras: frozenset[str],
    applies: Applies,
    source: str,
) -> list[LockedPackage]:
    by_name: dict[str, list[int]] = {}
    for number, package in enumerate(packages):
        by_name.setdefault(normalised(text_of(package, "name")), []).append(number)

    def targets(dependencies: Iterable[_Dependency]) -> Iterator[tuple[_PoetryNode, str]]:
        for dependency in dependencies:
            numbers = _fitting(by_name.get(dependency.name, ()), packages, dependency)
            for number in numbers:
                marker = dependency.marker
                if len(numbers) > 1:
                    marker = both(
                        marker, _python_marker(text_of(packages[number], "python-versions"))
                    )
                yield _PoetryNode(number), marker
                for extra in dependency.extras:
                    yield _PoetryNode(number, normalised(extra)), marker

    def edges(node: _PoetryNode) -> Iterator[tuple[_PoetryNode, str]]:
        package = packages[node.package]
        declared = [
            item
            for name, value in table(package, "dependencies").items()
            for item in _dependencies(str(name), value)
        ]
        if not node.extra:
            yield from targets(_with_extras(declared, frozenset()))
            return
        yield _PoetryNode(node.package), ""
        wanted = table(package, "extras").get(node.extra)
        names = {
            normalised(found[0])
            for item in (wanted if isinstance(wanted, list) else ())
            if (found := re.match(r"[\w.-]+", str(item)))
        }
        optional = [item for item in declared if item.optional and item.name in names]
        yield from targets(_with_extras(optional, frozenset({node.extra}), optional=True))

    roots = [*targets(_project_dependencies(project, groups, extras))]
    absent = sorted(
        item.name
        for item in _project_dependencies(project, groups, extras)
        if item.name not in by_name and applies(item.marker)
    )
    if absent:
        raise Unverifiable(f"{source} does not have {absent[0]}, which pyproject.toml asks for")
    found = reached(roots, edges, partial(_holds, applies))
    return [_pin(packages[node.package], doubt) for node, doubt in found.items() if not node.extra]


def _holds(applies: Applies, marker: str) -> bool | None:
    return applies(marker)


def _fitting(
    numbers: Sequence[int], packages: Sequence[Mapping[str, Any]], dependency: _Dependency
) -> Sequence[int]:
    """The versions of a package that a dependency allows, where the lock has several."""
    if len(numbers) < 2 or not dependency.allowed:
        return numbers
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = [SpecifierSet(text) for text in dependency.allowed]
    except InvalidSpecifier:
        return numbers
    fitting = [
        number
        for number in numbers
        if any(
            item.contains(text_of(packages[number], "version"), prereleases=True)
            for item in allowed
        )
    ]
    return fitting or numbers


def _with_extras(
    dependencies: Iterable[_Dependency], extras: frozenset[str], *, optional: bool = False
) -> Iterator[_Dependency]:
    for item in dependencies:
        if item.optional is optional:
            marker = chosen(item.marker, {"extra": extras})
            yield _Dependency(item.name, marker, item.extras, item.optional, item.allowed)


def _dependencies(name: str, value: Any) -> Iterator[_Dependency]:
    """The dependencies of one entry of a table: a version, a table, or a list of tables."""
    for item in value if isinstance(value, list) else [value]:
        fields = item if isinstance(item, dict) else {"version": item}
        extras = fields.get("extras")
        python = text_of(fields, "python")
        yield _Dependency(
            normalised(name),
            both(_python_marker(python), text_of(fields, "markers")),
            tuple(str(extra) for extra in extras) if isinstance(extras, list) else (),
            fields.get("optional") is True,
            _specifiers(text_of(fields, "version")),
        )


def _project_dependencies(
    project: Mapping[str, Any], groups: frozenset[str], extras: frozenset[str]
) -> list[_Dependency]:
    """The dependencies that ``pyproject.toml`` has for these groups and extras."""
    poetry = table(project, "tool", "poetry")
    found: list[_Dependency] = []
    if "main" in groups:
        found += _standard(table(project, "project").get("dependencies"))
        for name, lines in table(project, "project", "optional-dependencies").items():
            if normalised(str(name)) in extras:
                found += _standard(lines)
        asked = {
            normalised(str(item))
            for name, items in table(poetry, "extras").items()
            if normalised(str(name)) in extras and isinstance(items, list)
            for item in items
        }
        standard = {item.name for item in found}
        for name, value in table(poetry, "dependencies").items():
            # A table of [project] wins; Poetry's own then only says where it comes from.
            if normalised(str(name)) == "python" or normalised(str(name)) in standard:
                continue
            found += [
                item
                for item in _dependencies(str(name), value)
                if not item.optional or item.name in asked
            ]
    for name in groups:
        for key, group in table(poetry, "group").items():
            if normalised(str(key)) == name:
                found += _of_table(table(group, "dependencies"))
                found += _included(project, group)
        if name == "dev":
            found += _of_table(table(poetry, "dev-dependencies"))
        for key in table(project, "dependency-groups"):
            if normalised(str(key)) == name:
                found += _standard(group_lines(project, str(key)))
    return found


def _of_table(dependencies: Mapping[str, Any]) -> Iterator[_Dependency]:
    for name, value in dependencies.items():
        yield from _dependencies(str(name), value)


def _included(project: Mapping[str, Any], group: Any) -> list[_Dependency]:
    names = group.get("include-groups") if isinstance(group, dict) else None
    found: list[_Dependency] = []
    for name in names if isinstance(names, list) else ():
        found += _of_table(table(project, "tool", "poetry", "group", str(name), "dependencies"))
    return found


def _standard(lines: Any) -> list[_Dependency]:
    """Requirement lines of PEP 508."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in lines if isinstance(lines, list) else ():
        try:
            item = Requirement(str(line))
        except InvalidRequirement:
            raise Unverifiable(f"pyproject.toml has the requirement {line!r}") from None
        marker = str(item.marker) if item.marker else ""
        found.append(
            _Dependency(
                normalised(item.name), marker, tuple(item.extras), False, (str(item.specifier),)
            )
        )
    return found


def _specifiers(constraint: str) -> tuple[str, ...]:
    """A constraint of Poetry as specifiers of PEP 440 of which one has to hold."""
    choices = [",".join(_conditions(choice)) for choice in re.split(r"\|\|?", constraint)]
    return () if "" in choices else tuple(choices)


def _python_marker(constraint: str) -> str:
    """A constraint of Poetry on Python as a marker; "" for any Python."""
    choices = []
    for choice in re.split(r"\s*\|\|?\s*", constraint):
        terms = [re.fullmatch(r"([=<>!~]+)(.*)", term) for term in _conditions(choice)]
        choices.append(
            " and ".join(f"python_full_version {term[1]} '{term[2]}'" for term in terms if term)
        )
    return "" if "" in choices else either(choices)


def _conditions(constraint: str) -> list[str]:
    """``^1.2,<1.9 !=1.3`` as ``>=1.2``, ``<2``, ``<1.9``, ``!=1.3``."""
    text = re.sub(r"([=<>!~^])\s+", r"\1", constraint.strip())
    found: list[str] = []
    for part in re.split(r"\s*,\s*|\s+", text):
        if not part or part == "*":
            continue
        caret = re.fullmatch(r"([\^~])=?(\d[\w.!+-]*)", part)
        if caret and not part.startswith("~="):
            found += [f">={caret[2]}", f"<{_next(caret[1], caret[2])}"]
        elif part[0].isdigit():
            found.append(f"=={part}")
        else:
            found.append(re.sub(r"\A=(?!=)", "==", part))
    return found


def _next(operator: str, version: str) -> str:
    """The first version that ``^`` or ``~`` no longer allows."""
    parts = [int(part) for part in re.findall(r"\d+", version)[:3]]
    if operator == "~":
        kept = parts[: min(2, len(parts))]
    else:
        first = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
        kept = parts[: first + 1]
    return ".".join(map(str, [*kept[:-1], kept[-1] + 1]))
