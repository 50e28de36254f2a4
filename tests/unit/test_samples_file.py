"""samples.json and the sample projects agree, and a broken sample is broken in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SAMPLES: dict[str, dict[str, Any]] = json.loads((FIXTURES / "samples.json").read_text())
BROKEN = [name for name, sample in SAMPLES.items() if "repairs_to" in sample]

NOT_THE_DOCKERFILE = {
    "broken-no-dockerignore": {"Dockerfile", ".dockerignore"},
    "broken-does-not-build": {"Dockerfile", "environment.yml"},
}
"""Broken samples whose fault is not, or not only, in the Dockerfile, which says what it is."""


def files(sample: str) -> dict[str, str]:
    root = FIXTURES / sample
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_sample_project_is_described() -> None:
    assert {path.parent.name for path in FIXTURES.glob("*/Dockerfile")} == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_built_on_another_base(name: str) -> None:
    lines = files(name)["Dockerfile"].splitlines()
    start = lines.index("ARG BASE=continuumio/miniconda3:latest")
    assert lines[start + 1].startswith("FROM ${BASE}")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sample_says_what_is_broken_in_its_first_line(name: str) -> None:
    assert files(name)["Dockerfile"].startswith("# Broken on purpose: ")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sample_differs_from_its_good_one_only_where_it_is_broken(name: str) -> None:
    broken, good = files(name), files(SAMPLES[name]["repairs_to"])
    different = {path for path in broken.keys() | good.keys() if broken.get(path) != good.get(path)}
    assert different == NOT_THE_DOCKERFILE.get(name, {"Dockerfile"})


@pytest.mark.parametrize("name", BROKEN)
def test_a_line_to_blame_is_a_line_of_the_dockerfile(name: str) -> None:
    lines = files(name)["Dockerfile"].splitlines()
    blamed = SAMPLES[name]["fails"]
    assert blamed
    for how in blamed.values():
        if how["line"] is not None:
            assert lines[how["line"] - 1].split()[0] in ("ARG", "COPY", "RUN")
