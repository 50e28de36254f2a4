"""A build that ran elsewhere is judged by its log, and nothing is built."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from example import Project
from syrupy.assertion import SnapshotAssertion

LOGS = Path(__file__).parents[1] / "unit/engines/recordings/logs"
ENV = "--dockercache-env-step=pip install"


@pytest.fixture
def project(project: Project) -> Project:
    """The project whose builds were recorded, as a repository with one commit."""
    project.files = {
        "Dockerfile": (LOGS / "app.Dockerfile").read_text(),
        "requirements.txt": "six\n",
        "src/main.py": "print(1)\n",
        ".gitignore": "*\n!src\n!src/*\n!Dockerfile\n!requirements.txt\n",
    }
    project.script = {"denied": "the engine was asked"}
    for path in LOGS.glob("*.txt"):
        (project.root / path.name).write_bytes(path.read_bytes())
    project.write()
    git(project, "init", "-q")
    commit(project)
    return project


def git(project: Project, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=project.root, check=True, stdout=subprocess.DEVNULL)


def commit(project: Project) -> None:
    project.write()
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "state", "--allow-empty")


def log(name: str) -> str:
    return f"--dockercache-build-log={name}.txt"


def test_a_build_that_reused_the_environment_passes(project: Project) -> None:
    result = project.pytest(ENV, log("buildx-0.13.1-plain-edited"), "-v")
    assert (result.code, dict(result.counts)) == (0, {"passed": 1}), result.text
    assert result.has("Dockerfile::env-layer-reused PASSED")
    assert project.builds == []


def test_a_build_that_installed_again_fails(project: Project, snapshot: SnapshotAssertion) -> None:
    result = project.pytest(ENV, log("buildx-0.13.1-rawjson-reinstalled"))
    assert (result.code, dict(result.counts)) == (1, {"failed": 1})
    assert result.stable == snapshot


@pytest.mark.parametrize(
    "name", ["buildx-0.13.1-plain-not-imported", "buildx-0.13.1-plain-containerd-export"]
)
def test_the_failure_says_what_became_of_the_cache(
    project: Project, name: str, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest(ENV, log(name))
    assert result.stable == snapshot


def test_no_engine_is_asked_and_no_other_check_is_judged(project: Project) -> None:
    given = (ENV, log("buildx-0.13.1-plain-edited"))
    project.pytest(*given, "--dockercache-report=json:report.json")
    document = json.loads((project.root / "report.json").read_text())
    assert document["engine"] is None
    assert document["images"][0]["builds"] == []
    result = project.pytest(*given, "Dockerfile::builds")
    assert result.code == 4
    assert result.has("Dockerfile::builds: nothing is built with --dockercache-build-log")


def test_a_build_that_failed_is_not_verified(project: Project) -> None:
    result = project.pytest(ENV, log("buildx-0.13.1-plain-failing"), "-rs")
    assert (result.code, dict(result.counts)) == (0, {"skipped": 1}), result.text
    assert result.has("calls CACHED what it has not reached")
    strict = project.pytest(ENV, log("buildx-0.13.1-plain-failing"), "--dockercache-strict")
    assert strict.code == 1


def test_a_log_of_something_else_is_not_verified(project: Project) -> None:
    (project.root / "job.txt").write_text("3 passed\n")
    result = project.pytest(ENV, log("job"), "-rs")
    assert dict(result.counts) == {"skipped": 1}
    assert result.has("job.txt tells of no build")
    project.files["Dockerfile"] = "FROM a\nRUN pip install -r other.txt\n"
    result = project.pytest(ENV, log("buildx-0.13.1-plain-edited"), "-rs")
    assert result.has("tells of no build of Dockerfile")


def test_a_changed_manifest_may_be_installed(project: Project) -> None:
    project.files["requirements.txt"] = "six==1.17\n"
    commit(project)
    given = (ENV, log("buildx-0.13.1-rawjson-reinstalled"), "--dockercache-since=HEAD~1")
    result = project.pytest(*given, "--dockercache-report=json:report.json")
    assert (result.code, dict(result.counts)) == (0, {"passed": 1}), result.text
    (check,) = json.loads((project.root / "report.json").read_text())["images"][0]["checks"]
    assert check["message"] == (
        "line 4 was run in the build that buildx-0.13.1-rawjson-reinstalled.txt tells of, as the "
        "change since HEAD~1 asks for: contains requirements.txt"
    )


def test_a_changed_source_is_no_reason_to_install(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["src/main.py"] = "print(2)\n"
    commit(project)
    given = (ENV, log("buildx-0.13.1-rawjson-reinstalled"), "--dockercache-since=HEAD~1")
    result = project.pytest(*given)
    assert result.code == 1
    assert result.stable == snapshot


def test_source_that_is_copied_first_is_the_reason(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["Dockerfile"] = (LOGS / "source-first.Dockerfile").read_text()
    commit(project)
    project.files["src/main.py"] = "print(2)\n"
    project.files["src/new.py"] = "print(2)\n"
    commit(project)
    given = (ENV, log("buildx-0.13.1-plain-source-first"), "--dockercache-since=HEAD~1")
    result = project.pytest(*given)
    assert result.code == 1
    assert result.stable == snapshot


def test_a_commit_that_git_does_not_know_is_an_error(project: Project) -> None:
    given = (ENV, log("buildx-0.13.1-rawjson-reinstalled"), "--dockercache-since=v9")
    result = project.pytest(*given)
    assert result.code == 1
    assert result.has("--dockercache-since=v9: git knows no such commit")


@pytest.mark.parametrize("given", ["build-log=none.txt", "build-log=src", "since=HEAD"])
def test_what_cannot_be_read_is_a_usage_error(
    project: Project, given: str, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest(f"--dockercache-{given}")
    assert result.code == 4
    assert result.text.strip() == snapshot
