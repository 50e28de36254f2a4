"""Images in files: docker-archive and OCI archives, OCI directories, the stream of ``docker save``.

One reader for all: documents (manifests, configurations) are read whole and
bounded, layers pass through the indexer, nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import ConfigError, InvalidImage
from .index import LayerIndex
from .layers import ImageConfig, parse_config
from .stream import ByteStream, Limits, decompressed, file_chunks
from .tar import clean, headers, index_tar, looks_like_tar, padded

__all__ = ["Manifest", "read_archive_file", "read_oci_directory", "read_save_stream"]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")


@dataclass(frozen=True)
class Manifest:
    """One image of an archive: its configuration and the names of its layers' members."""

    id: str
    config: ImageConfig
    raw_config: bytes
    layers: tuple[str, ...]
    tags: tuple[str, ...] = ()


Document = Callable[[str], "bytes | None"]
Lookup = Callable[[str], "LayerIndex | None"]
Wanted = Mapping[int, frozenset[bytes]]


def _json(content: bytes | None, what: str) -> Any:
    if content is None:
        raise InvalidImage(f"{what} is missing")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidImage(f"{what} is not JSON ({error})") from None


def _blob(descriptor: Any, what: str) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    found = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if found is None:
        raise InvalidImage(f"{what} has the digest {digest!r}; only sha256 is known")
    return f"blobs/sha256/{found[1]}"


def _checked(document: Document, name: str, what: str) -> bytes:
    content = document(name)
    if content is None:
        raise InvalidImage(f"{what} has no {name}")
    if hashlib.sha256(content).hexdigest() != name.rpartition("/")[2]:
        raise InvalidImage(f"{name} of {what} does not have the content that its name promises")
    return content


def find_manifest(document: Document, what: str, tag: str | None = None) -> Manifest:
    """The one image of an archive, or the one that ``tag`` names.

    ``manifest.json`` (docker-archive) comes first, then ``index.json`` (OCI).
    Raises ConfigError where there are several images, InvalidImage where
    there is none.
    """
    listing = document("manifest.json")
    if listing is not None:
        return _docker_manifest(document, _json(listing, f"manifest.json of {what}"), what, tag)
    index = document("index.json")
    if index is None:
        raise InvalidImage(
            f"{what} is not an image: it has neither manifest.json (docker save) "
            "nor index.json (OCI layout)"
        )
    return _oci_manifest(document, _json(index, f"index.json of {what}"), what, tag)


def _docker_manifest(document: Document, listing: Any, what: str, tag: str | None) -> Manifest:
    items = listing if isinstance(listing, list) else []
    images = [item for item in items if isinstance(item, dict)]
    if tag is not None:
        images = [item for item in images if tag in (item.get("RepoTags") or ())]
    if not images:
        raise InvalidImage(f"manifest.json of {what} lists no image" + (f" {tag}" if tag else ""))
    if len(images) > 1:
        tags = [str(name) for item in images for name in item.get("RepoTags") or ()]
        raise ConfigError(f"{what} holds {len(images)} images ({', '.join(tags)}): save one alone")
    item = images[0]
    name, layers = item.get("Config"), item.get("Layers") or []
    if not isinstance(name, str) or not all(isinstance(layer, str) for layer in layers):
        raise InvalidImage(f"manifest.json of {what} is damaged")
    content = document(_member(name, what))
    if content is None:
        raise InvalidImage(f"{what} has no {name}, the image's configuration")
    return Manifest(
        id="sha256:" + hashlib.sha256(content).hexdigest(),
        config=parse_config(content, what),
        raw_config=content,
        layers=tuple(_member(layer, what) for layer in layers),
        tags=tuple(item.get("RepoTags") or ()),
    )


