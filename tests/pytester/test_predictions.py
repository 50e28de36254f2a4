"""Without a daemon the cache checks are predicted, and say so; everything else is skipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from example import CACHE_CHECKS, IMAGE_CHECKS

from plugin_process import environment, run_pytest
from pytest_dockercache.model import PREDICTED as PREFIX

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
PREDICTED = [check for check in CACHE_CHECKS if check != "builds"]


def run(
    project: Path, *options: str, host: str = "unix:///nonexistent/docker.sock"
) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Run pytest in a project without a daemon: exit status, the report's checks, the output."""
    report = project.parent / "report.json"
    report.unlink(missing_ok=True)
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider", f"--dockercache-report=json:{report}", *options),
        env=environment(DOCKER_HOST=host, XDG_CACHE_HOME=str(project.parent / "cache")),
    )
    output = ended.stdout + ended.stderr
    images = json.loads(report.read_text())["images"] if report.exists() else []
    return ended.returncode, {c["id"]: c for image in images for c in image["checks"]}, output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of a good sample."""
    return Path(shutil.copytree(FIXTURES / "optimized", tmp_path / "project", symlinks=True))


def test_without_a_daemon_the_cache_checks_are_predicted(project: Path) -> None:
    status, checks, output = run(project)
    assert "dockercache: model (no Docker daemon listens at " in output
    outcomes = {name: check["outcome"] for name, check in checks.items()}
    assert {outcomes[name] for name in PREDICTED} == {"passed"}, output
    assert {outcomes[name] for name in ("builds", *IMAGE_CHECKS) if name in outcomes} == {"skipped"}
    assert all(checks[name]["message"].startswith(PREFIX) for name in PREDICTED)
    assert status == 0, output


SAMPLES: dict[str, Any] = json.loads((FIXTURES / "samples.json").read_text())


@pytest.mark.newest_python
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_judged_without_a_daemon(name: str, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(FIXTURES / name, tmp_path / "project", symlinks=True))
    status, checks, output = run(copied)
    assert "dockercache: model (no Docker daemon listens at " in output
    fails = {
        check: SAMPLES[name]["fails"][check]
        for check in PREDICTED
        if check in SAMPLES[name]["fails"]
    }
    failed = {check for check, said in checks.items() if said["outcome"] == "failed"}
    assert failed == set(fails), output
    for check, expected in fails.items():
        assert checks[check]["message"].startswith(PREFIX)
        assert expected["reason"] in checks[check]["message"]
        assert expected["line"] in (None, checks[check]["line"])
    for check in ("builds", *IMAGE_CHECKS):
        if check in checks:
            assert checks[check]["outcome"] == "skipped"
            assert "no Docker daemon listens at" in checks[check]["message"]
    assert status == (1 if fails else 0)
    status, checks, output = run(copied, "--dockercache-strict")
    assert status == 1
    assert {said["outcome"] for said in checks.values()} <= {"passed", "failed"}, output


def test_what_cannot_be_predicted_fails_when_strict(project: Path) -> None:
    status, checks, output = run(project, "--dockercache-strict")
    assert status == 1
    assert checks["builds"]["outcome"] == "failed", output
    assert checks["no-package-caches"]["message"].startswith(
        "needs an image, and the model builds none: no Docker daemon listens at"
    )
    first = checks["no-package-caches"]["message"].partition("\n")[0]
    assert checks["no-bytecode"]["message"] == f"{first} (see Dockerfile::no-package-caches)"
    assert checks["env-layer-cached"]["outcome"] == "passed"


def test_the_report_says_that_its_builds_are_predictions(project: Path) -> None:
    run(project, "--dockercache-engine=model")
    report = json.loads((project.parent / "report.json").read_text())
    assert report["engine"]["name"] == "model"
    builds = report["images"][0]["builds"]
    assert {build["outcome"] for build in builds} == {"predicted"}
    missed = [step for step in builds[1]["steps"] if step["status"] == "miss"]
    assert missed[0]["reason"]["kind"] == "content"


def test_a_named_engine_without_a_daemon_is_an_error_and_no_prediction(project: Path) -> None:
    status, _, output = run(project, "--dockercache-engine=buildx")
    assert status == 1
    assert PREFIX not in output
    assert "no Docker daemon listens" in output


def test_a_socket_without_permission_is_an_error_and_no_prediction(project: Path) -> None:
    # An address that cannot be understood is not the absence of a daemon either.
    status, _, output = run(project, host="ssh://nobody@localhost:1")
    assert status == 1
    assert PREFIX not in output, output


def test_a_predicted_run_leaves_nothing_behind(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    run(project)
    after = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    assert {path: after[path] for path in before} == before
    assert not list((project.parent / "cache").rglob("staging/*"))
