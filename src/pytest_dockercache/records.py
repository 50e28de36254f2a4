"""The builds of a run as files, and what is remembered of a project's steps between runs.

Each build is made once, and every process of the run reads its record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from . import errors
from .cache_home import make_directory, writing
from .errors import BuildFailed, ConfigError, DockerCacheError, EngineUnavailable
from .model import Build, Step, build_from_json
from .runs import read_json, write_json

__all__ = ["Durations", "describe", "revive"]


def describe(problem: DockerCacheError) -> dict[str, Any]:
    """An error as a JSON value; :func:`revive` raises it again."""
    record: dict[str, Any] = {"type": type(problem).__name__, "message": str(problem)}
    if isinstance(problem, BuildFailed):
        record.update(line=problem.line, log=problem.log)
    if isinstance(problem, EngineUnavailable):
        record.update(absent=problem.absent, silent=problem.silent)
    return record


def revive(record: Mapping[str, Any]) -> Build:
    """The build of a record. Raises the error of a record that has one."""
    if "build" in record:
        return build_from_json(record["build"])
    described = dict(record["error"])
    kind = getattr(errors, described.pop("type"))
    message = described.pop("message")
    raise kind(message, **described)


class Durations:
    """The seconds of the last completed execution of each step of a project.

    A step is known by its stage, its line and its text: two stages may run the
    same command and take different time. A step that has moved to another line
    is known by its text alone where there is no other step of that text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, step: Step, *, alone: bool = False) -> float | None:
        """The seconds of a step, None if it was never seen to execute.

        ``alone`` is True if no other step of the Dockerfile has its text.
        """
        known = read_json(self._path)
        if not isinstance(known, dict):
            return None
        value = known.get(_key(step))
        if value is None and alone:
            others = [key for key in known if _text(key) == step.text]
            value = known[others[0]] if len(others) == 1 else None
        return float(value) if isinstance(value, (int, float)) else None

    def remember(self, steps: Sequence[Step]) -> None:
        """Take in the seconds of the steps that were executed.

        A cache directory that cannot be written costs this memory, not the run.
        """
        seen = {
            _key(step): round(step.seconds, 2)
            for step in steps
            if step.status == "miss" and step.seconds is not None
        }
        if not seen:
            return
        try:
            with writing(self._path):
                make_directory(self._path.parent)
                with FileLock(self._path.with_suffix(".lock")):
                    known = read_json(self._path)
                    write_json(self._path, {**(known if isinstance(known, dict) else {}), **seen})
        except ConfigError:
            return


def _key(step: Step) -> str:
    return json.dumps([step.stage, step.line, step.text])


def _text(key: str) -> str | None:
    try:
        _, _, text = json.loads(key)
    except (ValueError, TypeError):
        return None  # of an earlier version, which knew a step by its text alone
    return str(text)
