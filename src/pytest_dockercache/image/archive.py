"""Images in files: docker-archive and OCI archives, OCI directories, the stream of ``docker save``.

One reader for all: documents (manifests, configurations) are read whole and bounded, layers pass
through the indexer, nothing is written. :class:`Blobs` asks two questions of every source; a stream
that can be read only once answers both in one pass. The identity of a layer is decided by its
bytes: a given digest is verified against the bytes, unless they come from a daemon, which has
verified them itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from ..errors import InvalidImage
from ..values import dataclass
from .index import LayerIndex
from .limits import Budget, Limits
from .manifests import Document, Manifest, blob_digest, check_layers, find_manifest, require_named
from .store import KnownLayers
from .stream import ByteStream, decompressed, file_chunks, truncated
from .tar import clean, headers, index_tar, looks_like_tar, padded

__all__ = [
    "Manifest",
    "Wanted",
    "archive_contents",
    "read_archive_file",
    "read_content_store",
    "read_oci_directory",
    "read_save_stream",
    "stream_contents",
]

Wanted = Mapping[int, frozenset[bytes]]
Read = tuple[Manifest, tuple[LayerIndex, ...]]
_T = TypeVar("_T")


# --- one layer ----------------------------------------------------------------------------------


def _hashed(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _index_layer(stream: ByteStream, budget: Budget) -> tuple[LayerIndex, str]:
    """Index a layer, compressed or not, under the digest of its content.

    The second value is the digest of the bytes as stored.
    """
    raw, content = hashlib.sha256(), hashlib.sha256()
    packed = ByteStream(_hashed(iter(stream.some, b""), raw), stream.what)
    unpacked = ByteStream(_hashed(decompressed(packed, budget), content), stream.what)
    layer = index_tar(unpacked, "", budget)
    packed.drain()
    return replace(layer, diff_id="sha256:" + content.hexdigest()), "sha256:" + raw.hexdigest()


def _confirm(layer: LayerIndex, diff_id: str, what: str) -> LayerIndex:
    if layer.diff_id != diff_id:
        raise InvalidImage(
            f"a layer of {what} does not have the content that its diff ID promises "
            f"({diff_id[:19]}… expected, {layer.diff_id[:19]}… found)"
        )
    return layer


# --- the members of an archive ------------------------------------------------------------------


@dataclass
class _Member:
    """A regular member of an archive, while its bytes pass by."""

    name: str
    size: int
    _outer: ByteStream
    _content: ByteStream | None = None

    def content(self) -> ByteStream:
        """The member's bytes; unread bytes are skipped afterwards."""
        if self._content is None:
            what = f"{self.name} of {self._outer.what}"
            self._content = ByteStream(self._outer.part(self.size), what)
        return self._content

    def leave(self) -> None:
        """Go to the end of the member."""
        if self._content is None:
            self._outer.skip(padded(self.size))
        else:
            self._content.drain()
            self._outer.skip(padded(self.size) - self.size)


def _members(outer: ByteStream, budget: Budget, aliases: dict[str, str]) -> Iterator[_Member]:
    """The regular members of an archive in order; links are noted in ``aliases``."""
    what = outer.what
    for count, header in enumerate(headers(outer, budget)):
        if count >= budget.limits.members:
            raise InvalidImage(f"{what} has more than {budget.limits.members} members")
        name = os.fsdecode(clean(header.name, what))
        if header.type in b"12":
            start = os.fsencode(name).rpartition(b"/")[0] + b"/" if header.type == 0x32 else b""
            aliases[name] = os.fsdecode(clean(start + header.link, what))
        elif header.type in b"\x0007":
            member = _Member(name, header.stored, outer)
            yield member
            member.leave()
        else:
            outer.skip(padded(header.stored))


def _followed(name: str, aliases: Mapping[str, str], what: str) -> str:
    for _ in range(40):
        if name not in aliases:
            return name
        name = aliases[name]
    raise InvalidImage(f"{what} has a loop of links at {name[:80]!r}")


def _looks_like_layer(block: bytes) -> bool:
    return looks_like_tar(block) or block[:2] == b"\x1f\x8b" or block[:4] == b"\x28\xb5\x2f\xfd"


# --- a stream that comes once -------------------------------------------------------------------


