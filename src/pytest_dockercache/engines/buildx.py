"""The engine behind ``docker buildx build``: the builder that most people's ``docker build`` is.

The ``docker`` command runs in a process group of its own, so that the
terminal's Ctrl-C reaches pytest first, which then cancels the build.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cache import BUILDKIT
from ..cache_home import writing
from ..disk import read_text
from ..dockerfile.platforms import default_platform, normal_platform
from ..errors import ConfigError, EngineUnavailable, InvalidImage
from ..model import Build, CacheImport, EngineInfo, Watch, context_top
from ..regexes import regex
from ..values import dataclass
from .base import BuildRequest, EmptyBuilder
from .cache_records import CacheRecord, Ledger, Trace, claimed, parse_usage, prune_all
from .cancelling import Starting, cancel, uninterrupted
from .daemon_side import DaemonSide
from .docker_command import (
    Plugin,
    Reached,
    ask_docker,
    build_environment,
    plain_version,
    run_docker,
    said_by_docker,
    supported,
)
from .failure import (
    KILLED,
    build_failed,
    daemon_gone,
    image_lost,
    not_begun,
    require_emulation,
    says_daemon_gone,
    says_no_space,
)
from .inbox import Inbox
from .local_socket import NoAnswerError, NoImageError, image_record, usual_socket
from .planning import planned_steps
from .progress import Event, RawJson, TextEvent
from .sdk import load_sdk
from .tidying import Tidying
from .vertices import Observation
from .watchdog import guarded
from .watching import watched

if TYPE_CHECKING:
    from .daemon import Daemon

__all__ = ["Buildx", "build_command"]

_PATIENCE_SECONDS = 120.0
"""How long the daemon may take to say what it knows of an image."""

_LOADED = "pytest-dockercache.loaded"
"""The label that finds an image again which another builder loaded into the daemon."""


def build_command(
    request: BuildRequest,
    builder: str,
    *,
    buildx: Sequence[str] = ("docker", "buildx"),
    load: str | None,
    iidfile: Path,
    metadata: Path,
) -> list[str]:
    """The command of one build, with ``buildx`` before its arguments; nothing is tagged.

    ``load`` is for a builder outside the daemon: the image is loaded into the
    daemon's store, with this as a label of its own to find it there.
    """
    spec = request.spec
    command = [*buildx, "build", "--progress=rawjson", f"--builder={builder}"]
    if request.output is not None:
        command.append(f"--output={request.output}")
    elif load is not None:
        command += ["--load", f"--label={_LOADED}={load}"]
    if request.output is None:
        command.append(f"--iidfile={iidfile}")
    command.append(f"--metadata-file={metadata}")
    command += [f"--label={name}={value}" for name, value in request.labels]
    if spec.target is not None:
        command.append(f"--target={spec.target}")
    command += [f"--build-arg={name}={value}" for name, value in spec.build_args]
    copies = dict(request.staged.contexts)
    command += [
        f"--build-context={name}={copies.get(context_top(name), value)}"
        for name, value in spec.contexts
    ]
    if spec.platform is not None:
        command.append(f"--platform={spec.platform}")
    command += [f"--{name}={value}" for name, value in spec.run_options]
    command += [f"--secret={secret}" for secret in spec.secrets]
    command += [f"--ssh={ssh}" for ssh in spec.ssh]
    command += [f"--cache-from={cache}" for cache in spec.cache_from]
    command += [f"--cache-to={cache}" for cache in request.cache_to]
    return [*command, f"--file={request.staged.dockerfile}", str(request.staged.root)]


@dataclass(frozen=True)
class Builder:
    """A buildx builder instance: its name, its driver, and the endpoint of its first node."""

    name: str
    driver: str
    endpoint: str


def find_builder(name: str | None, context: str | None = None) -> Builder:
    """The builder to use: the named one, else the one of the user's own ``docker build``.

    ``docker build`` uses the builder of the current context, not the one that
    ``docker buildx use`` selected, unless BUILDX_BUILDER names another or
    ``docker buildx install`` was run (docker/cli cmd/docker/builder.go).
    ``context`` is the current context, where it is known.

    Raises ConfigError for a builder that buildx does not know.
    """
    wanted = name or os.environ.get("BUILDX_BUILDER") or None
    if context is None:
        load_sdk()
        from .daemon import current_context

        context = current_context()
    if wanted is None:
        if not _aliased():
            return Builder(context, "docker", context)
    elif wanted == context:
        return Builder(context, "docker", context)
    command = ["docker", "buildx", "inspect", *([wanted] if wanted else [])]
    try:
        said = run_docker(command)
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(
            f"the buildx builder {wanted or 'in use'} did not answer within 60 s",
            fix="check it with `docker buildx inspect`",
        ) from None
    fields = dict(re.findall(r"^(Name|Driver|Endpoint):\s+(\S+)", said.stdout, re.MULTILINE))
    if said.returncode != 0 or "Driver" not in fields:
        complaint = (said.stderr.strip().splitlines() or ["buildx said nothing"])[-1]
        source = f"--dockercache-builder={name}" if name else f"BUILDX_BUILDER={wanted}"
        raise ConfigError(
            f"{source if wanted else 'the builder in use'}: {complaint.removeprefix('ERROR: ')}",
            fix="name one of the builders that `docker buildx ls` lists",
        )
    found = re.search(r"^Name:\s+(\S+)", said.stdout, re.MULTILINE)
    return Builder(
        name=found[1] if found else wanted or context,
        driver=fields["Driver"],
        endpoint=fields.get("Endpoint", ""),
    )


def _aliased() -> bool:
    """Whether ``docker buildx install`` made ``docker build`` a ``docker buildx build``."""
    try:
        directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        aliases = json.loads(read_text(directory / "config.json"))["aliases"]
        return bool(aliases["builder"] == "buildx")
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, ConfigError):
        return False  # RuntimeError: a user without a home


def _connected(daemon: Daemon | Reached, timeout: float | None) -> Daemon:
    """The daemon, to which a connection is made at the first question, while buildx starts up."""
    if not isinstance(daemon, Reached):
        return daemon
    load_sdk()
    from .daemon import connect

    try:
        found = connect(timeout)
    except EngineUnavailable as problem:
        # ``absent`` stays False: the daemon was there when the engine was chosen, so this is
        # an error, and no reason to skip.
        raise EngineUnavailable(problem.finding, silent=problem.silent) from None
    # Podman's service answers with another ID each time, which then says nothing.
    if found.identity != daemon.id and found.ask_id() == found.identity:
        found.close()
        raise EngineUnavailable(
            f"{found.endpoint} is another Docker daemon than the docker command reaches",
            fix="point both at one daemon with DOCKER_HOST or the Docker context",
        )
    return found


class Buildx(DaemonSide):
    """Builds with ``docker buildx build``, in the daemon or in another builder instance.

    ``command`` is buildx before its arguments, and ``variables`` are set for it. ``now`` is the
    clock of the daemon, where that is the builder. ``socket`` is where the daemon may be asked
    before ``connect`` has connected to it, for at most ``patience`` seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Daemon],
        info: EngineInfo,
        builder: Builder,
        command: Sequence[str],
        *,
        variables: Mapping[str, str] = {},
        now: Callable[[], int] | None = None,
        socket: str | None = None,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        super().__init__(connect, info, BUILDKIT)
        self._builder = builder
        self._buildx = tuple(command)
        self._variables = variables
        # The clock of another builder is not known.
        self._ledger = Ledger(now if self._in_daemon else None)
        self._tidying = Tidying(self._remove)
        self._socket = socket
        self._patience = patience

    @classmethod
    def of_daemon(
        cls,
        daemon: Daemon | Reached,
        why: str,
        builder: str | None = None,
        plugin: Plugin | None = None,
        timeout: float | None = None,
    ) -> Buildx:
        """The engine beside a daemon, with the builder of that name or the user's own.

        Raises EngineUnavailable without a buildx that can be used, and ConfigError for a builder
        that it does not know.
        """
        found = plugin or ask_docker().plugin
        if found is None:
            raise EngineUnavailable(
                "the buildx plugin of the docker command does not answer",
                fix="install docker-buildx (docker-buildx-plugin), "
                "or use --dockercache-engine=buildkit",
            )
        if not supported(found.version):
            raise EngineUnavailable(
                f"buildx {found.version} is too old: it does not write --progress=rawjson",
                fix="update docker-buildx to 0.13 or newer, or use --dockercache-engine=buildkit",
            )
        reached = isinstance(daemon, Reached)
        chosen = find_builder(builder, "default" if reached else None)
        identity = daemon.id if isinstance(daemon, Reached) else daemon.identity
        if chosen.driver != "docker":
            identity = f"{identity}/{chosen.name}"
        return cls(
            lambda: _connected(daemon, timeout),
            EngineInfo("buildx", found.version, plain_version(daemon.server), why, identity),
            chosen,
            found.command,
            now=daemon.now,
            socket=usual_socket() if reached else None,
            patience=_PATIENCE_SECONDS if timeout is None else min(timeout, _PATIENCE_SECONDS),
        )

    @cached_property
    def _in_daemon(self) -> bool:
        return self._builder.driver == "docker"

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True.

        Raises BuildFailed, BuildTimeout, EngineUnavailable.
        """
        started = time.monotonic()
        platform = request.spec.platform
        if platform is not None and normal_platform(platform) != default_platform():
            require_emulation(request, self._native)
        # The directory lies beside the staged context, where the next run sweeps the files of a
        # killed one. A cancelled buildx may still write into the directory while it is being
        # removed.
        with contextlib.ExitStack() as guards:
            with writing(request.staged.root.parent):
                name = guards.enter_context(
                    tempfile.TemporaryDirectory(
                        dir=request.staged.root.parent, ignore_cleanup_errors=True
                    )
                )
            iidfile, metadata = Path(name, "iid"), Path(name, "metadata.json")
            mark = None if self._in_daemon or request.output else uuid.uuid4().hex
            command = build_command(
                request,
                self._builder.name,
                buildx=self._buildx,
                load=mark,
                iidfile=iidfile,
                metadata=metadata,
            )
            self._ledger.begin()
            child = observation = None
            try:
                with uninterrupted():
                    child = guards.enter_context(_Child(command, self._variables).guarded())
                # While buildx is starting up.
                self._connect_soon()
                observation = Observation(planned_steps(request, self.image_config), request.roles)
                child.tell(observation)
                if request.meanwhile is not None:
                    request.meanwhile()
                ended = watched(child, observation, request, watch, started, self._require_answer)
                if ended is not None:
                    return replace(ended, imports=_imports(observation, child.text))
                code = child.wait()
            finally:
                if child is not None:
                    try:
                        cancel(child)
                    finally:
                        made = observation.made() if observation is not None else ()
                        self._ledger.end(made, edited=bool(request.edits))
            if code != 0:
                _require_space(Path(name), child.text)
                self._fail(request, observation, child.text, code)
            image, provenance = self._outcome(iidfile, metadata, mark, request.output)
        observation.confirm(provenance)
        return Build(
            request.edits,
            "built",
            time.monotonic() - started,
            observation.steps(ended=True),
            image=image,
            imports=_imports(observation, child.text),
        )

    def _fail(
        self, request: BuildRequest, observation: Observation, text: Sequence[str], code: int
    ) -> None:
        said = next((line for line in reversed(text) if line.startswith("ERROR: ")), None)
        said = said or (text[-1] if text else f"docker buildx build ended with exit code {code}")
        said = said.removeprefix("ERROR: ")
        failure = observation.failure()
        gone = failure is None and says_daemon_gone(said)
        if gone or not self._daemon.alive():
            raise daemon_gone(said)
        if failure is not None and KILLED.search(failure.error) and not self._daemon.lives_on():
            raise daemon_gone(said)
        line = _line_in_excerpt(text)
        if line is None and not observation.begun:
            raise not_begun(said)
        if failure is None:
            raise build_failed(request, line, said)
        if failure.line is None:
            raise build_failed(request, line, said, failure.log)
        native = self._native if request.spec.platform else ""
        raise build_failed(request, failure.line, failure.error, failure.log, native=native)

    @cached_property
    def _native(self) -> str:
        """The platforms whose programs the builder can execute, "" if it does not say."""
        command = [*self._buildx, "inspect", self._builder.name]
        said = said_by_docker(command, {**os.environ, **self._variables}) or ""
        return " ".join(re.findall(r"^Platforms:(.*)$", said, re.MULTILINE))

    def _outcome(
        self, iidfile: Path, metadata: Path, mark: str | None, output: str | None
    ) -> tuple[str | None, Mapping[str, Any]]:
        """The ID of the image in the daemon's store, and the provenance if there is any."""
        record: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(metadata.read_text())
        candidates = [
            iidfile.read_text().strip() if iidfile.exists() else "",
            str(record.get("containerimage.digest") or ""),
            str(record.get("containerimage.config.digest") or ""),
        ]
        provenance = record.get("buildx.build.provenance")
        if output is not None:
            return None, provenance if isinstance(provenance, dict) else {}
        for candidate in candidates:
            if candidate and self._has_image(candidate):
                return candidate, provenance if isinstance(provenance, dict) else {}
        # A store may give a loaded image an ID of its own (containerd's does).
        loaded = self._daemon.labelled_images(_LOADED, mark) if mark is not None else ()
        if len(loaded) == 1:
            return loaded[0], provenance if isinstance(provenance, dict) else {}
        raise image_lost(candidates[0])

    def image_config(self, image: str) -> Mapping[str, object]:
        """The image's inspection record; the Docker SDK is only asked where the socket has none.

        An image that is not there may be in another daemon than the docker command's, which is
        found out when the SDK connects.
        """
        if self._socket is not None and "_daemon" not in vars(self):
            with contextlib.suppress(NoImageError, NoAnswerError):
                return image_record(self._socket, image, self._patience)
        return super().image_config(image)

    def _has_image(self, image: str) -> bool:
        try:
            self.image_config(image)
        except InvalidImage:
            return False
        return True

    def _require_answer(self) -> None:
        self._daemon.require_answer()

    def traces(self) -> tuple[Trace, ...]:
        """The vertices that the edited builds have executed since the last call."""
        return self._ledger.traces()

    def remove_traces(self, traces: Sequence[Trace]) -> int:
        """Remove the records of these; return how many bytes could not be removed.

        Nothing can be removed where the builder cannot list its cache.
        """
        stayed = self._tidying.stayed(traces)
        return 0 if stayed == 0 else self._remove(traces)

    def remove_soon(self, traces: Sequence[Trace]) -> None:
        """Begin to remove the records of these, if the daemon itself is the builder."""
        if self._in_daemon and traces:
            self._tidying.begin(traces)

    def close(self) -> None:
        """Close the connections, once nothing uses them."""
        self._tidying.wait()
        super().close()

    def _remove(self, traces: Sequence[Trace]) -> int:
        if self._in_daemon:
            return self._daemon.remove_records(lambda records: claimed(traces, records))
        ours = claimed(traces, self._records() or ())
        return prune_all(ours, lambda: self._records() or (), self._prune)

    def _prune(self, ids: Sequence[str]) -> tuple[str, ...]:
        gone = []
        for name in ids:
            said = self._command("prune", "--force", "--all", f"--filter=id={name}")
            if said is not None and name in said:
                gone.append(name)
        return tuple(gone)

    def _records(self) -> tuple[CacheRecord, ...] | None:
        if self._in_daemon:
            return self._daemon.records()
        said = self._command("du", "--verbose")
        return None if said is None else parse_usage(said)

    def _command(self, name: str, *arguments: str) -> str | None:
        command = [*self._buildx, name, f"--builder={self._builder.name}", *arguments]
        return said_by_docker(command, {**os.environ, **self._variables}, timeout=120)

    def exports_caches(self) -> bool:
        """Whether this builder can export its cache to more than an image.

        The docker driver can where images lie in containerd's store (docker/buildx
        driver/features.go, ``CacheExport``).
        """
        return not self._in_daemon or self._daemon.keeps_images_in_containerd

    @contextlib.contextmanager
    def empty_builder(
        self, name: str, directory: Path, image: str | None, *, host_network: bool
    ) -> Iterator[EmptyBuilder]:
        """Make a docker-container builder for this block, and remove it with its volume."""
        from .empty_builders import ContainerBuilder

        daemon = self._daemon  # One connection is enough for both.
        beside = Buildx(
            lambda: daemon,
            replace(self.info, builder=f"{self.info.builder}/{name}"),
            Builder(name, "docker-container", ""),
            self._buildx,
            variables={"BUILDX_CONFIG": str(directory)},
            patience=self._patience,
        )
        options = {"image": image, "network": "host" if host_network else None}
        remove = partial(daemon.remove_container_builder, name)
        builder = ContainerBuilder(beside, self._buildx, name, directory, options, remove)
        try:
            builder.boot()
            yield builder
        finally:
            builder.remove()

    def read_manifest(self, reference: str) -> object:
        """The manifest of an image's reference in its registry, None if it cannot be read."""
        command = [*self._buildx, "imagetools", "inspect", "--raw", reference]
        try:
            return json.loads(said_by_docker(command, timeout=60) or "null")
        except ValueError:
            return None


