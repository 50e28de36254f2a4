"""Read the headers of a tar, and index a layer from one: nothing is ever extracted.

A reader of its own because :mod:`tarfile` needs three times as long for a
layer of 100,000 files, trusts sizes and names, and keeps every member.
Formats: v7, ustar, GNU (long names, base-256 numbers, sparse files), PAX
(local and global records, GNU sparse 0.0 to 1.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zlib import adler32

from ..errors import InvalidImage
from .index import OPAQUE, Kind, LayerIndex, Row, build_index, collector_paused, display
from .limits import Budget, Limits
from .sifting import KEEP_SUFFIXES, distil, keeps, most_bytes
from .stream import ByteStream

__all__ = ["Header", "headers", "index_tar", "looks_like_tar"]

_BLOCK = 512
_ZERO = bytes(_BLOCK)
# Blanks stand for the checksum field itself while the checksum is computed.
_BLANKS = 8 * 32
_KIND_OF = {
    ord("2"): int(Kind.SYMLINK),
    ord("3"): int(Kind.CHARACTER_DEVICE),
    ord("4"): int(Kind.BLOCK_DEVICE),
    ord("5"): int(Kind.DIRECTORY),
    ord("6"): int(Kind.FIFO),
}


class Header(NamedTuple):
    """One member of a tar.

    ``type`` is the type flag's byte; ``size`` the bytes of the file, ``stored``
    the bytes that follow in the archive (fewer for a sparse file).
    """

    name: bytes
    type: int
    mode: int
    uid: int
    gid: int
    size: int
    stored: int
    mtime: int
    link: bytes


def looks_like_tar(block: bytes) -> bool:
    """Whether a block of 512 bytes is a tar header, or the end of an empty tar."""
    if len(block) < _BLOCK:
        return False
    return block == _ZERO or _checksum_holds(block)


def _checksum_holds(block: bytes) -> bool:
    field = block[148:156]
    try:
        written = int(field.strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    # The low half of Adler-32 is 1 + the sum of the bytes modulo 65521, at a twentieth of the
    # price of a sum in Python.
    if (adler32(block) & 0xFFFF) == (1 + written - _BLANKS + sum(field)) % 65521:
        return True
    unsigned = sum(block) - sum(field) + _BLANKS
    high = sum(1 for byte in block if byte > 127) - sum(1 for byte in block[148:156] if byte > 127)
    return unsigned - 256 * high == written


def _number(field: bytes, what: str) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        return value
    text = field.strip(b" \0")
    if not text:
        return 0
    try:
        return int(text.partition(b"\0")[0], 8)
    except ValueError:
        raise InvalidImage(f"{what} has a damaged tar header (number {field!r})") from None


def _numbers(block: bytes, what: str) -> tuple[int, int, int, int, int]:
    """Mode, uid, gid, size and time of a header."""
    if block[107] | block[115] | block[123] | block[135] | block[147] in (0, 32):
        # All fields end as ustar says: the common case, without looking at each closely.
        try:
            return (
                int(block[100:107], 8),
                int(block[108:115], 8),
                int(block[116:123], 8),
                int(block[124:135], 8),
                int(block[136:147], 8),
            )
        except ValueError:
            pass
    return (
        _number(block[100:108], what),
        _number(block[108:116], what),
        _number(block[116:124], what),
        _number(block[124:136], what),
        _number(block[136:148], what),
    )


def headers(stream: ByteStream, budget: Budget) -> Iterator[Header]:
    """The members of a tar, in order; the caller takes or leaves each member's content.

    The caller must skip the ``stored`` bytes of a member that it does not
    read, padding included: see :func:`padded`. Raises InvalidImage for bytes
    that are no tar, and for a damaged or truncated one.
    """
    what = stream.what
    limits = budget.limits
    common: dict[bytes, bytes] = {}
    local: dict[bytes, bytes] = {}
    long_name = long_link = None
    while True:
        block = stream.read(_BLOCK)
        if block == _ZERO:
            if local or long_name is not None or long_link is not None:
                raise InvalidImage(f"{what} ends after an extended header: it is damaged")
            return
        if not _checksum_holds(block):
            raise InvalidImage(f"{what} has a damaged tar header (checksum)")
        kind = block[156]
        mode, uid, gid, size, mtime = _numbers(block, what)
        if size < 0:
            raise InvalidImage(f"{what} has a damaged tar header (size {size})")
        if kind in b"xgLKX":
            if size > limits.header:
                raise InvalidImage(
                    f"{what} has an extended tar header of {size} bytes (at most {limits.header})"
                )
            budget.extended(size + _BLOCK)
            content = stream.read(padded(size))[:size]
            if kind == 0x4C:
                long_name = content.partition(b"\0")[0]
            elif kind == 0x4B:
                long_link = content.partition(b"\0")[0]
            elif kind == 0x67:
                common.update(_records(content, what))
            else:
                local.update(_records(content, what))
            continue
        name = block[:100].partition(b"\0")[0]
        link = block[157:257].partition(b"\0")[0]
        magic = block[257:263]
        if magic == b"ustar\0" and (prefix := block[345:500].partition(b"\0")[0]):
            name = prefix + b"/" + name
        stored = size
        if kind == 0x53:
            size = _number(block[483:495], what)
            extended = block[482]
            while extended:
                extended = stream.read(_BLOCK)[504]
        if long_name is not None:
            name = long_name
        if long_link is not None:
            link = long_link
        if local or common:
            records = {**common, **local}
            name = records.get(b"path", name)
            link = records.get(b"linkpath", link)
            try:
                stored = int(records.get(b"size", stored))
                uid = int(records.get(b"uid", uid))
                gid = int(records.get(b"gid", gid))
                if b"mtime" in records:
                    # Rounded down like the kernel's own seconds, also before 1970.
                    whole, _, fraction = records[b"mtime"].partition(b".")
                    mtime = int(whole) - (whole[:1] == b"-" and bool(fraction.strip(b"0")))
                if kind != 0x53:
                    size = stored
                sparse = records.get(b"GNU.sparse.realsize", records.get(b"GNU.sparse.size"))
                size = size if sparse is None else int(sparse)
            except ValueError:
                raise InvalidImage(f"{what} has a damaged PAX record at {display(name)}") from None
            name = records.get(b"GNU.sparse.name", name)
            if stored < 0 or size < 0:
                raise InvalidImage(f"{what} has a negative size at {display(name)}")
            local = {}
        if kind in b"123456":
            # Only a few old writers put a size here, and none of them content (Go, tarfile).
            stored = size = 0
        if kind in b"\x000" and name.endswith(b"/"):
            kind = 0x35
            stored = size = 0
        if b"\0" in name or b"\0" in link:
            raise InvalidImage(f"{what} has a NUL in the name {display(name)}")
        if len(name) > limits.path or len(link) > limits.path or name.count(b"/") > limits.depth:
            raise InvalidImage(
                f"{what} has a path of {max(len(name), len(link))} bytes and "
                f"{name.count(b'/') + 1} names: at most {limits.path} and {limits.depth}"
            )
        long_name = long_link = None
        if size > 1 << 62 or not -(1 << 62) < mtime < 1 << 62:
            raise InvalidImage(f"{what} has an impossible size or time at {display(name)}")
        yield Header(name, kind, mode, uid, gid, size, stored, mtime, link)


def padded(size: int) -> int:
    """Bytes in the archive that a content of ``size`` bytes takes."""
    return (size + 511) & ~511


_PAX_KEYS = frozenset({b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime",
                       b"GNU.sparse.realsize", b"GNU.sparse.size", b"GNU.sparse.name"})  # fmt: skip


def _records(content: bytes, what: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 20)
        try:
            length = int(content[position:blank]) if blank > 0 else 0
        except ValueError:
            length = 0
        record = content[blank + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if length < 5 or not equals or not record.endswith(b"\n"):
            if not content[position:].strip(b"\0"):
                break
            raise InvalidImage(f"{what} has a damaged PAX header")
        if key in _PAX_KEYS:
            found[key] = value[:-1]
        position += length
    return found


@dataclass(slots=True)
class _Inode:
    """The attributes that all names of a file share while a layer is read."""

    number: int
    kind: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    target: bytes
    kept: bytes | None = None
    names: int = 1


def index_tar(stream: ByteStream, diff_id: str, budget: Budget | None = None) -> LayerIndex:
    """Index a layer from its uncompressed tar.

    The entries are those that an engine makes from the tar: the last entry of a repeated path
    counts, missing parents are implied, and a link counts for the file that it pointed to when it
    was written (moby ``pkg/archive/diff.go``, ``UnpackLayer``). Raises InvalidImage for names and
    hard links that leave the image, and for a damaged or truncated tar. ``budget`` is the image's;
    without a budget, the layer counts as a daemon's own.
    """
    if budget is None:
        budget = Budget(Limits().of_daemon(), stream.what)
    with collector_paused():
        return _LayerReader(stream, budget).read(diff_id)


_MOST_STEPS = 20_000_000
"""The most names that are looked up for files behind symbolic links: seconds of work."""


class _LayerReader:
    def __init__(self, stream: ByteStream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._steps = 0
        self._what = stream.what
        self._rows: dict[bytes, tuple[int, _Inode]] = {}
        self._whiteouts: dict[bytes, int] = {}
        self._opaque: dict[bytes, int] = {}
        self._emptied: dict[bytes, int] = {}
        self._count = 0

    def read(self, diff_id: str) -> LayerIndex:
        stream = self._stream
        take = self._budget.entry
        for header in headers(stream, self._budget):
            self._count += 1
            take(header.name, header.link)
            unread = padded(header.stored)
            path = header.name.rstrip(b"/")
            if (
                path[:1] == b"/"
                or path[:2] == b"./"
                or b"//" in path
                or b"/." in path
                or path in (b".", b"..", b"")
                or path[:3] == b"../"
            ):
                path = clean(header.name, self._what)
            base = path.rpartition(b"/")[2]
            if base[:4] == b".wh.":
                self._mark(path, base)
            elif path:
                unread -= self._add(path, header)
            if unread:
                stream.skip(unread)
        stream.drain()
        return self._finish(diff_id)

    def _mark(self, path: bytes, base: bytes) -> None:
        parent = path[: -len(base)].rstrip(b"/")
        if base == b".wh..wh..opq":
            self._opaque[parent] = self._count
        elif base.startswith(b".wh..wh."):
            # aufs kept its own records under such names; engines leave them out.
            return
        elif base[4:] not in (b"", b".", b".."):
            self._whiteouts[parent + b"/" + base[4:] if parent else base[4:]] = self._count

    def _add(self, path: bytes, header: Header) -> int:
        """Take one entry; return how many bytes of its content were read."""
        taken = 0
        kind = header.type
        if kind == 0x31:
            inode = self._linked(path, header)
        elif kind in _KIND_OF:
            number = _KIND_OF[kind]
            target = header.link if number == Kind.SYMLINK else b""
            inode = _Inode(self._count, number, header.mode, header.uid, header.gid, 0,
                           header.mtime, target)  # fmt: skip
        elif kind in b"\x0007S":
            inode = _Inode(self._count, int(Kind.FILE), header.mode, header.uid, header.gid,
                           header.size, header.mtime, b"")  # fmt: skip
            if path.endswith(KEEP_SUFFIXES) and keeps(path):
                inode.kept = b""
                if header.stored <= most_bytes(path):
                    taken = header.stored
                    self._budget.record(taken)
                    inode.kept = distil(path, self._stream.read(taken))
                    self._budget.keep(len(inode.kept))
        else:
            raise InvalidImage(
                f"{self._what} has an entry of unknown type {chr(kind)!r} at {display(path)}"
            )
        before = self._rows.get(path)
        if before is not None and not (before[1].kind == inode.kind == Kind.DIRECTORY):
            self._emptied[path] = self._count
        self._rows[path] = (self._count, inode)
        return taken

    def _linked(self, path: bytes, header: Header) -> _Inode:
        target = clean(header.link, self._what)
        if target == path:
            raise InvalidImage(f"{self._what} has a hard link to itself at {display(path)}")
        found = self._rows.get(target)
        if found is None:
            return _Inode(self._count, int(Kind.LINK), header.mode, header.uid, header.gid, 0,
                          header.mtime, target)  # fmt: skip
        if found[1].kind == Kind.DIRECTORY:
            raise InvalidImage(f"{self._what} has a hard link to a directory at {display(path)}")
        inode = found[1]
        inode.names += 1
        # Engines apply the attributes of the link's own header to the linked file (moby
        # handleLChmod, Engine 26.1.5); real tars repeat the file's attributes.
        inode.mode, inode.mtime = header.mode, header.mtime
        inode.uid, inode.gid = header.uid, header.gid
        return inode

    def _finish(self, diff_id: str) -> LayerIndex:
        if self._imply_parents():
            self._settle()
        rows: list[Row] = []
        kept: dict[bytes, bytes] = {}
        file_kind, directory_kind = int(Kind.FILE), int(Kind.DIRECTORY)
        emptied, whiteouts, opaque = self._emptied, self._whiteouts, self._opaque
        for path, (since, inode) in self._rows.items():
            if emptied and self._was_emptied(path, since):
                continue
            kind = inode.kind
            shared = inode.number if kind == file_kind and inode.names > 1 else 0
            if kind == directory_kind and (path in opaque or path in whiteouts):
                kind |= OPAQUE
            if inode.kept is not None and keeps(path):
                kept[path] = inode.kept
            rows.append((path, kind, inode.mode, inode.uid, inode.gid, inode.size,
                         inode.mtime, shared, inode.target))  # fmt: skip
        rows.extend(
            (path, int(Kind.WHITEOUT), 0, 0, 0, 0, 0, 0, b"")
            for path, since in whiteouts.items()
            if path not in self._rows and not self._was_emptied(path, since)
        )
        if b"" in opaque:
            rows.append((b"", directory_kind | OPAQUE, 0o755, 0, 0, 0, 0, 0, b""))
        return build_index(diff_id, rows, kept)

    def _was_emptied(self, path: bytes, since: int) -> bool:
        emptied = self._emptied
        while path := path.rpartition(b"/")[0]:
            if emptied.get(path, 0) > since:
                return True
        return False

    def _imply_parents(self) -> bool:
        """Add the directories that the tar leaves out; say whether something is in their way."""
        rows = self._rows
        seen: set[bytes] = {b""}
        blocked = False
        for path in [*rows, *self._whiteouts, *(path + b"/." for path in self._opaque if path)]:
            parent = path.rpartition(b"/")[0]
            while parent not in seen:
                seen.add(parent)
                found = rows.get(parent)
                if found is None:
                    self._budget.entry(parent)
                    rows[parent] = (0, _Inode(0, int(Kind.DIRECTORY), 0o755, 0, 0, 0, 0, b""))
                elif found[1].kind != Kind.DIRECTORY:
                    blocked = True
                    # Earlier entries were in an implied directory, which this entry replaced.
                    self._emptied[parent] = found[0]
                parent = parent.rpartition(b"/")[0]
        return blocked

    def _settle(self) -> None:
        """Move entries that were written through a symbolic link to the path behind the link."""
        for path, (since, _) in list(self._rows.items()):
            if (goal := self._settled(path, since)) != path:
                self._rows.setdefault(goal, self._rows.pop(path))
        for table in (self._whiteouts, self._opaque):
            for path, since in list(table.items()):
                inside = path + b"/." if table is self._opaque else path
                if (goal := self._settled(inside, since)) != inside:
                    goal = goal[:-2] if table is self._opaque else goal
                    table.setdefault(goal, table.pop(path))
        self._imply_parents()

    def _settled(self, path: bytes, since: int) -> bytes:
        if self._was_emptied(path, since):
            return path
        for _ in range(40):
            through = self._followed(path)
            if through is None:
                return path
            path = through
        raise InvalidImage(f"{self._what} has a loop of symbolic links at {display(path)}")

    def _followed(self, path: bytes) -> bytes | None:
        """The path with the first symbolic link on its way followed, None if there is none."""
        slash = path.find(b"/")
        while slash > 0:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise InvalidImage(f"{self._what} writes through too many symbolic links")
            head = path[:slash]
            found = self._rows.get(head)
            if found is not None and found[1].kind != Kind.DIRECTORY:
                if found[1].kind != Kind.SYMLINK:
                    raise InvalidImage(
                        f"{self._what} has {display(path)} below {display(head)}, "
                        "which is not a directory"
                    )
                target = found[1].target
                start = b"" if target.startswith(b"/") else head.rpartition(b"/")[0]
                return (inside_root(start, target) + path[slash:]).lstrip(b"/")
            slash = path.find(b"/", slash + 1)
        return None


def inside_root(directory: bytes, text: bytes) -> bytes:
    """Where a link text read in ``directory`` leads, with the root of the image as ``/``."""
    parts = [part for part in directory.split(b"/") if part]
    for part in text.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def clean(name: bytes, what: str) -> bytes:
    """A member's name relative to the root of the image, as engines read it.

    A leading slash and ``.`` are dropped; a name that climbs out is refused
    (moby's ``breakoutError``).
    """
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not parts:
                raise InvalidImage(
                    f"{what} has the name {display(name)[1:]!r}, which leaves the image"
                )
            parts.pop()
        else:
            parts.append(part)
    return b"/".join(parts)
