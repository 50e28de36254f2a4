"""A build over the Engine API: the context goes up as a tar, the answer comes back line by line.

Both engines that need no ``docker`` command use this module. The request runs in a thread of its
own, so that a build can be cancelled and has a time limit even while the daemon says nothing.
BuildKit cancels a build by its ID (``POST /build/cancel``) and ends the answer when the build is
gone; the classic builder cancels a build whose connection is closed.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from docker.errors import DockerException
from docker.types import CancellableStream
from docker.utils import parse_bytes

from ..errors import ConfigError, DockerCacheError
from .answers import OddAnswerError, build_record
from .daemon import Daemon, in_words, no_daemon
from .failure import build_failed, daemon_gone, image_lost, needs_buildx, refused
from .inbox import Inbox

if TYPE_CHECKING:
    from ..dockerfile import PlannedStep
    from .base import BuildRequest

__all__ = ["ApiBuild", "RefusedError", "build_parameters", "refuse_caches", "refuse_secrets"]

_JOIN_SECONDS = 10.0

_ASK_SECONDS = 0.2
"""Seconds between two requests to cancel: a build that has not begun yet misses the first."""


_FORBIDDEN = (401, 403, 407)
"""The answers of an authorization plugin, or of a proxy: nobody has looked at the Dockerfile."""


class RefusedError(DockerCacheError):
    """The daemon refused the build request itself, before it ran a step."""


def held_image(daemon: Daemon, image: str | None) -> str:
    """The image that a build has ended with, None where its last answer names none.

    Raises EngineUnavailable for None, and DockerCacheError for an image that
    the daemon's store does not hold.
    """
    if image is None:
        raise daemon_gone("its answer ended without an image")
    if not daemon.has_image(image):
        raise image_lost(image)
    return image


def refuse_secrets(request: BuildRequest, name: str) -> None:
    """Raise ConfigError for a setting that only a buildx session can carry."""
    contexts = ["=".join(context) for context in request.spec.contexts]
    for option, values in (
        ("secret", request.spec.secrets),
        ("ssh", request.spec.ssh),
        ("build-context", contexts),
    ):
        if values:
            raise needs_buildx(f"--dockercache-{option}={values[0]}", name)
    allowed = [value for option, value in request.spec.run_options if option == "allow"]
    if allowed:
        raise needs_buildx(f"the entitlement {allowed[0]}", name)


def refuse_caches(request: BuildRequest, name: str) -> None:
    """Raise ConfigError for caches, which are imported in a session of buildx's."""
    for cache in request.spec.cache_from:
        raise needs_buildx(f"--dockercache-cache-from={cache}", name)


def build_parameters(request: BuildRequest, daemon: Daemon, version: str) -> dict[str, str]:
    """The query of ``POST /build``. Nothing is tagged; intermediate containers are removed.

    The proxies of the client configuration become build arguments, as the
    docker command makes them; no cache key holds them.
    """
    spec = request.spec
    arguments = {**daemon.proxy_arguments(), **dict(spec.build_args)}
    parameters = {
        "version": version,
        "dockerfile": request.staged.dockerfile_name,
        "labels": json.dumps(dict(request.labels)),
        "buildargs": json.dumps(arguments),
        "rm": "1",
        "forcerm": "1",
    }
    if spec.target is not None:
        parameters["target"] = spec.target
    if spec.platform is not None:
        parameters["platform"] = spec.platform
    return {**parameters, **_run_parameters(spec.run_options)}


