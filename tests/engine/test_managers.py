"""Samples of other managers: the good Dockerfile passes, the broken one fails for its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import docker
import pytest
from filelock import FileLock
from manager_bases import GO_SUM, GREET, require_go, require_node, require_stand_in

from plugin_process import environment, run_pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "managers"

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

Checks = dict[str, dict[str, Any]]


def judged(project: Path, base: str, *options: str) -> tuple[dict[str, Checks], str]:
    """The checks of both Dockerfiles of a sample, by their file, and the output."""
    report = project.parent / "report.json"
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider", f"--dockercache-build-arg=BASE={base}"),
        *("--dockercache-dockerfile=Dockerfile", "--dockercache-dockerfile=Dockerfile.broken"),
        *("--dockercache-engine=buildx", f"--dockercache-report=json:{report}", *options),
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    images = json.loads(report.read_text())["images"]
    return {i["dockerfile"]: {check["id"]: check for check in i["checks"]} for i in images}, output


def copied(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / name, tmp_path / name))


def require_faulty(found: dict[str, Checks], output: str, reason: str) -> None:
    """The good Dockerfile fails nothing, the broken one the reuse of its environment alone."""
    wrong = {
        dockerfile: [
            name for name, check in checks.items() if check["outcome"] in ("failed", "error")
        ]
        for dockerfile, checks in found.items()
    }
    assert wrong == {"Dockerfile": [], "Dockerfile.broken": ["env-layer-cached"]}, output
    good = found["Dockerfile"]
    passed = {name for name, check in good.items() if check["outcome"] == "passed"}
    assert {"builds", "env-layer-cached", "env-change-rebuilds"} <= passed, output
    unverified = {n for n, check in good.items() if check["skip"] == "not-verified"}
    assert unverified == set(), output
    assert reason in found["Dockerfile.broken"]["env-layer-cached"]["message"], output


def test_npm_really_installs_from_its_lock(
    docker_daemon: docker.DockerClient, shared_directory: Path, miniconda: str, tmp_path: Path
) -> None:
    with FileLock(shared_directory / "node.lock"):
        base = require_node(docker_daemon, shared_directory / "node", miniconda)
    project = copied("npm", tmp_path)
    (project / "packages").mkdir()
    (project / "packages" / "greet-1.0.0.tgz").write_bytes(GREET)
    found, output = judged(project, base)
    require_faulty(found, output, "copied before it")
    assert "npm ci" in found["Dockerfile.broken"]["env-layer-cached"]["message"]


def test_go_really_downloads_the_modules_and_the_fix_is_proven(
    docker_daemon: docker.DockerClient, shared_directory: Path, miniconda: str, tmp_path: Path
) -> None:
    with FileLock(shared_directory / "go.lock"):
        base = require_go(docker_daemon, shared_directory / "go", miniconda)
    project = copied("go", tmp_path)
    (project / "go.sum").write_text(GO_SUM)
    patch = tmp_path / "fix.patch"
    found, output = judged(project, base, f"--dockercache-fix={patch}")
    require_faulty(found, output, "copied before it")
    fix = found["Dockerfile.broken"]["env-layer-cached"]["fix"]
    assert fix["proven"], output
    assert "+RUN go mod download" in patch.read_text(), output


REAL = ("go", "npm")
STOOD_IN = sorted(
    path.parent.name for path in FIXTURES.glob("*/Dockerfile") if path.parent.name not in REAL
)
OF_THE_SYSTEM = ("apk", "apt", "dnf", "pacman", "zypper")


@pytest.mark.minutes
def test_the_samples_of_all_other_managers_are_told_apart(
    docker_daemon: docker.DockerClient, shared_directory: Path, tiny: str, tmp_path: Path
) -> None:
    """One session for all: the good Dockerfile of each keeps its environment, the other does not.

    An install of the system's packages above all files of the context is no environment step.
    """
    with FileLock(shared_directory / "stand-in.lock"):
        script = FIXTURES / "stand-in"
        base = require_stand_in(docker_daemon, shared_directory / "stand-in", tiny, script)
    root = Path(shutil.copytree(FIXTURES, tmp_path / "managers"))
    report = tmp_path / "report.json"
    files = [f"{name}/Dockerfile{end}" for name in STOOD_IN for end in ("", ".broken")]
    ended = run_pytest(
        root,
        *("-p", "no:cacheprovider", f"--dockercache-build-arg=BASE={base}"),
        *("--dockercache-engine=buildx", f"--dockercache-report=json:{report}"),
        *(f"--dockercache-dockerfile={file},context={file.partition('/')[0]}" for file in files),
        *("-k", "env-layer-cached or builds"),
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    found = {
        image["dockerfile"]: {check["id"]: check for check in image["checks"]}
        for image in json.loads(report.read_text())["images"]
    }
    wanted = {
        f"{name}/Dockerfile{end}": "failed" if end else good
        for name in STOOD_IN
        for good in ["skipped" if name in OF_THE_SYSTEM else "passed"]
        for end in ("", ".broken")
    }
    outcomes = {file: checks["env-layer-cached"]["outcome"] for file, checks in found.items()}
    assert {checks["builds"]["outcome"] for checks in found.values()} == {"passed"}, output
    assert outcomes == wanted, output
    for file, checks in found.items():
        said = checks["env-layer-cached"]
        if said["outcome"] == "skipped":
            assert said["skip"] == "does-not-apply", output
        elif file.endswith(".broken"):
            assert "copied before it" in said["message"], output
