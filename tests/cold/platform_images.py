"""A base image for several platforms, of which this machine executes two."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import requests

from tiny_image import busybox_in, root_of

__all__ = ["push_base"]

_ARM64 = 183
"""The machine that an ELF file for arm64 names (EM_AARCH64)."""


def push_base(registry: str, name: str, directory: Path) -> str:
    """Push a base for linux/amd64, linux/386 and linux/arm64; its reference.

    An x86-64 Linux executes the same file for the first two. What the third holds claims to be for
    another machine, which no emulator is asked to be.
    """
    program = busybox_in(directory)
    layer, head = root_of(program), program.read_bytes()[:20]
    foreign = layer.replace(head, head[:18] + _ARM64.to_bytes(2, "little"))
    listed = [
        _push_image(f"http://{registry}/v2/{name}", _named(content, architecture), architecture)
        for architecture, content in (("amd64", layer), ("386", layer), ("arm64", foreign))
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": listed,
    }
    _put(f"http://{registry}/v2/{name}/manifests/1", json.dumps(index).encode(), index["mediaType"])
    return f"{registry}/{name}:1"


def _named(layer: bytes, architecture: str) -> bytes:
    """A layer with a python, and with a file that only this architecture's has, as real bases."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        name = tarfile.TarInfo("etc/architecture")
        name.size = len(architecture)
        tar.addfile(name, io.BytesIO(architecture.encode()))
        python = tarfile.TarInfo("bin/python")
        python.type, python.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(python)
        end = tar.offset
    # A tar ends with blocks of zeros, which the next one would stand behind.
    return made.getvalue()[:end] + layer


def _push_image(place: str, layer: bytes, architecture: str) -> dict[str, Any]:
    """Push an image of one layer; its entry in the index."""
    config = {
        "os": "linux",
        "architecture": architecture,
        "config": {"Env": ["PATH=/bin"]},
        "history": [{"created_by": "tests/cold"}],
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _push_blob(
            place, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"
        ),
        "layers": [
            _push_blob(place, gzip.compress(layer), "application/vnd.oci.image.layer.v1.tar+gzip")
        ],
    }
    body = json.dumps(manifest).encode()
    _put(f"{place}/manifests/{_digest(body)}", body, manifest["mediaType"])
    described = {"mediaType": manifest["mediaType"], "digest": _digest(body), "size": len(body)}
    return {**described, "platform": {"os": "linux", "architecture": architecture}}


def _push_blob(place: str, content: bytes, media_type: str) -> dict[str, Any]:
    begun = requests.post(f"{place}/blobs/uploads/", timeout=30)
    begun.raise_for_status()
    where = begun.headers["Location"]
    separator = "&" if "?" in where else "?"
    _put(f"{where}{separator}digest={_digest(content)}", content, "application/octet-stream")
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _put(url: str, content: bytes, media_type: Any) -> None:
    requests.put(
        url, data=content, headers={"Content-Type": str(media_type)}, timeout=30
    ).raise_for_status()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
