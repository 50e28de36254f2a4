"""The base of every test on a real engine: a daemon, the offline base image, a sample's copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException
from filelock import FileLock

from tiny_image import require_tiny

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
STAND_IN = ROOT / "tools" / "miniconda-stand-in"


def _shared_directory(factory: pytest.TempPathFactory, worker: str) -> Path:
    """A directory that all xdist workers of one run share, and no other run does."""
    own = factory.getbasetemp()
    return own if worker == "master" else own.parent


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
    return _shared_directory(tmp_path_factory, worker)


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[docker.DockerClient]:
    """A client of the daemon that answers; without one the test is skipped with the reason.

    ``DOCKERCACHE_REQUIRE_ENGINE=1`` makes it an error instead: in CI a
    missing engine must not look like a green run.
    """
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, OSError) as error:
        reason = f"no Docker daemon answers (run tools/docker-engine up): {error}"
        if os.environ.get("DOCKERCACHE_REQUIRE_ENGINE") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield client
    client.close()


@pytest.fixture(scope="session")
def miniconda(docker_daemon: docker.DockerClient, shared_directory: Path) -> str:
    """The tag of the offline stand-in for continuumio/miniconda3, built if it is missing."""
    with FileLock(shared_directory / "miniconda.lock"):
        made = subprocess.run(
            [sys.executable, STAND_IN], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    if made.returncode != 0:
        pytest.fail(f"the stand-in image could not be built:\n{made.stderr}", pytrace=False)
    return made.stdout.strip()


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], Path]:
    """Copy a sample project of fixtures/ to a directory of the test's own.

    ``sample("optimized")`` is the copy's root, where its Dockerfile lies.
    Calling it again with the same name gives the same copy.
    """

    def copy(name: str) -> Path:
        project = tmp_path / name
        if not project.exists():
            shutil.copytree(FIXTURES / name, project, symlinks=True)
        return project

    return copy


@pytest.fixture(scope="session")
def tiny(docker_daemon: docker.DockerClient, shared_directory: Path) -> str:
    """The tag of a two-megabyte base image with a shell, made of Debian's static busybox.

    The image is made once and kept, like the stand-in for miniconda.
    """
    with FileLock(shared_directory / "tiny.lock"):
        return require_tiny(docker_daemon, shared_directory)
