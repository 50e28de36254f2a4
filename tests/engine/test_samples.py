"""Every sample project, judged by every engine: what must fail fails for its reason, the rest holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("buildx", "buildkit", "classic")
SAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "fixtures" / "samples.json").read_text()
)

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Judged:
    """What one run of the plugin said of a sample: its checks by ID, and pytest's own output."""

    checks: dict[str, dict[str, Any]]
    builds: list[dict[str, Any]]
    text: str

    def outcomes(self, outcome: str) -> set[str]:
        """The IDs of the checks with this outcome."""
        return {name for name, check in self.checks.items() if check["outcome"] == outcome}


Judge = Callable[..., Judged]


@pytest.fixture
def judge(sample: Callable[[str], Path], miniconda: str, tmp_path: Path) -> Judge:
    """Run ``pytest --dockercache`` in a copy of a sample, as a user would."""

    def run(name: str, engine: str, *options: str) -> Judged:
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        environment = {**os.environ, "COLUMNS": "200"}
        for variable in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
            environment.pop(variable, None)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--dockercache", "-p", "no:cacheprovider"),
                f"--dockercache-engine={engine}",
                f"--dockercache-build-arg=BASE={miniconda}",
                f"--dockercache-report=json:{report}",
                *options,
            ],
            cwd=sample(name),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        text = done.stdout + done.stderr
        assert report.exists(), text
        (image,) = json.loads(report.read_text())["images"]
        return Judged({check["id"]: check for check in image["checks"]}, image["builds"], text)

    return run


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_fails_exactly_what_it_is_broken_in(judge: Judge, name: str, engine: str) -> None:
    expected = SAMPLES[name]["fails"]
    judged = judge(name, engine)
    assert judged.outcomes("failed") == set(expected), judged.text
    assert not judged.outcomes("error"), judged.text
    for check, wanted in expected.items():
        message = judged.checks[check]["message"]
        assert wanted["reason"] in message, judged.text
        assert judged.checks[check]["line"] == wanted["line"], judged.text
    if "builds" not in expected:
        assert not judged.outcomes("skipped"), judged.text


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name in SAMPLES if not SAMPLES[name]["fails"]])
def test_a_good_sample_holds_again_with_everything_cached(
    judge: Judge, name: str, engine: str
) -> None:
    judge(name, engine)
    again = judge(name, engine)
    assert again.outcomes("passed") == set(again.checks), again.text
    first = again.builds[0]
    assert {step["status"] for step in first["steps"]} == {"hit"}, again.text
