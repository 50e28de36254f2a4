"""The facts from the docker command, tried with docker commands that print a script."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_dockercache.engines.docker_command import (
    DockerInstallation,
    Plugin,
    Reached,
    ask_docker,
    forget_answers,
    question,
)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the only docker command, and of the plugin that it names."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    script(tmp_path / "docker-buildx", "")
    return tmp_path / "docker"


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def informed(
    docker: Path, context: str = "default", plugin: str | None = None, clock: str = "?"
) -> str:
    """A docker command that answers every question."""
    path = docker.parent / "docker-buildx" if plugin is None else plugin
    return f"printf '%s\\n' {context} ID 26.1.5+dfsg1 linux {clock} v0.13.1+ds1 {path}"


def test_the_usual_daemon_and_the_plugin_are_told_at_once(docker: Path) -> None:
    script(docker, informed(docker))
    plugin = Plugin("0.13.1", (str(docker.parent / "docker-buildx"),))
    assert ask_docker() == DockerInstallation(plugin, Reached("ID", "26.1.5+dfsg1"))


def test_the_clock_of_a_daemon_in_a_virtual_machine_is_learned(docker: Path) -> None:
    script(docker, informed(docker, clock="$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"))
    reached = ask_docker().reached
    assert reached is not None
    assert reached.offset == 0
    hour = 3600 * 10**9
    script(docker, informed(docker, clock="$(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%S.%NZ)"))
    reached = ask_docker().reached
    assert reached is not None
    assert abs(reached.offset + hour) < hour / 60
    assert abs(reached.now() + hour - time.time_ns()) < hour / 60


@pytest.mark.parametrize(
    ("context", "host"), [("elsewhere", "unix:///x"), ("default", "ssh://there"), ("default", "")]
)
def test_another_daemon_has_to_be_asked_itself(
    docker: Path, monkeypatch: pytest.MonkeyPatch, context: str, host: str
) -> None:
    script(docker, informed(docker, context))
    monkeypatch.setenv("DOCKER_HOST", host)
    answer = ask_docker()
    assert answer.reached is None
    assert answer.plugin is not None


def test_a_plugin_that_cannot_be_run_by_itself_is_run_by_the_docker_command(docker: Path) -> None:
    script(docker, informed(docker, plugin="/nonexistent/docker-buildx"))
    assert ask_docker().plugin == Plugin("0.13.1", ("docker", "buildx"))


def test_a_docker_command_that_tells_nothing_is_asked_for_the_version(docker: Path) -> None:
    script(docker, "[ $1 = info ] && exit 1; echo github.com/docker/buildx v0.21.0 abc")
    assert ask_docker() == DockerInstallation(Plugin("0.21.0", ("docker", "buildx")))


def test_words_in_no_encoding_are_no_answer(docker: Path) -> None:
    script(docker, "printf '\\377\\n'")
    assert ask_docker() == DockerInstallation()


def test_podman_is_not_taken_for_buildx(docker: Path) -> None:
    script(docker, "[ $1 = info ] && exit 125; echo buildah 1.33.7")
    assert ask_docker() == DockerInstallation()


def test_without_the_plugin_there_is_none(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(docker, "[ $1 = info ] && { printf '%s\\n' default ID 26.1.5 linux ?; exit; }; exit 1")
    assert ask_docker() == DockerInstallation()
    docker.unlink()
    monkeypatch.setenv("PATH", str(docker.parent))
    assert ask_docker() == DockerInstallation()


def test_each_environment_is_asked_once(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_answers()
    log = docker.parent / "log"
    script(docker, f"echo asked >>{log}\n{informed(docker)}")
    for _ in range(2):
        assert question().answer().reached is not None
    assert log.read_text() == "asked\n"
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    question().answer()
    assert log.read_text() == "asked\nasked\n"
    forget_answers()


def test_a_command_that_does_not_answer_is_said_to_be_silent_and_is_ended_with_its_children(
    docker: Path,
) -> None:
    forget_answers()
    pids = docker.parent / "pids"
    os.mkfifo(pids)
    script(docker, f"sleep 600 & echo $$ $! >{pids}; wait")
    asked = question()
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    assert asked.answer(0) == DockerInstallation(silent=True)
    forget_answers()
    asked.answer(60)
    deadline = time.monotonic() + 60
    while any(map(_runs, started)):
        # A killed process may close its files a moment before it is gone.
        assert time.monotonic() < deadline, "it was not ended"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
