"""A failing check offers a patch that mends it; without a builder it is predicted, never proven."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from plugin_process import environment, run_pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def run(project: Path, *options: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Run pytest in a project on the model: the report's checks, the output."""
    report = project.parent / "report.json"
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider", "--dockercache-engine=model"),
        f"--dockercache-report=json:{report}",
        *options,
        env=environment(XDG_CACHE_HOME=str(project.parent / "cache")),
    )
    output = ended.stdout + ended.stderr
    images = json.loads(report.read_text())["images"] if report.exists() else []
    return {check["id"]: check for image in images for check in image["checks"]}, output


@pytest.mark.parametrize(
    ("sample", "check"),
    [
        ("broken-source-first", "env-layer-cached"),
        ("broken-context-first", "env-layer-cached"),
        ("broken-build-arg-early", "build-args-late"),
        ("broken-no-dockerignore", "dockerignore-effective"),
    ],
)
def test_the_patch_in_the_report_mends_the_check_that_offers_it(
    sample: str, check: str, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(FIXTURES / sample, tmp_path / "project", symlinks=True))
    checks, output = run(project)
    fix = checks[check]["fix"]
    assert fix["patch"], output
    assert fix["proven"] is False
    assert f"  fix    {fix['text']} (predicted)" in output
    subprocess.run(["patch", "-p1"], cwd=project, input=fix["patch"], text=True, check=True)
    again, output = run(project)
    assert again[check]["outcome"] == "passed", output


def test_a_patch_names_its_files_from_the_root_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(FIXTURES / "broken-source-first", project / "images" / "app", symlinks=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    checks, output = run(project, "--dockercache-dockerfile=images/app/Dockerfile")
    patch = checks["env-layer-cached"]["fix"]["patch"]
    assert patch.startswith("--- a/images/app/Dockerfile\n"), output


def test_an_engine_that_only_predicts_proves_nothing(tmp_path: Path) -> None:
    sample = FIXTURES / "broken-source-first"
    project = Path(shutil.copytree(sample, tmp_path / "project", symlinks=True))
    _, output = run(project, f"--dockercache-fix={tmp_path / 'fix.patch'}")
    assert "fixes: could not be tried: nothing is proven by an engine that only predicts" in output
    assert not (tmp_path / "fix.patch").exists()


def test_a_patch_that_cannot_be_written_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    sample = FIXTURES / "broken-source-first"
    project = Path(shutil.copytree(sample, tmp_path / "project", symlinks=True))
    _, output = run(project, f"--dockercache-fix={tmp_path}")
    assert f"--dockercache-fix={tmp_path}: {tmp_path} is a directory; name a file" in output