def _member(name: str, what: str) -> str:
    return os.fsdecode(clean(os.fsencode(name), what))


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def _oci_manifest(document: Document, index: Any, what: str, tag: str | None) -> Manifest:
    found: list[tuple[Any, str]] = []
    pending = [(item, 0, None) for item in _descriptors(index, what)]
    seen: set[str] = set()
    while pending:
        descriptor, depth, platform_ = pending.pop(0)
        annotations = descriptor.get("annotations") or {}
        if annotations.get("vnd.docker.reference.type") == "attestation-manifest":
            continue
        name = annotations.get("org.opencontainers.image.ref.name")
        full = annotations.get("io.containerd.image.name")
        if depth == 0 and tag is not None and tag not in (name, full):
            continue
        blob = _blob(descriptor, what)
        if blob in seen:
            continue
        seen.add(blob)
        if document(blob) is None and (depth or len(pending) or found):
            # A multi-platform index of which only some images were saved.
            continue
        manifest = _json(_checked(document, blob, what), blob)
        if not isinstance(manifest, dict):
            raise InvalidImage(f"{blob} of {what} is no manifest")
        if "manifests" in manifest:
            if depth >= 4:
                raise InvalidImage(f"{what} nests its indexes too deep")
            pending.extend(
                (item, depth + 1, item.get("platform")) for item in _descriptors(manifest, what)
            )
        elif "config" in manifest:
            found.append((manifest, _platform(descriptor.get("platform") or platform_)))
        else:
            raise InvalidImage(
                f"{blob} of {what} is a {manifest.get('mediaType') or 'manifest'} without "
                f"configuration (schema {manifest.get('schemaVersion')})"
            )
    if not found:
        raise InvalidImage(f"index.json of {what} lists no image" + (f" {tag}" if tag else ""))
    if len(found) > 1:
        machine = platform.machine()
        here = f"linux/{_ARCHITECTURES.get(machine, machine)}"
        fitting = [item for item in found if item[1] == here or item[1].startswith(here + "/")]
        if len(fitting) != 1:
            names = ", ".join(sorted(item[1] for item in found))
            raise ConfigError(f"{what} holds {len(found)} images ({names}): save one alone")
        found = fitting
    manifest = found[0][0]
    config = _checked(document, _blob(manifest["config"], what), what)
    layers = manifest.get("layers") or []
    for layer in layers:
        if isinstance(layer, dict) and "encrypted" in str(layer.get("mediaType")):
            raise InvalidImage(f"{what} has an encrypted layer")
    return Manifest(
        id="sha256:" + hashlib.sha256(config).hexdigest(),
        config=parse_config(config, what),
        raw_config=config,
        layers=tuple(_blob(layer, what) for layer in layers),
    )


def _descriptors(index: Any, what: str) -> list[Any]:
    items = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidImage(f"index.json of {what} is damaged")
    return items


def _platform(record: Any) -> str:
    if not isinstance(record, dict):
        return ""
    keys = ("os", "architecture", "variant")
    return "/".join(str(record[key]) for key in keys if record.get(key))


def check_layers(manifest: Manifest, what: str) -> tuple[str, ...]:
    """The diff IDs, one per layer; InvalidImage if they do not fit the manifest."""
    diff_ids = manifest.config.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise InvalidImage(
            f"{what} has {len(manifest.layers)} layers, its configuration names {len(diff_ids)}"
        )
    for diff_id in diff_ids:
        if not _DIGEST.fullmatch(diff_id):
            raise InvalidImage(f"{what} has the diff ID {diff_id!r}; only sha256 is known")
    return diff_ids


def _index_layer(stream: ByteStream, limits: Limits) -> LayerIndex:
    """Index a layer, compressed or not, under the digest that its content has."""
    digest = hashlib.sha256()
    what = stream.what

    def watched() -> Iterator[bytes]:
        for chunk in decompressed(stream, limits):
            digest.update(chunk)
            yield chunk

    layer = index_tar(ByteStream(watched(), what), "", limits)
    stream.drain()
    return replace(layer, diff_id="sha256:" + digest.hexdigest())


def _confirm(layer: LayerIndex, diff_id: str, what: str) -> LayerIndex:
    if layer.diff_id != diff_id:
        raise InvalidImage(
            f"a layer of {what} does not have the content that its diff ID promises "
            f"({diff_id[:19]}… expected, {layer.diff_id[:19]}… found)"
        )
    return layer


