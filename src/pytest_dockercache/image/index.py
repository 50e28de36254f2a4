"""The entries of one layer in columns, small enough to keep for every layer of a large image.

A layer gives equal indexes from a tar stream, an overlay2 directory or a blob of the containerd
store. Entries are sorted so that a directory is followed by everything below it.
"""

from __future__ import annotations

import gc
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from enum import IntEnum
from functools import cached_property

from ..values import dataclass

__all__ = [
    "OPAQUE",
    "Entry",
    "Kind",
    "LayerIndex",
    "Row",
    "build_index",
    "collector_paused",
    "display",
    "subtree_key",
]


class Kind(IntEnum):
    """The type of an entry of a layer.

    ``WHITEOUT`` deletes the path from the layers below. ``LINK`` is a hard
    link to a file of a layer below, which only some tools write; all other
    hard links are ``FILE`` entries that share a group.
    """

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2
    CHARACTER_DEVICE = 3
    BLOCK_DEVICE = 4
    FIFO = 5
    WHITEOUT = 6
    LINK = 7


_SYMLINK = int(Kind.SYMLINK)

OPAQUE = 0x10
"""Flag in the kind column: entries of lower layers at this path do not show through.

A directory with the flag is opaque; an entry of any other kind hides lower entries anyway.
"""

Row = tuple[bytes, int, int, int, int, int, int, int, bytes]
"""One entry on its way into an index: path, kind and flags, mode, uid, gid, size, mtime,
identity of the inode (0 when it cannot be shared), link text."""


def subtree_key(path: bytes) -> bytes:
    """The sort key under which a directory is directly followed by all that is below it."""
    return path.replace(b"/", b"\0")


def display(path: bytes) -> str:
    """A path as messages and reports show it: absolute, one line, printable.

    Bytes that are not UTF-8 and control characters are escaped.
    """
    text = path.decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "/" + text


@dataclass(frozen=True)
class Entry:
    """One path of a layer.

    ``path`` is relative to the root of the image, without a leading slash, in the raw bytes of the
    file system. ``size`` is in bytes, 0 unless the entry is a regular file; ``mode`` holds the
    permission bits; ``mtime`` is in whole seconds since the epoch, as in a tar; ``group`` numbers
    the hard-link groups of the layer from 1, 0 for a file with one name; ``target`` is the text of
    a link.
    """

    path: bytes
    kind: Kind
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    group: int = 0
    opaque: bool = False
    target: bytes = b""

    @property
    def name(self) -> str:
        """The absolute path as text, escaped where it is not printable."""
        return display(self.path)


@dataclass(frozen=True)
class LayerIndex:
    """All entries of one layer, in columns of equal length sorted by :func:`subtree_key`.

    ``diff_id`` is the digest of the uncompressed layer tar. ``kinds`` holds one byte per entry, a
    :class:`Kind` and perhaps the :data:`OPAQUE` flag. ``targets`` maps the position of a link to
    its text. ``kept`` holds, by path, the kept parts of the small files that record installed
    packages (see :mod:`.sifting`).
    """

    diff_id: str
    paths: Sequence[bytes]
    kinds: bytes
    modes: array[int]
    uids: array[int]
    gids: array[int]
    sizes: array[int]
    mtimes: array[int]
    groups: array[int]
    targets: Mapping[int, bytes] = field(default_factory=dict)
    kept: Mapping[bytes, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kinds)

    def entry(self, position: int) -> Entry:
        """The entry at this position."""
        kind = self.kinds[position]
        return Entry(
            path=self.paths[position],
            kind=Kind(kind & ~OPAQUE),
            size=self.sizes[position],
            mode=self.modes[position],
            uid=self.uids[position],
            gid=self.gids[position],
            mtime=self.mtimes[position],
            group=self.groups[position],
            opaque=bool(kind & OPAQUE),
            target=self.targets.get(position, b""),
        )

    def __iter__(self) -> Iterator[Entry]:
        return (self.entry(position) for position in range(len(self.kinds)))

    def position(self, path: bytes) -> int | None:
        """Where a path stands in the columns, None if the layer does not have it."""
        at = bisect_left(self.paths, subtree_key(path), key=subtree_key)
        return at if at < len(self.paths) and self.paths[at] == path else None

    @cached_property
    def size(self) -> int:
        """Bytes of the layer's files, each hard-link group counted once."""
        if not any(self.groups):
            return sum(self.sizes)
        total = 0
        seen: set[int] = set()
        for size, group in zip(self.sizes, self.groups, strict=True):
            if group:
                if group in seen:
                    continue
                seen.add(group)
            total += size
        return total


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking an index again and again while it grows.

    An index has no cycles; with 100,000 rows the collector takes a third of the time.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def build_index(diff_id: str, rows: Iterable[Row], kept: Mapping[bytes, bytes]) -> LayerIndex:
    """Put rows into the canonical form of an index.

    Every path occurs once. Hard-link groups are numbered in the order of
    their first member, and an inode with one name left is no group.
    """
    ordered = sorted(rows, key=lambda row: row[0].replace(b"/", b"\0"))
    names: dict[int, int] = {}
    for row in ordered:
        if inode := row[7]:
            names[inode] = names.get(inode, 0) + 1
    numbers: dict[int, int] = {}
    groups = array("I", bytes(4 * len(ordered)))
    if names:
        for position, row in enumerate(ordered):
            inode = row[7]
            if inode and names[inode] > 1:
                groups[position] = numbers.setdefault(inode, len(numbers) + 1)
    return LayerIndex(
        diff_id=diff_id,
        paths=[row[0] for row in ordered],
        kinds=bytes(row[1] for row in ordered),
        # A symbolic link has no mode of its own on Linux, whatever its tar says.
        modes=array("H", (0o777 if row[1] == _SYMLINK else row[2] & 0o7777 for row in ordered)),
        uids=array("I", (row[3] & 0xFFFFFFFF for row in ordered)),
        gids=array("I", (row[4] & 0xFFFFFFFF for row in ordered)),
        sizes=array("Q", (row[5] for row in ordered)),
        mtimes=array("q", (row[6] for row in ordered)),
        groups=groups,
        targets={position: row[8] for position, row in enumerate(ordered) if row[8]},
        kept=dict(kept),
    )
