"""One Docker daemon, reached through the SDK: everything besides building that an engine needs.

The endpoint is that of the ``docker`` command: ``DOCKER_HOST``, else ``DOCKER_CONTEXT``, else the
current context of ``~/.docker/config.json``, else the local socket (``docker>=7.2`` reads
contexts).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import docker
import requests
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from ..errors import DockerCacheError, EngineUnavailable, missing_image
from ..regexes import regex
from ..values import dataclass
from .answers import OddAnswerError, checked_json, require_checked
from .base import Execution
from .cache_records import CacheRecord, prune_all
from .docker_command import clock_offset, plain_version
from .patience import within
from .progress import nanoseconds

__all__ = ["Daemon", "connect", "current_context", "in_words", "no_daemon"]

_CALL_SECONDS = 120
"""How many seconds one call may take; calls that wait (build, wait) have their own limits."""


_PING_SECONDS = 30.0
"""How many seconds a daemon that builds may take for an answer: a busy machine is slow."""

_ALIVE_SECONDS = 10
"""How long a daemon may take to say that it lives."""

_ENDING_SECONDS = 12.0
"""How long a daemon is watched that may be about to end: on a busy machine it has answered for ten
seconds after it had killed its containers (Docker Engine 26.1)."""

_GOING_SECONDS = 5.0
"""How long is waited for a container that the daemon is removing already."""

_LOG = {"Type": "json-file", "Config": {"max-size": "8m", "max-file": "1"}}
"""The log driver of our containers: every daemon has it, and gives its logs back."""

_LOG_SECONDS = 0.2
"""How long an empty log is given to hold something after all."""

_IDS_A_REQUEST = 100
"""How many records one request removes: their IDs stand in its URL."""

_OLDEST_API = "1.24"
"""The oldest API version of the SDK; a ping is equal in all versions."""


def current_context() -> str:
    """The name of the Docker context that the ``docker`` command would use."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    return os.environ.get("DOCKER_CONTEXT") or str(get_current_context_name())


def connect(timeout: float | None = None) -> Daemon:
    """Connect to the daemon and ask for its versions.

    ``timeout`` is how many seconds it may take for an answer, 120 at most.
    Raises EngineUnavailable; ``absent`` only if nothing listens there.
    """
    endpoint = _endpoint()
    patience = min(_CALL_SECONDS, timeout or _CALL_SECONDS)
    try:
        _knock(endpoint, patience)
        # With a given version, the SDK's client asks nothing when it is made.
        with contextlib.closing(_client(endpoint, _OLDEST_API, patience)) as first:
            ping = first.api.get(f"{first.api.base_url}/_ping", timeout=patience)
            ping.raise_for_status()
        client = _client(endpoint, ping.headers.get("Api-Version"), patience)
        version = client.version()
    except (DockerException, requests.RequestException, OSError, ValueError) as problem:
        raise _unavailable(endpoint, problem, patience) from None
    _give_up_once_silent(client, patience)
    return Daemon(
        client=client,
        endpoint=endpoint,
        server=plain_version(version.get("Version", "")),
        api=str(version.get("ApiVersion", "")),
        os=ping.headers.get("OSType", "linux"),
        patience=patience,
    )


def _client(endpoint: str, version: str | None, patience: float) -> docker.DockerClient:
    # docker-py's own ssh needs paramiko; the ssh command knows the user's
    # configuration and agent, as the docker command does.
    client = docker.from_env(
        version=version,
        timeout=patience,  # type: ignore[arg-type]  # a float works as well
        use_ssh_client=endpoint.startswith("ssh://"),
    )
    require_checked(client)
    _limit_answers(client)
    return client


def _limit_answers(client: docker.DockerClient) -> None:
    """Let the time limit of a request hold for its whole answer, unless the answer is a stream."""
    api = client.api
    send = api.send

    def limited(request: Any, **options: Any) -> Any:
        seconds = options.get("timeout")
        if options.get("stream") or not isinstance(seconds, (int, float)):
            return send(request, **options)
        try:
            return within(seconds, lambda: send(request, **options))
        except TimeoutError as problem:
            raise requests.exceptions.ReadTimeout(str(problem)) from None

    api.send = limited  # type: ignore[method-assign]