# --- a stream that comes once -----------------------------------------------------------------


def read_save_stream(
    chunks: Iterator[bytes],
    what: str,
    known: Lookup,
    *,
    trusted: bool,
    tag: str | None = None,
    limits: Limits | None = None,
) -> tuple[Manifest, tuple[LayerIndex, ...]]:
    """Read an archive in one pass: the output of ``docker save``, or a compressed archive.

    ``known`` gives an index that need not be made again. ``trusted`` takes a
    blob's name for the digest of its content, which is true of a stream that
    comes from the daemon itself and saves hashing it.
    """
    limits = limits or Limits()
    outer = ByteStream(chunks, what)
    outer = ByteStream(decompressed(outer, limits), what)
    documents: dict[str, bytes] = {}
    layers: dict[str, LayerIndex] = {}
    aliases: dict[str, str] = {}
    for header in headers(outer, limits):
        name = os.fsdecode(clean(header.name, what))
        size = header.stored
        if header.type in b"12":
            start = os.fsencode(name).rpartition(b"/")[0] + b"/" if header.type == 0x32 else b""
            aliases[name] = os.fsdecode(clean(start + header.link, what))
            continue
        if header.type not in b"\x0007" or not size:
            outer.skip(padded(size))
            continue
        blob = _BLOB.fullmatch(name)
        digest = f"sha256:{blob[1]}" if blob else ""
        content = ByteStream(outer.part(size), f"{name} of {what}")
        first = content.peek(512)
        plain = looks_like_tar(first)
        if _looks_like_layer(first):
            found = known(digest) if blob else None
            if found is not None:
                layers[name] = found
            elif trusted and blob and plain:
                layers[name] = index_tar(content, digest, limits)
            elif trusted and plain:
                layers[name] = index_tar(content, "", limits)
            else:
                layers[name] = _index_layer(content, limits)
        elif size <= limits.document and first[:1] in (b"{", b"["):
            documents[name] = content.read(size)
            if sum(map(len, documents.values())) > limits.document:
                raise InvalidImage(f"{what} has more than {limits.document} bytes of documents")
        content.drain()
        outer.skip(padded(size) - size)
    outer.drain()
    manifest = find_manifest(documents.get, what, tag)
    diff_ids = check_layers(manifest, what)
    result = []
    for name, diff_id in zip(manifest.layers, diff_ids, strict=True):
        layer = layers.get(_followed(name, aliases, what))
        if layer is None:
            raise InvalidImage(f"{what} has no layer {name}, or it is no tar")
        if trusted and not layer.diff_id:
            layer = replace(layer, diff_id=diff_id)
        result.append(_confirm(layer, diff_id, what))
    return manifest, tuple(result)


def _looks_like_layer(block: bytes) -> bool:
    return looks_like_tar(block) or block[:2] == b"\x1f\x8b" or block[:4] == b"\x28\xb5\x2f\xfd"


def _followed(name: str, aliases: Mapping[str, str], what: str) -> str:
    for _ in range(40):
        if name not in aliases:
            return name
        name = aliases[name]
    raise InvalidImage(f"{what} has a loop of links at {name}")


# --- files and directories, which can be read again ---------------------------------------------


@dataclass(frozen=True)
class _Blobs:
    """Documents and layers by name: a view of an archive file or an OCI directory."""

    what: str
    document: Document
    open: Callable[[str], ByteStream]


def read_archive_file(
    path: Path, known: Lookup, *, tag: str | None = None, limits: Limits | None = None
) -> tuple[Manifest, tuple[LayerIndex, ...]]:
    """Read an archive on disk. An uncompressed one is searched first, so that layers that are
    known are not read."""
    limits = limits or Limits()
    what = str(path)
    with path.open("rb") as file:
        if not looks_like_tar(file.read(512)):
            file.seek(0)
            return read_save_stream(
                file_chunks(file), what, known, trusted=False, tag=tag, limits=limits
            )
        return _read_blobs(_archive_blobs(file, what, limits), known, tag, limits)


