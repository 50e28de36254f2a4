"""Bytes that may be added to a binary file without changing it for its readers.

Most binary formats mark their own end (PNG, JPEG, ELF, pickle, ``.npy``, SQLite), and their readers
ignore all bytes after that. This module knows the formats whose readers look at the end of the
file.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable

__all__ = ["binary_addition"]

_ZIP_END = b"PK\x05\x06"


def binary_addition(head: bytes, tail: bytes, filling: bytes) -> tuple[int, bytes]:
    """How many bytes to remove at a file's end, and the bytes to add, which hold ``filling``.

    ``filling`` is white space, of 64 bytes. ``head`` and ``tail`` are the
    file's first and last bytes; they may overlap.
    """
    archive = _zip_comment(tail, filling)
    if archive is not None:
        return archive
    if head.startswith(b"\x1f\x8b"):
        return 0, _gzip_member(filling)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        # A skippable frame (RFC 8878, 3.1.2).
        return 0, struct.pack("<II", 0x184D2A50, len(filling)) + filling
    if head.startswith(b"BZh"):
        return 0, _empty_streams(filling, lambda bit: bz2.compress(b"", 9 if bit else 1))
    if head.startswith(b"\xfd7zXZ\0"):
        checks = (lzma.CHECK_CRC32, lzma.CHECK_CRC64)
        return 0, _empty_streams(filling, lambda bit: lzma.compress(b"", check=checks[bit]))
    for magic, trailer in ((b"PAR1", 8), (b"ARROW1", 10)):
        if head.startswith(magic) and tail.endswith(magic):
            size = int.from_bytes(tail[-trailer : -trailer + 4], "little") + trailer
            if size <= len(tail):  # Offsets in the footer count from the file's beginning.
                return size, filling + tail[-size:]
    return 0, filling


def _zip_comment(tail: bytes, filling: bytes) -> tuple[int, bytes] | None:
    """The archive's comment, longer; None for a file that is no zip."""
    start = tail.rfind(_ZIP_END)
    if start < 0 or start + 22 > len(tail):
        return None
    (size,) = struct.unpack_from("<H", tail, start + 20)
    comment = tail[start + 22 :]
    if len(comment) != size or size + len(filling) > 0xFFFF:
        return None
    return 2 + size, struct.pack("<H", size + len(filling)) + comment + filling


def _gzip_member(filling: bytes) -> bytes:
    """An empty member whose comment is the filling: members may follow each other (RFC 1952)."""
    header = b"\x1f\x8b\x08\x10" + b"\0" * 5 + b"\xff" + filling + b"\0"
    packer = zlib.compressobj(wbits=-15)
    return header + packer.compress(b"") + packer.flush() + b"\0" * 8


def _empty_streams(filling: bytes, stream: Callable[[bool], bytes]) -> bytes:
    """Empty compressed streams, of two kinds that spell the filling."""
    return b"".join(stream(byte == 0x09) for byte in filling)
