"""Every sample project, judged by every engine: a sample fails exactly the checks of its faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin_process import environment, run_pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SAMPLES: dict[str, dict[str, Any]] = json.loads((FIXTURES / "samples.json").read_text())
GOOD = [name for name, sample in SAMPLES.items() if "repairs_to" not in sample]
BROKEN = [name for name in SAMPLES if name not in GOOD]
ENGINES = ("buildx", "buildkit", "classic")

OFTEN = ("optimized", "multistage", "broken-source-first", "broken-no-clean")
"""The gate judges these with every engine, and the others with buildx alone."""


def judged(names: list[str]) -> list[Any]:
    """Each of these samples with each engine; what the gate leaves out is marked."""
    return [
        pytest.param(
            name,
            engine,
            marks=() if engine == "buildx" or name in OFTEN else pytest.mark.minutes,
            id=f"{name}-{engine}",
        )
        for name in names
        for engine in ENGINES
    ]


pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def run_plugin(project: Path, base: str, engine: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run `pytest --dockercache` in a project: exit status, the report's checks, the output."""
    report = project.parent / f"{project.name}-{engine}.json"
    report.unlink(missing_ok=True)
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider"),
        f"--dockercache-engine={engine}",
        f"--dockercache-build-arg=BASE={base}",
        f"--dockercache-report=json:{report}",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    images = json.loads(report.read_text())["images"]
    return ended.returncode, [check for image in images for check in image["checks"]], output


@pytest.mark.parametrize(("name", "engine"), judged(GOOD))
def test_a_good_sample_passes_every_check_twice_in_a_row(
    name: str, engine: str, miniconda: str, sample: Callable[[str], Path]
) -> None:
    project = sample(name)
    for _ in range(2):
        status, checks, output = run_plugin(project, miniconda, engine)
        wrong = {check["id"]: check["message"] for check in checks if check["outcome"] != "passed"}
        assert wrong == {}, output
        assert status == 0, output
        assert "builds" in {check["id"] for check in checks}


@pytest.mark.parametrize(("name", "engine"), judged(BROKEN))
def test_a_broken_sample_fails_exactly_what_it_should_for_the_stated_reason(
    name: str, engine: str, miniconda: str, sample: Callable[[str], Path]
) -> None:
    status, checks, output = run_plugin(sample(name), miniconda, engine)
    expected = SAMPLES[name]["fails"]
    failed = {check["id"]: check for check in checks if check["outcome"] in ("failed", "error")}
    assert failed.keys() == expected.keys(), output
    for check, how in expected.items():
        assert how["reason"] in failed[check]["message"], output
        if how["line"] is not None:
            assert failed[check]["line"] == how["line"], output
    assert status == (1 if expected else 0), output
    if "builds" not in expected:
        # One fault hides no other check: each is judged on its own.
        assert {check["outcome"] for check in checks if check["id"] not in expected} == {"passed"}
