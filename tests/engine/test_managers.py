"""Samples of other managers: the good Dockerfile passes, the broken one fails for its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import docker
import pytest
from filelock import FileLock
from manager_bases import GO_SUM, GREET, require_go, require_node

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
