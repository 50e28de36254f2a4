"""Small projects from real trouble, each with its right verdicts, judged by the cache model.

A file of ``cases/`` is a project and what is true of it:

    about       one or two sentences: what somebody has, and what is true
    kind        what sort of question it asks
    options     options beside ``--dockercache`` (optional)
    target      what pytest is given instead of nothing (optional)
    prepare     a shell line that is run in the project first (optional)
    executable  the files that may be executed (optional)
    expect      check -> what the model makes of it: passed, failed, skipped (optional)
    says        check, or ``header`` -> regular expressions that its message must match (optional)
    never       the same, or ``all`` for the whole output -> what must not be found (optional)
    files       path -> text
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from example import Project

CASES = sorted((Path(__file__).parent / "cases").glob("*.yml"))


def written(root: Path, case: Mapping[str, Any]) -> None:
    for name, text in case["files"].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name in case.get("executable", ()) else 0o644)
    if "prepare" in case:
        subprocess.run(["/bin/sh", "-ec", case["prepare"]], cwd=root, check=True)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CASES])
def test_the_verdicts_of_a_case_are_the_right_ones(
    project: Project, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "git " in case.get("prepare", "") and shutil.which("git") is None:
        pytest.skip("the case is a git repository, and git is not installed")
    root = project.pytester.mkdir("case")
    written(root, case)
    monkeypatch.chdir(root)
    report = project.pytester.path / "report.json"
    result = project.pytester.runpytest_inprocess(
        f"--rootdir={root}",
        "-p",
        "no:cacheprovider",
        "--dockercache",
        "--dockercache-engine=model",
        f"--dockercache-report=json:{report}",
        *case.get("options", ()),
        *case.get("target", "").split(),
    )
    output = "\n".join([*result.outlines, *result.errlines])
    images = json.loads(report.read_text())["images"] if report.exists() else []
    checks = {check["id"]: check for image in images for check in image["checks"]}
    said = {name: check.get("message") or "" for name, check in checks.items()}
    said |= {"all": output, "header": output.partition("collected ")[0]}
    expected = case.get("expect", {})
    outcomes = {name: checks[name]["outcome"] for name in expected if name in checks}
    assert outcomes == expected, output
    for name, patterns in case.get("says", {}).items():
        # The patterns are of what a build shows; what a prediction leaves open it says itself.
        for pattern in patterns if outcomes.get(name) != "skipped" else ():
            assert re.search(pattern, said[name], re.IGNORECASE | re.MULTILINE), said[name]
    for name, patterns in case.get("never", {}).items():
        for pattern in patterns:
            found = re.search(pattern, said.get(name, ""), re.IGNORECASE | re.MULTILINE)
            assert found is None, said[name]
