"""The choice of the engine, and the message when there is none."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pytest_dockercache.engines import create_engine
from pytest_dockercache.engines.buildx import Buildx
from pytest_dockercache.engines.docker_command import Reached
from pytest_dockercache.errors import ConfigError, EngineUnavailable

BUILDERS = ("buildx", "buildkit", "classic")


@pytest.fixture
def no_docker_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH on which there is no docker command."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no daemon yet."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def babbling_port() -> Iterator[int]:
    """A port of this machine that answers whatever comes with nonsense."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"neither HTTP nor TLS\r\n")

        threading.Thread(target=babble, daemon=True).start()
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# -- with a daemon


@pytest.mark.engine
def test_auto_takes_buildx_when_its_plugin_answers(docker_daemon: docker.DockerClient) -> None:
    engine = create_engine("auto")
    assert (engine.info.name, engine.info.why) == ("buildx", "the buildx plugin answers")
    engine.close()


@pytest.mark.engine
@pytest.mark.usefixtures("no_docker_command")
def test_auto_takes_the_daemons_buildkit_without_a_docker_command(
    docker_daemon: docker.DockerClient,
) -> None:
    engine = create_engine("auto")
    assert engine.info.name == "buildkit"
    assert "no buildx plugin" in engine.info.why
    engine.close()


@pytest.mark.engine
@pytest.mark.usefixtures("no_docker_command")
def test_buildx_by_name_is_unavailable_without_its_plugin(
    docker_daemon: docker.DockerClient,
) -> None:
    with pytest.raises(EngineUnavailable, match="buildx plugin") as unavailable:
        create_engine("buildx")
    assert not unavailable.value.absent
    with pytest.raises(EngineUnavailable, match="--dockercache-builder=b needs buildx"):
        create_engine("auto", builder="b")


