"""Bytes that arrive once and in order: read, skipped, decompressed and bounded, never stored."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

from ..errors import InvalidImage
from .limits import Budget

__all__ = ["ByteStream", "decompressed", "file_chunks"]

_CHUNK = 1 << 18


def truncated(what: str) -> InvalidImage:
    """The error of a file or stream that ends before its content does."""
    return InvalidImage(f"{what} ends too early: it is truncated")


class ByteStream:
    """A forward-only stream over chunks of any size.

    ``seek`` moves the underlying file forward by a number of bytes that have
    not been read yet; without it, skipping reads and drops.
    """

    def __init__(
        self, chunks: Iterator[bytes], what: str, seek: Callable[[int], None] | None = None
    ) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._position = 0
        self._seek = seek
        self.what = what

    def truncated(self) -> InvalidImage:
        """The error of a stream that ends before its content does."""
        return truncated(self.what)

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes; InvalidImage when the stream ends before."""
        start = self._position
        end = start + count
        if end <= len(self._buffer):
            self._position = end
            return self._buffer[start:end]
        return self._read_across(count)

    def _read_across(self, count: int) -> bytes:
        parts = [self._buffer[self._position :]]
        missing = count - len(parts[0])
        self._buffer = b""
        self._position = 0
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise self.truncated()
            if len(chunk) > missing:
                parts.append(chunk[:missing])
                self._buffer = chunk
                self._position = missing
                missing = 0
            else:
                parts.append(chunk)
                missing -= len(chunk)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Leave ``count`` bytes out; InvalidImage when the stream ends before."""
        end = self._position + count
        if end <= len(self._buffer):
            self._position = end
            return
        missing = end - len(self._buffer)
        self._buffer = b""
        self._position = 0
        if self._seek is not None:
            self._seek(missing)
            return
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise self.truncated()
            if len(chunk) > missing:
                self._buffer = chunk
                self._position = missing
                return
            missing -= len(chunk)

    def some(self) -> bytes:
        """The next bytes at hand, ``b""`` only at the end."""
        if self._position < len(self._buffer):
            rest = self._buffer[self._position :]
            self._buffer = b""
            self._position = 0
            return rest
        for chunk in self._chunks:
            if chunk:
                return chunk
        return b""

    def unread(self, piece: bytes) -> None:
        """Give back bytes that :meth:`some` gave."""
        self._buffer = piece + self._buffer[self._position :]
        self._position = 0

    def peek(self, count: int) -> bytes:
        """Up to ``count`` bytes that the next read gives again; fewer only at the end."""
        while len(self._buffer) - self._position < count:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer = self._buffer[self._position :] + chunk
            self._position = 0
        return self._buffer[self._position : self._position + count]

    def part(self, count: int) -> Iterator[bytes]:
        """The next ``count`` bytes as chunks."""
        while count > 0:
            chunk = self.some()
            if not chunk:
                raise self.truncated()
            if len(chunk) > count:
                self._buffer = chunk
                self._position = count
                yield chunk[:count]
                return
            count -= len(chunk)
            yield chunk

    def drain(self) -> None:
        """Read to the end, so that what watches the bytes on their way has seen all of them."""
        while self.some():
            pass


def file_chunks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, in chunks."""
    while chunk := file.read(_CHUNK):
        yield chunk


def decompressed(stream: ByteStream, budget: Budget) -> Iterator[bytes]:
    """The content of a stream that is gzip, zstd or not compressed, by its first bytes.

    Raises InvalidImage for damaged data, for data that grows beyond the
    limits, and for zstd where no decoder is installed.
    """
    magic = stream.peek(4)
    if magic[:2] == b"\x1f\x8b":
        return _bounded(_gunzip(stream), budget)
    if magic == b"\x28\xb5\x2f\xfd" or (magic[1:] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50):
        return _bounded(_unzstd(stream), budget)
    if magic[:3] == b"BZh" or magic == b"\xfd7zX":
        raise InvalidImage(f"{stream.what} is compressed with bzip2 or xz; layers are gzip or zstd")
    return iter(stream.some, b"")


def _bounded(pieces: Iterator[tuple[int, bytes]], budget: Budget) -> Iterator[bytes]:
    for consumed, piece in pieces:
        budget.inflate(consumed, len(piece))
        if piece:
            yield piece


def _gunzip(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    # Several members in a row are one layer: pigz and estargz write them.
    try:
        pending = b""
        while pending or (pending := stream.some()):
            if not pending.strip(b"\0"):
                pending = b""
                continue
            inflater = zlib.decompressobj(31)
            while not inflater.eof:
                if not pending:
                    pending = stream.some()
                    if not pending:
                        raise stream.truncated()
                size = len(pending)
                piece = inflater.decompress(pending, _CHUNK)
                pending = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                yield size - len(pending), piece
    except zlib.error as error:
        raise InvalidImage(f"{stream.what} is damaged gzip data ({error})") from error


class _Counted:
    """A stream as the file object that a decoder reads from; counts the bytes taken."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.taken = 0

    def read(self, count: int = -1) -> bytes:
        count = _CHUNK if count < 0 else count
        piece = self._stream.peek(1) and self._stream.some()
        if len(piece) > count:
            self._stream.unread(piece[count:])
            piece = piece[:count]
        self.taken += len(piece)
        return piece


def _unzstd(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    # A reader, not a decompressor: only a reader bounds the output of one call (an RLE block makes
    # 128 KiB of four bytes).
    source = _Counted(stream)
    reader, errors = _zstd(source, stream.what)
    before = 0
    try:
        while piece := reader.read(_CHUNK):
            yield source.taken - before, piece
            before = source.taken
    except EOFError:
        raise stream.truncated() from None
    except errors as error:
        raise InvalidImage(f"{stream.what} is damaged zstd data ({error})") from error


def _zstd(source: _Counted, what: str) -> tuple[Any, type[Exception]]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        pass
    else:
        return zstd.ZstdFile(source), zstd.ZstdError
    try:
        import zstandard
    except ImportError:
        raise InvalidImage(
            f"{what} is compressed with zstd, and nothing here can read it: pip install zstandard"
        ) from None
    decoder = zstandard.ZstdDecompressor()
    return decoder.stream_reader(
        cast("IO[bytes]", source), read_across_frames=True
    ), zstandard.ZstdError
