"""Images are asked for over the daemon's socket, without the SDK."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.engines.local_socket import (
    NoAnswerError,
    NoImageError,
    image_record,
    usual_socket,
)

RECORD = {"Id": "sha256:1", "Config": {"Env": ["A=b"]}}


class _Daemon(socketserver.UnixStreamServer):
    """Answers as a daemon would: a status and a body for each path."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        super().__init__(str(path), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("", 0)


class _Handler(BaseHTTPRequestHandler):
    server: _Daemon

    def do_GET(self) -> None:
        status, body = self.server.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[_Daemon]:
    with _Daemon(tmp_path / "docker.sock") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def test_the_record_of_an_image_is_the_answer(daemon: _Daemon, tmp_path: Path) -> None:
    daemon.answers["/images/registry.test:5000/team/app:1/json"] = 200, json.dumps(RECORD).encode()
    path = str(tmp_path / "docker.sock")
    assert image_record(path, "registry.test:5000/team/app:1", 5) == RECORD


def test_an_image_that_is_not_there_is_no_error_of_the_daemon(
    daemon: _Daemon, tmp_path: Path
) -> None:
    daemon.answers["/images/app/json"] = 404, b'{"message": "No such image: app"}'
    with pytest.raises(NoImageError):
        image_record(str(tmp_path / "docker.sock"), "app", 5)


@pytest.mark.parametrize(
    "answer", [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (403, b"")], ids=str
)
def test_any_other_answer_is_none(
    daemon: _Daemon, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    daemon.answers["/images/app/json"] = answer
    with pytest.raises(NoAnswerError):
        image_record(str(tmp_path / "docker.sock"), "app", 5)


def test_nobody_who_listens_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match="No such file"):
        image_record(str(tmp_path / "docker.sock"), "app", 5)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (None, "/var/run/docker.sock"),
        ("", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://127.0.0.1:2375", None),
        ("ssh://host", None),
    ],
)
def test_the_socket_is_the_one_that_the_docker_command_uses(
    monkeypatch: pytest.MonkeyPatch, host: str | None, path: str | None
) -> None:
    if host is None:
        monkeypatch.delenv("DOCKER_HOST", raising=False)
    else:
        monkeypatch.setenv("DOCKER_HOST", host)
    assert usual_socket() == path
