"""A Docker daemon to mistreat, and a project that is judged on it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from plugin_process import start_pytest
from tiny_image import TINY, require_tiny

LABEL = "org.pytest-dockercache.run"

DOCKERFILE = f"""\
FROM {TINY}
WORKDIR /nonce
COPY requirements.txt ./
RUN cat requirements.txt && echo install nonce && sleep SECONDS && echo done
COPY src ./
"""


_NUMBERS = itertools.count()
"""Each daemon of a process has a bridge and a network of its own."""


class OwnDaemon:
    """A daemon with its own socket, data and bridge; ``containerd`` keeps its images there."""

    def __init__(self, root: Path, *, containerd: bool = False) -> None:
        self.containerd = containerd
        self.name = "daemon"
        self.root = root
        self.host = f"unix://{root}/d.sock"
        number = next(_NUMBERS)
        self._bridge = f"dcf{os.getpid() % 100_000}n{number}"
        self._network = (os.getpid() + 97 * number) % 230 + 20
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon if it does not run, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            return
        if not Path(f"/sys/class/net/{self._bridge}").exists():
            for command in (
                ["ip", "link", "add", self._bridge, "type", "bridge"],
                ["ip", "addr", "add", f"10.213.{self._network}.1/24", "dev", self._bridge],
                ["ip", "link", "set", self._bridge, "up"],
            ):
                subprocess.run(command, check=True)
        (self.root / "pid").unlink(missing_ok=True)
        configuration = self.root / "daemon.json"
        configuration.write_text(
            json.dumps({"features": {"containerd-snapshotter": self.containerd}})
        )
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    *("-H", self.host, f"--bridge={self._bridge}"),
                    *("--config-file", configuration),
                    *("--data-root", self.root / "data", "--exec-root", self.root / "exec"),
                    *("--pidfile", self.root / "pid", "--iptables=false", "--ip-masq=false"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = (self.root / "log").read_text(errors="replace")[-2000:]
                pytest.skip(f"dockerd does not start here: {end}")
            time.sleep(0.2)
        with self.client() as client:
            require_tiny(client, self.root)

    def _answers(self) -> bool:
        # By hand: the SDK leaves an open socket behind where nobody listens.
        with socket.socket(socket.AF_UNIX) as ask:
            ask.settimeout(5)
            try:
                ask.connect(self.host.removeprefix("unix://"))
                ask.sendall(b"GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n")
                return b"200 OK" in ask.recv(4096)
            except OSError:
                return False

    @contextlib.contextmanager
    def client(self):  # type: ignore[no-untyped-def]
        """A client of the daemon."""
        client = docker.DockerClient(base_url=self.host, timeout=10)
        try:
            yield client
        finally:
            client.close()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the daemon; SIGTERM is waited for."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)

    def freeze(self) -> None:
        """Let the daemon keep its socket and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End the daemon, its helpers and its bridge."""
        self.thaw()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.kill(signal.SIGTERM)
        for pid in _processes_of(str(self.root)):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)
        for line in Path("/proc/mounts").read_text().splitlines():
            if line.split()[1].startswith(str(self.root)):
                subprocess.run(["umount", "-l", line.split()[1]], capture_output=True)
        shutil.rmtree(self.root / "data", ignore_errors=True)

    def left(self) -> tuple[int, int]:
        """How many images of runs, and how many containers of whomever there are.

        The containers of a classic build have no label.
        """
        with self.client() as client:
            images = client.images.list(filters={"label": LABEL})
            return len(images), len(client.containers.list(all=True))


def _processes_of(text: str) -> list[int]:
    """The processes whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@dataclass
class Trial:
    """A project, and pytest runs in it; each ``renew`` makes its steps ones nobody has built."""

    daemon: OwnDaemon
    root: Path
    env: Mapping[str, str]
    nonce: str = ""

    def renew(self, seconds: float = 1.0) -> Trial:
        """Write the project anew; its installation takes ``seconds``."""
        project = self.project
        (project / "src").mkdir(parents=True, exist_ok=True)
        nonce = self.nonce = uuid.uuid4().hex
        text = DOCKERFILE.replace("nonce", nonce).replace("SECONDS", f"{seconds:g}")
        (project / "Dockerfile").write_text(text)
        (project / "requirements.txt").write_text(f"# {nonce}\n")
        (project / "src" / "main.py").write_text(f"# {nonce}\n")
        (project / "pytest.ini").write_text("[pytest]\n")
        return self

    def with_cache(self, directory: Path) -> Trial:
        """The project with another cache directory."""
        return replace(self, env={**self.env, "XDG_CACHE_HOME": str(directory)})

    @property
    def project(self) -> Path:
        """Where the project lies."""
        return self.root / "project"

    @property
    def cache(self) -> Path:
        """The plugin's own directory."""
        return Path(self.env["XDG_CACHE_HOME"]) / "pytest-dockercache"

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a run of the checks of the cache."""
        judged = ("-k", "(builds and not rebuilds) or env-layer", "--dockercache-env-step=install")
        return start_pytest(self.project, *judged, *options, env=self.env)

    def run(self, *options: str) -> tuple[int, str]:
        """A run to its end: exit code and output."""
        with self.start(*options) as run:
            said, _ = run.communicate(timeout=240)
            return run.returncode, said

    def until(self, holds: Callable[[], bool], run: subprocess.Popen[str]) -> None:
        """Wait until something holds, at most until the run has ended."""
        deadline = time.monotonic() + 60
        while not holds() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def is_building(self) -> bool:
        """Whether the installation runs at this moment."""
        with contextlib.suppress(OSError):
            return bool(_installing(self.nonce))
        return False

    def left(self) -> list[str]:
        """The traces of runs in the cache directory and among the processes."""
        found = [
            str(path.relative_to(self.cache))
            for folder in ("runs", "staging")
            for path in sorted((self.cache / folder).glob("*"))
            if path.name != "sweep.lock" and path.suffix != ".lock"
        ]
        found += [f"process {pid}" for pid in _processes_of(str(self.cache / "staging"))]
        return found

    def clients_end(self) -> bool:
        """Whether no command of a run is left, after at most ten seconds."""
        deadline = time.monotonic() + 10
        while _processes_of(str(self.cache / "staging")):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def _installing(nonce: str) -> list[int]:
    """The shells that run the installation of this project, and of no other."""
    return [
        pid
        for pid in _processes_of(f"install {nonce}")
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh\0-c\0cat req")
    ]


def require_no_traceback(said: str) -> None:
    """A failure is told in words."""
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said


def is_clean(trial: Trial) -> bool:
    """Whether nothing of any run is left, neither here nor in the daemon."""
    assert trial.left() == []
    assert trial.daemon.left() == (0, 0)
    return True
