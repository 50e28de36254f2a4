"""The staged context as the tar that the Engine API takes for a build."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from ..errors import ConfigError
from .copying import counts, read_protected
from .entries import ContextEntry, entry_of
from .staging import StagedContext

__all__ = ["upload"]

_CHUNK = 1 << 20
_TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "socket": tarfile.REGTYPE,
}


def upload(staged: StagedContext, *, classic: bool = False) -> Iterator[bytes]:
    """Yield the context as a tar, a megabyte at a time; equal contexts give equal bytes.

    The Dockerfile comes first, under :attr:`StagedContext.dockerfile_name`, even when the ignore
    rules exclude it; all other excluded files are left out, because the Engine does not apply the
    rules to an upload. Owner and group are 0, as BuildKit's client sets them; with other owners no
    key would equal that of a local build (BuildKit 0.13). The format is GNU's: the Engine mistakes
    a first entry with a PAX header for a Dockerfile. Extended attributes travel in PAX headers of
    later entries; a socket becomes an empty file, as in BuildKit's client.

    ``classic`` sends ``.dockerignore`` even when it lists itself: the classic daemon reads in that
    file that it has to remove both files before it copies anything (moby's ``removeDockerfile``),
    as the docker command does.
    """
    first = staged.dockerfile_name
    status = os.stat(staged.dockerfile)
    head = entry_of(first, status)
    if len(os.fsencode(first)) > 99:
        # A long name is an entry of its own before the file's, so the archive begins with a short
        # one.
        yield _header(ContextEntry("./", "dir", 0, 0o755, 0, 0, 0))
    yield from _file(head, os.fspath(staged.dockerfile), first=True)
    rules = os.path.join(staged.root, ".dockerignore")
    if classic and staged.ignore.excludes(".dockerignore") and os.path.isfile(rules):
        yield from _file(entry_of(".dockerignore", os.stat(rules)), rules)
    for entry in staged.entries():
        full = os.path.join(staged.root, entry.path)
        if entry.path == first:
            continue
        if entry.kind == "file":
            yield from _file(entry, full)
        else:
            yield _header(entry, _attributes(full))
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _header(entry: ContextEntry, attributes: dict[str, str] | None = None) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _TYPES[entry.kind]
    info.mode = entry.mode
    info.size = entry.size if entry.kind == "file" else 0
    info.mtime = max(0, entry.mtime_ns // 10**9)
    if entry.link is not None:
        info.linkname = entry.link
    info.devmajor, info.devminor = os.major(entry.device), os.minor(entry.device)
    if attributes:
        info.pax_headers = {f"SCHILY.xattr.{name}": attributes[name] for name in sorted(attributes)}
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _attributes(full: str) -> dict[str, str]:
    """The extended attributes that enter BuildKit's content hash, bytes as surrogate escapes."""
    if not hasattr(os, "listxattr"):  # Linux only.
        return {}
    found = {}
    try:
        for name in os.listxattr(full, follow_symlinks=False):
            if counts(name):
                value = os.getxattr(full, name, follow_symlinks=False)
                found[name] = value.decode("utf-8", "surrogateescape")
    except OSError:
        return {}
    return found


def _file(entry: ContextEntry, full: str, *, first: bool = False) -> Iterator[bytes]:
    try:
        file: BinaryIO = open(full, "rb", buffering=0)  # noqa: SIM115
    except PermissionError:
        file = _unprotected(full)
    with file:
        yield _header(entry, None if first else _attributes(full))
        left = entry.size
        while left:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                raise ConfigError(f"{full}: became shorter while it was sent; build again")
            left -= len(chunk)
            yield chunk
    yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)


def _unprotected(full: str) -> BinaryIO:
    """The content of a staged file that its own mode hides from us."""
    return BytesIO(read_protected(full))