@dataclass
class _Passed(Generic[_T]):
    """The members that one pass over an archive has found, by their names."""

    what: str
    documents: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, _T] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def layer(self, name: str) -> _T | None:
        """The result for the layer of this name, with links followed."""
        return self.layers.get(_followed(name, self.aliases, self.what))


def _pass_over(
    chunks: Iterator[bytes], what: str, budget: Budget, take: Callable[[str, ByteStream], _T]
) -> _Passed[_T]:
    """Go over an archive once: keep its documents, and the results of ``take`` for its layers."""

    def counted() -> Iterator[bytes]:
        for chunk in chunks:
            budget.read(len(chunk))
            yield chunk

    outer = ByteStream(decompressed(ByteStream(counted(), what), budget), what)
    passed: _Passed[_T] = _Passed(what)
    room = budget.limits.document
    for member in _members(outer, budget, passed.aliases):
        first = member.content().peek(512)
        if _looks_like_layer(first):
            passed.layers[member.name] = take(member.name, member.content())
        elif member.size <= room and first[:1] in (b"{", b"["):
            # A member that does not fit (a list of an image's parts, beside the image) is
            # not needed.
            passed.documents[member.name] = member.content().read(member.size)
            room -= member.size
    outer.drain()
    return passed


def read_save_stream(
    chunks: Iterator[bytes],
    what: str,
    known: KnownLayers,
    *,
    trusted: bool,
    tag: str | None = None,
    limits: Limits | None = None,
) -> Read:
    """Read an archive in one pass: the output of ``docker save``, or a compressed archive.

    ``known`` gives an index that need not be made again. ``trusted`` takes a
    blob's name for the digest of its content, which is true of a stream that
    comes from the daemon itself and saves hashing it.
    """
    budget = Budget(limits, what)

    def take(name: str, content: ByteStream) -> LayerIndex:
        promised = blob_digest(name) or ""
        if not trusted:
            layer, digest = _index_layer(content, budget)
            require_named(name, digest, what)
            return layer
        found = known.layer(promised)
        if found is not None:
            return found
        if looks_like_tar(content.peek(512)):
            return index_tar(content, promised, budget)
        return _index_layer(content, budget)[0]

    passed = _pass_over(chunks, what, budget, take)
    manifest = find_manifest(passed.documents.get, what, tag)
    result = []
    for name, diff_id in zip(manifest.layers, check_layers(manifest, what), strict=True):
        layer = passed.layer(name)
        if layer is None:
            raise InvalidImage(f"{what} has no layer {name}, or it is no tar")
        if trusted and not layer.diff_id:
            layer = replace(layer, diff_id=diff_id)
        result.append(_confirm(layer, diff_id, what))
        if not trusted:
            known.learn(diff_id, layer)
    _take_repeats(result, budget)
    return manifest, tuple(result)


def _take_repeats(layers: list[LayerIndex], budget: Budget) -> None:
    """Charge the entries of layers that an image has several times, once for each time."""
    seen: set[str] = set()
    for layer in layers:
        if layer.diff_id in seen:
            budget.repeat(len(layer))
        seen.add(layer.diff_id)


def stream_contents(
    chunks: Iterator[bytes],
    what: str,
    tag: str | None,
    wanted: Wanted,
    limit: int,
    limits: Limits | None = None,
) -> Mapping[tuple[int, bytes], bytes]:
    """Read files of an image whose archive comes as a stream: all candidates are kept until
    the manifest, which may come last, says which layer is which."""
    budget = Budget(limits, what)
    everything = frozenset(path for paths in wanted.values() for path in paths)

    def take(name: str, content: ByteStream) -> dict[bytes, bytes]:
        inner = ByteStream(decompressed(content, budget), content.what)
        return tar_contents(inner, everything, limit, budget)

    passed = _pass_over(chunks, what, budget, take)
    manifest = find_manifest(passed.documents.get, what, tag)
    found: dict[tuple[int, bytes], bytes] = {}
    for number, paths in wanted.items():
        contents = passed.layer(manifest.layers[number]) or {}
        found.update({(number, path): contents[path] for path in paths if path in contents})
    return found


def tar_contents(
    stream: ByteStream, paths: frozenset[bytes], limit: int, budget: Budget
) -> dict[bytes, bytes]:
    """The contents of the regular files of a tar at these paths.

    Files of more than ``limit`` bytes are left out; the last entry of a repeated path counts.
    """
    found: dict[bytes, bytes] = {}
    for header in headers(stream, budget):
        path = clean(header.name, stream.what)
        if path in paths and header.type in b"\x0007" and header.stored <= limit:
            budget.content(header.stored)
            found[path] = stream.read(padded(header.stored))[: header.stored]
        else:
            stream.skip(padded(header.stored))
    return found


