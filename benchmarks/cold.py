"""What an imported cache saves a builder that has nothing, and what the check costs that says so.

The sample is generated: a stage installs the environment, which takes 30
seconds, and then takes the source; the finished image copies from it. Its
caches are exported once. Each build is the one after a source edit, in a
docker-container builder of its own, from its start to its end; the builder's
own start is not counted. The check counts as a user waits for it: a whole
pytest run with `--dockercache-cache-to`, with its first build already made.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from _docker import ROOT, base_image, engine_facts, pytest_run, workshop
from _measure import Claim, arguments, interleaved, report

SECONDS = 30
TOOL = ROOT / "tools" / "buildkitd"

DOCKERFILE = """\
FROM {base} AS builder
WORKDIR /opt/{token}
COPY requirements.txt ./
RUN sleep {seconds} && python -m pip install --no-cache-dir -r requirements.txt
COPY src/ src/
RUN python src/main.py > /opt/{token}/made
FROM {base}
COPY --from=builder /opt/{token} /opt/app
"""


def main() -> int:
    """Measure, print, and return 0 if the targets are met."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--base", metavar="IMAGE", help="the base image (default: the stand-in)")
    parser.add_argument("--buildkit-image", metavar="REF", help="default: of tools/buildkitd")
    options = parser.parse_args()
    image = options.buildkit_image or _said(sys.executable, TOOL, "image")
    token = secrets.token_hex(6)
    steps = (f"/opt/{token}", f"sleep {SECONDS}", "COPY requirements.txt ./", "COPY src/ src/")
    with workshop(token, steps) as directory, _registry(directory) as host:
        base = options.base or _pushed(base_image(), host)
        runner = _Runner(_project(directory / "project", base, token), image, directory)
        for mode in ("min", "max"):
            runner.export(mode)
        runner.check()
        minimal, maximal, nothing, check = interleaved(
            {
                "A  build with the cache of mode=min": lambda: runner.build("min"),
                "B  build with the cache of mode=max": lambda: runner.build("max"),
                "C  build without a cache": lambda: runner.build(None),
                "D  the check cache-from, whole run": runner.check,
            },
            options.rounds,
        )
    claims = [Claim("B / C, ratio of medians", maximal.median / nothing.median, 0.5)]
    about = f"a stage that installs for {SECONDS} s and takes the source, on an empty builder"
    timings = [minimal, maximal, nothing, check]
    facts = {**engine_facts(), "BuildKit": image}
    return report("cold", about, timings, claims, as_json=options.json, facts=facts)


@dataclass(frozen=True)
class _Runner:
    """Builds in builders that have nothing."""

    project: Path
    image: str
    directory: Path

    def export(self, mode: str) -> None:
        """Export the project's cache as it is."""
        with self._builder() as name:
            self._buildx(name, f"--cache-to=type=local,dest={self._cache(mode)},mode={mode}")

    def build(self, mode: str | None) -> float:
        """Seconds of the build after a source edit."""
        file = self.project / "src" / "main.py"
        file.write_text(f"print('{secrets.token_hex(6)}')\n")
        imported = [] if mode is None else [f"--cache-from=type=local,src={self._cache(mode)}"]
        with self._builder() as name:
            started = time.perf_counter()
            self._buildx(name, *imported)
            return time.perf_counter() - started

    def check(self) -> float:
        """Seconds of a run of the check that exports with ``mode=max``."""
        options = [
            "--dockercache",
            "Dockerfile::cache-from",
            f"--dockercache-buildkit-image={self.image}",
            f"--dockercache-cache-to=type=local,dest={self._cache('check')},mode=max",
        ]
        environment = {"XDG_CACHE_HOME": str(self.directory / "cache")}
        return pytest_run(self.project, options, environment, passed=1)

    def _cache(self, mode: str) -> Path:
        return self.directory / f"exported-{mode}"

    def _buildx(self, name: str, *options: str) -> None:
        output = "--output=type=cacheonly"
        _said("docker", "buildx", "build", f"--builder={name}", output, *options, self.project)

    @contextmanager
    def _builder(self) -> Iterator[str]:
        """The name of a builder that has nothing."""
        name = f"dockercache-benchmark-{secrets.token_hex(4)}"
        create = ["docker", "buildx", "create", f"--name={name}", "--driver=docker-container"]
        _said(*create, f"--driver-opt=image={self.image},network=host", "--bootstrap")
        try:
            yield name
        finally:
            _said("docker", "buildx", "rm", "--force", name)


@contextmanager
def _registry(directory: Path) -> Iterator[str]:
    """A registry on the loopback address: a builder of its own can pull the base from nowhere."""
    program = _said(sys.executable, TOOL, "registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = directory / "registry.yml"
    settings.write_text(
        f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n"
        f"    rootdirectory: {directory}/registry\nhttp:\n  addr: {host}\n"
    )
    quiet = subprocess.DEVNULL
    command: list[str | Path] = [program, "serve", settings]
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            _wait_for(host)
            yield host
        finally:
            process.kill()


def _wait_for(host: str) -> None:
    name, _, port = host.partition(":")
    limit = time.perf_counter() + 30
    while time.perf_counter() < limit:
        with suppress(OSError), socket.create_connection((name, int(port)), 1):
            return
        time.sleep(0.05)
    raise SystemExit("docker-registry does not answer")


def _pushed(image: str, host: str) -> str:
    """The image's reference in the registry; its tag there is removed with the registry."""
    reference = f"{host}/base:1"
    _said("docker", "tag", image, reference)
    try:
        _said("docker", "push", "--quiet", reference)
    finally:
        _said("docker", "rmi", "--no-prune", reference)
    return reference


def _said(*command: str | Path) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} went wrong:\n{done.stderr}")
    return done.stdout.strip()


def _project(directory: Path, base: str, token: str) -> Path:
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "main.py").write_text('print("ready")\n')
    # The base has pip already: nothing is downloaded, the step takes as long as it sleeps.
    (directory / "requirements.txt").write_text("pip\n")
    text = DOCKERFILE.format(base=base, token=token, seconds=SECONDS)
    (directory / "Dockerfile").write_text(text)
    return directory


if __name__ == "__main__":
    sys.exit(main())
