"""The digest of a context path: everything about the path that enters a cache key; remembered
between runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from ..cache_home import make_directory
from ..disk import read_bytes
from ..errors import ConfigError
from .entries import ContextEntry, Grown, unreadable

__all__ = ["Digests", "digest_of_content"]

_VERSION = 1
_SETTLED_NS = 2 * 10**9
_LARGEST_MEMORY = 512 << 20
"""Bytes of the saved digests of a context: a million files."""
_Key = tuple[int, int, int, int, int]


class Digests:
    """Digests of context entries, over the attributes that BuildKit's content hash counts.

    Kind, permission bits (setuid and sticky too), bytes, link text and device
    number count; mtime, inode and owner of a local context do not
    (buildkit's contenthash). A file's bytes are read again only when its size,
    mtime, ctime, inode or mode differ from those remembered in ``file``.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, tuple[_Key, str]] = {}
        self._fresh = False
        self._now = time.time_ns()
        if file is not None:
            with contextlib.suppress(
                OSError, ValueError, KeyError, TypeError, RecursionError, ConfigError
            ):
                record = json.loads(read_bytes(file, _LARGEST_MEMORY))
                if record["version"] == _VERSION:
                    self._known = {
                        path: ((size, mtime, ctime, inode, mode), digest)
                        for path, size, mtime, ctime, inode, mode, digest in record["files"]
                    }

    def digest(self, context: Path | str, entry: ContextEntry) -> str:
        """The digest of one entry below ``context``: 32 hexadecimal digits, without its name.

        Raises ConfigError for a file that cannot be read.
        """
        if entry.kind != "file":
            said = f"{entry.kind}:{entry.mode:o}:{entry.device}:{entry.link or ''}"
            return _hashed(said.encode("utf-8", "surrogateescape"))
        key = (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode, entry.mode)
        known = self._known.get(entry.path)
        if known is not None and known[0] == key:
            return known[1]
        digest = _file_digest(os.path.join(context, entry.path), entry.mode)
        # A file that changed just now may change again within the same tick of its clock.
        if self._now - entry.ctime_ns > _SETTLED_NS:
            self._known[entry.path] = (key, digest)
            self._fresh = True
        return digest

    def of(self, context: Path | str, entries: Iterable[ContextEntry]) -> dict[str, str]:
        """The digests of many entries, by path."""
        root = os.fspath(context)
        return {entry.path: self.digest(root, entry) for entry in entries}

    def save(self, keep: Iterable[str] | None = None) -> None:
        """Save the digests atomically; ``keep`` names the paths that still exist.

        A directory that cannot be written is passed over: without saved digests the next run is
        slower, not wrong.
        """
        if self._file is None or not self._fresh:
            return
        paths = self._known.keys() if keep is None else self._known.keys() & set(keep)
        files = [[path, *self._known[path][0], self._known[path][1]] for path in sorted(paths)]
        partial = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            make_directory(self._file.parent)
            partial.write_text(json.dumps({"version": _VERSION, "files": files}), "utf-8")
            partial.replace(self._file)
            self._fresh = False


def digest_of_content(content: bytes | Grown, mode: int, origin: str) -> str:
    """The digest that a file with this content and this mode would have.

    The digest of a large file (``origin`` on disk) with a changed end is not
    computed from the file's bytes, which are not read. The changed end is
    unique to the run, so no other file can have an equal digest.
    """
    if isinstance(content, Grown):
        return _hashed(f"grown:{mode:o}:{content.keep}:{origin}:".encode() + content.tail)
    return _hashed(f"file:{mode:o}:".encode() + content)


def _hashed(said: bytes) -> str:
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _file_digest(full: str, mode: int) -> str:
    hashing = hashlib.blake2b(f"file:{mode:o}:".encode(), digest_size=16)
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while chunk := os.read(descriptor, 1 << 20):
                hashing.update(chunk)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(full, error) from error
    return hashing.hexdigest()