# --- files and directories, which can be read again ---------------------------------------------


@dataclass(frozen=True)
class Blobs:
    """The two questions that an image is known from: its small members, and its layers by name.

    ``trusted`` is True where a daemon has verified the digests in the names.
    """

    what: str
    document: Document
    open: Callable[[str], ByteStream]
    trusted: bool = False


def read_archive_file(
    path: Path, known: KnownLayers, *, tag: str | None = None, limits: Limits | None = None
) -> Read:
    """Read an archive on disk. An uncompressed one is searched first, so that layers that are
    known are read, and not indexed again."""
    what = str(path)
    with open_regular(path, what) as file:
        if not looks_like_tar(file.read(512)):
            file.seek(0)
            chunks = file_chunks(file)
            return read_save_stream(chunks, what, known, trusted=False, tag=tag, limits=limits)
        budget = Budget(limits, what)
        return _read_blobs(_archive_blobs(file, what, budget), known, tag, budget)


def read_oci_directory(
    path: Path, known: KnownLayers, *, tag: str | None = None, limits: Limits | None = None
) -> Read:
    """Read an OCI layout directory (``oci-layout``, ``index.json``, ``blobs/``)."""
    budget = Budget(limits, str(path))
    return _read_blobs(_directory_blobs(path, budget.limits), known, tag, budget)


def archive_contents(
    path: Path, tag: str | None, wanted: Wanted, limit: int
) -> Mapping[tuple[int, bytes], bytes]:
    """Read files of an image in an archive or an OCI directory again."""
    what = str(path)
    budget = Budget(None, what)
    if path.is_dir():
        return _contents(_directory_blobs(path, budget.limits), tag, wanted, limit, budget)
    with open_regular(path, what) as file:
        if looks_like_tar(file.read(512)):
            return _contents(_archive_blobs(file, what, budget), tag, wanted, limit, budget)
        file.seek(0)
        return stream_contents(file_chunks(file), what, tag, wanted, limit)


def _read_blobs(blobs: Blobs, known: KnownLayers, tag: str | None, budget: Budget) -> Read:
    manifest = find_manifest(blobs.document, blobs.what, tag)
    diff_ids = check_layers(manifest, blobs.what)
    made: dict[tuple[str, str], LayerIndex] = {}
    for key in zip(manifest.layers, diff_ids, strict=True):
        if key in made:
            budget.repeat(len(made[key]))
        else:
            again = any(diff_id == key[1] for _, diff_id in made)
            made[key] = _layer_of(blobs, *key, known, None if again else budget)
            if again:
                budget.repeat(len(made[key]))
    return manifest, tuple(made[key] for key in zip(manifest.layers, diff_ids, strict=True))


def _layer_of(
    blobs: Blobs, name: str, diff_id: str, known: KnownLayers, budget: Budget | None
) -> LayerIndex:
    """The index of a layer: a known index, if it was made from equal bytes.

    ``budget`` is None for a layer that the image has had before, which adds nothing to the budget.
    """
    layer = known.layer(diff_id)
    if layer is not None and (blobs.trusted or _is_made_of(blobs, name, diff_id, known, budget)):
        if budget is not None:
            budget.repeat(len(layer))
        return layer
    if budget is None:
        budget = Budget(None, blobs.what)
    layer, digest = _index_layer(_counted(blobs.open(name), budget), budget)
    if not blobs.trusted:
        require_named(name, digest, blobs.what)
    _confirm(layer, diff_id, blobs.what)
    known.learn(digest, layer)
    return layer


def _is_made_of(
    blobs: Blobs, name: str, diff_id: str, known: KnownLayers, budget: Budget | None
) -> bool:
    """Whether the bytes of a blob are a layer's tar, or were seen to unpack to that tar."""
    hasher = hashlib.sha256()
    stream = blobs.open(name)
    for chunk in iter((stream if budget is None else _counted(stream, budget)).some, b""):
        hasher.update(chunk)
    digest = "sha256:" + hasher.hexdigest()
    require_named(name, digest, blobs.what)
    return diff_id in (digest, known.diff_id(digest))


