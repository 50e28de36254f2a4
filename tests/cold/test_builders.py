"""The whole gate on every kind of builder: the same verdicts, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runners import MULTI_STAGE, SOURCE_FIRST, Project

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

GOOD = {
    "builds": "passed",
    "env-layer-cached": "passed",
    "env-change-rebuilds": "passed",
    "build-args-late": "passed",
    "dockerignore-effective": "passed",
    "no-package-caches": "passed",
    "no-bytecode": "passed",
    "no-hidden-bytes": "passed",
    "python-version": "skipped",
    "environment-matches": "skipped",
}


@pytest.mark.parametrize(
    ("dockerfile", "otherwise"),
    [
        (MULTI_STAGE, {}),
        (SOURCE_FIRST, {"env-layer-cached": "failed"}),
    ],
    ids=["good", "source first"],
)
def test_every_check_says_the_same_on_every_builder(
    project: Callable[[str], Project], dockerfile: str, otherwise: dict[str, str]
) -> None:
    sample = project(dockerfile)
    (sample.root / ".dockerignore").write_text(".git\n.pytest_cache\n**/__pycache__\n")
    said, outcomes = sample.judge_all("--dockercache-environment=requirements.txt")
    assert outcomes == {**GOOD, **otherwise}, said
