"""What a build sees of a context: entries, bytes by digest, and an edited version of both.

Nothing is copied and nothing is hashed before somebody asks. A digest is
remembered by path, size, mtime, ctime, inode and mode, because hashing
10,000 files takes longer than everything else that a prediction does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .entries import ContextEntry, Kind, context_files
from .gomatch import clean
from .ignore import IgnoreRules

__all__ = ["ContextTree", "DigestMemory", "new_entry"]

_LINKS_FOLLOWED = 255
"""As many links as BuildKit follows on the way to a path."""

_SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was hashed may change again unnoticed: the
clock of a file system ticks in milliseconds, on FAT in two seconds."""


@dataclass
class DigestMemory:
    """SHA-256 digests of files, remembered between runs in one JSON file a context.

    Damaged or missing files are the same as empty ones. Reading and writing
    never fails: a digest can always be computed again.
    """

    file: Path | None = None
    _known: dict[str, list[object]] | None = None
    _grown: bool = False

    @classmethod
    def of_context(cls, context: Path) -> DigestMemory:
        """The memory of one build context, below ``XDG_CACHE_HOME`` (else ``~/.cache``)."""
        base = os.environ.get("XDG_CACHE_HOME") or ""
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        name = hashlib.sha256(os.fsencode(os.path.abspath(context))).hexdigest()[:16]
        return cls(home / "pytest-dockercache" / "digests" / f"{name}.json")

    def digest(self, full: str, entry: ContextEntry) -> str:
        """The digest of the file at ``full``, which ``entry`` describes. Raises OSError."""
        key = [entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode, entry.mode]
        known = self._load()
        found = known.get(full)
        if found is not None and found[:-1] == key and isinstance(found[-1], str):
            return found[-1]
        now = time.time_ns()
        value = _hashed(full)
        if now - max(entry.mtime_ns, entry.ctime_ns) > _SETTLED_NS:
            known[full] = [*key, value]
            self._grown = True
        return value

    def save(self) -> None:
        """Write what was learned, so that a reader sees the old file or the new one."""
        if self.file is None or not self._grown or self._known is None:
            return
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.file.with_name(f"{self.file.name}.{os.getpid()}.partial")
            fresh.write_text(json.dumps(self._known), "utf-8", errors="surrogateescape")
            fresh.replace(self.file)
        self._grown = False

    def _load(self) -> dict[str, list[object]]:
        if self._known is None:
            self._known = {}
            if self.file is not None:
                with contextlib.suppress(OSError, ValueError):
                    text = self.file.read_text("utf-8", errors="surrogateescape")
                    record = json.loads(text)
                    if isinstance(record, dict):
                        self._known = {
                            path: value for path, value in record.items() if isinstance(value, list)
                        }
        return self._known


def _hashed(full: str) -> str:
    # Without O_NONBLOCK, a path that became a fifo meanwhile would hang us.
    handle = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        total = hashlib.sha256()
        while chunk := os.read(handle, 1 << 20):
            total.update(chunk)
        return total.hexdigest()
    finally:
        os.close(handle)


@dataclass(frozen=True)
class ContextTree:
    """Every entry of a context that a build can see, as it is on disk or after edits.

    ``entries`` is keyed by path, directories before their content and names
    sorted, as a walk finds them. ``contents`` holds the bytes of files that
    edits wrote, ``origins`` the path on disk (relative to ``root``) of those
    that were renamed. ``changed`` names every path in which the tree may
    differ from the one it was edited from, ``parent``.
    """

    root: Path
    entries: Mapping[str, ContextEntry]
    ignore: IgnoreRules = field(default_factory=IgnoreRules)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    parent: ContextTree | None = field(default=None, repr=False, compare=False)
    memory: DigestMemory = field(default_factory=DigestMemory, repr=False, compare=False)

    @classmethod
    def read(
        cls, context: Path, ignore: IgnoreRules, memory: DigestMemory | None = None
    ) -> ContextTree:
        """Walk a context. Raises ConfigError for a directory that cannot be read."""
        entries = {entry.path: entry for entry in context_files(context, ignore)}
        return cls(context, entries, ignore, memory=memory or DigestMemory.of_context(context))

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
        parts = path.split("/")
        here = ""
        for _ in range(_LINKS_FOLLOWED):
            if not parts:
                return here
            part = parts.pop(0)
            step = f"{here}/{part}" if here else part
            entry = self.entries.get(step)
            if entry is None:
                return None
            if entry.kind == "link" and (parts or last):
                text = entry.link or ""
                target = clean(text if text.startswith("/") else f"/{here}/{text}")[1:]
                parts = [item for item in target.split("/") if item] + parts
                here = ""
            else:
                here = step
        return None

    def below(self, directory: str) -> Iterator[str]:
        """Every path below a directory, in the order of the tree; "" is the context."""
        if not directory:
            yield from self._paths
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
        """The digest of a file's bytes; "" for one that cannot be read any more."""
        if path in self.contents:
            return hashlib.sha256(self.contents[path]).hexdigest()
        full = self._on_disk(path)
        try:
            return self.memory.digest(full, self.entries[path])
        except OSError:
            return ""

    def content(self, path: str) -> bytes:
        """A file's bytes. Raises OSError."""
        if path in self.contents:
            return self.contents[path]
        with open(self._on_disk(path), "rb") as file:
            return file.read()

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
        """Whether two regular files hold the same bytes, whatever their modes."""
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
        return os.path.join(self.root, self.origins.get(path, path))

    def edited(
        self,
        changes: Mapping[str, ContextEntry | None],
        contents: Mapping[str, bytes],
        origins: Mapping[str, str],
        ignore: IgnoreRules,
    ) -> ContextTree:
        """The tree after some entries were set anew, or removed (None).

        Paths that ``ignore`` excludes are left out; a directory that holds
        something let in stays.
        """
        if tuple(line.text for line in ignore.lines) == tuple(
            line.text for line in self.ignore.lines
        ):
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
            {path: value for path, value in contents.items() if path in entries},
            {path: value for path, value in origins.items() if path in entries},
            frozenset(changed),
            self,
            self.memory,
        )

    def _hidden(self, path: str) -> ContextEntry | None:
        """An excluded directory, which appears as soon as something in it is let in."""
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
    """An entry that no disk holds: one that an edit made."""
    return ContextEntry(path, kind, size, mode, 0, 0, 0)
