"""``uv.lock``: a graph of packages whose edges carry markers, with the members of a workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any, NamedTuple

from ...errors import ConfigError, Unverifiable
from ...values import dataclass
from ..documents import table, unknown_version
from ..names import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import (
    Applies,
    LockedPackage,
    Projects,
    both,
    chosen,
    either,
    file_digests,
    listed,
    reached,
    requirements_of,
    text_of,
)

__all__ = ["resolve"]

_SEEDS = ("pip", "setuptools", "wheel", "uv")
"""Packages that ``uv sync`` leaves where another tool made the environment.

uv 0.9, ``crates/uv-installer/src/plan.rs``: ``is_seed_package``.
"""


class _UvNode(NamedTuple):
    """A package by its position in the lock, and one of its extras, "" for the package itself."""

    package: int
    extra: str = ""


def resolve(
    document: Mapping[str, Any],
    projects: Projects,
    selection: LockSelection,
    applies: Applies,
    source: str,
) -> Requirements:
    """The packages that ``uv sync`` installs from a lock; ``projects`` reads the workspace.

    Raises ConfigError for a document that is no ``uv.lock``, Unverifiable where the lock does not
    say which packages the command means.
    """
    if document.get("version") != 1:
        raise unknown_version(source, document.get("version"))
    lock = _Lock.of(document, source)
    roots = lock.roots(projects("."), selection)
    groups = lock.groups(projects, selection, roots)
    extras = lock.extras(selection, roots)
    walk = lock.walk(selection, roots, groups, extras, applies)
    pins, left_out = [], {*_SEEDS}
    for node, doubt in walk.items():
        if node.extra or lock.is_virtual(node.package):
            continue
        pin = lock.pin(node.package, doubt)
        if lock.is_left_out(node.package, selection, roots):
            # Another command installs it: pip install --no-deps .
            left_out.add(pin.name)
        else:
            pins.append(pin)
    return requirements_of(source, pins, removes=bool(selection.removes), optional=left_out)


@dataclass(frozen=True)
class _Lock:
    source: str
    packages: Sequence[Mapping[str, Any]]
    by_name: Mapping[str, Sequence[int]]
    manifest: Mapping[str, Any]
    members: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, document: Mapping[str, Any], source: str) -> _Lock:
        packages = listed(document, "package", source)
        by_name: dict[str, list[int]] = {}
        for number, package in enumerate(packages):
            by_name.setdefault(normalised(text_of(package, "name")), []).append(number)
        manifest = table(document, "manifest")
        members = manifest.get("members")
        names = [normalised(str(name)) for name in members] if isinstance(members, list) else []
        if not names:  # a lone project is not listed
            names = [
                normalised(text_of(package, "name"))
                for package in packages
                if _local_place(package) == "."
            ]
        return cls(source, packages, by_name, manifest, frozenset(names))

    def roots(self, project: Mapping[str, Any], selection: LockSelection) -> tuple[int, ...]:
        """The packages that the command is for: all members where the root is no project."""
        name = text_of(table(project, "project"), "name")
        here = [
            normalised(text_of(package, "name"))
            for package in self.packages
            if _local_place(package) == "." and (not name or _named(package, name))
        ]
        if EVERYTHING in selection.packages or not (here or selection.packages):
            names = sorted(self.members)
        else:
            names = [normalised(item) for item in selection.packages] or here
        unknown = [name for name in names if name not in self.by_name]
        if unknown:
            raise Unverifiable(f"{self.source} has no package {unknown[0]}")
        return tuple(self.by_name[name][0] for name in names)

    def groups(
        self, projects: Projects, selection: LockSelection, roots: Sequence[int]
    ) -> frozenset[str]:
        """The names of the dependency groups that are installed."""
        every = {
            normalised(str(group))
            for number in roots
            for group in table(self.packages[number], "dev-dependencies")
        }
        every |= {normalised(group) for group in self._virtual_groups()}
        if selection.only:
            found = {normalised(group) for group in selection.only}
        else:
            found = every if EVERYTHING in selection.groups else set()
            found |= {normalised(group) for group in selection.groups}
            if selection.default_groups:
                default = self._default_groups(projects, selection, roots)
                found |= every if EVERYTHING in default else set(default)
        return frozenset(found - {normalised(group) for group in selection.without})

    def _default_groups(
        self, projects: Projects, selection: LockSelection, roots: Sequence[int]
    ) -> tuple[str, ...]:
        """The groups of ``default-groups``, in the lock or in ``pyproject.toml``; else ``dev``.

        The setting is that of the one package that the command names, else of the workspace's root.
        """
        owner: Mapping[str, Any] = self.manifest
        place = "."
        if len(selection.packages) == 1 and EVERYTHING not in selection.packages and roots:
            owner = self.packages[roots[0]]
            place = _local_place(owner)
        else:
            for number in roots:
                if _local_place(self.packages[number]) == ".":
                    owner = self.packages[number]
        written = table(projects(place), "tool", "uv").get("default-groups")
        for value in (owner.get("default-groups"), written):
            if value == "all":
                return (EVERYTHING,)
            if isinstance(value, list):
                return tuple(normalised(str(group)) for group in value)
        return ("dev",)

    def _virtual_groups(self) -> Mapping[str, Any]:
        return table(self.manifest, "dependency-groups")

    def extras(self, selection: LockSelection, roots: Sequence[int]) -> frozenset[str]:
        """The names of the extras that are installed of the roots."""
        if EVERYTHING in selection.extras:
            found = {
                normalised(str(extra))
                for number in roots
                for extra in (
                    *table(self.packages[number], "optional-dependencies"),
                    *self._provided(number),
                )
            }
        else:
            found = {normalised(extra) for extra in selection.extras}
        return frozenset(found - {normalised(extra) for extra in selection.without_extras})

    def _provided(self, number: int) -> Sequence[str]:
        value = table(self.packages[number], "metadata").get("provides-extras")
        return value if isinstance(value, list) else ()

    def walk(
        self,
        selection: LockSelection,
        roots: Sequence[int],
        groups: frozenset[str],
        extras: frozenset[str],
        applies: Applies,
    ) -> dict[_UvNode, str]:
        """The needed packages and extras, each with its doubt.

        Packages that conflict are told apart by markers that name the extras and groups of the
        projects (``extra == 'extra-4-demo-gpu'``). A walk that reaches further extras or members
        makes them active, and is repeated with them.
        """
        active = {
            _conflict("extra", self._name(number), extra) for number in roots for extra in extras
        }
        active |= {
            _conflict("group", self._name(number), group) for number in roots for group in groups
        }
        active |= {f"project-{len(self._name(n))}-{self._name(n)}" for n in roots}
        while True:
            start = [*self._starts(selection, roots, groups, extras)]
            meant = partial(_decided, applies, frozenset(active))
            found = reached(start, self._edges, meant)
            more = {
                _conflict("extra", self._name(node.package), node.extra)
                for node in found
                if node.extra
            } | {
                f"project-{len(self._name(node.package))}-{self._name(node.package)}"
                for node in found
                if self._name(node.package) in self.members
            }
            if more <= active:
                return found
            active |= more

    def _starts(
        self,
        selection: LockSelection,
        roots: Sequence[int],
        groups: frozenset[str],
        extras: frozenset[str],
    ) -> Iterator[tuple[_UvNode, str]]:
        for number in roots:
            if selection.default:
                yield _UvNode(number), ""
                for extra in extras:
                    yield _UvNode(number, extra), ""
            for name, entries in table(self.packages[number], "dev-dependencies").items():
                if normalised(str(name)) in groups:
                    yield from self._targets(entries)
        if not selection.packages or EVERYTHING in selection.packages:
            for name, entries in self._virtual_groups().items():
                if normalised(str(name)) in groups:
                    yield from self._targets(entries)

    def _edges(self, node: _UvNode) -> Iterator[tuple[_UvNode, str]]:
        package = self.packages[node.package]
        if not node.extra:
            yield from self._targets(package.get("dependencies"))
            return
        yield _UvNode(node.package), ""
        for name, entries in table(package, "optional-dependencies").items():
            if normalised(str(name)) == node.extra:
                yield from self._targets(entries)

    def _targets(self, entries: Any) -> Iterator[tuple[_UvNode, str]]:
        """The packages that a list of dependencies points to, each with its marker."""
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                raise ConfigError(f"{self.source} has the dependency {entry!r}; lock it again")
            marker = text_of(entry, "marker")
            extras = entry.get("extra") or entry.get("extras") or ()
            for number in self._candidates(entry):
                condition = marker
                if len(self._candidates(entry)) > 1:
                    condition = both(marker, self._fork(number))
                yield _UvNode(number), condition
                for extra in extras:
                    yield _UvNode(number, normalised(str(extra))), condition

    def _candidates(self, entry: Mapping[str, Any]) -> tuple[int, ...]:
        """The packages that a dependency may mean: one, if uv has written version and source."""
        found = self.by_name.get(normalised(text_of(entry, "name")), ())
        for key in ("version", "source"):
            if key in entry:
                found = [n for n in found if self.packages[n].get(key) == entry[key]]
        if not found:
            raise ConfigError(f"{self.source} has no package for the dependency {entry!r}")
        return tuple(found)

    def _fork(self, number: int) -> str:
        """The marker of the forks of the resolution that a package is for."""
        markers = self.packages[number].get("resolution-markers")
        return either(markers) if isinstance(markers, list) else ""

    def is_virtual(self, number: int) -> bool:
        """Whether a package is a project that is never installed itself."""
        return "virtual" in table(self.packages[number], "source")

    def is_left_out(self, number: int, selection: LockSelection, roots: Sequence[int]) -> bool:
        """Whether the command leaves out a package that is chosen."""
        package, name = self.packages[number], self._name(number)
        if name in {normalised(item) for item in selection.left_out}:
            return True
        if number in roots and not selection.project:
            return True
        if name in self.members and not selection.members:
            return True
        return not selection.local and bool(_local_place(package))

    def pin(self, number: int, doubt: str) -> LockedPackage:
        """A package of the lock with its digests."""
        package = self.packages[number]
        origin = table(package, "source")
        version = text_of(package, "version")
        if url := text_of(origin, "git"):
            commit = url.rpartition("#")[2]
            digests = frozenset({f"commit:{commit}"}) if "#" in url else frozenset()
            return LockedPackage(self._name(number), version, doubt, digests, url)
        if _local_place(package):
            return LockedPackage(self._name(number), version, doubt, direct=_local_place(package))
        digests = file_digests(package.get("wheels")) | file_digests(package.get("sdist"))
        return LockedPackage(self._name(number), version, doubt, digests)

    def _name(self, number: int) -> str:
        return normalised(text_of(self.packages[number], "name"))


def _decided(applies: Applies, active: frozenset[str], marker: str) -> bool | None:
    return applies(chosen(marker, {"extra": active}))


def _conflict(kind: str, package: str, name: str) -> str:
    """The name that markers of a lock give to an extra or a group that excludes another.

    uv 0.9, ``crates/uv-resolver/src/universal_marker.rs``: the length separates the package's name
    from the extra's or group's, as both may hold dashes.
    """
    return f"{kind}-{len(package)}-{package}-{name}"


def _local_place(package: Mapping[str, Any]) -> str:
    """The directory or archive that a package comes from, "" for one of an index or of git."""
    origin = table(package, "source")
    for key in ("editable", "virtual", "directory", "path"):
        if isinstance(origin.get(key), str):
            return str(origin[key])
    return ""


def _named(package: Mapping[str, Any], name: str) -> bool:
    return normalised(text_of(package, "name")) == normalised(name)
