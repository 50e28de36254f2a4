"""Every broken sample's patch, proven by building, and judged again after `git apply`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_samples import BROKEN, SAMPLES, run_plugin

from plugin_process import environment, run_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

MENDED = [name for name in BROKEN if "no_patch" not in SAMPLES[name]]
OFTEN = ("broken-source-first", "broken-no-dockerignore", "broken-bytecode-after-copy")
"""The gate proves these; ``tox run -e minutes`` proves the patches of the others."""


def tree(project: Path) -> dict[str, bytes]:
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in OFTEN else pytest.mark.minutes) for name in MENDED],
)
def test_the_patch_of_a_broken_sample_is_proven_and_mends_it(
    name: str, miniconda: str, sample: Callable[[str], Path]
) -> None:
    project = sample(name)
    before = tree(project)
    patch, report = project.parent / "fix.patch", project.parent / "report.json"
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider"),
        f"--dockercache-build-arg=BASE={miniconda}",
        f"--dockercache-fix={patch}",
        f"--dockercache-report=json:{report}",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert tree(project) == before
    assert "proven by building: git apply " in output, output
    checks = {check["id"]: check for check in json.loads(report.read_text())["images"][0]["checks"]}
    for check in SAMPLES[name]["fails"]:
        assert checks[check]["fix"]["proven"], output
    subprocess.run(["git", "apply", patch], cwd=project, check=True)
    status, again, output = run_plugin(project, miniconda, "buildx")
    wrong = {check["id"]: check["message"] for check in again if check["outcome"] != "passed"}
    assert wrong == {}, output
    assert status == 0, output