def _counted(stream: ByteStream, budget: Budget) -> ByteStream:
    def counted() -> Iterator[bytes]:
        for chunk in iter(stream.some, b""):
            budget.read(len(chunk))
            yield chunk

    return ByteStream(counted(), stream.what)


def _contents(
    blobs: Blobs, tag: str | None, wanted: Wanted, limit: int, budget: Budget
) -> Mapping[tuple[int, bytes], bytes]:
    manifest = find_manifest(blobs.document, blobs.what, tag)
    found: dict[tuple[int, bytes], bytes] = {}
    for number, paths in wanted.items():
        stream = _counted(blobs.open(manifest.layers[number]), budget)
        inner = ByteStream(decompressed(stream, budget), stream.what)
        contents = tar_contents(inner, paths, limit, budget)
        found.update({(number, path): content for path, content in contents.items()})
    return found


def content_store_blobs(root: Path, digest: str) -> Blobs:
    """An image in a content store (containerd's ``blobs/sha256``), named by the digest of its
    index or manifest, as if it were an OCI directory."""
    store = _directory_blobs(root, Limits().of_daemon())
    index = json.dumps({"manifests": [{"digest": digest}]}).encode()

    def document(name: str) -> bytes | None:
        if name == "index.json":
            return index
        return store.document(name.rpartition("/")[2]) if blob_digest(name) else None

    def open_blob(name: str) -> ByteStream:
        return store.open(name.rpartition("/")[2])

    return Blobs(f"the content store of {digest[:19]}…", document, open_blob, trusted=True)


def read_content_store(root: Path, digest: str, known: KnownLayers) -> Read:
    """Read an image from a content store. Raises OSError if the store is not readable."""
    blobs = content_store_blobs(root, digest)
    return _read_blobs(blobs, known, None, Budget(Limits().of_daemon(), blobs.what))


def _archive_blobs(file: BinaryIO, what: str, budget: Budget) -> Blobs:
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    aliases: dict[str, str] = {}
    position = 0

    def blocks() -> Iterator[bytes]:
        nonlocal position
        while chunk := file.read(512):
            position += len(chunk)
            yield chunk

    def forward(count: int) -> None:
        nonlocal position
        position += count
        if position > end:
            raise truncated(what)
        file.seek(position)

    for member in _members(ByteStream(blocks(), what, seek=forward), budget, aliases):
        places[member.name] = (position, member.size)

    def open_member(name: str) -> ByteStream:
        place = places.get(_followed(name, aliases, what))
        if place is None:
            raise InvalidImage(f"{what} has no member {name}")
        return ByteStream(_section(file, *place), f"{name} of {what}")

    def document(name: str) -> bytes | None:
        place = places.get(_followed(name, aliases, what))
        if place is None:
            return None
        if place[1] > budget.limits.document:
            raise InvalidImage(f"{name} of {what} has {place[1]} bytes: no document is so large")
        return b"".join(_section(file, *place))

    return Blobs(what, document, open_member)


def _section(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    while size > 0:
        file.seek(start)
        chunk = file.read(min(size, 1 << 18))
        if not chunk:
            return
        start += len(chunk)
        size -= len(chunk)
        yield chunk


def _directory_blobs(root: Path, limits: Limits) -> Blobs:
    what = str(root)

    def document(name: str) -> bytes | None:
        try:
            with open_regular(root / name, f"{name} of {what}") as file:
                content = file.read(limits.document + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(content) > limits.document:
            raise InvalidImage(f"{name} of {what} is larger than any document")
        return content

    def open_blob(name: str) -> ByteStream:
        def chunks() -> Iterator[bytes]:
            try:
                with open_regular(root / name, f"{name} of {what}") as file:
                    yield from file_chunks(file)
            except FileNotFoundError:
                raise InvalidImage(f"{what} has no {name}") from None

        return ByteStream(chunks(), f"{name} of {what}")

    return Blobs(what, document, open_blob)


@contextmanager
def open_regular(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a regular file; a pipe would wait for a writer, and a device might never end.

    Raises InvalidImage for a pipe, a device, a socket or a directory, OSError for a missing or
    unreadable file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidImage(f"{what} is not a regular file")
    # O_NONBLOCK, in case a pipe has taken the place of the file meanwhile.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidImage(f"{what} is not a regular file")
        yield file