def _endpoint() -> str:
    host = os.environ.get("DOCKER_HOST")
    if host:
        return host
    name = current_context()
    context = ContextAPI.get_context(name)
    if context is None:
        _require_configuration(name)
        # The SDK would fall back to the local socket, the docker command not.
        raise EngineUnavailable(
            f"the Docker context {name!r} does not exist",
            fix="choose one of `docker context ls` with DOCKER_CONTEXT or `docker context use`",
        )
    return str(context.Host or "the local Docker socket")


def _require_configuration(context: str) -> None:
    """Raise EngineUnavailable for a context that the docker command has and the SDK does not find.

    The SDK looks for contexts beside ``config.json``, wherever that is (docker-py
    docker/context/config.py); the docker command writes contexts without one.
    """
    try:
        home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    except RuntimeError:
        return
    kept = home / "contexts" / "meta" / hashlib.sha256(context.encode()).hexdigest()
    if kept.exists() and not (home / "config.json").exists():
        raise EngineUnavailable(
            f"the Docker SDK does not see the Docker context {context!r}, because there is no "
            f"{home / 'config.json'}",
            fix=f"echo {{}} > {home / 'config.json'}",
        )


def _knock(endpoint: str, patience: float) -> None:
    """Raise OSError if nothing listens on a socket file.

    The SDK would raise the error too, but leave a socket behind, whose ResourceWarning fails the
    tests of users who make errors of warnings.
    """
    scheme, _, path = endpoint.partition("://")
    if scheme in ("unix", "http+unix") and hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(patience)
            knocking.connect("/" + path.lstrip("/"))


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """An exception and all that caused it, as requests, urllib3 and the SDK nest them."""
    pending: list[BaseException] = [problem]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        nested = (current.__cause__, current.__context__, getattr(current, "reason", None))
        pending += [item for item in (*nested, *current.args) if isinstance(item, BaseException)]


def _unavailable(endpoint: str, problem: BaseException, patience: float) -> EngineUnavailable:
    causes = list(_causes(problem))
    last = in_words(problem)

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if endpoint.startswith("ssh://"):
        return EngineUnavailable(
            f"cannot reach the Docker daemon over ssh at {endpoint}: {last}",
            fix="make `ssh` to that host work without a prompt, then `docker info`",
        )
    if caused_by(PermissionError):
        return EngineUnavailable(
            f"no permission to use the Docker daemon at {endpoint}",
            fix="add your user to the group that owns the socket (often `docker`) "
            "and log in again, or use a rootless daemon",
        )
    if caused_by(requests.exceptions.SSLError, docker.errors.TLSParameterError):
        return EngineUnavailable(
            f"TLS with the Docker daemon at {endpoint} fails: {last}",
            fix="check DOCKER_TLS_VERIFY and the certificates in DOCKER_CERT_PATH",
        )
    if caused_by(FileNotFoundError, ConnectionRefusedError):
        return EngineUnavailable(
            f"no Docker daemon listens at {endpoint}",
            fix="start Docker, or point DOCKER_HOST or the Docker context at a daemon",
            absent=True,
        )
    if caused_by(requests.exceptions.Timeout, TimeoutError):
        return _silence(endpoint, patience)
    if isinstance(problem, OddAnswerError):
        return no_daemon(endpoint, problem)
    if caused_by(socket.gaierror):
        return EngineUnavailable(
            f"the host of the Docker daemon at {endpoint} is not known",
            fix="check DOCKER_HOST or the Docker context",
        )
    return EngineUnavailable(
        f"the Docker daemon at {endpoint} cannot be used: {last}",
        fix="make `docker info` work, then run again",
    )


def _silence(endpoint: str, patience: float) -> EngineUnavailable:
    return EngineUnavailable(
        f"the Docker daemon at {endpoint} did not answer within {patience:g} s",
        fix="make `docker info` answer (restart Docker if it hangs), then run again",
        silent=True,
    )


