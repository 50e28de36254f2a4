"""Gives plugin tests a project to run pytest in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from example import DOCKERFILE, ENVIRONMENT, Project

# Archives are made by hand where the image room tests them.
sys.path.append(str(Path(__file__).parents[1] / "unit" / "image"))

# Imported before any project runs in this process: otherwise each run would
# get its own copy of the product's modules.
import pytest_dockercache._pytest.marked
import pytest_dockercache.checks.environment_reused
import pytest_dockercache.definitions.finding
import pytest_dockercache.testing
from pytest_dockercache.engines.registry import ENGINES

PRODUCT = Path(pytest_dockercache.__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_engine_stays() -> Iterator[None]:
    """Forget an engine that a run in this process has registered: later tests ask real ones."""
    yield
    ENGINES.pop("scripted", None)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A good conda project whose builds are scripted."""
    here = Path(__file__).parent
    monkeypatch.syspath_prepend(here)
    # The workers of pytest-xdist import the product from where this process has it.
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{PRODUCT}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / ".xdg"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    hosts = ("CI", "BUILD_NUMBER", "FORCE_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
    for name in ("DOCKER_CONTEXT", "PYTEST_ADDOPTS", *hosts):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    files = {
        "Dockerfile": DOCKERFILE,
        "environment.yml": ENVIRONMENT,
        "src/main.py": "print('hello')\n",
    }
    return Project(pytester, files)