def _require_space(place: Path, text: Sequence[str]) -> None:
    """Raise ConfigError if buildx could not write its answer, which lies below the cache directory.

    The image may have been built: the daemon's disk has nothing to do with it.
    """
    for line in text:
        if str(place) in line and says_no_space(line):
            with writing(place):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_NO_LOCAL_CACHE = regex(r"WARNING: local cache import at (.*) not found due to err: (.*)")
"""What buildx says of a local cache that it leaves out (moby/buildkit client/solve.go)."""


def _imports(observation: Observation, text: Sequence[str]) -> tuple[CacheImport, ...]:
    """The caches that the builder was to import; buildx itself leaves out what it cannot read."""
    unread = map(_NO_LOCAL_CACHE.search, text)
    return (
        *observation.imports(),
        *(CacheImport(found[1], found[2]) for found in unread if found is not None),
    )


_EXCERPT = regex(r"^\s*(\d+) \| >>> ")


def _line_in_excerpt(text: Sequence[str]) -> int | None:
    """The line that buildx marks with ``>>>`` in the piece of the Dockerfile it prints."""
    for line in text:
        found = _EXCERPT.match(line)
        if found:
            return int(found[1])
    return None


class _Child:
    """A running ``docker buildx build`` and its output so far."""

    _GRACE_SECONDS = 10.0
    _PATIENCE_SECONDS = (1.5, 8.0, 1.5)

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._observation: Observation | None = None
        self._decoder = RawJson()
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._line = ""
        self.text: list[str] = []
        self._inbox: Inbox[bytes] = Inbox()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=build_environment({**os.environ, **variables}),
                start_new_session=True,
            )
        except OSError as problem:
            raise EngineUnavailable(
                f"the docker command cannot be run: {problem}",
                fix="install it, or use --dockercache-engine=buildkit",
            ) from problem
        # A thread of its own: a pipe cannot be read with a time limit otherwise
        # on every platform, and a full pipe would block the build.
        self._reader = threading.Thread(target=self._read, daemon=True, name="buildx progress")
        self._reader.start()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[_Child]:
        """The process, which is ended if the plugin's own process is killed within the block."""
        with guarded(self._process.pid):
            yield self

    def _read(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError, OSError):  # closed under us: the build was stopped
            # Not line by line: a build says thousands, and each would wake the reader.
            while piece := os.read(self._process.stderr.fileno(), 1 << 16):
                self._inbox.put(piece)
        self._inbox.end()

    def tell(self, observation: Observation) -> None:
        """Let an observation have what buildx says from now on."""
        self._observation = observation

    def follow(self, deadline: float | None) -> bool:
        """Take in the next output of buildx; False after its end."""
        events: list[Event] = []
        for piece in self._inbox.take(deadline):
            *lines, self._line = (self._line + self._characters.decode(piece)).split("\n")
            for line in lines:
                events += self._decoder.feed(line)
        if self._inbox.ended:
            events += self._decoder.feed(self._line)
            events += self._decoder.end()
            self._line = ""
        self.text += [event.text for event in events if isinstance(event, TextEvent)]
        if self._observation is not None:
            self._observation.take(events)
        return not self._inbox.ended

    def alive(self) -> bool:
        """Whether buildx still runs."""
        return self._process.poll() is None

    def starting(self) -> Mapping[str, Starting]:
        """The commands that may begin after a cancellation."""
        if self._observation is None or not self.alive():
            return {}
        return self._observation.starting()

    def wait(self) -> int:
        """The exit code, once the output has ended."""
        try:
            return self._process.wait(timeout=self._GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            return self._process.wait()

    def stop(self) -> None:
        """Cancel the build: a buildx that receives SIGTERM cancels it at the daemon."""
        if self._process.poll() is None:
            # A starting docker command may believe that its plugin received the first signal too;
            # docker and buildx each give up at the third.
            for patience in self._PATIENCE_SECONDS:
                self._signal(signal.SIGTERM)
                # The reader thread ends just before the process does, and joining a thread with a
                # time limit needs no polling, as waiting for a process does.
                self._reader.join(timeout=patience)
                if not self._reader.is_alive():
                    break
            try:
                self._process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._reader.join(timeout=self._GRACE_SECONDS)
        if self._process.stderr is not None and not self._reader.is_alive():
            self._process.stderr.close()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            self._process.send_signal(number)
