"""Every sample is judged by the model as a builder judges it, and in words that say so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.checks import CHECKS
from pytest_dockercache.engines import close_engines
from pytest_dockercache.errors import CacheAssertionError, ConfigError, Unverifiable
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run
from pytest_dockercache.subject import Subject

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
SAMPLES: dict[str, dict[str, Any]] = json.loads((FIXTURES / "samples.json").read_text())
PREDICTED = (
    "env-layer-cached",
    "env-change-rebuilds",
    "build-args-late",
    "dockerignore-effective",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run with a cache directory of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Run.start(tmp_path / "shared")
    yield made
    close_engines()
    made.finish()


def subject(name: str, run: Run) -> Subject:
    context = FIXTURES / name
    return Subject(BuildSpec(context / "Dockerfile", context), Settings(engine="model"), run)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_fails_what_it_should_for_the_stated_reason(name: str, run: Run) -> None:
    expected = {check: how for check, how in SAMPLES[name]["fails"].items() if check in PREDICTED}
    failed: dict[str, CacheAssertionError] = {}
    for check in PREDICTED:
        try:
            verdict = CHECKS[check].judge(subject(name, run))
        except CacheAssertionError as problem:
            failed[check] = problem
        else:
            assert str(verdict) == f"predicted: {verdict.message}"
    assert failed.keys() == expected.keys()
    for check, how in expected.items():
        assert str(failed[check]).startswith(f"predicted: {failed[check].finding.verdict}\n")
        assert how["reason"] in str(failed[check])
        assert how["line"] in (None, failed[check].line)


@pytest.mark.parametrize("check", [check for check in CHECKS.values() if check.needs == "image"])
def test_what_looks_into_an_image_is_not_judged(check: Any, run: Run) -> None:
    with pytest.raises(Unverifiable, match="needs an image, and the model builds none"):
        check.judge(subject("optimized", run))


def test_that_the_image_builds_is_not_claimed(run: Run) -> None:
    with pytest.raises(Unverifiable, match="nothing was built: --dockercache-engine=model"):
        CHECKS["builds"].judge(subject("optimized", run))


def test_an_argument_that_no_arg_declares_is_refused(run: Run) -> None:
    judged = subject("broken-build-arg-early", run)
    with pytest.raises(ConfigError) as refused:
        judged.after([Edit.build_arg("GIT_SAH")])
    assert str(refused.value) == (
        "edit of build argument GIT_SAH: no ARG of Dockerfile declares it; "
        "it declares BASE, GIT_SHA"
    )
    assert judged.after([Edit.build_arg("GIT_SHA")]).steps
    for known, value in (("HTTP_PROXY", "http://proxy"), ("SOURCE_DATE_EPOCH", "0")):
        assert judged.after([Edit.build_arg(known, value)]).steps


def test_the_argument_of_a_trigger_is_one_of_the_dockerfile(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM a AS own\nONBUILD ARG SHA=1\nONBUILD RUN pip install six\nFROM own\n"
    )
    judged = Subject(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings(engine="model"), run)
    assert judged.after([Edit.build_arg("SHA")]).steps
