"""A daemon that goes away while it builds: the real one, behind a socket that can be cut."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
import pytest
from project_under_test import LABEL, ProjectUnderTest

from pytest_dockercache.engines import create_engine
from pytest_dockercache.errors import EngineUnavailable
from pytest_dockercache.model import Step

pytestmark = pytest.mark.engine

SOCKET = "/var/run/docker.sock"


class Cable:
    """A socket that leads to the daemon until it is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(SOCKET)
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End every connection, and take no more."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def cable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    if (
        not Path(SOCKET).is_socket()
        or os.environ.get("DOCKER_HOST", f"unix://{SOCKET}")[7:] != SOCKET
    ):
        pytest.skip(f"the daemon does not listen at {SOCKET}")
    made = Cable(tmp_path / "d.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{made.path}")
    yield made
    made.cut()


@pytest.mark.parametrize("name", ["buildx", "buildkit", "classic"])
def test_a_daemon_that_goes_away_during_a_build_is_said_to_have_gone(
    name: str, cable: Cable, tiny: str, tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    run = uuid.uuid4().hex
    project = ProjectUnderTest(tmp_path / "tree", tmp_path / "staged", run)
    project.write({"Dockerfile": f"FROM {tiny}\nRUN echo begun {{nonce}}; sleep 5\nRUN true\n"})
    engine = create_engine(name)

    def watch(steps: Sequence[Step]) -> bool:
        if any(step.running for step in steps):
            cable.cut()
        return False

    with pytest.raises(
        EngineUnavailable, match="the Docker daemon went away during the build"
    ) as gone:
        project.build(engine, watch=watch)
    assert not gone.value.absent
    engine.close()
    for container in docker_daemon.containers.list(filters={"label": f"{LABEL}={run}"}):
        container.remove(force=True)
