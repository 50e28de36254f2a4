"""The docker command: its buildx plugin, its daemon, and the way to run buildx."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..values import dataclass
from .progress import nanoseconds

__all__ = [
    "DockerInstallation",
    "Plugin",
    "Reached",
    "ask_docker",
    "build_environment",
    "clock_offset",
    "forget_answers",
    "plain_version",
    "question",
    "run_docker",
    "said_by_docker",
    "supported",
]

_MINIMUM = (0, 13)
"""The first buildx that writes ``--progress=rawjson``."""

_DROPPED = (
    "BUILDKIT_PROGRESS",
    "BUILDKIT_COLORS",
    "BUILDX_BUILDER",  # resolved by us and passed as --builder
    "BUILDX_EXPERIMENTAL",  # puts a controller between us and the build
    "BUILDX_GIT_CHECK_DIRTY",
    "BUILDX_GIT_LABELS",  # would write labels that are not ours
    "BUILDX_METADATA_WARNINGS",
    "BUILDX_NO_DEFAULT_OUTPUT",
    "BUILDX_CPU_PROFILE",
    "BUILDX_MEM_PROFILE",
    "DOCKER_BUILDKIT",
    "DOCKER_CLI_HINTS",
)
"""Variables of the user's that change what buildx prints, loads or labels.

All other variables stay, above all those that decide where and what the user's own ``docker build``
builds: DOCKER_* (endpoint, configuration, default platform), BUILDX_CONFIG, SOURCE_DATE_EPOCH,
SSH_AUTH_SOCK and proxies.
"""


@dataclass(frozen=True)
class Plugin:
    """The plugin that answers: its version, and the command that its arguments follow."""

    version: str
    command: tuple[str, ...] = ("docker", "buildx")


@dataclass(frozen=True)
class Reached:
    """The daemon of this machine that the docker command reaches: its ID and version.

    ``offset`` is how far its clock is ahead of ours, in nanoseconds (it may
    run in a virtual machine).
    """

    id: str
    server: str
    offset: int = 0

    def now(self) -> int:
        """The daemon's time, in nanoseconds since the epoch."""
        return time.time_ns() + self.offset


@dataclass(frozen=True)
class DockerInstallation:
    """The docker command's buildx plugin, and its daemon if that is a local one.

    ``silent`` is True for a command that has not answered in time: nothing is known of it then.
    """

    plugin: Plugin | None = None
    reached: Reached | None = None
    silent: bool = False


_QUESTION = (
    "{{.ClientInfo.Context}}\n{{.ID}}\n{{.ServerVersion}}\n{{.OSType}}\n{{.SystemTime}}\n"
    '{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Version}}\n{{.Path}}{{end}}{{end}}'
)


def ask_docker(
    environment: Mapping[str, str] | None = None, over: threading.Event | None = None
) -> DockerInstallation:
    """Ask the docker command for its buildx plugin and its daemon.

    The plugin can be run by itself (docker/buildx cmd/buildx/main.go, runStandalone), which saves
    the docker command's own time. The daemon is returned only if it is the usual one of this
    machine: elsewhere, errors of permission, TLS and ssh have to show before anything is built.
    ``environment`` defaults to the environment of the process. Nothing more is asked once ``over``
    is set.
    """
    variables = dict(os.environ) if environment is None else environment
    docker = shutil.which("docker", path=variables.get("PATH"))
    if docker is None:
        return DockerInstallation()
    asked = time.time_ns()
    said = (said_by_docker([docker, "info", "--format", _QUESTION], variables) or "").split("\n")
    if over is not None and over.is_set():
        return DockerInstallation()
    if len(said) != 7:
        text = said_by_docker([docker, "buildx", "version"], variables) or ""
        # Podman's docker command answers too, with the version of Buildah.
        version = _version_in(text) if "buildx" in text else ""
        return DockerInstallation(Plugin(version) if version else None)
    context, name, server, system, clock, version, path = said
    usual = variables.get("DOCKER_HOST", "unix://").startswith("unix://")
    local = context == "default" and usual and system == "linux"
    direct = os.path.isabs(path) and os.access(path, os.X_OK)
    plugin = Plugin(_version_in(version), (path,) if direct else ("docker", "buildx"))
    return DockerInstallation(
        plugin if plugin.version else None,
        Reached(name, server, clock_offset(clock, asked)) if local and name and server else None,
    )


