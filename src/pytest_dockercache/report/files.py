"""Writes a report to the place that the user named: a file, a link, a device or a pipe."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

__all__ = ["append_text", "require_writable", "write_text"]


def require_writable(path: Path) -> None:
    """Raise OSError if a report could not be written to this path; nothing is changed.

    Better said before the builds than after them. Directories above the path
    need not be there yet.
    """
    kind = _kind(path)
    if kind is not None and stat.S_ISDIR(kind):
        raise IsADirectoryError(f"{path} is a directory")
    if kind is not None and not stat.S_ISREG(kind):
        _require_access(path)
        return
    place = Path(os.path.realpath(path))
    if kind is not None:
        _require_access(place)
        # Opened and not written: neither its content nor its times change.
        os.close(os.open(place, os.O_WRONLY | os.O_APPEND))
        return
    above = place.parent
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir():
        raise NotADirectoryError(f"{above} is not a directory")
    _require_access(above)
    probe = above / f".pytest-dockercache-{os.getpid()}"
    # os.access() promises root more than /proc and read-only file systems allow.
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    probe.unlink()
    with contextlib.suppress(FileNotFoundError):
        os.lstat(place)  # a name may be too long


def _require_access(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise PermissionError(f"no permission to write {path}")


def write_text(path: Path, text: str) -> None:
    """Write a text; a reader of a regular file sees the old text or the new one, never half.

    A link is followed, and a device or a pipe is written through: none of these is replaced.
    Directories above a new file are made. Raises OSError.
    """
    content = text.encode("utf-8", errors="surrogateescape")
    kind = _kind(path)
    if kind is not None and not stat.S_ISREG(kind):
        _write_through(path, content)
        return
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        if kind is not None:
            partial.chmod(stat.S_IMODE(kind))
        partial.replace(place)
    except PermissionError:
        # A file that may be written in a directory that may not.
        if kind is None:
            raise
        place.write_bytes(content)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def append_text(path: Path, text: str) -> None:
    """Add a text to the end of a file; a missing file is made. Raises OSError."""
    with path.open("ab") as file:
        file.write(text.encode("utf-8", errors="replace"))


def _write_through(path: Path, content: bytes) -> None:
    # Without O_NONBLOCK, opening a pipe that nobody reads waits for ever.
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        os.set_blocking(handle, True)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _kind(path: Path) -> int | None:
    """The mode of what the path leads to, None if there is nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
