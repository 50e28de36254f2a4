"""The things that a step may touch: paths, variables, and settings of its stage."""

from __future__ import annotations

import re
from dataclasses import replace

from ..values import dataclass

__all__ = [
    "CHANGED_USERS",
    "ENVIRONMENT",
    "EVERYTHING",
    "SYSTEM",
    "USERS",
    "Effects",
    "Paths",
    "spoken",
    "users_named",
    "within",
]

SYSTEM = "<the system>"
"""Stands for all that system packages, users and settings below /etc are."""

ENVIRONMENT = "<the environment>"
"""Stands for what installers install into and read from."""

USERS = "<the users>"
"""Stands for the names in /etc/passwd and /etc/group: a step that reads them needs a given name."""

CHANGED_USERS = "<the changed users>"
"""Stands for existing users that are changed or removed."""

EVERYTHING = "*"
"""Stands for every variable, among the names that a step uses."""


@dataclass(frozen=True)
class Paths:
    """Container paths: single files, and trees with everything below them."""

    files: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()

    def __or__(self, other: Paths) -> Paths:
        return Paths(self.files | other.files, self.trees | other.trees)

    def __sub__(self, other: Paths) -> Paths:
        return Paths(self.files - other.files, self.trees - other.trees)

    def __bool__(self) -> bool:
        return bool(self.files or self.trees)

    def without(self, name: str) -> Paths:
        """All but one file."""
        return replace(self, files=self.files - {name})

    def meeting(self, other: Paths) -> str | None:
        """A path that both touch, None if there is none."""
        common = self.files & other.files
        if common:
            return min(common)
        for mine, theirs in ((self, other), (other, self)):
            for tree in mine.trees:
                for file in theirs.files:
                    if within(file, tree) or within(tree, file):
                        return file if file.startswith("/") else None
                for another in theirs.trees:
                    if within(another, tree) or within(tree, another):
                        return max(another, tree, key=len)
        return None


def within(path: str, tree: str) -> bool:
    if not path.startswith("/") or not tree.startswith("/"):
        return path == tree
    return tree == "/" or path == tree or path.startswith(tree + "/")


@dataclass(frozen=True)
class Effects:
    """The effects of a step on the steps below it.

    ``uses`` and ``sets`` are names of variables; ``state`` are the settings of the stage that the
    step changes (``workdir``, ``user``, ``shell``, ``command``), ``minds`` those that it depends
    on. ``unknown`` says why its reads and writes are not known, "" when they are. ``projects`` are
    pairs of a manifest and its words that install the project itself; ``inputs`` are context files
    (by container path) that an installation reads; ``directories`` are the directories that a RUN
    changes into, and which must exist.
    """

    reads: Paths = Paths()
    writes: Paths = Paths()
    uses: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    state: frozenset[str] = frozenset()
    minds: frozenset[str] = frozenset()
    unknown: str = ""
    projects: tuple[tuple[str, str], ...] = ()
    inputs: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    marks: Paths = Paths()

    @property
    def content(self) -> Paths:
        """The writes that change more than an owner or a mode."""
        return self.writes - self.marks

    def __or__(self, other: Effects) -> Effects:
        writes = self.writes | other.writes
        return Effects(
            self.reads | other.reads,
            writes,
            self.uses | other.uses,
            self.sets | other.sets,
            self.state | other.state,
            self.minds | other.minds,
            self.unknown or other.unknown,
            self.projects + other.projects,
            self.inputs | other.inputs,
            self.directories | other.directories,
            writes - (self.content | other.content),
        )


def spoken(name: str) -> str:
    """The name in a message of a path, or of a stand-in for many paths."""
    return "the names of users" if name in (USERS, CHANGED_USERS) else name.strip("<>")


def users_named(text: str) -> Paths:
    """Names of users and groups are looked up in /etc/passwd; numbers are not."""
    names = re.split(r"[:\s]", text)
    known = all(name.isdigit() or not name or name == "root" for name in names)
    return Paths() if known else Paths(files=frozenset({USERS, CHANGED_USERS}))
