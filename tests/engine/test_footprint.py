"""The traces of a run on the machine, as a user would see them: nothing of ours, all of theirs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
import uuid
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from plugin_process import environment, only_image, run_pytest, start_pytest
from pytest_dockercache.runs import RUN_LABEL

pytestmark = pytest.mark.engine

CACHE_CHECKS = "builds or layer-cached or change-rebuilds or args-late or dockerignore"


@dataclass(frozen=True)
class Home:
    """A project, and a user of its own: cache directory, environment, daemon."""

    root: Path
    cache: Path
    client: docker.DockerClient
    name: str

    def environment(self, **more: str) -> dict[str, str]:
        return environment(XDG_CACHE_HOME=str(self.cache), COLUMNS="150", **more)

    def pytest(self, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = self.environment(**more)
        return run_pytest(self.root, "-p", "no:cacheprovider", *options, env=env)

    def docker_build(self, *options: str, buildkit: bool = True) -> str:
        """The user's own build; returns the builder's output."""
        done = subprocess.run(
            ["docker", "build", *options, "."],
            cwd=self.root,
            env={**os.environ, "DOCKER_BUILDKIT": str(int(buildkit)), "BUILDKIT_PROGRESS": "plain"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def labelled(self) -> set[str]:
        """IDs of all images of the project, and their containers, that carry our label."""
        wanted = {"label": [RUN_LABEL, f"test.project={self.name}"]}
        api = self.client.api
        images = api.images(all=True, filters=wanted)
        containers = api.containers(all=True, filters=wanted)
        return {item["Id"] for item in (*images, *containers)}

    def traces(self) -> set[str]:
        """The runs and staged contexts that are left in the cache directory."""
        base = self.cache / "pytest-dockercache"
        runs = {path.name for path in (base / "runs").iterdir()} - {"sweep.lock"}
        staged = {path.name for path in (base / "staging").iterdir() if path.is_dir()}
        return runs | staged


@pytest.fixture
def home(tiny: str, docker_daemon: docker.DockerClient, tmp_path: Path) -> Home:
    """A project that nobody built before: its "installer" takes as long as install.sh says."""
    name = uuid.uuid4().hex
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.py").write_text("print('hello')\n")
    (root / "requirements.txt").write_text("six\n")
    (root / "install.sh").write_text(f"#!/bin/sh\necho installing {name}\n")
    (root / "install.sh").chmod(0o755)
    (root / "Dockerfile").write_text(
        f"FROM {tiny}\n"
        "COPY install.sh /bin/pip\n"
        "COPY requirements.txt /\n"
        "RUN pip install -r /requirements.txt\n"
        "COPY src/ /src/\n"
        f"LABEL test.project={name}\n"
    )
    (root / ".dockerignore").write_text(".git\n.pytest_cache\n**/__pycache__\n")
    return Home(root, tmp_path / "cache", docker_daemon, name)


def test_a_run_leaves_no_image_container_or_staged_context(home: Home) -> None:
    before = home.labelled()
    done = home.pytest("-k", CACHE_CHECKS)
    assert done.returncode == 0, done.stdout
    assert home.labelled() == before
    assert home.traces() == set()


def test_a_failed_check_leaves_no_more_than_a_passed_one(home: Home) -> None:
    (home.root / "Dockerfile").write_text(
        (home.root / "Dockerfile")
        .read_text()
        .replace("COPY install.sh", "COPY . /all\nCOPY install.sh")
    )
    before = home.labelled()
    done = home.pytest("-k", CACHE_CHECKS)
    assert done.returncode == 1, done.stdout
    assert home.labelled() == before
    assert home.traces() == set()


def slow(home: Home, seconds: int) -> None:
    script = (home.root / "install.sh").read_text()
    (home.root / "install.sh").write_text(f"{script}sleep {seconds}\n")


def started(home: Home, step: str, *options: str) -> subprocess.Popen[str]:
    """A run in the background that has begun to execute ``step``."""
    env = home.environment(CI="true")
    run = start_pytest(home.root, "-p", "no:cacheprovider", "-s", *options, env=env)
    assert run.stdout is not None
    for line in run.stdout:
        if step in line:
            return run
    return pytest.fail(f"the run ended before it came to {step!r}")


def test_an_interrupt_cancels_the_build_and_leaves_nothing(home: Home) -> None:
    slow(home, 600)
    before = home.labelled()
    run = started(home, "pip install")
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 2, output
    assert home.labelled() == before
    assert home.traces() == set()


def test_the_next_run_sweeps_after_a_killed_one(home: Home) -> None:
    home.pytest("-k", "builds")
    before = home.labelled()
    # Killed while the edited build runs: the first build's image is there then.
    slow(home, 600)
    (home.root / "install.sh").write_text(
        (home.root / "install.sh")
        .read_text()
        .replace("sleep", "grep -q pytest /requirements.txt && sleep")
        + "\ntrue\n"
    )
    run = started(home, "after requirements.txt", "-k", "builds or change-rebuilds")
    run.kill()
    run.communicate()
    assert home.labelled() > before
    assert home.traces() != set()
    done = home.pytest("-k", "builds")
    assert done.returncode == 0, done.stdout
    assert home.labelled() == before
    assert home.traces() == set()


def cached(output: str, *, buildkit: bool) -> int:
    """How many of the project's COPY and RUN steps a build found in the cache."""
    if buildkit:
        # A FROM is CACHED or DONE, as other builds on the daemon use the same base or not.
        steps = re.findall(r"^#(\d+) \[.*\] (?:COPY|RUN) ", output, re.MULTILINE)
        return len(set(steps) & set(re.findall(r"^#(\d+) CACHED", output, re.MULTILINE)))
    steps = re.findall(r"^Step .* : (?:COPY|RUN) .*\n ---> Using cache$", output, re.MULTILINE)
    return len(steps)


