"""What a build has to know of images, asked over the socket of this machine's daemon.

The Docker SDK would say the same, but its import takes as much time of the
processor as a build that has nothing to do, and the first build is waited
for. The SDK is imported when more than this is asked for.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .patience import within
from .shapes import IMAGE, misfit

__all__ = ["NoAnswerError", "NoImageError", "image_record", "usual_socket"]

_USUAL = "/var/run/docker.sock"


class NoImageError(Exception):
    """The daemon holds no image of that name."""


class NoAnswerError(Exception):
    """The daemon has given no answer of use: the SDK has to ask again, and say why."""


def usual_socket() -> str | None:
    """The path of the socket behind the Docker context ``default``; None if it has another kind."""
    host = os.environ.get("DOCKER_HOST") or f"unix://{_USUAL}"
    return host.removeprefix("unix://") if host.startswith("unix:///") else None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def image_record(path: str, name: str, timeout: float) -> Mapping[str, Any]:
    """The inspection record of an image: ``GET /images/NAME/json`` of the Docker Engine API.

    ``path`` is the socket's; ``timeout`` is in seconds. Raises NoImageError and NoAnswerError.
    """
    try:
        status, body = within(timeout, lambda: _answer(path, name, timeout))
        if status == 404:
            raise NoImageError(name)
        record: Any = json.loads(body) if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise NoAnswerError(str(problem)) from problem
    if wrong := misfit(record, IMAGE):
        raise NoAnswerError(f"status {status}: {wrong}")
    return dict(record)


def _answer(path: str, name: str, timeout: float) -> tuple[int, bytes]:
    """The status and the text of the daemon's answer."""
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", f"/images/{quote(name, safe='/:@')}/json")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