def clock_offset(clock: str | None, asked: int) -> int:
    """How many nanoseconds a clock, asked at ``asked``, is ahead of this machine's clock.

    0 where both may be one clock: a small difference is the time of the answer.
    """
    told, now = nanoseconds(clock), time.time_ns()
    if told is None or asked - _CLOSE <= told <= now + _CLOSE:
        return 0
    return told - (asked + now) // 2


_CLOSE = 100_000_000


def _version_in(text: str) -> str:
    found = re.search(r"\bv?(\d+\.\d+\.\d+[^+\s]*)", text)
    return found[1] if found else ""


def run_docker(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    timeout: float = 60.0,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a short docker command to its end, and return its output.

    ``environment`` and ``directory`` default to those of the process; ``timeout`` is in seconds.
    Raises OSError and subprocess.TimeoutExpired.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=directory,
        env=build_environment(os.environ if environment is None else environment),
        # ``docker`` may be a script that starts others: they end together.
        start_new_session=True,
    ) as child:
        _running.append(child)
        try:
            said, complaints = child.communicate(timeout=timeout)
        except BaseException:
            _end(child)
            raise
        finally:
            _running.remove(child)
    return subprocess.CompletedProcess(command, child.returncode, said, complaints)


_running: list[subprocess.Popen[str]] = []


def _end(child: subprocess.Popen[str]) -> None:
    """End a command, and all that it has started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # no process groups on Windows
        child.kill()


def said_by_docker(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    timeout: float = 60.0,
) -> str | None:
    """The output of a docker command that succeeds, else None (see :func:`run_docker`)."""
    try:
        done = run_docker(command, environment, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def plain_version(text: str) -> str:
    """``26.1.5+dfsg1`` and ``v0.29.1`` without a distribution's additions."""
    found = re.search(r"v?(\d[^+\s]*)", text)
    return found[1] if found else text


def supported(version: str) -> bool:
    """Whether this buildx writes the progress that the plugin reads."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= _MINIMUM


def build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for the docker command: the user's own, less what changes a verdict."""
    kept = {name: value for name, value in environment.items() if name not in _DROPPED}
    kept["BUILDX_METADATA_PROVENANCE"] = "max"
    # Attestations would turn the image of an engine with the containerd store
    # into an index whose ID differs at every build; the provenance for the
    # metadata file is made either way.
    kept["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    # Git information only feeds the provenance, and runs git over the context at every build.
    kept["BUILDX_GIT_INFO"] = "false"
    # buildx lives for one build: below 256 MiB its garbage collector only costs time.
    if "GOGC" not in kept and "GOMEMLIMIT" not in kept:
        kept |= {"GOGC": "off", "GOMEMLIMIT": "256MiB"}
    return kept


class DockerQuestion:
    """:func:`ask_docker`, asked in the background."""

    def __init__(self) -> None:
        self._answer = DockerInstallation()
        # Of the moment of the question: a test may change it before the thread reads it.
        self._environment = dict(os.environ)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="docker info", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        self._answer = ask_docker(self._environment, self._over)

    def answer(self, timeout: float | None = None) -> DockerInstallation:
        """The docker command's answer, for which the call waits at most ``timeout`` seconds."""
        self._thread.join(timeout)
        return DockerInstallation(silent=True) if self._thread.is_alive() else self._answer

    def end(self) -> None:
        """End the docker command if it still has not answered."""
        self._over.set()
        for _ in range(_KILLS):
            for child in tuple(_running):
                _end(child)
            self._thread.join(_KILL_SECONDS)
            if not self._thread.is_alive():
                return


_KILLS, _KILL_SECONDS = 20, 0.1
"""How often a command is killed that may just be starting, and how long each time is waited."""

_asked: dict[tuple[str | None, ...], DockerQuestion] = {}


def question() -> DockerQuestion:
    """The question, asked once for each docker command, configuration and endpoint.

    Ask early: the answer takes about as long as the imports that run meanwhile.
    """
    names = ("PATH", "HOME", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST")
    key = tuple(map(os.environ.get, names))
    if key not in _asked:
        _asked[key] = DockerQuestion()
    return _asked[key]


def forget_answers() -> None:
    """Ask anew the next time, and end a command that still has not answered."""
    while _asked:
        _asked.popitem()[1].end()
