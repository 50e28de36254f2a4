"""Layer indexes kept between runs: a layer is named by its content, so its index never ages."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
import zlib
from array import array
from collections.abc import Mapping
from pathlib import Path

from ..cache_home import cache_home, make_directory
from ..disk import read_bytes
from ..errors import ConfigError
from ..regexes import regex
from .index import LayerIndex

__all__ = ["KnownLayers", "LayerStore", "default_directory"]

_VERSION = 2
"""Changes with every change of the file's layout, of the index, or of the kept content."""

_MAGIC = b"dockercache layer %d\n" % _VERSION
_LENGTHS = struct.Struct("<9Q")
_COLUMNS = (("modes", "H"), ("uids", "I"), ("gids", "I"), ("sizes", "Q"), ("mtimes", "q"),
            ("groups", "I"))  # fmt: skip
_DIGEST = regex(r"sha256:[0-9a-f]{64}")
_BOUND = 512 << 20


def default_directory() -> Path:
    """Where indexes are kept: ``$XDG_CACHE_HOME/pytest-dockercache/layers``, by default below
    ``~/.cache``."""
    return cache_home() / "layers"


class LayerStore:
    """Indexes by diff ID in a directory of the user's, safe under concurrent processes.

    A file is written beside its place and renamed into it. A file that is
    damaged, or was written by another version, is as good as none. Where the
    files together exceed ``bound`` bytes, the least recently used go.
    A directory that cannot be written costs time, never a verdict: nothing
    is raised.
    """

    def __init__(self, directory: Path | None = None, *, bound: int = _BOUND) -> None:
        self.directory = default_directory() if directory is None else directory
        self.bound = bound

    def _path(self, diff_id: str, suffix: str) -> Path:
        return self.directory / f"v{_VERSION}" / (diff_id.replace(":", "-") + suffix)

    def load(self, diff_id: str) -> LayerIndex | None:
        """The index of this layer, None if there is none that can be used."""
        content = self._read(diff_id, ".layer")
        if content is None:
            return None
        try:
            return decode(content, diff_id)
        except (ValueError, struct.error, zlib.error, IndexError, OverflowError):
            with contextlib.suppress(OSError):
                self._path(diff_id, ".layer").unlink()
            return None

    def save(self, layer: LayerIndex) -> None:
        """Keep an index."""
        self._write(layer.diff_id, ".layer", encode(layer))

    def load_config(self, image_id: str) -> bytes | None:
        """The configuration of this image as it was kept; the caller verifies its digest."""
        return self._read(image_id, ".json")

    def save_config(self, image_id: str, content: bytes) -> None:
        """Keep an image's configuration."""
        self._write(image_id, ".json", content)

    def load_diff_id(self, blob: str) -> str | None:
        """The diff ID of the layer that a blob of this digest was seen to unpack to."""
        content = self._read(blob, ".blob")
        text = content.decode("ascii", "replace") if content is not None else ""
        return text if _DIGEST.fullmatch(text) else None

    def save_diff_id(self, blob: str, diff_id: str) -> None:
        """Keep to which layer a blob unpacks; both digests are of bytes that were read."""
        self._write(blob, ".blob", diff_id.encode())

    def _read(self, digest: str, suffix: str) -> bytes | None:
        if not _DIGEST.fullmatch(digest):
            return None
        path = self._path(digest, suffix)
        try:
            content = read_bytes(path, self.bound)
        except (OSError, ConfigError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def _write(self, digest: str, suffix: str, content: bytes) -> None:
        if not _DIGEST.fullmatch(digest):
            return
        path = self._path(digest, suffix)
        try:
            make_directory(path.parent)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with open(handle, "wb") as file:
                    file.write(content)
                os.replace(name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError:
            return
        self._trim(keep=path)

    def _trim(self, keep: Path) -> None:
        found: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError), os.scandir(keep.parent) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    found.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.bound:
                break
            if path != str(keep):
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                total -= size


class KnownLayers:
    """The layers that need not be indexed again: the layers of a store, and the layers read so far.

    ``taken`` are the diff IDs that were answered from the store.
    """

    def __init__(self, store: LayerStore | None = None) -> None:
        self._store = store
        self._layers: dict[str, LayerIndex] = {}
        self._blobs: dict[str, str] = {}
        self.taken: set[str] = set()

    def layer(self, diff_id: str) -> LayerIndex | None:
        """The index of a layer, None for an unknown layer."""
        found = self._layers.get(diff_id)
        if found is None and self._store is not None:
            found = self._store.load(diff_id)
            if found is not None:
                self._layers[diff_id] = found
                self.taken.add(diff_id)
        return found

    def diff_id(self, blob: str) -> str | None:
        """The diff ID of the layer that a blob of this digest unpacks to, as was seen before."""
        found = self._blobs.get(blob)
        if found is None and self._store is not None:
            found = self._store.load_diff_id(blob)
        return found

    def learn(self, blob: str, layer: LayerIndex) -> None:
        """Note a layer whose bytes, with this digest, were read to their end."""
        self._blobs[blob] = layer.diff_id
        self._layers[layer.diff_id] = layer
        if self._store is not None:
            self._store.save(layer)
            if blob != layer.diff_id:
                self._store.save_diff_id(blob, layer.diff_id)


def encode(layer: LayerIndex) -> bytes:
    """An index as bytes: a header, then the columns, compressed together."""
    columns = [_little_endian(getattr(layer, name)).tobytes() for name, _ in _COLUMNS]
    parts = [b"\0".join(layer.paths), bytes(layer.kinds), *columns, _pack_extras(layer)]
    body = _LENGTHS.pack(*map(len, parts)) + b"".join(parts)
    return _MAGIC + layer.diff_id.encode() + b"\n" + zlib.compress(body, 1)


def decode(content: bytes, diff_id: str) -> LayerIndex:
    """The inverse of :func:`encode`; ValueError or zlib.error for anything else."""
    start = _MAGIC + diff_id.encode() + b"\n"
    if not content.startswith(start):
        raise ValueError("not an index of this layer and version")
    body = memoryview(zlib.decompress(memoryview(content)[len(start) :]))
    lengths = _LENGTHS.unpack_from(body)
    if sum(lengths) + _LENGTHS.size != len(body):
        raise ValueError("lengths do not add up")
    parts: list[memoryview] = []
    position = _LENGTHS.size
    for length in lengths:
        parts.append(body[position : position + length])
        position += length
    count = lengths[1]
    paths = bytes(parts[0]).split(b"\0") if count else []
    columns: dict[str, array[int]] = {}
    for (name, code), part in zip(_COLUMNS, parts[2:8], strict=True):
        column = array(code)
        column.frombytes(part)
        columns[name] = _little_endian(column)
    if len(paths) != count or any(len(column) != count for column in columns.values()):
        raise ValueError("columns differ in length")
    targets, kept = _unpack_extras(bytes(parts[8]))
    return LayerIndex(diff_id, paths, bytes(parts[1]), **columns, targets=targets, kept=kept)


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column


def _pack_extras(layer: LayerIndex) -> bytes:
    records = [struct.pack("<II", len(layer.targets), len(layer.kept))]
    for position, target in layer.targets.items():
        records.append(struct.pack("<QI", position, len(target)) + target)
    for path, content in layer.kept.items():
        records.append(struct.pack("<II", len(path), len(content)) + path + content)
    return b"".join(records)


def _unpack_extras(content: bytes) -> tuple[Mapping[int, bytes], Mapping[bytes, bytes]]:
    links, files = struct.unpack_from("<II", content)
    at = 8
    targets: dict[int, bytes] = {}
    for _ in range(links):
        position, length = struct.unpack_from("<QI", content, at)
        at += 12
        targets[position] = content[at : at + length]
        at += length
    kept: dict[bytes, bytes] = {}
    for _ in range(files):
        first, second = struct.unpack_from("<II", content, at)
        at += 8
        kept[content[at : at + first]] = content[at + first : at + first + second]
        at += first + second
    if at != len(content):
        raise ValueError("extras do not add up")
    return targets, kept
