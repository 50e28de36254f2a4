"""The main build context and the named ones as one tree: ``shared:/src/a.py`` beside ``main.py``.

A named context is a directory of this machine that the Dockerfile takes files of by a name. All
rooms that follow files know a file by one path; so a file of the context ``shared`` has the path
``shared:/…``. A file that two contexts hold is one file: an edit of it changes both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..model import top_of
from .entries import ContextEntry

__all__ = ["Overlaps", "at_top", "part_of"]


def part_of(path: str, tops: Mapping[str, object]) -> tuple[str, str]:
    """The context of a path (``shared:``, "" for the main one), and the path in that context."""
    top = top_of(path)
    return (top, path[len(top) + 1 :]) if top in tops and top else ("", path)


def at_top(top: str, path: str) -> str:
    """A path of a context as a path among all contexts."""
    return f"{top}/{path}" if top else path


class Overlaps:
    """Which paths of several contexts are one and the same file on disk.

    ``roots`` are the directories by the first part of their paths, the main context ("") first.
    """

    def __init__(self, roots: Mapping[str, Path]) -> None:
        self._roots = {top: os.path.realpath(root) for top, root in roots.items()}
        self._order = {top: number for number, top in enumerate(self._roots)}

    def __bool__(self) -> bool:
        """Whether any context lies in another, or is another."""
        roots = list(self._roots.values())
        return any(
            _below(one, other) is not None
            for number, one in enumerate(roots)
            for position, other in enumerate(roots)
            if number != position
        )

    def others(self, path: str) -> Iterator[str]:
        """The paths of the same file in the other contexts."""
        top, rest = part_of(path, self._roots)
        full = os.path.join(self._roots[top], rest) if rest else self._roots[top]
        for other, root in self._roots.items():
            if other != top:
                inside = _below(full, root)
                if inside is not None and (inside or other):
                    yield at_top(other, inside).rstrip("/")

    def known_as(self, path: str, entries: Mapping[str, ContextEntry]) -> str:
        """The path by which a file of a named context is known: the first context's that has it."""
        own = self._order[part_of(path, self._roots)[0]]
        for other in self.others(path):
            if self._order[part_of(other, self._roots)[0]] < own:
                entry = entries.get(other)
                if entry is not None and entry.kind != "dir":
                    return other
        return ""

    def named(self, entries: Mapping[str, ContextEntry]) -> Iterator[tuple[str, ContextEntry]]:
        """The entries of named contexts that are known by another path, with that path."""
        for path, entry in entries.items():
            if top_of(path) and entry.kind != "dir":
                same = self.known_as(path, entries)
                if same != entry.same:
                    yield path, replace(entry, same=same)


def _below(path: str, directory: str) -> str | None:
    """A real path as a path in a directory, "" for the directory itself, None outside."""
    if path == directory:
        return ""
    head = directory.rstrip("/") + "/"
    return path[len(head) :] if path.startswith(head) else None
