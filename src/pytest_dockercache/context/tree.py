"""A build's view of a context as a value: as it is on disk, or after edits.

Nothing is copied, and a file is read only when two files of equal size have to be told apart:
hashing 10,000 files takes longer than the rest of a prediction.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..cache_home import cache_home
from ..errors import ConfigError
from ..model import BuildSpec, top_of
from ..values import dataclass
from .digests import Digests, digest_of_content
from .entries import ContextEntry, Grown, Kind, context_files
from .ignore import IgnoreRules
from .links import follow
from .named import Overlaps, at_top, part_of

if TYPE_CHECKING:
    from .patch import Patch

__all__ = ["ContextTree", "digest_file", "new_entry"]


def digest_file(context: Path) -> Path:
    """Where a context's digests are remembered. Raises ConfigError without a home directory."""
    name = hashlib.sha256(os.fsencode(os.path.abspath(context))).hexdigest()[:16]
    return cache_home() / "digests" / f"{name}.json"


class _SavedDigests:
    """The digests of one context, read from disk when the first is asked for."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    @cached_property
    def digests(self) -> Digests:
        return Digests(self._file)


@dataclass(frozen=True)
class ContextTree:
    """Every entry of a context that a build can see, as it is on disk or after edits.

    ``entries`` is keyed by path, directories before their content and names sorted, as a walk finds
    them. ``contents`` holds the bytes of files that edits wrote, ``origins`` the path on disk
    (relative to ``root``) of renamed files. ``changed`` names every path in which the tree may
    differ from ``parent``, the tree before the edits.

    ``parts`` are the trees of the contexts, by the first part of their paths, the main one at "";
    empty for a build without named contexts that are directories.
    """

    root: Path
    entries: Mapping[str, ContextEntry]
    ignore: IgnoreRules = field(default_factory=IgnoreRules)
    contents: Mapping[str, bytes | Grown] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    parent: ContextTree | None = field(default=None, repr=False, compare=False)
    memory: _SavedDigests = field(
        default_factory=lambda: _SavedDigests(None), repr=False, compare=False
    )
    parts: Mapping[str, ContextTree] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, spec: BuildSpec, ignore: IgnoreRules) -> ContextTree:
        """The contexts of a build, the named ones too. Raises ConfigError as :meth:`read` does."""
        main = cls.read(spec.context, ignore)
        named = {
            top: cls.read(directory, ignore.named[top])
            for top, directory in spec.directories.items()
        }
        return cls.joined(main, named)

    @classmethod
    def joined(cls, main: ContextTree, named: Mapping[str, ContextTree]) -> ContextTree:
        """One tree of the main context and of the named ones, whose paths begin with the name.

        Raises ConfigError where the main context has a path that looks so.
        """
        if not named:
            return main
        for path in main.entries:
            if top_of(path):
                raise ConfigError(
                    f"build context {main.root}: {path} looks like a file of a named context; "
                    "rename it, or exclude it in .dockerignore"
                )
        return cls._union({"": main, **named}, None, frozenset())

    @classmethod
    def _union(
        cls,
        parts: Mapping[str, ContextTree],
        before: ContextTree | None,
        changed: frozenset[str],
    ) -> ContextTree:
        main = parts[""]
        entries = dict(main.entries)
        for top, part in parts.items():
            if not top:
                continue
            old = before.parts[top].entries if before is not None else {}
            entries[top] = new_entry(top, "dir", 0, 0o755)
            if before is not None:
                entries[top] = before.entries[top]
            for path, entry in part.entries.items():
                place = f"{top}/{path}"
                if before is not None and old.get(path) is entry:
                    entries[place] = before.entries[place]
                else:
                    entries[place] = replace(entry, path=place)
        overlaps = Overlaps({top: part.root for top, part in parts.items()})
        if overlaps:
            entries.update(overlaps.named(dict(entries)))
        ignore = main.ignore
        named = {top: part.ignore for top, part in parts.items() if top}
        return cls(
            main.root,
            entries,
            replace(ignore, named=named),
            {
                at_top(top, path): value
                for top, part in parts.items()
                for path, value in part.contents.items()
            },
            {
                at_top(top, path): at_top(top, origin)
                for top, part in parts.items()
                for path, origin in part.origins.items()
            },
            changed,
            before,
            main.memory,
            parts,
        )

    @classmethod
    def read(cls, context: Path, ignore: IgnoreRules) -> ContextTree:
        """Walk a context. Raises ConfigError for a directory that cannot be read."""
        entries = {entry.path: entry for entry in context_files(context, ignore)}
        return cls(context, entries, ignore, memory=_SavedDigests(digest_file(context)))

    @cached_property
    def has_links(self) -> bool:
        """Whether the context holds any symbolic link."""
        return any(entry.kind == "link" for entry in self.entries.values())

    def resolve(self, path: str, *, last: bool = True) -> str | None:
        """``path`` with links followed, anchored at the context; None if it leads nowhere.

        "" is the context itself. ``last`` False keeps a link that the path ends in.
        """
        if not path:
            return ""
        if not self.has_links:
            return path if path in self.entries else None
        return follow(path, self.entries, last=last)

    def below(self, directory: str) -> Iterator[str]:
        """Every path below a directory, in the order of the tree; "" is the main context."""
        if not directory:
            yield from self._main_paths
            return
        start = self._positions.get(directory)
        if start is None:
            return
        prefix = directory + "/"
        for position in range(start + 1, len(self._paths)):
            path = self._paths[position]
            if not path.startswith(prefix):
                return
            yield path

    def children(self, directory: str) -> tuple[str, ...]:
        """The paths directly in a directory."""
        depth = directory.count("/") + 1 if directory else 0
        return tuple(path for path in self.below(directory) if path.count("/") == depth)

    def digest(self, path: str) -> str:
        """The digest of an entry's mode and bytes. Raises ConfigError for an unreadable file."""
        if self.parts:
            top, rest = part_of(path, self.parts)
            return self.parts[top].digest(rest) if rest or not top else ""
        entry = self.entries[path]
        origin = self.origins.get(path, path)
        if path in self.contents:
            return digest_of_content(self.contents[path], entry.mode, origin)
        return self.memory.digests.digest(self.root, replace(entry, path=origin))

    def digests(self) -> dict[str, str]:
        """The digests of all entries, by path; the digests are saved for the next run."""
        found = {path: self.digest(path) for path in self.entries}
        self.remember()
        return found

    def remember(self) -> None:
        """Write down the digests that were asked for, if any."""
        for part in self.parts.values():
            part.remember()
        if "digests" in vars(self.memory):
            self.memory.digests.save()

    def differs(self, path: str, other: ContextTree, there: str) -> str | None:
        """In what this entry differs from one of ``other``, as a cache key sees it.

        ``type``, ``mode``, ``link``, ``content``, or None. Times, inodes and
        owners do not count: a context is sent with owner 0:0.
        """
        mine, theirs = self.entries[path], other.entries[there]
        if mine is theirs and path not in self.contents and there not in other.contents:
            return None
        if mine.kind != theirs.kind or mine.device != theirs.device:
            return "type"
        if mine.kind == "link":
            return None if mine.link == theirs.link else "link"
        if mine.mode != theirs.mode:
            return "mode"
        if mine.kind != "file" or self.same_bytes(path, other, there):
            return None
        return "content"

    def same_bytes(self, path: str, other: ContextTree, there: str) -> bool:
        """Whether two regular files of one mode hold the same bytes."""
        mine, theirs = self.entries[path], other.entries[there]
        if mine.size != theirs.size:
            return False
        edited = path in self.contents or there in other.contents
        if not edited and self._on_disk(path) == other._on_disk(there):
            return (mine.mtime_ns, mine.ctime_ns, mine.inode) == (
                theirs.mtime_ns,
                theirs.ctime_ns,
                theirs.inode,
            ) or self.digest(path) == other.digest(there)
        return self.digest(path) == other.digest(there)

    def _on_disk(self, path: str) -> str:
        if self.parts:
            top, rest = part_of(path, self.parts)
            return self.parts[top]._on_disk(rest)
        return os.path.join(self.root, self.origins.get(path, path))

    def edited(self, patch: Patch) -> ContextTree:
        """The tree after some edits.

        Paths that the ignore rules of ``patch`` exclude are left out; a
        directory that holds something let in stays.
        """
        if self.parts:
            return self._edited_parts(patch)
        changes, ignore = patch.changes, patch.ignore
        if ignore.says_the_same(self.ignore):
            entries = dict(self.entries)
            changed = set(changes)
        else:
            # Read anew, because an ignored directory was not even opened.
            entries = {entry.path: entry for entry in context_files(self.root, ignore)}
            changed = set(changes) | (entries.keys() ^ self.entries.keys())
        unordered = False
        for path, entry in changes.items():
            if entry is None:
                entries.pop(path, None)
            elif entry.kind == "dir" or not ignore.lines or not ignore.excludes(path):
                unordered = unordered or path not in entries
                entries[path] = entry
            else:
                entries.pop(path, None)
        if unordered:
            for path in _hollow(changes, entries, ignore):
                del entries[path]
            for path in [path for path in entries if path in changes]:
                for parent in _parents(path):
                    hidden = changes.get(parent) or self._hidden(parent)
                    if parent not in entries and hidden is not None:
                        entries[parent] = hidden
            entries = {path: entries[path] for path in sorted(entries, key=_walk_order)}
        return ContextTree(
            self.root,
            entries,
            ignore,
            {path: value for path, value in patch.contents.items() if path in entries},
            {path: value for path, value in patch.origins.items() if path in entries},
            frozenset(changed),
            self,
            self.memory,
        )

    def _edited_parts(self, patch: Patch) -> ContextTree:
        parts: dict[str, ContextTree] = {}
        changed: set[str] = set()
        for top, part in self.parts.items():
            own = patch.part(top, self.parts)
            if not own.changes and own.ignore.says_the_same(part.ignore):
                parts[top] = part
                continue
            parts[top] = part.edited(own)
            changed.update(at_top(top, path) for path in parts[top].changed)
        return ContextTree._union(parts, self, frozenset(changed))

    def _hidden(self, path: str) -> ContextEntry | None:
        """An excluded directory, which appears as soon as a path in it is let in."""
        from .entries import entry_of

        try:
            return entry_of(path, os.lstat(os.path.join(self.root, path)))
        except OSError:
            return None

    def touched(self, directory: str) -> bool:
        """Whether an edit changed ``directory`` itself or anything below it."""
        if not directory:
            return bool(self.changed)
        ordered = self._changed_in_order
        position = bisect_left(ordered, directory)
        if position < len(ordered) and ordered[position] == directory:
            return True
        position = bisect_left(ordered, directory + "/")
        if position < len(ordered) and ordered[position].startswith(directory + "/"):
            return True
        return any(parent in self.changed for parent in _parents(directory))

    @cached_property
    def _changed_in_order(self) -> list[str]:
        return sorted(self.changed)

    @cached_property
    def _main_paths(self) -> list[str]:
        return [path for path in self._paths if not top_of(path)] if self.parts else self._paths

    @cached_property
    def _paths(self) -> list[str]:
        return list(self.entries)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {path: position for position, path in enumerate(self._paths)}


def _walk_order(path: str) -> list[str]:
    return path.split("/")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _hollow(
    changes: Mapping[str, ContextEntry | None],
    entries: Mapping[str, ContextEntry],
    ignore: IgnoreRules,
) -> Iterable[str]:
    """New directories that the ignore rules exclude and in which nothing is let in."""
    excluded = [
        path
        for path, entry in changes.items()
        if entry is not None and entry.kind == "dir" and path in entries and ignore.excludes(path)
    ]
    return [path for path in excluded if not any(other.startswith(path + "/") for other in entries)]


def new_entry(path: str, kind: Kind, size: int, mode: int) -> ContextEntry:
    """An entry that an edit made and that is on no disk."""
    return ContextEntry(path, kind, size, mode, 0, 0, 0)
