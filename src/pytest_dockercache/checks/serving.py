"""Starts an image as it is, and asks its server over HTTP for an answer."""

from __future__ import annotations

import http.client
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from docker.errors import APIError, DockerException

from ..engines.daemon import in_words
from ..errors import CacheAssertionError, DockerCacheError
from ..runs import RUN_LABEL
from .judged import Judged
from .verdict import broken

__all__ = ["ask"]

_BODY_BYTES = 1 << 20
_LOG_LINES = 20
_PAUSE_SECONDS = 0.1


def ask(subject: Judged, image: str, port: int, path: str, timeout: float) -> tuple[int, bytes]:
    """Start the image and ask it for ``http://…:port/path`` until it answers.

    Returns the status and the body (at most 1 MB). ``timeout`` is in seconds.
    Raises CacheAssertionError when nothing answers or the container ends.
    """
    client = subject.engine.client
    try:
        container = client.containers.run(
            image,
            detach=True,
            labels={RUN_LABEL: subject.run.id},
            ports={f"{port}/tcp": ("127.0.0.1", None)},
        )
    except (APIError, DockerException, requests.RequestException) as problem:
        raise DockerCacheError(f"the image cannot be started: {in_words(problem)}") from problem
    try:
        return _until_it_answers(subject, container, port, path, timeout)
    finally:
        container.remove(force=True, v=True)


def _until_it_answers(
    subject: Judged, container: Any, port: int, path: str, timeout: float
) -> tuple[int, bytes]:
    deadline = time.monotonic() + timeout
    complaint = "nothing listens yet"
    while time.monotonic() < deadline:
        container.reload()
        if container.status == "exited":
            code = container.attrs["State"]["ExitCode"]
            raise _silent(subject, container, port, path, f"the container ended with code {code}")
        address = _published(container, port)
        if address is not None:
            try:
                return _get(*address, path, max(0.1, deadline - time.monotonic()))
            except (OSError, http.client.HTTPException) as problem:
                complaint = str(problem) or type(problem).__name__
        # The daemon has no event for "a port is being listened on".
        time.sleep(_PAUSE_SECONDS)
    raise _silent(subject, container, port, path, f"{complaint} after {timeout:g} s")


def _published(container: Any, port: int) -> tuple[str, int] | None:
    bindings = (container.ports or {}).get(f"{port}/tcp") or ()
    for binding in bindings:
        base = urlsplit(container.client.api.base_url)
        remote = base.hostname if base.scheme in ("http", "https") else None
        local = remote in (None, "localhost", "localunixsocket") or "docker" in str(remote)
        return ("127.0.0.1" if local else str(remote), int(binding["HostPort"]))
    return None


def _get(host: str, port: int, path: str, timeout: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=min(timeout, 10))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_BODY_BYTES)
    finally:
        connection.close()


def _silent(subject: Judged, container: Any, port: int, path: str, why: str) -> CacheAssertionError:
    log = container.logs(tail=_LOG_LINES).decode(errors="replace").splitlines()
    command = " ".join(container.attrs["Config"].get("Cmd") or ())
    return broken(
        f"image does not serve http://localhost:{port}{path}",
        subject=subject,
        rows=[f"  log    {line}" for line in log],
        why=why,
        fix=f"check that the image's command ({command}) listens on 0.0.0.0:{port}, "
        "not only on 127.0.0.1",
    )
