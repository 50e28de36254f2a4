"""The daemon's answers, checked where they enter: what listens there may be something else.

A proxy that wants a login, a load balancer or a half-written answer is JSON of
another shape, or none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from docker.errors import DockerException

from ..regexes import regex
from .shapes import CONFIG, IMAGE, WORDS, Shape, misfit

if TYPE_CHECKING:
    import docker
    import requests

__all__ = ["OddAnswerError", "build_record", "checked_json", "require_checked"]


class OddAnswerError(DockerException):
    """The error at an answer that no Docker daemon gives."""


_ANSWERS: Mapping[str, Shape] = {
    r"/version": {"ApiVersion": str, "Version": str},
    r"/info": {"DriverStatus": [[str]], "ID": str, "SystemTime": str},
    r"/(images|containers)/json": [{"Id!": str}],
    r"/images/.+/json": IMAGE,
    r"/containers/create": {"Id!": str},
    r"/containers/[^/]+/json": {"Id!": str, "Config": CONFIG, "State": {"Running": bool}},
    r"/containers/[^/]+/wait": {"StatusCode!": int},
    r"/system/df": {
        "BuildCache": [{"ID!": str, "CreatedAt": str, "Description": str, "Size": int}]
    },
    r"/build/prune": {"CachesDeleted": WORDS},
}

_SHAPES = tuple((regex(path), shape) for path, shape in _ANSWERS.items())

_RECORD: Shape = {"error": str, "errorDetail": {"message": str}, "id": str, "stream": str}
_TRACE = "moby.buildkit.trace"

_VERSION = regex(r"/v\d+\.\d+(?=/)")
_SHOWN = 60


def require_checked(client: docker.DockerClient) -> None:
    """Let every JSON answer that a client reads be checked before anybody uses it."""
    api: Any = client.api
    plain = api._result

    def result(response: requests.Response, json: bool = False, binary: bool = False) -> Any:
        if not json:
            return plain(response, json, binary)
        api._raise_for_status(response)
        return checked_json(response)

    api._result = result


def checked_json(response: requests.Response) -> Any:
    """The JSON value of an answer. Raises OddAnswerError for what no daemon answers."""
    path = _VERSION.sub("", urlsplit(response.url).path, count=1)
    asked = f"the answer to {response.request.method} {path}"
    try:
        value = response.json()
    except (ValueError, RecursionError):
        raise OddAnswerError(f"{asked} is no JSON: {response.text[:_SHOWN]!r}") from None
    shape = next((shape for pattern, shape in _SHAPES if pattern.fullmatch(path)), None)
    if shape is not None and (wrong := misfit(value, shape)):
        raise OddAnswerError(f"{asked} is not that of a Docker daemon: {wrong}")
    return value


def build_record(line: bytes) -> Mapping[str, Any]:
    """One line of the answer to ``POST /build``. Raises OddAnswerError for any other text."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        shown = line[:_SHOWN].decode(errors="replace")
        raise OddAnswerError(f"a line of the build's answer is no JSON: {shown!r}") from None
    wrong = misfit(record, _RECORD)
    if not wrong and (aux := record.get("aux")) is not None:
        wrong = misfit(aux, str if record.get("id") == _TRACE else {"ID": str})
    if wrong:
        raise OddAnswerError(f"a line of the build's answer is not that of a daemon: {wrong}")
    return record  # type: ignore[no-any-return]
