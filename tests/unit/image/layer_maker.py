"""Layers, archives and trees made by hand, for the tests of the image room."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_dockercache.image.index import LayerIndex
from pytest_dockercache.image.limits import Budget, Limits
from pytest_dockercache.image.stream import ByteStream
from pytest_dockercache.image.tar import index_tar

__all__ = [
    "add",
    "chunked",
    "conda",
    "dist",
    "docker_archive",
    "index",
    "layer",
    "oci_blobs",
    "oci_index",
    "tar_of",
]

Member = tuple[tarfile.TarInfo, bytes]


def add(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    link: str = "",
    uid: int = 0,
    mtime: int = 1_700_000_000,
    size: int | None = None,
) -> Member:
    """One member of a tar; a name that ends in a slash is a directory."""
    info = tarfile.TarInfo(name.rstrip("/") if name.endswith("/") else name)
    info.type = tarfile.DIRTYPE if name.endswith("/") else kind
    info.mode = 0o755 if name.endswith("/") and mode == 0o644 else mode
    info.linkname = link
    info.uid = uid
    info.mtime = mtime
    info.size = len(content) if size is None else size
    return info, content


def tar_of(members: Iterable[Member], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def chunked(content: bytes, size: int = 1000) -> Iterator[bytes]:
    """Bytes in chunks that do not fall on any boundary of a tar."""
    return (content[start : start + size] for start in range(0, len(content), size))


def index(content: bytes, *, chunk: int = 1000, limits: Limits | None = None) -> LayerIndex:
    """The index of a layer's tar."""
    return index_tar(
        ByteStream(chunked(content, chunk), "the layer"),
        digest(content),
        None if limits is None else Budget(limits, "the layer"),
    )


def layer(*members: Member) -> LayerIndex:
    """The index of a layer of these members."""
    return index(tar_of(members))


APP = "opt/conda/envs/app"


def conda(name: str, version: str, build: str = "0", prefix: str = APP, **more: object) -> Member:
    """conda's record of a package that is installed below ``prefix``."""
    record = {"name": name, "version": version, "build": build, "channel": "conda-forge", **more}
    content = json.dumps({**record, "paths_data": {"paths": []}}).encode()
    return add(f"{prefix}/conda-meta/{name}-{version}-{build}.json", content)


def dist(name: str, version: str, site: str = f"{APP}/lib/python3.10/site-packages") -> Member:
    """pip's records of a distribution in a ``site-packages`` directory."""
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: no header\n"
    return add(f"{site}/{name.replace('-', '_')}-{version}.dist-info/METADATA", text.encode())


def digest(content: bytes) -> str:
    """A digest as images write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def config_of(layers: Sequence[bytes], steps: Sequence[str] = (), **config: Any) -> bytes:
    """A configuration document for these layer tars."""
    history = [{"created_by": step} for step in steps] or [
        {"created_by": f"COPY {number}"} for number in range(len(layers))
    ]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(item) for item in layers]},
        "history": history,
    }
    return json.dumps(document).encode()


def docker_archive(
    layers: Sequence[bytes], *, config: bytes | None = None, tag: str = "made:latest",
    compress: Any = bytes, links: bool = False,
) -> bytes:  # fmt: skip
    """The output of ``docker save`` before Engine 25: a directory a layer, ``manifest.json`` last.

    ``links`` writes a layer that occurs again as a symbolic link, as it did.
    """
    config = config_of(layers) if config is None else config
    members: list[Member] = []
    names: list[str] = []
    first: dict[bytes, str] = {}
    for number, content in enumerate(layers):
        name = f"{number:064x}/layer.tar"
        names.append(name)
        members.append(add(f"{number:064x}/"))
        members.append(add(f"{number:064x}/VERSION", b"1.0"))
        if links and content in first:
            members.append(add(name, kind=tarfile.SYMTYPE, link="../" + first[content]))
        else:
            first[content] = name
            members.append(add(name, compress(content)))
    config_name = digest(config).removeprefix("sha256:") + ".json"
    members.append(add(config_name, config))
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": names}]
    members.append(add("manifest.json", json.dumps(manifest).encode()))
    return tar_of(members, tarfile.GNU_FORMAT)


def oci_blobs(
    layers: Sequence[bytes], *, compress: Any = gzip.compress, config: bytes | None = None,
    manifest_changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, bytes], dict[str, Any]]:  # fmt: skip
    """The blobs of an OCI image by digest, and the descriptor of its manifest."""
    config = config_of(layers) if config is None else config
    blobs = {digest(config): config}
    descriptors = []
    for content in layers:
        packed = compress(content)
        blobs[digest(packed)] = packed
        descriptors.append(
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": digest(packed),
                "size": len(packed),
            }
        )
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"digest": digest(config), "size": len(config)},
            "layers": descriptors,
            **(manifest_changes or {}),
        }
    ).encode()
    blobs[digest(manifest)] = manifest
    return blobs, {"digest": digest(manifest), "size": len(manifest)}


def oci_index(blobs: Mapping[str, bytes], descriptors: Sequence[Mapping[str, Any]]) -> list[Member]:
    """The members of an OCI layout: blobs first, ``index.json`` after them."""
    members = [add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), add("blobs/sha256/")]
    for name, content in blobs.items():
        members.append(add("blobs/sha256/" + name.removeprefix("sha256:"), content))
    document = {"schemaVersion": 2, "manifests": list(descriptors)}
    members.append(add("index.json", json.dumps(document).encode()))
    return members
