"""Tiny base images of the oracle: busybox and a few accounts, made without a registry."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from pytest_dockercache.dockerfile import BaseImage

__all__ = ["ALIAS", "CONFIGURED", "OTHER", "PLAIN", "BasesUnavailableError", "bases", "identities"]

REPOSITORY = "pytest-dockercache/oracle"
LABEL = "org.pytest-dockercache.oracle"
VERSION = "1"

PLAIN = f"{REPOSITORY}:plain-{VERSION}"
OTHER = f"{REPOSITORY}:other-{VERSION}"
ALIAS = f"{REPOSITORY}:alias-{VERSION}"
CONFIGURED = f"{REPOSITORY}:configured-{VERSION}"

_APPLETS = "sh cat echo ls cp mkdir rm touch true false test chmod date env id ln"


class BasesUnavailableError(Exception):
    """There is no busybox to make the base images of."""


def busybox() -> bytes:
    """A static busybox: this machine's, or Debian's package without installing it."""
    found = shutil.which("busybox")
    if found is not None:
        content = Path(found).read_bytes()
        if b"/lib64/ld-linux" not in content[:4096]:
            return content
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                ["apt-get", "download", "-q", "busybox-static"],
                cwd=folder, check=True, capture_output=True,
            )  # fmt: skip
            package = next(Path(folder).glob("*.deb"))
            subprocess.run(["dpkg", "-x", package, "out"], cwd=folder, check=True)
            return next(Path(folder, "out").glob("**/bin/busybox")).read_bytes()
        except (OSError, StopIteration, subprocess.CalledProcessError) as problem:
            raise BasesUnavailableError(
                f"no static busybox: install the package busybox-static ({problem})"
            ) from None


def _root(program: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:

        def add(path: str, content: bytes | None, mode: int) -> None:
            entry = tarfile.TarInfo(path)
            entry.mode, entry.mtime = mode, 1_600_000_000
            if content is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

        for directory in ("bin", "etc", "tmp", "base"):
            add(directory, None, 0o1777 if directory == "tmp" else 0o755)
        add("bin/busybox", program, 0o755)
        for applet in _APPLETS.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o777
            link.mtime = 1_600_000_000
            archive.addfile(link)
        add("etc/passwd", b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n", 0o644)
        add("etc/group", b"root:x:0:\nuser:x:1000:\n", 0o644)
        add("base/name", name.encode(), 0o644)
    return stream.getvalue()


_CONFIGS: Mapping[str, tuple[str, list[str]]] = {
    PLAIN: ("plain", ["ENV PATH=/bin"]),
    OTHER: ("other", ["ENV PATH=/bin"]),
    CONFIGURED: (
        "plain",
        ["ENV PATH=/bin", "ENV FLAVOUR=vanilla", "ENV STYLE=plain", "WORKDIR /base", "USER user"],
    ),
}


def require_bases(client: docker.DockerClient) -> None:
    """Make the base images that are missing. Raises BasesUnavailableError."""
    program: bytes | None = None
    for tag, (name, changes) in _CONFIGS.items():
        try:
            client.images.get(tag)
            continue
        except ImageNotFound:
            pass
        program = program or busybox()
        repository, _, version = tag.rpartition(":")
        client.api.import_image_from_data(
            _root(program, name), repository=repository, tag=version,
            changes=[*changes, f"LABEL {LABEL}={VERSION}"],
        )  # fmt: skip
    repository, _, version = ALIAS.rpartition(":")
    client.images.get(PLAIN).tag(repository, version)


def bases(client: docker.DockerClient) -> dict[str, BaseImage]:
    """The facts about the base images that the model may know."""
    found = {}
    for tag in (PLAIN, OTHER, ALIAS, CONFIGURED):
        config = client.images.get(tag).attrs["Config"]
        pairs = tuple(tuple(item.split("=", 1)) for item in config.get("Env") or ())
        found[tag] = BaseImage(
            environment=pairs,
            workdir=config.get("WorkingDir") or "/",
            user=config.get("User") or "",
        )
    return found


def identities(client: docker.DockerClient, *, classic: bool) -> dict[str, str]:
    """The identity of an image: its layers for BuildKit, its ID for the classic builder."""
    found = {}
    for tag in (PLAIN, OTHER, ALIAS, CONFIGURED):
        image = client.images.get(tag)
        layers = json.dumps(image.attrs["RootFS"]["Layers"])
        found[tag] = str(image.id) if classic else layers
    return found
