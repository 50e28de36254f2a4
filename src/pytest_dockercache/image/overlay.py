"""Index a layer from its overlay2 ``diff`` directory: one walk, no byte of content read.

Kernel facts (Documentation/filesystems/overlayfs.rst): a whiteout is a
character device 0/0; an opaque directory carries ``trusted.overlay.opaque``
(``user.overlay.opaque`` on a rootless daemon) with the value ``y``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import Unverifiable
from .index import OPAQUE, Kind, LayerIndex, Row, build_index, collector_paused
from .sifting import KEEP_SUFFIXES, distil, keeps, most_bytes

__all__ = ["KINDS", "index_directory", "read_below"]

_PREFIXES = ("trusted.overlay.", "user.overlay.")
_OPAQUE_NAMES = frozenset(prefix + "opaque" for prefix in _PREFIXES)
# A directory or file with one of these has its content elsewhere: only a mount can show it.
_ELSEWHERE = frozenset(prefix + name for prefix in _PREFIXES for name in ("redirect", "metacopy"))

KINDS = {
    stat.S_IFREG: int(Kind.FILE),
    stat.S_IFDIR: int(Kind.DIRECTORY),
    stat.S_IFLNK: int(Kind.SYMLINK),
    stat.S_IFCHR: int(Kind.CHARACTER_DEVICE),
    stat.S_IFBLK: int(Kind.BLOCK_DEVICE),
    stat.S_IFIFO: int(Kind.FIFO),
}


def index_directory(root: Path, diff_id: str) -> LayerIndex:
    """Index the layer whose overlay2 ``diff`` directory is ``root``.

    Raises OSError for an unreadable directory, and Unverifiable where the kernel keeps content
    outside of the directory (redirected directories, metacopy).
    """
    with collector_paused():
        rows, kept = _walk(root)
        return build_index(diff_id, rows, kept)


def _walk(root: Path) -> tuple[list[Row], dict[bytes, bytes]]:
    rows: list[Row] = []
    kept: dict[bytes, bytes] = {}
    file_kind, directory_kind = int(Kind.FILE), int(Kind.DIRECTORY)
    top = os.fsencode(root)
    if _is_opaque(top):
        rows.append((b"", directory_kind | OPAQUE, 0o755, 0, 0, 0, 0, 0, b""))
    pending: list[tuple[bytes, bytes]] = [(top, b"")]
    append = rows.append
    kind_of = KINDS.get
    while pending:
        directory, prefix = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                path = prefix + name
                found = entry.stat(follow_symlinks=False)
                # Unpacking by position gives times in whole seconds, and is twice as fast.
                mode, inode, _, links, uid, gid, size, _, mtime, _ = found
                kind = kind_of(mode & 0o170000)
                if kind == file_kind:
                    shared = inode if links > 1 else 0
                    append((path, file_kind, mode, uid, gid, size, int(mtime), shared, b""))
                    if name.endswith(KEEP_SUFFIXES) and keeps(path):
                        kept[path] = b""
                        if size <= most_bytes(path):
                            with open(entry.path, "rb") as content:
                                kept[path] = distil(path, content.read(size))
                elif kind == directory_kind:
                    flags = OPAQUE if _is_opaque(entry.path) else 0
                    append((path, directory_kind | flags, mode, uid, gid, 0, int(mtime), 0, b""))
                    pending.append((entry.path, path + b"/"))
                elif kind is None:
                    # A socket: no tar can hold it, so no layer tar does.
                    continue
                elif kind == Kind.CHARACTER_DEVICE and found.st_rdev == 0:
                    append((path, int(Kind.WHITEOUT), 0, 0, 0, 0, 0, 0, b""))
                else:
                    target = os.readlink(entry.path) if kind == Kind.SYMLINK else b""
                    append((path, kind, mode, uid, gid, 0, int(mtime), 0, target))
    return rows, kept


def _is_opaque(directory: bytes) -> bool:
    names = os.listxattr(directory, follow_symlinks=False)
    if not names:
        return False
    if moved := _ELSEWHERE.intersection(names):
        raise Unverifiable(
            f"{os.fsdecode(directory)} has its content elsewhere ({', '.join(sorted(moved))})"
        )
    return any(
        os.getxattr(directory, name, follow_symlinks=False) == b"y"
        for name in _OPAQUE_NAMES.intersection(names)
    )


def read_below(root: Path, path: bytes, limit: int) -> bytes:
    """Read at most ``limit`` bytes of a regular file that the index of ``root`` lists."""
    full = os.path.join(os.fsencode(root), path)
    with open(os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read(limit)