def read_oci_directory(
    path: Path, known: Lookup, *, tag: str | None = None, limits: Limits | None = None
) -> tuple[Manifest, tuple[LayerIndex, ...]]:
    """Read an OCI layout directory (``oci-layout``, ``index.json``, ``blobs/``)."""
    limits = limits or Limits()
    return _read_blobs(_directory_blobs(path, limits), known, tag, limits)


def archive_contents(
    path: Path, tag: str | None, wanted: Wanted, limit: int
) -> Mapping[tuple[int, bytes], bytes]:
    """Read files of an image in an archive or an OCI directory again."""
    limits = Limits()
    if path.is_dir():
        return _contents(_directory_blobs(path, limits), tag, wanted, limit, limits)
    with path.open("rb") as file:
        if looks_like_tar(file.read(512)):
            blobs = _archive_blobs(file, str(path), limits)
            return _contents(blobs, tag, wanted, limit, limits)
    with path.open("rb") as file:
        return stream_contents(file_chunks(file), str(path), tag, wanted, limit)


def _read_blobs(
    blobs: _Blobs, known: Lookup, tag: str | None, limits: Limits
) -> tuple[Manifest, tuple[LayerIndex, ...]]:
    manifest = find_manifest(blobs.document, blobs.what, tag)
    diff_ids = check_layers(manifest, blobs.what)
    made: dict[str, LayerIndex] = {}
    for name, diff_id in zip(manifest.layers, diff_ids, strict=True):
        if diff_id not in made:
            layer = known(diff_id)
            if layer is None:
                layer = _index_layer(blobs.open(name), limits)
            made[diff_id] = _confirm(layer, diff_id, blobs.what)
    return manifest, tuple(made[diff_id] for diff_id in diff_ids)


def _contents(
    blobs: _Blobs, tag: str | None, wanted: Wanted, limit: int, limits: Limits
) -> Mapping[tuple[int, bytes], bytes]:
    manifest = find_manifest(blobs.document, blobs.what, tag)
    found: dict[tuple[int, bytes], bytes] = {}
    for number, paths in wanted.items():
        stream = blobs.open(manifest.layers[number])
        inner = ByteStream(decompressed(stream, limits), stream.what)
        found.update({(number, p): c for p, c in tar_contents(inner, paths, limit, limits).items()})
    return found


def tar_contents(
    stream: ByteStream, paths: frozenset[bytes], limit: int, limits: Limits
) -> dict[bytes, bytes]:
    """Contents of the regular files of a tar at these paths, as far as they are not larger
    than ``limit`` bytes; the last entry of a repeated path counts."""
    found: dict[bytes, bytes] = {}
    for header in headers(stream, limits):
        path = clean(header.name, stream.what)
        if path in paths and header.type in b"\x0007" and header.stored <= limit:
            found[path] = stream.read(padded(header.stored))[: header.stored]
        else:
            stream.skip(padded(header.stored))
    return found


def stream_contents(
    chunks: Iterator[bytes], what: str, tag: str | None, wanted: Wanted, limit: int
) -> Mapping[tuple[int, bytes], bytes]:
    """Read files of an image whose archive comes as a stream: all candidates are kept until
    the manifest, which may come last, says which layer is which."""
    limits = Limits()
    everything = frozenset(path for paths in wanted.values() for path in paths)
    outer = ByteStream(decompressed(ByteStream(chunks, what), limits), what)
    documents: dict[str, bytes] = {}
    candidates: dict[str, dict[bytes, bytes]] = {}
    aliases: dict[str, str] = {}
    for header in headers(outer, limits):
        name = os.fsdecode(clean(header.name, what))
        size = header.stored
        if header.type in b"12":
            start = os.fsencode(name).rpartition(b"/")[0] + b"/" if header.type == 0x32 else b""
            aliases[name] = os.fsdecode(clean(start + header.link, what))
            continue
        content = ByteStream(outer.part(size), f"{name} of {what}")
        first = content.peek(512)
        if header.type in b"\x0007" and size:
            if _looks_like_layer(first):
                inner = ByteStream(decompressed(content, limits), content.what)
                candidates[name] = tar_contents(inner, everything, limit, limits)
            elif size <= limits.document and first[:1] in (b"{", b"["):
                documents[name] = content.read(size)
        content.drain()
        outer.skip(padded(size) - size)
    manifest = find_manifest(documents.get, what, tag)
    found: dict[tuple[int, bytes], bytes] = {}
    for number, paths in wanted.items():
        contents = candidates.get(_followed(manifest.layers[number], aliases, what), {})
        found.update({(number, path): contents[path] for path in paths if path in contents})
    return found