def _run_parameters(options: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Where RUNs run, as ``POST /build`` takes it. Raises ConfigError for a size that is none."""
    found: dict[str, str] = {}
    hosts, limits = [], []
    for name, value in options:
        if name == "network":
            found["networkmode"] = value
        elif name == "shm-size":
            try:
                found["shmsize"] = str(parse_bytes(value))
            except DockerException:
                raise ConfigError(f"the shared memory {value} is not a size") from None
        elif name == "add-host":
            host, _, address = value.partition("=")
            hosts.append(f"{host}:{address}")
        elif name == "ulimit":
            limits.append(_limit(value))
    if hosts:
        found["extrahosts"] = json.dumps(hosts)
    if limits:
        found["ulimits"] = json.dumps(limits)
    return found


def _limit(text: str) -> dict[str, str | int]:
    """One ``NAME=SOFT[:HARD]``. Raises ConfigError."""
    name, _, values = text.partition("=")
    soft, _, hard = values.partition(":")
    try:
        return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    except ValueError:
        raise ConfigError(f"the limit {text} is not of the form NAME=SOFT:HARD") from None


class _CancelledError(Exception):
    """Stops the upload from within."""


class ApiBuild:
    """One running ``POST /build``; its maker has to stop it.

    ``planned`` names the images that the build starts from or copies from: images that the daemon
    lacks are pulled first through the SDK, because a build without a client session has no
    credentials. ``cache_from`` names images whose layers the build may reuse.
    """

    def __init__(
        self,
        daemon: Daemon,
        request: BuildRequest,
        planned: Sequence[PlannedStep],
        version: str,
        cache_from: Sequence[str] = (),
    ) -> None:
        self._daemon = daemon
        self._request = request
        self._images = base_images(planned)
        self._parameters = build_parameters(request, daemon, version)
        if cache_from:
            self._parameters["cachefrom"] = json.dumps(list(cache_from))
        self._id = uuid.uuid4().hex if version == "2" else None
        if self._id is not None:
            self._parameters["buildid"] = self._id
        self._inbox: Inbox[Mapping[str, Any]] = Inbox()
        self._cancelled = threading.Event()
        self._cut = threading.Event()
        self._stream: CancellableStream[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="docker build")

        self._thread.start()

    def take(self, deadline: float | None) -> list[Mapping[str, Any]]:
        """Wait for the daemon's next records; none when the deadline has passed, or at the end.

        Raises BuildFailed for a base that cannot be pulled, RefusedError,
        EngineUnavailable, ConfigError (a context that cannot be sent).
        """
        return self._inbox.take(deadline)

    @property
    def ended(self) -> bool:
        """Whether the reader has taken every record."""
        return self._inbox.ended

    def alive(self) -> bool:
        """Whether the request is still under way."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Cancel a build that still runs, and wait until it is gone."""
        self._cancelled.set()
        deadline = time.monotonic() + _JOIN_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline and self._asked_to_cancel():
            self._thread.join(timeout=_ASK_SECONDS)
        self._cut.set()
        stream = self._stream
        if stream is not None and self._thread.is_alive():
            # The answer may end under us; a transport that cannot be shut down
            # (paramiko) leaves a thread that ends with the build.
            with contextlib.suppress(DockerException, OSError, AttributeError):
                stream.close()
        self._thread.join(timeout=_JOIN_SECONDS)

    def _asked_to_cancel(self) -> bool:
        """Whether the daemon accepts a request to cancel this build."""
        if self._id is None:
            return False
        api = self._daemon.client.api
        try:
            answer = api.post(
                api._url("/build/cancel"), params={"id": self._id}, timeout=_JOIN_SECONDS
            )
        except (DockerException, requests.RequestException, OSError):
            return False
        return bool(answer.status_code < 400)

    # -- the thread

    def _run(self) -> None:
        try:
            for line, image, platform in self._images:
                self._pull(line, image, platform)
            self._post()
            self._inbox.end()
        except _CancelledError:
            self._inbox.end()
        except OddAnswerError as error:
            self._inbox.end(no_daemon(self._daemon.endpoint, error))
        except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            self._inbox.end(daemon_gone(in_words(error)))
        except Exception as error:
            self._inbox.end(error)

    def _pull(self, line: int, image: str, platform: str | None) -> None:
        if self._daemon.has_image(image):
            return
        api = self._daemon.client.api
        problem = None
        try:
            for record in api.pull(image, platform=platform, stream=True, decode=True):
                problem = record.get("error") or problem
                if self._cancelled.is_set():
                    raise _CancelledError
        except (DockerException, requests.RequestException) as error:
            problem = in_words(error)
        if problem is not None and not self._daemon.alive():
            raise daemon_gone(str(problem))
        if problem is not None:
            said = f"{image} is not on this daemon and cannot be pulled: {problem}"
            raise build_failed(self._request, line, said)

    def _post(self) -> None:
        client = self._daemon.another_client()
        try:
            self._exchange(client.api)
        finally:
            client.close()

    def _exchange(self, api: Any) -> None:
        response = api.post(
            api._url("/build"),
            data=self._body(),
            params=self._parameters,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            # No read limit: a step may say nothing for hours. The caller has its deadline.
            timeout=(api.timeout, None),
        )
        with response:
            if response.status_code in _FORBIDDEN:
                raise refused(_message(response))
            if response.status_code >= 400:
                raise RefusedError(_message(response))
            stream = CancellableStream(response.iter_lines(chunk_size=65536), response)
            self._stream = stream
            if self._cut.is_set():
                stream.close()
            for line in stream:
                if line:
                    self._inbox.put(build_record(line))

    def _body(self) -> Iterator[bytes]:
        from ..context.upload import upload

        classic = self._parameters["version"] == "1"
        for chunk in upload(self._request.staged, classic=classic):
            if self._cancelled.is_set():
                raise _CancelledError
            yield chunk


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or f"HTTP {response.status_code}"


def base_images(planned: Sequence[PlannedStep]) -> tuple[tuple[int, str, str | None], ...]:
    """The images that a build starts or copies from: line, name, platform; each once.

    Stages, ``scratch`` and the context are no images; the frontend of a ``# syntax=`` line is the
    builder's own business.
    """
    found: dict[tuple[str, str | None], int] = {}
    for step in planned:
        stage = step.stage
        if step.instruction.keyword == "FROM":
            if stage.parent is None and stage.base != "scratch":
                found.setdefault((stage.base, stage.platform), step.line)
            continue
        for transfer in step.transfers:
            if isinstance(transfer.origin, str) and transfer.origin not in ("context", "scratch"):
                found.setdefault((transfer.origin, stage.platform), step.line)
    return tuple((line, image, platform) for (image, platform), line in found.items())