@pytest.mark.engine
def test_a_plugin_that_is_too_old_is_passed_over(
    docker_daemon: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "docker"
    old.write_text("#!/bin/sh\necho 'github.com/docker/buildx v0.9.1 abc'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    engine = create_engine("auto")
    assert engine.info.name == "buildkit"
    assert engine.info.why.startswith("buildx 0.9.1 is too old")
    engine.close()
    with pytest.raises(EngineUnavailable, match=r"buildx 0\.9\.1 is too old"):
        create_engine("buildx")


@pytest.mark.engine
def test_an_unknown_builder_is_named_with_what_to_do(docker_daemon: docker.DockerClient) -> None:
    with pytest.raises(ConfigError, match=r"--dockercache-builder=no-such-builder: .*no builder"):
        create_engine(builder="no-such-builder")


@pytest.mark.engine
def test_a_builder_with_another_driver_is_found_and_has_its_own_identity(
    docker_daemon: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instances = tmp_path / "buildx" / "instances"
    instances.mkdir(parents=True)
    node = {"Name": "afar0", "Endpoint": f"tcp://127.0.0.1:{free_port()}", "Platforms": None}
    record = {"Name": "afar", "Driver": "remote", "Nodes": [node], "Dynamic": False}
    (instances / "afar").write_text(json.dumps(record))
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "buildx"))
    engine = create_engine(builder="afar")
    assert engine.info.builder == f"{docker_daemon.info()['ID']}/afar"
    assert engine.traces() == ()
    engine.close()


@pytest.mark.engine
def test_the_daemon_of_the_docker_command_is_the_one_that_is_asked(
    docker_daemon: docker.DockerClient, tmp_path: Path
) -> None:
    engine = Buildx.of_daemon(Reached("another", "26.1.5"), "test")
    with pytest.raises(EngineUnavailable, match="is another Docker daemon than the docker command"):
        engine.image_config("any")
    engine.close()


# -- without one


@pytest.mark.parametrize("name", ["buildx", "buildkit", "classic"])
def test_a_missing_socket_means_that_there_is_no_daemon(
    name: str, elsewhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable, match="no Docker daemon listens") as unavailable:
        create_engine(name)
    assert unavailable.value.absent


def test_a_refused_connection_means_that_there_is_no_daemon(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(EngineUnavailable, match="no Docker daemon listens") as unavailable:
        create_engine("buildx")
    assert unavailable.value.absent


def test_a_stale_socket_means_that_there_is_no_daemon(
    elsewhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    elsewhere.setenv("DOCKER_HOST", f"unix://{stale}")
    with pytest.raises(EngineUnavailable) as unavailable:
        create_engine("buildkit")
    assert unavailable.value.absent


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Nothing is forbidden to root: act as somebody else while the test runs."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory that any user may enter; a socket's path has little room."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.usefixtures("ordinary_user")
@pytest.mark.parametrize("name", ["auto", "buildkit"])
def test_a_forbidden_socket_is_not_a_missing_daemon(
    name: str, elsewhere: pytest.MonkeyPatch, short_directory: Path
) -> None:
    forbidden = short_directory / "s"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(forbidden))
        forbidden.chmod(0)
        elsewhere.setenv("DOCKER_HOST", f"unix://{forbidden}")
        with pytest.raises(EngineUnavailable, match="no permission") as unavailable:
            create_engine(name)
    assert not unavailable.value.absent


@pytest.mark.parametrize("name", ["auto", "buildx"])
def test_what_is_not_a_daemon_is_not_a_missing_daemon(
    name: str, elsewhere: pytest.MonkeyPatch, babbling_port: int
) -> None:
    elsewhere.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{babbling_port}")
    with pytest.raises(EngineUnavailable, match="cannot be used") as unavailable:
        create_engine(name)
    assert not unavailable.value.absent


@pytest.mark.parametrize("name", ["auto", "buildx"])
def test_tls_trouble_is_not_a_missing_daemon(
    name: str, elsewhere: pytest.MonkeyPatch, babbling_port: int, tmp_path: Path
) -> None:
    elsewhere.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{babbling_port}")
    elsewhere.setenv("DOCKER_TLS_VERIFY", "1")
    elsewhere.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="TLS") as unavailable:
        create_engine(name)
    assert not unavailable.value.absent
    assert "DOCKER_CERT_PATH" in str(unavailable.value)


@pytest.mark.parametrize("name", ["auto", "buildx"])
def test_ssh_trouble_is_not_a_missing_daemon(
    name: str, elsewhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\nexit 255\n")
    fake.chmod(0o755)
    elsewhere.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    elsewhere.setenv("DOCKER_HOST", "ssh://nobody@nowhere.invalid")
    with pytest.raises(EngineUnavailable, match="over ssh") as unavailable:
        create_engine(name)
    assert not unavailable.value.absent


@pytest.mark.parametrize("name", ["auto", "buildx"])
def test_a_context_that_does_not_exist_is_an_error_not_the_local_daemon(
    name: str, elsewhere: pytest.MonkeyPatch
) -> None:
    elsewhere.setenv("DOCKER_CONTEXT", "no-such-context")
    with pytest.raises(EngineUnavailable, match="no-such-context") as unavailable:
        create_engine(name)
    assert not unavailable.value.absent


# -- names


def test_an_unknown_engine_is_refused_with_the_valid_names() -> None:
    with pytest.raises(
        ConfigError, match="--dockercache-engine=kaniko: unknown engine; valid: auto, "
    ):
        create_engine("kaniko")


def test_podman_is_refused_as_not_yet_available() -> None:
    with pytest.raises(ConfigError, match="engine podman is not available yet"):
        create_engine("podman")


@pytest.mark.parametrize("name", ["buildkit", "classic"])
def test_a_builder_needs_buildx(name: str) -> None:
    with pytest.raises(ConfigError, match=f"needs buildx, not --dockercache-engine={name}"):
        create_engine(name, builder="b")