def no_daemon(endpoint: str, problem: OddAnswerError) -> EngineUnavailable:
    """The error for an answer that is not a daemon's."""
    return EngineUnavailable(
        f"{endpoint} does not answer as a Docker daemon does: {problem}",
        fix="look what listens there: a proxy may answer in the daemon's place",
    )


class _SilentError(requests.exceptions.ReadTimeout):
    """The error at a daemon that did not answer an earlier call in time, and is not asked again."""


def _give_up_once_silent(client: docker.DockerClient, patience: float) -> None:
    """Let a daemon that has missed the time for an answer be waited for no more.

    Calls that wait for something on purpose have another time limit, and say
    nothing about the daemon.
    """
    api = client.api
    send = api.send
    silent = False

    def watched(request: Any, **options: Any) -> Any:
        nonlocal silent
        if silent:
            raise _SilentError("the daemon has stopped answering")
        try:
            return send(request, **options)
        except requests.exceptions.Timeout:
            silent = options.get("timeout") in (patience, min(_PING_SECONDS, patience))
            raise

    api.send = watched  # type: ignore[method-assign]


@dataclass(frozen=True)
class Daemon:
    """A connected daemon.

    ``server`` and ``api`` are the daemon's versions, ``os`` the kind of
    containers it runs. ``patience`` is how many seconds one answer may take.
    """

    client: Any
    endpoint: str
    server: str
    api: str
    os: str
    patience: float = _CALL_SECONDS

    def ask_id(self) -> str:
        """The daemon's ID, asked anew."""
        try:
            return str(self.client.info().get("ID") or self.endpoint)
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)

    @cached_property
    def _facts(self) -> tuple[str, int]:
        """The daemon's ID, and how far its clock is ahead of ours, in nanoseconds."""
        asked = time.time_ns()
        try:
            info = self.client.info()
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        return str(info.get("ID") or self.endpoint), clock_offset(info.get("SystemTime"), asked)

    @property
    def identity(self) -> str:
        """The identity of this daemon, equal in every process."""
        return self._facts[0]

    def now(self) -> int:
        """The daemon's time, in nanoseconds since the epoch."""
        return time.time_ns() + self._facts[1]

    @property
    def has_buildkit(self) -> bool:
        """Whether ``POST /build?version=2`` works (Linux, API 1.39, Docker 18.09)."""
        return self.os == "linux" and _at_least(self.api, (1, 39))

    def another_client(self) -> docker.DockerClient:
        """A client with connections of its own, for a request that may be cut off.

        A connection that was shut down under the SDK would go back into the pool, and the next call
        that takes it would fail.
        """
        return _client(self.endpoint, self.api, self.patience)

    def alive(self) -> bool:
        """Whether the daemon still answers."""
        try:
            seconds = min(_ALIVE_SECONDS, self.patience)
            _knock(self.endpoint, seconds)
            answer = self.client.api.get(f"{self.client.api.base_url}/_ping", timeout=seconds)
            return bool(answer.ok)
        except (DockerException, requests.RequestException, OSError):
            return False

    def require_answer(self) -> None:
        """Raise EngineUnavailable if the daemon listens and does not answer.

        A daemon that is gone has ended its builds itself.
        """
        seconds = min(_PING_SECONDS, self.patience)
        try:
            _knock(self.endpoint, seconds)
            self.client.api.get(f"{self.client.api.base_url}/_ping", timeout=seconds)
        except (DockerException, requests.RequestException, OSError) as problem:
            timeouts = (requests.exceptions.Timeout, TimeoutError)
            if any(isinstance(cause, timeouts) for cause in _causes(problem)):
                raise _silence(self.endpoint, seconds) from problem

    def lives_on(self) -> bool:
        """Whether the daemon still answers after a while.

        A daemon that is being stopped kills its containers first, and still answers for some
        seconds (dockerd 26.1: up to 10).
        """
        deadline = time.monotonic() + _ENDING_SECONDS
        while self.alive():
            if time.monotonic() >= deadline:
                return True
            time.sleep(0.1)
        return False

    def lost(self, problem: BaseException) -> NoReturn:
        """Raise the error of a failed call: EngineUnavailable, or the daemon's own complaint."""
        if isinstance(problem, APIError):
            said = in_words(problem)
            raise DockerCacheError(f"the Docker daemon refused: {said}") from problem
        if any(isinstance(cause, requests.exceptions.Timeout) for cause in _causes(problem)):
            raise _silence(self.endpoint, self.patience) from problem
        if isinstance(problem, OddAnswerError):
            raise no_daemon(self.endpoint, problem) from problem
        raise EngineUnavailable(
            f"the Docker daemon at {self.endpoint} stopped answering: {in_words(problem)}",
            fix="check that it runs (`docker info`), then run again",
        ) from problem

    def image_config(self, image: str) -> Mapping[str, object]:
        """The inspection record of an image. Raises DockerCacheError if there is no such image."""
        try:
            return dict(self.client.api.inspect_image(image))
        except ImageNotFound:
            raise missing_image(image) from None
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)

    def has_image(self, image: str) -> bool:
        """Whether the daemon's store holds this image."""
        try:
            self.client.api.inspect_image(image)
        except ImageNotFound:
            return False
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        return True

    def run(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        timeout: float = 60.0,
        labels: Mapping[str, str] = {},
    ) -> Execution:
        """Run a command in a container: no network, labelled, removed, killed after ``timeout``.

        An empty ``entrypoint`` clears the image's own; None keeps it.
        """
        api = self.client.api
        name = None
        try:
            # The daemon's own log driver may keep nothing ("none") or give nothing back.
            host = api.create_host_config(network_mode="none", log_config=_LOG)
            container = api.create_container(
                image,
                command=list(command),
                # The API takes [""] as "no entry point"; an empty list means "the image's".
                entrypoint=None if entrypoint is None else list(entrypoint) or [""],
                labels=dict(labels),
                host_config=host,
                stdin_open=False,
                network_disabled=True,
            )
            name = container["Id"]
            api.start(name)
            timed_out = False
            code = 137
            try:
                code = int(api.wait(name, timeout=timeout)["StatusCode"])
            except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
                timed_out = True
                api.kill(name)
            output, errors = _logs(api, name)
            if not timed_out and not output and not errors:
                # Under load the last output of a short command is sometimes not
                # yet in the log when its container has ended (5 of 700 with
                # Docker Engine 26.1).
                time.sleep(_LOG_SECONDS)
                output, errors = _logs(api, name)
        except APIError as problem:
            # A command that is missing in the image is refused at start; checks expect the exit
            # code of a shell, 127.
            said = in_words(problem)
            if name is not None and _cannot_start(said):
                return Execution(127, "", said)
            self.lost(problem)
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        finally:
            if name is not None:
                self._remove_container(name)
        return Execution(
            code, output.decode(errors="replace"), errors.decode(errors="replace"), timed_out
        )

    def _remove_container(self, name: str) -> str | None:
        """Remove a container and its anonymous volumes; return why it could not go.

        The classic builder removes the container of a build that was cancelled
        in its own time, and refuses to have it removed by two at once.
        """
        deadline = time.monotonic() + _GOING_SECONDS
        while True:
            try:
                self.client.api.remove_container(name, force=True, v=True)
            except NotFound:
                return None
            except (DockerException, requests.RequestException) as problem:
                if not _is_going(problem) or time.monotonic() >= deadline:
                    return in_words(problem)
                time.sleep(0.05)
            else:
                return None

    def remove_container_builder(self, name: str) -> str | None:
        """Remove what the docker-container driver made for a builder; say why something stays.

        buildx gives it no label that we could choose, so the exact names count
        (docker/buildx driver/docker-container/factory.go and driver.go).
        """
        container = f"buildx_buildkit_{name}0"
        why = self._remove_container(container)
        if why is not None:
            return f"container {container}: {why}"
        try:
            self.client.api.remove_volume(f"{container}_state", force=True)
        except NotFound:
            return None
        except (DockerException, requests.RequestException) as problem:
            return f"volume {container}_state: {in_words(problem)}"
        return None

    @cached_property
    def keeps_images_in_containerd(self) -> bool:
        """Whether images lie in containerd's store, whose BuildKit exports every kind of cache."""
        try:
            status = self.client.info().get("DriverStatus") or ()
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        return any("io.containerd.snapshotter" in str(value) for _, value in status)

    def remove_build_container(self, name: str) -> None:
        """Remove the stopped container of a step of a classic build that its daemon did not end.

        Such a container has no label, and is known by its image: an ID, where a container of the
        user's has a name. Any other container stays.
        """
        try:
            record = self.client.api.inspect_container(name)
        except NotFound:
            return
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        image = str((record.get("Config") or {}).get("Image") or "")
        running = (record.get("State") or {}).get("Running")
        if image.startswith("sha256:") and not running:
            self._remove_container(str(record["Id"]))

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Remove the containers, then the images, that carry ``label=value`` themselves.

        An image that somebody tagged stays. Parents are never pruned: on the classic builder they
        are the user's untagged layers. Returns one line for each container or image that could not
        be removed.
        """
        api = self.client.api
        wanted = {"label": f"{label}={value}"}
        left = []
        try:
            for container in api.containers(all=True, filters=wanted):
                why = self._remove_container(container["Id"])
                if why is not None:
                    left.append(f"container {container['Id'][:12]}: {why}")
            for image in api.images(filters=wanted):
                why = self.remove_own_image(image["Id"], label, value)
                if why is not None:
                    left.append(f"image {image['Id'][7:19]}: {why}")
        except (DockerException, requests.RequestException) as problem:
            left.append(f"the rest: {in_words(problem)}")
        return tuple(left)

    def labelled_images(self, label: str, value: str) -> tuple[str, ...]:
        """The IDs of the images that carry ``label=value``."""
        try:
            found = self.client.api.images(filters={"label": f"{label}={value}"})
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        return tuple(str(image["Id"]) for image in found)

    def remove_own_image(self, image: str, label: str, value: str) -> str | None:
        """Remove one image by ID if it carries ``label=value`` and no tag; say why if it stays."""
        api = self.client.api
        try:
            record = api.inspect_image(image)
            labels = (record.get("Config") or {}).get("Labels") or {}
            if labels.get(label) != value:
                return "it does not carry our label"
            tags = [tag for tag in record.get("RepoTags") or () if tag != "<none>:<none>"]
            if tags:
                return f"it is tagged {', '.join(tags)}"
            api.remove_image(record["Id"], force=False, noprune=True)
        except ImageNotFound:
            return None
        except (DockerException, requests.RequestException) as problem:
            return in_words(problem)
        return None

    def records(self) -> tuple[CacheRecord, ...]:
        """The records in the build cache of the daemon's own BuildKit."""
        api = self.client.api
        try:
            # The daemon is slow to sum up the other kinds of usage.
            answer = api.get(api._url("/system/df"), params={"type": "build-cache"})
            api._raise_for_status(answer)
            found = checked_json(answer).get("BuildCache") or ()
        except (DockerException, requests.RequestException) as problem:
            self.lost(problem)
        return tuple(
            CacheRecord(
                record["ID"],
                str(record.get("Description") or ""),
                int(record.get("Size") or 0),
                nanoseconds(record.get("CreatedAt")) or 0,
            )
            for record in found
        )

    def remove_records(
        self, choose: Callable[[Iterable[CacheRecord]], Sequence[CacheRecord]]
    ) -> int:
        """Remove some records of the build cache; return how many bytes could not be removed.

        ``choose`` picks them out of all that are there. None is removed where images lie in
        containerd's store: such a daemon forgets its whole cache with the first record that is
        pruned, and executes every step of every Dockerfile again (Engine 26.1.5, tried).
        """
        if self.keeps_images_in_containerd:
            return sum(record.size for record in choose(self.records()))
        return prune_all(choose(self.records()), self.records, self._prune)

    def _prune(self, ids: Sequence[str]) -> Sequence[str]:
        api = self.client.api
        gone: list[str] = []
        for start in range(0, len(ids), _IDS_A_REQUEST):
            # The filter takes one value, a regular expression (moby
            # builder/builder-next/builder.go, toBuildkitPruneInfo: "id~=").
            pattern = "|".join(ids[start : start + _IDS_A_REQUEST])
            parameters = {"filters": json.dumps({"id": [f"({pattern})"]}), "all": "1"}
            try:
                url = api._url("/build/prune")
                answer = api.post(url, params=parameters)
                api._raise_for_status(answer)
                gone += checked_json(answer).get("CachesDeleted") or ()
            except (DockerException, requests.RequestException) as problem:
                self.lost(problem)
        return gone

    def remove_untagged(self, ids: Sequence[str]) -> int:
        """Remove images by ID, children first, and no parents; return how many bytes stay.

        An image that carries a tag, or that another was built on, stays. The container of a
        cancelled build may still hold an image: such a container is waited for.
        """
        api = self.client.api
        pending = list(dict.fromkeys(ids))
        deadline = time.monotonic() + _GOING_SECONDS
        while pending:
            left = []
            held = False
            for image in pending:
                try:
                    record = api.inspect_image(image)
                    if not record.get("RepoTags"):
                        api.remove_image(record["Id"], force=False, noprune=True)
                        continue
                except ImageNotFound:
                    continue
                except APIError as problem:
                    held |= _is_held(problem)  # else the image has children
                except (DockerException, requests.RequestException) as problem:
                    self.lost(problem)
                left.append(image)
            if len(left) == len(pending):
                if not held or time.monotonic() >= deadline:
                    return sum(self._own_size(image) for image in left)
                time.sleep(0.05)
            pending = left
        return 0

    def _own_size(self, image: str) -> int:
        """The bytes of an image's own layer."""
        api = self.client.api
        try:
            record = api.inspect_image(image)
            size = int(record.get("Size") or 0)
            parent = record.get("Parent")
            if parent:
                size -= int(api.inspect_image(parent).get("Size") or 0)
        except (DockerException, requests.RequestException):
            return 0
        return max(0, size)

    def proxy_arguments(self) -> dict[str, str]:
        """The build arguments that the docker command makes of the configured proxies."""
        return dict(self.client.api._proxy_configs.get_environment())

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _logs(api: Any, container: str) -> tuple[bytes, bytes]:
    """The standard output and standard error of a container's command."""
    return (
        api.logs(container, stdout=True, stderr=False),
        api.logs(container, stdout=False, stderr=True),
    )


def _is_going(problem: Exception) -> bool:
    """Whether the daemon is removing the container at this moment (a conflict, HTTP 409)."""
    return isinstance(problem, APIError) and "is already in progress" in in_words(problem)


def _is_held(problem: APIError) -> bool:
    """Whether a container keeps an image from being removed."""
    return "is being used by" in in_words(problem)


def _cannot_start(said: str) -> bool:
    return "executable file not found" in said or "no such file or directory" in said


def _at_least(version: str, wanted: tuple[int, int]) -> bool:
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= wanted


_TUPLE = regex(r"(^|: )\((['\"]).*", re.DOTALL)


def in_words(problem: BaseException) -> str:
    """The problem in one line.

    requests shows the exceptions that it wraps as a Python tuple
    (``('Connection aborted.', RemoteDisconnected(...))``): the innermost exception counts.
    """
    explanation = getattr(problem, "explanation", None)
    if explanation:
        return str(explanation).splitlines()[0]
    for cause in reversed(list(_causes(problem))):
        said = getattr(cause, "strerror", None) or str(cause)
        said = _TUPLE.sub("", said) if isinstance(said, str) else ""
        if said:
            return said.splitlines()[0]
    return type(problem).__name__
