"""A project in memory, run with pytest as its developer would run it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.checks import CHECKS

DOCKERFILE = """\
FROM continuumio/miniconda3:latest
WORKDIR /opt/app
COPY environment.yml ./
RUN conda env update -n base -f environment.yml && conda clean -afy
COPY src/ ./src/
CMD ["python", "src/main.py"]
"""

ENVIRONMENT = """\
name: base
dependencies:
  - python=3.10
"""

CONFTEST = """\
import scripted_engine
scripted_engine.install()
"""

CACHE_CHECKS = (
    "builds",
    "env-layer-cached",
    "env-change-rebuilds",
    "build-args-late",
    "dockerignore-effective",
)
"""The checks that a scripted engine can answer: those about steps."""

IMAGE_CHECKS = tuple(check.id for check in CHECKS.values() if check.needs == "image")

GOOD: dict[str, Any] = {
    "first": {"miss": {"3": 0.1, "4": 94.1, "5": 0.1}, "seconds": 96.0},
    "src/main.py": {"miss": {"5": 0.1}, "seconds": 0.4},
    "environment.yml": {"miss": {"3": 0.1, "4": 94.1, "5": 0.1}, "seconds": 0.3},
}
"""A script in which every cache check holds."""

BAD: dict[str, Any] = {
    **GOOD,
    "src/main.py": {"miss": {"3": 0.1, "4": 94.1, "5": 0.1}, "seconds": 0.4},
}
"""A script in which a source edit rebuilds the environment."""


@dataclass(frozen=True)
class Outcome:
    """The result of a pytest run: the exit code, the text, and the outcome of each item."""

    code: int
    text: str
    counts: Mapping[str, int]

    def has(self, *lines: str) -> bool:
        """Whether each of these texts occurs in the output."""
        return all(line in self.text for line in lines)

    @property
    def stable(self) -> str:
        """The output without what changes from run to run."""
        text = re.sub(r" in \d+\.\d+s( \([^)]*\))?", " in N s", self.text)
        text = re.sub(
            r"(?m)^(platform|plugins|rootdir|cachedir|configfile|hypothesis).*\n", "", text
        )
        text = re.sub(r"(?m)^={3,} | ={3,}$", "===", text)
        text = re.sub(r"0x[0-9a-f]+", "0x…", text)
        return re.sub(r"(?m)[ \t]+$", "", text)


@dataclass
class Project:
    """Files of a project, by path; :meth:`pytest` runs pytest in it.

    ``script`` is replayed by the scripted engine. The image checks are left out unless ``checks``
    names them.
    """

    pytester: pytest.Pytester
    files: dict[str, str] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=lambda: dict(GOOD))
    ini: str = ""
    image_checks: bool = False

    @property
    def root(self) -> Path:
        """Where the project lies."""
        return self.pytester.path

    def write(self) -> None:
        """Write the files; a text is dedented."""
        skips = "" if self.image_checks else "\n  ".join(("", *IMAGE_CHECKS))
        ini = f"[pytest]\n{textwrap.dedent(self.ini)}"
        if skips and "dockercache_skip" not in self.ini:
            ini += f"\ndockercache_skip ={skips}\n"
        everything = {
            "conftest.py": CONFTEST,
            "script.json": json.dumps(self.script),
            "pytest.ini": ini,
            **self.files,
        }
        for name, text in everything.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def pytest(self, *arguments: str, process: bool = False, off: bool = False) -> Outcome:
        """Run ``pytest --dockercache ARGUMENTS`` with the scripted engine.

        ``process`` runs it in a process of its own, which xdist needs;
        ``off`` leaves ``--dockercache`` out.
        """
        self.write()
        if not off:
            arguments = ("--dockercache", "--dockercache-engine=scripted", *arguments)
        plugins = ("-p", "no:cov", "-p", "no:syrupy", "-p", "no:hypothesispytest")
        run: Callable[..., pytest.RunResult] = self.pytester.runpytest_inprocess
        if process:
            run = self.pytester.runpytest_subprocess
        result = run(*plugins, *arguments)
        text = "\n".join([*result.outlines, *result.errlines])
        counts = {} if result.ret in (3, 4) else _counts(result)
        return Outcome(int(result.ret), text.replace(str(self.root), "ROOT"), counts)

    @property
    def builds(self) -> list[str]:
        """The builds, in order: ``first`` or the path of the edit."""
        log = self.root / "builds.log"
        return log.read_text().splitlines() if log.exists() else []


def _counts(result: pytest.RunResult) -> Mapping[str, int]:
    try:
        return result.parseoutcomes()
    except ValueError:
        return {}
