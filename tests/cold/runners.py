"""A project that is judged where caches can be exported and imported, and what it is made of."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from own_daemon import LABEL, OwnDaemon
from plugin_process import only_image, start_pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "buildkitd"

USER = "ci"
PASSWORD = "secret"
_HTPASSWD = "ci:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

MULTI_STAGE = """\
FROM {base} AS builder
WORKDIR /{nonce}
COPY requirements.txt ./
RUN cat requirements.txt && echo install {nonce} > /env && sleep {seconds} && echo done
COPY src ./src
RUN cat src/main.py > /program
FROM {base}
COPY --from=builder /env /program /
"""
"""The stage that installs also takes the source: after a source edit it is needed again."""

RUNTIME_STAGE = """\
FROM {base} AS builder
WORKDIR /{nonce}
COPY requirements.txt ./
RUN cat requirements.txt && echo install {nonce} > /env && sleep {seconds} && echo done
FROM {base}
COPY --from=builder /env /
COPY src ./src
"""
"""The source comes below what is copied from the stage that installs."""

SINGLE_STAGE = """\
FROM {base}
WORKDIR /{nonce}
COPY requirements.txt ./
RUN cat requirements.txt && echo install {nonce} > /env && sleep {seconds} && echo done
COPY src ./src
"""

SOURCE_FIRST = """\
FROM {base}
WORKDIR /{nonce}
COPY . ./
RUN cat requirements.txt && echo install {nonce} > /env && sleep {seconds} && echo done
"""


def tool(what: str, env: Mapping[str, str]) -> str:
    """What `tools/buildkitd` prints; it takes some minutes once on a machine."""
    made = subprocess.run(
        [sys.executable, TOOL, what],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=env,
    )
    if made.returncode != 0:
        pytest.fail(f"tools/buildkitd {what}:\n{made.stderr}", pytrace=False)
    return made.stdout.strip()


@dataclass(frozen=True)
class Registry:
    """Debian's docker-registry on a port of the loopback address."""

    host: str

    def has(self, repository: str) -> bool:
        """Whether anything was ever pushed there."""
        import requests

        answer = requests.get(f"http://{self.host}/v2/{repository}/tags/list", timeout=10)
        return answer.status_code == 200


