"""Where caches are exported and imported: BuildKit from Debian's sources, a daemon, a registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import runners
from runners import Project, Registry, Runner

from own_daemon import OwnDaemon
from plugin_process import environment
from tiny_image import TINY


@pytest.fixture(scope="session", params=["containerd", "container", "remote", "plain"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnDaemon]:
    """A daemon with the containerd store, two beside another builder, and one alone.

    The other builder is one of the docker-container driver, or a buildkitd that listens on the
    loopback address. The daemon that is alone can export no cache but an inline one.
    """
    runners.require_machine()
    daemon = OwnDaemon(tmp_path_factory.mktemp("daemon"), containerd=request.param == "containerd")
    daemon.name = request.param
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.remove()


@pytest.fixture(scope="session")
def registry_program() -> str:
    """The path of docker-registry."""
    runners.require_machine()
    return runners.tool("registry", os.environ)


@pytest.fixture(scope="session")
def registry(registry_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that everybody may read and write."""
    place = tmp_path_factory.mktemp("registry") / "open"
    with runners.started_registry(registry_program, place) as found:
        yield found


@pytest.fixture(scope="session")
def private(registry_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a login."""
    place = tmp_path_factory.mktemp("registry") / "private"
    with runners.started_registry(registry_program, place, private=True) as found:
        yield found


@pytest.fixture(scope="session")
def runner(
    daemon: OwnDaemon, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    """The daemon with BuildKit's image, and a base image that every builder can pull."""
    directory = tmp_path_factory.mktemp("runner")
    env = environment(
        DOCKER_HOST=daemon.host,
        DOCKER_CONFIG=str(directory / "docker"),
        COLUMNS="200",
    )
    (directory / "docker").mkdir()
    image = runners.tool("image", env)
    env["XDG_CACHE_HOME"] = str(directory / "cache")
    base = f"{registry.host}/tiny:1"
    with daemon.client() as client:
        client.images.get(TINY).tag(base)
        client.images.push(base)
    found = Runner(daemon.name, daemon, image, base, None, env)
    with runners.builder(found) as name:
        yield replace(found, builder=name)


@pytest.fixture
def project(runner: Runner, tmp_path: Path) -> Callable[[str], Project]:
    """Write a project with this Dockerfile."""

    def write(dockerfile: str) -> Project:
        return runners.of(runner, tmp_path / "project").write(dockerfile)

    return write
