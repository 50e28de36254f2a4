"""``pdm.lock``: packages with their groups and markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ...errors import Unverifiable
from ...values import dataclass
from ..documents import table
from ..names import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import (
    Applies,
    LockedPackage,
    Projects,
    file_digests,
    group_lines,
    listed,
    merged,
    reached,
    requirements_of,
    text_of,
)

__all__ = ["pdm_groups", "resolve"]

_KEPT = ("pip", "setuptools", "wheel", "pdm")
"""Packages that ``pdm sync --clean`` leaves where they are."""


def resolve(
    document: Mapping[str, Any],
    projects: Projects,
    selection: LockSelection,
    applies: Applies,
    source: str,
) -> Requirements:
    """The packages that ``pdm sync`` installs from a lock; ``projects`` reads its surroundings.

    Raises ConfigError for a document that is no lock of PDM's, Unverifiable for a lock that lacks a
    package that ``pyproject.toml`` asks for.
    """
    project = projects(".")
    packages = listed(document, "package", source)
    metadata = table(document, "metadata")
    locked = metadata.get("groups")
    every = [str(name) for name in locked] if isinstance(locked, list) else []
    groups = pdm_groups(project, every, selection)
    if all("groups" in package for package in packages):
        pins = _by_groups(packages, groups, applies)
    else:
        pins = _Graph(packages, project, source).pins(groups, applies)
    optional = {*_KEPT}
    if selection.removes == "unlisted":
        names = {normalised(text_of(package, "name")) for package in packages}
        optional |= names - {pin.name for pin in pins}
    if selection.project and "default" in groups and (root := _root(project)):
        pins.append(root)
    return requirements_of(source, merged(pins), removes=bool(selection.removes), optional=optional)


def _by_groups(
    packages: Sequence[Mapping[str, Any]], groups: frozenset[str], applies: Applies
) -> list[LockedPackage]:
    """The packages of some groups, in a lock with the strategy ``inherit_metadata``."""
    pins = []
    for package in packages:
        own = package.get("groups")
        marker = text_of(package, "marker")
        holds = applies(marker)
        if holds is not False and not groups.isdisjoint(_texts(own)):
            pins.append(_pin(package, "" if holds else marker))
    return pins


class _PdmNode(NamedTuple):
    """A package by its name, with its chosen extras."""

    name: str
    extras: frozenset[str]


@dataclass(frozen=True)
class _Graph:
    """A lock without ``inherit_metadata``, as PDM wrote them all before 2.11.

    Such a lock lists the dependencies of each package, and each requested set of a package's extras
    as a package of its own; only ``pyproject.toml`` tells the members of a group.
    """

    packages: Sequence[Mapping[str, Any]]
    project: Mapping[str, Any]
    source: str

    def pins(self, groups: frozenset[str], applies: Applies) -> list[LockedPackage]:
        """The packages that a walk from the dependencies of some groups reaches.

        Raises Unverifiable where the lock lacks a package, or has several versions of it.
        """
        found = reached(self._targets(self._lines(groups)), self._edges, applies)
        pins = []
        for node, doubt in found.items():
            if node.name == self._own:
                continue
            package = self._package(node)
            marker = text_of(package, "marker")
            holds = applies(marker)
            if holds is not False:
                pins.append(_pin(package, doubt or ("" if holds else marker)))
        return pins

    def _lines(self, groups: Iterable[str]) -> Iterator[str]:
        """The requirements of some groups of ``pyproject.toml``."""
        own = table(self.project, "project")
        for group in groups:
            if group == "default":
                yield from _texts(own.get("dependencies"))
            for name, lines in table(own, "optional-dependencies").items():
                if normalised(str(name)) == group:
                    yield from _texts(lines)
            yield from group_lines(self.project, group)
            for name, lines in table(self.project, "tool", "pdm", "dev-dependencies").items():
                if normalised(str(name)) == group:
                    yield from _texts(lines)

    def _edges(self, node: _PdmNode) -> Iterator[tuple[_PdmNode, str]]:
        if node.name == self._own:  # all = ["demo[dates,files]"]
            return self._targets(self._lines(node.extras - {"default"}))
        return self._targets(_texts(self._package(node).get("dependencies")))

    def _targets(self, lines: Iterable[str]) -> Iterator[tuple[_PdmNode, str]]:
        from packaging.requirements import InvalidRequirement, Requirement

        for line in lines:
            if editable := re.match(r"-e\s.*#egg=([\w.-]+)", line):
                line = editable[1]
            try:
                item = Requirement(line)
            except InvalidRequirement:
                raise Unverifiable(f"{self.source} needs {line!r}, which is not read") from None
            extras = frozenset(map(normalised, item.extras))
            yield _PdmNode(normalised(item.name), extras), str(item.marker or "")

    @property
    def _own(self) -> str:
        return normalised(text_of(table(self.project, "project"), "name"))

    def _package(self, node: _PdmNode) -> Mapping[str, Any]:
        found = self._by_node.get(node, ())
        if not found:
            name = f"{node.name}[{','.join(sorted(node.extras))}]" if node.extras else node.name
            raise Unverifiable(f"{self.source} does not have {name}; lock it again")
        if len(found) > 1:
            raise Unverifiable(
                f"{self.source} has {node.name} in several versions and does not say which groups "
                "need them; lock with the strategy inherit_metadata"
            )
        return found[0]

    @cached_property
    def _by_node(self) -> Mapping[_PdmNode, Sequence[Mapping[str, Any]]]:
        by_node: dict[_PdmNode, list[Mapping[str, Any]]] = {}
        for package in self.packages:
            extras = frozenset(map(normalised, _texts(package.get("extras"))))
            node = _PdmNode(normalised(text_of(package, "name")), extras)
            by_node.setdefault(node, []).append(package)
        return by_node


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def pdm_groups(
    project: Mapping[str, Any], locked: list[str], selection: LockSelection
) -> frozenset[str]:
    """The groups that PDM installs, as its ``GroupSelection`` has it (pdm 2.29, cli/filters.py)."""
    poetic = table(project, "tool", "pdm", "dev-dependencies")
    dev = {normalised(str(name)) for name in (*table(project, "dependency-groups"), *poetic)}
    optional = {
        normalised(str(name)) for name in table(project, "project", "optional-dependencies")
    }
    existing = {"default", *dev, *optional}
    asked = {normalised(name) for name in selection.groups if name != EVERYTHING}
    everything = EVERYTHING in selection.groups
    said_dev = selection.dev
    if selection.without and not selection.groups and said_dev is None:
        everything = True
    if selection.default and said_dev is None and not asked and not everything:
        found = {normalised(name) for name in locked} or {"default", *dev}
        return frozenset(found & existing)
    found = set(asked)
    if said_dev is not False and not (asked & dev):
        found |= dev
    if everything:
        found |= optional
    if selection.default:
        found.add("default")
    found -= {normalised(name) for name in selection.without}
    return frozenset(found & existing)


def _pin(package: Mapping[str, Any], doubt: str) -> LockedPackage:
    name, version = normalised(text_of(package, "name")), text_of(package, "version")
    if url := text_of(package, "git"):
        commit = text_of(package, "revision")
        digests = frozenset({f"commit:{commit}"}) if commit else frozenset[str]()
        return LockedPackage(name, version, doubt, digests, url)
    if path := text_of(package, "path"):
        return LockedPackage(name, "", doubt, direct=path)
    digests = file_digests(package.get("files"))
    return LockedPackage(name, version, doubt, digests, text_of(package, "url"))


def _root(project: Mapping[str, Any]) -> LockedPackage | None:
    name = text_of(table(project, "project"), "name")
    tool = table(project, "tool", "pdm")
    is_distribution = tool.get("distribution", tool.get("package-type") != "application")
    if not name or is_distribution is False:
        return None
    return LockedPackage(
        normalised(name), text_of(table(project, "project"), "version"), direct="."
    )
