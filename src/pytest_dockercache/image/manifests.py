"""The image in an archive, by ``manifest.json`` of ``docker save`` or ``index.json`` of OCI."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from ..dockerfile.platforms import default_platform
from ..errors import ConfigError, InvalidImage
from ..regexes import regex
from ..values import dataclass
from .documents import DOCKER_MANIFEST, INDEX, MANIFEST, read_document
from .layers import ImageConfig, parse_config
from .tar import clean

__all__ = ["Document", "Manifest", "blob_digest", "check_layers", "find_manifest"]

_DIGEST = regex(r"sha256:([0-9a-f]{64})")
_BLOB = regex(r"blobs/sha256/([0-9a-f]{64})")
_MOST_IMAGES = 1000
"""The most manifests that an index may lead to: multi-platform images have about twenty."""
_MOST_LAYERS = 1000
"""The most layers of one image: an engine mounts at most 127."""

Document = Callable[[str], "bytes | None"]
"""Gives the content of a small member by its name, None if there is none."""


@dataclass(frozen=True)
class Manifest:
    """One image of an archive: its configuration and the names of its layers' members."""

    id: str
    config: ImageConfig
    raw_config: bytes
    layers: tuple[str, ...]
    tags: tuple[str, ...] = ()


def _blob(descriptor: dict[str, Any], what: str) -> str:
    digest = descriptor.get("digest", "")
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise _not_sha256(what, "digest", digest)
    return f"blobs/sha256/{found[1]}"


def _not_sha256(what: str, kind: str, value: str) -> InvalidImage:
    return InvalidImage(f"{what} has the {kind} {value!r}; only sha256 is known")


def _checked(document: Document, name: str, what: str) -> bytes:
    content = document(name)
    if content is None:
        raise InvalidImage(f"{what} has no {name}")
    require_named(name, f"sha256:{hashlib.sha256(content).hexdigest()}", what)
    return content


def find_manifest(document: Document, what: str, tag: str | None = None) -> Manifest:
    """The only image of an archive, or the image that ``tag`` names.

    ``manifest.json`` (docker-archive) comes first, then ``index.json`` (OCI). Raises ConfigError
    for an archive of several images, InvalidImage for one without an image.
    """
    listing = document("manifest.json")
    if listing is not None:
        name = f"manifest.json of {what}"
        return _docker_manifest(document, read_document(listing, DOCKER_MANIFEST, name), what, tag)
    index = document("index.json")
    if index is None:
        raise InvalidImage(
            f"{what} is not an image: it has neither manifest.json (docker save) "
            "nor index.json (OCI layout)"
        )
    return _oci_manifest(document, read_document(index, INDEX, f"index.json of {what}"), what, tag)


def _docker_manifest(
    document: Document, images: list[dict[str, Any]], what: str, tag: str | None
) -> Manifest:
    if tag is not None:
        images = [item for item in images if tag in (item.get("RepoTags") or ())]
    if not images:
        raise InvalidImage(f"manifest.json of {what} lists no image" + (f" {tag}" if tag else ""))
    if len(images) > 1:
        tags = [name for item in images for name in item.get("RepoTags") or ()]
        raise ConfigError(f"{what} holds {len(images)} images ({_some(tags)}): save one alone")
    item = images[0]
    name, layers = item.get("Config"), item.get("Layers") or []
    if name is None:
        raise InvalidImage(f"manifest.json of {what} names no configuration")
    _require_few(layers, what)
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


def _oci_manifest(document: Document, index: Any, what: str, tag: str | None) -> Manifest:
    found: list[tuple[Any, str]] = []
    pending = deque((item, 0, None) for item in index.get("manifests", ()))
    seen: set[str] = set()
    while pending:
        if len(pending) + len(seen) > _MOST_IMAGES:
            raise InvalidImage(f"index.json of {what} leads to more than {_MOST_IMAGES} manifests")
        descriptor, depth, platform_ = pending.popleft()
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
        manifest = read_document(_checked(document, blob, what), MANIFEST, f"{blob} of {what}")
        if "manifests" in manifest:
            if depth >= 4:
                raise InvalidImage(f"{what} nests its indexes too deep")
            pending.extend(
                (item, depth + 1, item.get("platform")) for item in manifest["manifests"]
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
        # Without the variant: an index may name linux/arm alone.
        here = "/".join(default_platform().split("/")[:2])
        fitting = [item for item in found if item[1] == here or item[1].startswith(here + "/")]
        if len(fitting) != 1:
            names = _some(sorted(item[1] for item in found))
            raise ConfigError(f"{what} holds {len(found)} images ({names}): save one alone")
        found = fitting
    manifest = found[0][0]
    config = _checked(document, _blob(manifest["config"], what), what)
    layers = manifest.get("layers") or []
    _require_few(layers, what)
    for layer in layers:
        if "encrypted" in layer.get("mediaType", ""):
            raise InvalidImage(f"{what} has an encrypted layer")
    return Manifest(
        id="sha256:" + hashlib.sha256(config).hexdigest(),
        config=parse_config(config, what),
        raw_config=config,
        layers=tuple(_blob(layer, what) for layer in layers),
    )


def _require_few(layers: list[Any], what: str) -> None:
    if len(layers) > _MOST_LAYERS:
        raise InvalidImage(f"{what} has {len(layers)} layers: no engine mounts so many")


def _some(names: list[str]) -> str:
    return ", ".join([*names[:10], *(["…"] if len(names) > 10 else [])])


def blob_digest(name: str) -> str | None:
    """The digest that a blob's name promises, None for a member with another name."""
    found = _BLOB.fullmatch(name)
    return None if found is None else f"sha256:{found[1]}"


def require_named(name: str, digest: str, what: str) -> None:
    """Raise InvalidImage for a blob of ``what`` whose name promises another digest."""
    promised = blob_digest(name)
    if promised is not None and promised != digest:
        raise InvalidImage(f"{name} of {what} does not have the content that its name promises")


def _platform(record: dict[str, Any] | None) -> str:
    if record is None:
        return ""
    keys = ("os", "architecture", "variant")
    return "/".join(record[key] for key in keys if record.get(key))


def check_layers(manifest: Manifest, what: str) -> tuple[str, ...]:
    """The diff IDs, one per layer. Raises InvalidImage if they do not fit the manifest."""
    diff_ids = manifest.config.diff_ids
    if len(diff_ids) != len(manifest.layers):
        raise InvalidImage(
            f"{what} has {len(manifest.layers)} layers, its configuration names {len(diff_ids)}"
        )
    for diff_id in diff_ids:
        if not _DIGEST.fullmatch(diff_id):
            raise _not_sha256(what, "diff ID", diff_id)
    return diff_ids
