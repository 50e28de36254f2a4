"""A two-megabyte base image with a shell, made of Debian's static busybox."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import docker
import pytest

__all__ = ["TINY", "busybox_in", "require_tiny", "root_of"]

TINY = "dockercache-test-tiny:1"


def require_tiny(client: docker.DockerClient, directory: Path) -> str:
    """The tag of the image, made if the daemon lacks it; ``directory`` is for what that needs."""
    if not client.images.list(TINY):
        client.api.import_image_from_data(
            root_of(busybox_in(directory)),
            repository=TINY.partition(":")[0],
            tag=TINY.partition(":")[2],
            changes=["ENV PATH=/bin", "LABEL dockercache.test.base=tiny"],
        )
    return TINY


def busybox_in(directory: Path) -> Path:
    """A statically linked busybox: Debian's busybox, or else the installed one."""
    made = subprocess.run(
        "apt-get -o APT::Sandbox::User=root download -q busybox-static"
        " && dpkg-deb -x busybox-static_*.deb busybox",
        shell=True,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    found = [path for path in directory.glob("busybox/**/bin/busybox") if path.is_file()]
    installed = shutil.which("busybox")
    if found or installed:
        return found[0] if found else Path(str(installed))
    return pytest.fail(f"install busybox-static: {made.stderr}", pytrace=False)


def root_of(busybox: Path) -> bytes:
    """A root file system in a tar: busybox, its applets, one user."""
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("bin", "etc", "tmp"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
        for name, content in (
            ("bin/busybox", busybox.read_bytes()),
            ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        ):
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), 0o755
            tar.addfile(file, io.BytesIO(content))
        for applet in set(applets.stdout.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return made.getvalue()