@pytest.mark.parametrize("tag", [(), ("--tag", "dockercache-test-mine:latest")])
@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_the_users_own_image_and_warm_cache_are_as_they_were(
    home: Home, engine: str, tag: tuple[str, ...]
) -> None:
    buildkit = engine != "classic"
    mine = home.root.parent / "mine"
    home.docker_build(*tag, f"--iidfile={mine}", buildkit=buildkit)
    image = mine.read_text()
    record = home.client.api.inspect_image(image)
    try:
        done = home.pytest("-k", CACHE_CHECKS, f"--dockercache-engine={engine}")
        assert done.returncode == 0, done.stdout
        after = home.client.api.inspect_image(image)
        assert after["RepoTags"] == record["RepoTags"]
        again = home.docker_build(*tag, f"--iidfile={mine}", buildkit=buildkit)
        assert mine.read_text() == image
        assert cached(again, buildkit=buildkit) == 4, again
    finally:
        home.client.api.remove_image(tag[1] if tag else image, noprune=False)


def test_kept_images_are_named_and_exist(home: Home) -> None:
    done = home.pytest("-k", "builds", "--dockercache-keep")
    assert done.returncode == 0, done.stdout
    names = [word for word in done.stdout.split() if word.startswith("pytest-dockercache/kept:")]
    assert names, done.stdout
    for name in {name.rstrip(",") for name in names}:
        assert home.client.images.get(name).labels[RUN_LABEL]
        home.client.images.remove(name)


def test_workers_make_each_distinct_build_once(home: Home, tmp_path: Path) -> None:
    """Builds are counted where they happen: a docker command in front of the real one."""
    log = tmp_path / "docker.log"
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    real = subprocess.run(["which", "docker"], capture_output=True, text=True).stdout.strip()
    wrapper = bin_directory / "docker"
    wrapper.write_text(
        textwrap.dedent(
            f"""\
            #!/bin/sh
            echo "$*" >>{log}
            # Else the plugin's own path would be found, and this be passed by.
            [ "$1" = info ] && exit 1
            exec {real} "$@"
            """
        )
    )
    wrapper.chmod(0o755)
    report = tmp_path / "report.json"
    done = home.pytest(
        *("-n", "4", "-k", CACHE_CHECKS, f"--dockercache-report=json:{report}"),
        PATH=f"{bin_directory}:{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    builds = [line for line in log.read_text().splitlines() if line.startswith("buildx build")]
    image = only_image(report)
    # The first build, the source edit, the environment edit, and the ignored paths.
    assert len(builds) == len(image["builds"]) == 4, done.stdout


def test_workers_share_a_failed_build_too(home: Home, tmp_path: Path) -> None:
    (home.root / "install.sh").write_text("#!/bin/sh\necho once >&2\nexit 3\n")
    done = home.pytest("-n", "4", "-k", CACHE_CHECKS)
    assert done.returncode == 1, done.stdout
    assert "exit code 3" in done.stdout
    assert "1 failed" in done.stdout
    assert home.traces() == set()
