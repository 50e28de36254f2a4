"""Reading foreign files: only regular files, up to a limit of bytes.

Opening a FIFO waits for a writer, and a device may never end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import ConfigError
from .limits import TEXT_FILE

__all__ = ["read_bytes", "read_inside", "read_text"]

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: Path, limit: int = TEXT_FILE) -> bytes:
    """The bytes of a regular file, links followed.

    Raises OSError as :func:`open` does, and ConfigError for a path that is no
    regular file, or for a file of more than ``limit`` bytes.
    """
    _require_regular(path, os.stat(path))
    # The path may have become a FIFO meanwhile, so it is opened without waiting and checked again.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _require_regular(path, os.fstat(file.fileno()))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ConfigError(
            f"{path}: is larger than {limit // 1_000_000} MB, which is more than is read of such "
            "a file"
        )
    return content


def read_text(
    path: Path, encoding: str = "utf-8-sig", errors: str = "strict", limit: int = TEXT_FILE
) -> str:
    """The text of a regular file, every line ending as ``\\n``; see :func:`read_bytes`.

    Raises UnicodeDecodeError for bytes that are not of the encoding.
    """
    text = read_bytes(path, limit).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_inside(root: Path, path: str, limit: int = TEXT_FILE) -> bytes | None:
    """The bytes of a file below ``root``; None for what cannot be read.

    A link that leads out of ``root`` counts as missing: in the image it leads to the image's own
    file.
    """
    place = root / path
    try:
        if not place.resolve().is_relative_to(root.resolve()):
            return None
        return read_bytes(place, limit)
    except (OSError, ValueError, RuntimeError, ConfigError):
        return None  # RuntimeError: links in a circle, on Python before 3.13


def _require_regular(path: Path, status: os.stat_result) -> None:
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise ConfigError(f"{path}: is {name}, not a regular file")