def content_store_blobs(root: Path, digest: str, limits: Limits) -> _Blobs:
    """An image in a content store (containerd's ``blobs/sha256``), named by the digest of its
    index or manifest, as if it were an OCI directory."""
    store = _directory_blobs(root, limits)
    index = json.dumps({"manifests": [{"digest": digest}]}).encode()

    def document(name: str) -> bytes | None:
        if name == "index.json":
            return index
        return store.document(name.rpartition("/")[2]) if _BLOB.fullmatch(name) else None

    def open_blob(name: str) -> ByteStream:
        return store.open(name.rpartition("/")[2])

    return _Blobs(f"the content store of {digest[:19]}…", document, open_blob)


def read_content_store(
    root: Path, digest: str, known: Lookup
) -> tuple[Manifest, tuple[LayerIndex, ...]]:
    """Read an image from a content store. Raises OSError where it is not readable."""
    return _read_blobs(content_store_blobs(root, digest, Limits()), known, None, Limits())


def content_store_contents(
    root: Path, digest: str, wanted: Wanted, limit: int
) -> Mapping[tuple[int, bytes], bytes]:
    """Read files of an image in a content store."""
    blobs = content_store_blobs(root, digest, Limits())
    return _contents(blobs, None, wanted, limit, Limits())


def _archive_blobs(file: BinaryIO, what: str, limits: Limits) -> _Blobs:
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
            raise InvalidImage(f"{what} ends too early: it is truncated")
        file.seek(position)

    stream = ByteStream(blocks(), what, seek=forward)
    for header in headers(stream, limits):
        name = os.fsdecode(clean(header.name, what))
        if header.type in b"12":
            start = os.fsencode(name).rpartition(b"/")[0] + b"/" if header.type == 0x32 else b""
            aliases[name] = os.fsdecode(clean(start + header.link, what))
        elif header.type in b"\x0007":
            places[name] = (position, header.stored)
        if len(places) + len(aliases) > 100_000:
            raise InvalidImage(f"{what} has more members than any image")
        stream.skip(padded(header.stored))

    def open_member(name: str) -> ByteStream:
        place = places.get(_followed(name, aliases, what))
        if place is None:
            raise InvalidImage(f"{what} has no member {name}")
        return ByteStream(_section(file, *place), f"{name} of {what}")

    def document(name: str) -> bytes | None:
        place = places.get(_followed(name, aliases, what))
        if place is None:
            return None
        if place[1] > limits.document:
            raise InvalidImage(f"{name} of {what} has {place[1]} bytes: no document is so large")
        return b"".join(_section(file, *place))

    return _Blobs(what, document, open_member)


def _section(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    while size > 0:
        file.seek(start)
        chunk = file.read(min(size, 1 << 18))
        if not chunk:
            return
        start += len(chunk)
        size -= len(chunk)
        yield chunk


def _directory_blobs(root: Path, limits: Limits) -> _Blobs:
    what = str(root)

    def document(name: str) -> bytes | None:
        try:
            with (root / name).open("rb") as file:
                content = file.read(limits.document + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        if len(content) > limits.document:
            raise InvalidImage(f"{name} of {what} is larger than any document")
        return content

    def open_blob(name: str) -> ByteStream:
        try:
            file = (root / name).open("rb")
        except FileNotFoundError:
            raise InvalidImage(f"{what} has no {name}") from None
        return ByteStream(_closing(file), f"{name} of {what}")

    return _Blobs(what, document, open_blob)


def _closing(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from file_chunks(file)
