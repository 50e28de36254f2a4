"""The messages between the processes of one session: the run, its specs, its engine.

Workers write small files into the run's directory; the controller reads them
when it makes the summary and the reports. The result of a check travels with
pytest's own report of the item.
"""

from __future__ import annotations

import contextlib

import pytest

from ..jsonable import from_jsonable, to_jsonable
from ..model import BuildSpec, EngineInfo
from ..report import CheckResult
from ..runs import Run, digest, read_json, write_json
from ..values import dataclass

__all__ = [
    "WIDTH",
    "known_engine",
    "known_specs",
    "tell_engine",
    "tell_result",
    "tell_spec",
    "told_result",
]

WIDTH = "dockercache_width"
"""The key under which a worker is told how many columns the controller's terminal has."""

_RESULT = "dockercache_result"
"""The attribute of a pytest report that carries a check's result, from a worker as well."""


@dataclass(frozen=True)
class _JudgedSpec:
    """A spec, and the name of the engine that judged it."""

    spec: BuildSpec
    engine: str


def tell_spec(run: Run, spec: BuildSpec, engine: str) -> None:
    """Let the controller know that a process judged this spec with this engine."""
    record = to_jsonable(_JudgedSpec(spec, engine))
    path = run.directory / "specs" / f"{digest(repr(record))}.json"
    if not path.exists():
        write_json(path, record)


def known_specs(run: Run) -> tuple[tuple[BuildSpec, str], ...]:
    """Every spec that some process judged, with its engine's name, sorted by Dockerfile."""
    found = []
    for path in sorted((run.directory / "specs").glob("*.json")):
        with contextlib.suppress(ValueError):
            judged = from_jsonable(_JudgedSpec, read_json(path))
            found.append((judged.spec, judged.engine))
    return tuple(sorted(found, key=lambda item: (str(item[0].dockerfile), repr(item))))


def tell_engine(run: Run, engine: EngineInfo) -> None:
    """Let the controller know which engine answered."""
    path = run.directory / "engine.json"
    if not path.exists():
        write_json(path, to_jsonable(engine))


def known_engine(run: Run) -> EngineInfo | None:
    """The engine that answered first, None if none did."""
    try:
        return from_jsonable(EngineInfo, read_json(run.directory / "engine.json"))
    except ValueError:
        return None


def tell_result(report: pytest.TestReport, result: CheckResult) -> None:
    """Let a report carry a check's result; xdist sends every attribute that is plain data."""
    setattr(report, _RESULT, to_jsonable(result))


def told_result(report: pytest.TestReport) -> CheckResult | None:
    """The result that a report carries, None if it carries none."""
    try:
        return from_jsonable(CheckResult, getattr(report, _RESULT, None))
    except ValueError:
        return None
