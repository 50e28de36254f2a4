"""Builds with the docker CLI alone, stopped at an event: the other side of comparisons."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import docker

import _measure

__all__ = [
    "ROOT",
    "Built",
    "Cli",
    "Vertices",
    "base_image",
    "engine_facts",
    "pytest_run",
    "workshop",
]

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = ROOT / "tools" / "miniconda-stand-in"
LABEL = "org.pytest-dockercache.benchmark"

PATIENCE = 5.0
"""Seconds that a RUN that was reported as started is given until its command runs.

A build that is cancelled at the moment when a RUN is reported as started is not cancelled: the
daemon starts the container afterwards and runs it to its end (Docker Engine 26.1.5, BuildKit 0.13),
for minutes where it installs an environment. A script that stops a build by hand has to wait for
the command too, as the plugin does; the figures count that.
"""


class Vertices:
    """The news of a build's steps so far, by the text of their names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._executed: set[str] = set()
        self._cached: set[str] = set()

    def fold(self, record: Mapping[str, Any]) -> None:
        """Take in one record of ``--progress=rawjson``."""
        for vertex in record.get("vertexes") or ():
            digest = vertex["digest"]
            self._names[digest] = vertex["name"]
            if vertex.get("cached"):
                self._cached.add(digest)
                self._executed.discard(digest)
            elif vertex.get("started") and vertex.get("inputs"):
                self._executed.add(digest)

    def runs(self, text: str) -> bool:
        """Whether the step with this text in its name has started to execute."""
        return any(text in self._names[digest] for digest in self._executed)

    def hit(self, text: str) -> bool:
        """Whether the step with this text in its name was reused."""
        return any(text in self._names[digest] for digest in self._cached)


@dataclass(frozen=True)
class Built:
    """One build with the CLI: seconds to its end or to the event that stops it, and its steps.

    ``gone`` is the number of seconds until the docker process was gone: buildx
    0.13 stays up to 3 s after a build was cancelled.
    """

    seconds: float
    gone: float
    seen: Vertices


@dataclass
class Cli:
    """``docker buildx build`` of one context; ``token`` labels its images."""

    build_args: Mapping[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(6))

    def build(
        self,
        context: Path,
        until: Callable[[Vertices], bool] | None = None,
        running: str | None = None,
        *,
        dockerfile: Path | None = None,
    ) -> Built:
        """Build; end the build with SIGTERM when ``until`` says so.

        ``running`` is the beginning of the command of the RUN that has been reported as started
        by then, if it is one: SIGTERM waits until a process runs it. ``dockerfile`` is the
        context's own by default.
        """
        # A label of its own for each build makes each image a new one, as ours are.
        label = f"{LABEL}={self.token}-{secrets.token_hex(4)}"
        command = ["docker", "buildx", "build", "--progress=rawjson", "--label", label]
        command += [] if dockerfile is None else [f"--file={dockerfile}"]
        for name, value in self.build_args.items():
            command += ["--build-arg", f"{name}={value}"]
        seen = Vertices()
        stopped: float | None = None
        started = time.perf_counter()
        with subprocess.Popen(
            [*command, str(context)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for record in _records(process.stderr):
                seen.fold(record)
                if until is not None and stopped is None and until(seen):
                    stopped = time.perf_counter() - started
                    if running is not None:
                        _wait_for(running)
                    if process.poll() is None:
                        process.send_signal(signal.SIGTERM)
        ended = time.perf_counter() - started
        if until is not None and stopped is None:
            raise SystemExit("the build ended before the event that it was to be stopped at")
        if until is None and process.returncode != 0:
            raise SystemExit(f"the build failed: {' '.join(command)} {context}")
        return Built(ended if stopped is None else stopped, ended, seen)


def _wait_for(command: str) -> None:
    """Return when a process of this machine runs a command; the daemon's containers are seen."""
    wanted = "".join(command.split())
    limit = time.perf_counter() + PATIENCE
    while time.perf_counter() < limit:
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                said = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                if wanted in "".join(said.split()):
                    return
        time.sleep(0.01)
    raise SystemExit(f"no process runs {command!r}, {PATIENCE:.0f} s after it was said to start")


def _records(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream as they come, on one line or on several; text is passed over."""
    decoder = json.JSONDecoder()
    buffer = ""
    for line in stream:
        if not buffer and not line.lstrip().startswith("{"):
            continue
        buffer += line
        if not line.rstrip().endswith("}"):
            continue
        try:
            record, _ = decoder.raw_decode(buffer)
        except ValueError:
            continue
        buffer = ""
        yield record


def base_image() -> str:
    """The tag of the offline stand-in for continuumio/miniconda3, built if it is missing."""
    made = subprocess.run(
        [sys.executable, STAND_IN], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    if made.returncode != 0:
        raise SystemExit("the base image could not be built; name another with --base")
    return made.stdout.strip()


def engine_facts() -> dict[str, str]:
    """The versions that the figures depend on."""
    buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True, text=True)
    client = docker.from_env()
    try:
        server = client.version()["Version"]
    finally:
        client.close()
    return {"Docker Engine": server, "buildx": buildx.stdout.split()[1]}


def pytest_run(
    directory: Path,
    options: list[str],
    environment: Mapping[str, str],
    *,
    passed: int | None = None,
    failed: int = 0,
) -> float:
    """Run pytest in a directory; return its seconds.

    ``passed`` and ``failed`` are how many items must, so that nothing is
    measured that did something else.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=directory,
        env=_measure.environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - started
    expected = [f"{passed} passed"] if passed is not None else []
    expected += [f"{failed} failed"] if failed else []
    as_expected = all(text in done.stdout for text in expected)
    if done.returncode != (1 if failed else 0) or not as_expected:
        raise SystemExit(f"pytest {' '.join(options)} went wrong:\n{done.stdout}{done.stderr}")
    return seconds


@contextmanager
def workshop(token: str, steps: tuple[str, ...]) -> Iterator[Path]:
    """A directory to work in; afterwards it, our images and what our builds cached are removed.

    ``steps`` are texts that name our steps in the build cache: a record goes
    only if it is new and one of them stands in its description.
    """
    client = docker.from_env(timeout=600)
    known = {record["ID"] for record in _cache(client)}
    directory = Path(tempfile.mkdtemp(prefix="dockercache-benchmark-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        for image in client.images.list(all=True, filters={"label": LABEL}):
            if image.id and str(image.labels.get(LABEL, "")).startswith(token):
                client.images.remove(image.id, force=True)
        for record in _cache(client):
            ours = any(text in record["Description"] for text in steps)
            if record["ID"] not in known and ours:
                only: Any = {"id": [record["ID"]]}
                client.api.prune_builds(filters=only)
        client.close()


def _cache(client: docker.DockerClient) -> list[dict[str, Any]]:
    return client.df().get("BuildCache") or []
