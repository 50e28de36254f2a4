"""Checks of the image that no sample is broken in: packages, size, saving, linked packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def test_packages_size_and_saving_are_held_against_what_was_asked_for(
    sample: Callable[[str], Path], miniconda: str, tmp_path: Path
) -> None:
    project = sample("optimized")
    dockerfile = project / "Dockerfile"
    # Like conda itself, this keeps the extracted packages that an environment is linked to.
    dockerfile.write_text(dockerfile.read_text().replace("--all --force-pkgs-dirs", "--all"))
    (project / "wanted.yml").write_text("name: app\ndependencies:\n  - numpy=1.25\n  - pandas\n")
    report = tmp_path / "report.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--dockercache", "-p", "no:cacheprovider"),
            *("-k", "caches or matches or size or saving"),
            f"--dockercache-build-arg=BASE={miniconda}",
            f"--dockercache-report=json:{report}",
            "--dockercache-environment=wanted.yml",
            "--dockercache-max-size=1MB",
            "--dockercache-min-saving=0.999999",
        ],
        cwd=project,
        env={**kept, "COLUMNS": "150"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (image,) = json.loads(report.read_text())["images"]
    checks = {check["id"]: check for check in image["checks"]}
    assert checks["no-package-caches"]["outcome"] == "passed", done.stdout
    matches, size = checks["environment-matches"], checks["image-size"]
    assert matches["outcome"] == size["outcome"] == "failed", done.stdout
    assert matches["message"].startswith("image does not match wanted.yml: 2 packages differ")
    assert "pandas" in matches["message"]
    assert "numpy" in matches["message"]
    assert "over its budget" in size["message"]
    # A saving is only ever denied when the seconds of every step are known.
    assert checks["rebuild-saving"]["outcome"] in ("failed", "skipped"), done.stdout
    own = [layer for layer in image["layers"] if not layer["base"]]
    assert [layer["line"] for layer in own] == sorted(layer["line"] for layer in own)
    assert sum(layer["size"] for layer in image["layers"]) > 10**8
