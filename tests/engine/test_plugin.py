"""The plugin on a real engine, as pytest's own features meet it: targets, --lf, JUnit, workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from project_under_test import ended

from plugin_process import environment, run_pytest, start_pytest
from pytest_dockercache.runs import RUN_LABEL

pytestmark = pytest.mark.engine

CHECKS = "builds or layer-cached or args-late"

MARKED = """\
import pytest
from pytest_dockercache import Edit


@pytest.mark.dockercache(edit="src/main.py")
def test_a_source_edit_keeps_the_environment(dockercache):
    dockercache.assert_hit("pip install")
    dockercache.assert_miss("COPY src/")
    again = dockercache.rebuild(Edit.append("requirements.txt"), stop="environment")
    again.assert_miss(role="environment")
    assert dockercache.first.steps[-1].stage == "app"
"""


@dataclass(frozen=True)
class Team:
    """A project with two stages, and the commands that its developers type."""

    root: Path
    cache: Path

    def environment(self, **more: str) -> dict[str, str]:
        return environment(XDG_CACHE_HOME=str(self.cache), COLUMNS="100", **more)

    def pytest(self, *options: str) -> subprocess.CompletedProcess[str]:
        env = self.environment()
        return run_pytest(self.root, *options, env=env, stderr=subprocess.STDOUT)


@pytest.fixture
def team(tiny: str, tmp_path: Path) -> Team:
    """Stage ``app`` is well ordered; stage ``early`` copies its source first."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.py").write_text("print('hello')\n")
    (root / "requirements.txt").write_text("six\n")
    (root / "pip").write_text(f"#!/bin/sh\necho installing {uuid.uuid4().hex}\n")
    (root / "pip").chmod(0o755)
    (root / "Dockerfile").write_text(
        f"FROM {tiny} AS base\n"
        "COPY pip /bin/pip\n"
        "FROM base AS early\n"
        "COPY src/ /src/\n"
        "COPY requirements.txt /\n"
        "RUN pip install -r /requirements.txt\n"
        "FROM base AS app\n"
        "COPY requirements.txt /\n"
        "RUN pip install -r /requirements.txt\n"
        "COPY src/ /src/\n"
    )
    (root / "pytest.ini").write_text(
        "[pytest]\n"
        "dockercache_dockerfile =\n"
        "    Dockerfile,target=app\n"
        "    Dockerfile,target=early\n"
    )
    return Team(root, tmp_path / "cache")


def test_each_target_is_judged_and_only_what_failed_runs_again(team: Team) -> None:
    first = team.pytest("-k", CHECKS, "--junitxml=junit.xml", "--dockercache-report=json:out.json")
    assert first.returncode == 1, first.stdout
    assert "FAILED Dockerfile[early]::env-layer-cached" in first.stdout
    assert first.stdout.count("FAILED ") == 1, first.stdout

    cases = ET.parse(team.root / "junit.xml").iter("testcase")
    (failed,) = [case for case in cases if case.find("failure") is not None]
    properties = {item.get("name"): item.get("value") for item in failed.iter("property")}
    assert properties["dockercache.check"] == "env-layer-cached"
    assert properties["dockercache.target"] == "early"
    assert properties["dockercache.line"] == "4"
    assert "Docker Engine" in str(properties["dockercache.engine"])

    images = json.loads((team.root / "out.json").read_text())["images"]
    assert [image["target"] for image in images] == ["app", "early"]
    assert {check["nodeid"] for check in images[1]["checks"]} >= {"Dockerfile[early]::builds"}

    again = team.pytest("--lf")
    assert again.returncode == 1, again.stdout
    assert "rerun previous 1 failure" in again.stdout
    assert "1 failed" in again.stdout
    assert "passed" not in again.stdout.splitlines()[-1]


def test_a_marked_test_judges_a_real_rebuild(team: Team) -> None:
    (team.root / "test_image.py").write_text(MARKED)
    done = team.pytest("test_image.py")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "\nDockerfile[app]  (" in done.stdout


def test_an_interrupt_of_a_session_with_workers_leaves_nothing(
    team: Team, docker_daemon: docker.DockerClient, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "started")
    real = subprocess.run(["which", "docker"], capture_output=True, text=True).stdout.strip()
    wrapper = tmp_path / "bin" / "docker"
    wrapper.parent.mkdir()
    wrapper.write_text(
        "#!/bin/sh\n"
        # Otherwise the plugin's own path would be found, and this directory would be passed over.
        '[ "$1" = info ] && exit 1\n'
        f'case "$2" in build) echo started >"{tmp_path}/started" ;; esac\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    with (team.root / "pip").open("a") as script:
        script.write("sleep 600\n")
    run = start_pytest(
        team.root,
        *("-n", "2", "Dockerfile[app]::builds", "Dockerfile[app]::env-layer-cached"),
        env=team.environment(PATH=f"{wrapper.parent}:{os.environ['PATH']}"),
        new_session=True,
    )
    (tmp_path / "started").read_text()
    (run_directory,) = (team.cache / "pytest-dockercache" / "runs").glob("*/journal")
    # As a terminal does: everything in the foreground gets the signal.
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 2, output
    assert not run_directory.exists()
    assert ended(str(team.cache)), "the build goes on without us"
    label = {"label": f"{RUN_LABEL}={run_directory.parent.name}"}
    assert docker_daemon.api.images(all=True, filters=label) == []
    assert docker_daemon.api.containers(all=True, filters=label) == []