def free_address() -> str:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextlib.contextmanager
def started_registry(program: str, root: Path, *, private: bool = False) -> Iterator[Registry]:
    """A registry for this block; a private one asks for a name and a password."""
    host = free_address()
    root.mkdir(parents=True)
    (root / "htpasswd").write_text(f"{_HTPASSWD}\n")
    auth = f"auth:\n  htpasswd:\n    realm: test\n    path: {root}/htpasswd\n" if private else ""
    (root / "config.yml").write_text(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n"
        f"    rootdirectory: {root}/data\nhttp:\n  addr: {host}\n{auth}"
    )
    with (
        (root / "log").open("wb") as log,
        subprocess.Popen(
            [program, "serve", root / "config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            _await(host, process)
            yield Registry(host)
        finally:
            process.kill()


def _await(host: str, process: subprocess.Popen[bytes]) -> None:
    name, _, port = host.partition(":")
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection((name, int(port)), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail("docker-registry does not start", pytrace=False)
        time.sleep(0.1)


@dataclass(frozen=True)
class Judged:
    """What a run said: its exit code, its output, and the check `cache-from` of its report."""

    code: int
    said: str
    check: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """The outcome and the first line of the message."""
        return f"{self.check['outcome']}: {self.check['message'].splitlines()[0]}"


@dataclass(frozen=True)
class Runner:
    """A machine that builds: its daemon, the builder on it, and the base image's reference."""

    name: str
    daemon: OwnDaemon
    image: str
    base: str
    builder: str | None
    env: Mapping[str, str]

    def docker(self, *arguments: str | Path) -> str:
        """The output of a docker command on this machine."""
        done = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(self.env),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def left(self) -> list[str]:
        """What runs have left: builders, volumes, containers, images, files."""
        found = []
        with self.daemon.client() as client:
            containers = client.containers.list(all=True)
            found += [one.name for one in containers if "pytest-dockercache" in one.name]
            found += [one.name for one in client.volumes.list() if "pytest-dockercache" in one.name]
            labelled = {"label": LABEL}
            found += [str(one.id) for one in client.images.list(filters=labelled)]
            found += [one.name for one in client.containers.list(all=True, filters=labelled)]
        cache = Path(self.env["XDG_CACHE_HOME"], "pytest-dockercache")
        for folder in ("runs", "staging"):
            for path in sorted((cache / folder).glob("*")):
                if path.name != "sweep.lock" and path.suffix != ".lock":
                    found.append(f"{folder}/{path.name}")
        return found


@contextlib.contextmanager
def builder(runner: Runner) -> Iterator[str | None]:
    """The user's own builder beside this machine's daemon, for this block; None for the daemon."""
    if runner.name not in ("container", "remote"):
        yield None
        return
    name = f"of-the-user-{runner.name}-{os.getpid()}"
    create = ("buildx", "create", f"--name={name}")
    if runner.name == "container":
        options = f"--driver-opt=image={runner.image},network=host"
        runner.docker(*create, "--driver=docker-container", options, "--bootstrap")
    else:
        address = f"tcp://{free_address()}"
        # The container goes with the daemon: it is no other way to start the program.
        options = f"--volume={name}:/var/lib/buildkit"
        run = ("run", "--detach", "--privileged", "--network=host", f"--name={name}", options)
        runner.docker(*run, runner.image, f"--addr={address}")
        runner.docker(*create, "--driver=remote", "--bootstrap", address)
    try:
        yield name
    finally:
        runner.docker("buildx", "rm", "--force", name)


@dataclass(frozen=True)
class Project:
    """A project of a test's own, whose steps nobody has built."""

    root: Path
    runner: Runner
    nonce: str

    def start(
        self, *options: str, node: str = "Dockerfile::cache-from", **variables: str
    ) -> subprocess.Popen[str]:
        """Begin to judge it."""
        builder = [f"--dockercache-builder={self.runner.builder}"] if self.runner.builder else []
        return start_pytest(
            self.root,
            *(node, "-p", "no:cacheprovider"),
            "--dockercache-env-step=install",
            f"--dockercache-buildkit-image={self.runner.image}",
            *builder,
            *options,
            env={**self.runner.env, **variables},
        )

    def judge(self, *options: str, **variables: str) -> Judged:
        """Run the check `cache-from` on it."""
        code, said, image = self._report(*options, **variables)
        (found,) = [one for one in image["checks"] if one["id"] == "cache-from"]
        return Judged(code, said, found)

    def judge_all(self, *options: str) -> tuple[str, dict[str, str]]:
        """What a run of every check says, and the outcome of each."""
        _, said, image = self._report(*options, node="Dockerfile")
        return said, {one["id"]: one["outcome"] for one in image["checks"]}

    def judge_each(
        self, *options: str, node: str = "Dockerfile"
    ) -> tuple[str, dict[str, dict[str, Mapping[str, Any]]]]:
        """What a run says, and the checks of each image, by its node and their IDs."""
        _, said, report = self._run(*options, node=node)
        images = json.loads(report.read_text())["images"]
        return said, {
            image["node"]: {one["id"]: one for one in image["checks"]} for image in images
        }

    def _report(self, *options: str, **given: str) -> tuple[int, str, dict[str, Any]]:
        code, said, report = self._run(*options, **given)
        return code, said, only_image(report)

    def _run(self, *options: str, **given: str) -> tuple[int, str, Path]:
        report = self.root.parent / f"{uuid.uuid4().hex}.json"
        with self.start(*options, f"--dockercache-report=json:{report}", **given) as run:
            said, _ = run.communicate()
        assert report.exists(), said
        assert self.runner.left() == [], said
        return run.returncode, said, report

    def export(self, cache: str, *options: str) -> None:
        """Build it as it is, and export the cache, as a CI job does."""
        if self.runner.name == "plain":
            pytest.skip("the docker driver on a graph driver exports no such cache")
        builder = [f"--builder={self.runner.builder}"] if self.runner.builder else []
        self.runner.docker(
            *("buildx", "build", *builder, f"--cache-to={cache}", *options),
            *("--output=type=cacheonly", self.root),
        )

    def write(self, dockerfile: str, *, seconds: float = 0.0) -> Project:
        """Write the Dockerfile and its context."""
        text = dockerfile.format(base=self.runner.base, nonce=self.nonce, seconds=f"{seconds:g}")
        (self.root / "src").mkdir(parents=True, exist_ok=True)
        (self.root / "Dockerfile").write_text(text)
        (self.root / "requirements.txt").write_text(f"six  # {self.nonce}\n")
        (self.root / "src" / "main.py").write_text(f"# {self.nonce}\n")
        (self.root / "pytest.ini").write_text("[pytest]\n")
        return self


def of(runner: Runner, root: Path) -> Project:
    """An empty project."""
    return Project(root, runner, uuid.uuid4().hex)


def require_machine() -> None:
    """Skip where there can be no daemon of the tests' own."""
    needed = ("dockerd", "ip", "docker")
    if os.geteuid() != 0 or not all(map(shutil.which, needed)):
        pytest.skip(f"a daemon of its own needs root and {', '.join(needed)}")


def credentials(directory: Path, host: str) -> str:
    """A DOCKER_CONFIG with the login of the private registry."""
    import base64

    directory.mkdir(parents=True)
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return str(directory)
