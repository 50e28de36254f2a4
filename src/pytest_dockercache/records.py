"""The builds of a run as files, and the seconds of a project's steps between runs.

Each build is made once, and every process of the run reads its record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from . import errors
from .cache_home import make_directory, writing
from .errors import ConfigError, DockerCacheError, EngineUnavailable
from .jsonable import from_jsonable, to_jsonable
from .model import Build, Edit, Finding, Step
from .runs import read_json, write_json
from .values import dataclass

__all__ = ["BuildRecord", "Durations", "Failure", "failure_of", "read_record", "write_record"]


@dataclass(frozen=True)
class Failure:
    """An error of ours as a file holds it; ``type`` is the name of its class."""

    type: str
    finding: Finding
    absent: bool = False
    silent: bool = False

    @property
    def error(self) -> DockerCacheError:
        """The error itself; of a class that we do not have, a plain one."""
        if self.type == "EngineUnavailable":
            return EngineUnavailable(self.finding, absent=self.absent, silent=self.silent)
        kind = getattr(errors, self.type, None) if self.type in errors.__all__ else None
        if isinstance(kind, type) and issubclass(kind, DockerCacheError):
            return kind(self.finding)
        return DockerCacheError(self.finding)


@dataclass(frozen=True)
class BuildRecord:
    """The outcome of one build: itself, or the failure. ``order`` counts the builds of a run."""

    order: int
    edits: tuple[Edit, ...]
    build: Build | None = None
    failure: Failure | None = None

    def result(self) -> Build:
        """The build. Raises the error that it ended in."""
        if self.build is not None:
            return self.build
        raise self.failure.error if self.failure else DockerCacheError("no build was recorded")


def failure_of(problem: DockerCacheError) -> Failure:
    """An error as a value."""
    return Failure(
        type(problem).__name__,
        problem.finding,
        absent=getattr(problem, "absent", False),
        silent=getattr(problem, "silent", False),
    )


def read_record(path: Path) -> BuildRecord | None:
    """The record in a file, None if the file is missing, damaged, or no build record."""
    try:
        return from_jsonable(BuildRecord, read_json(path))
    except ValueError:
        return None


def write_record(path: Path, record: BuildRecord) -> None:
    """Write a record so that a reader sees the whole record or none."""
    write_json(path, to_jsonable(record))


class Durations:
    """The seconds of the last completed execution of each step of a project.

    A step is known by its stage, its line and its text: two stages may run the same command and
    take different time. A step that has moved to another line is known by its text if no other step
    has this text, and if all records of the text are from one stage.
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
            stages = {json.loads(key)[0] for key in others}
            # The last key was executed last; the keys before it are of earlier lines.
            value = known[others[-1]] if len(stages) == 1 else None
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
                    kept = known.items() if isinstance(known, dict) else ()
                    write_json(
                        self._path, {key: value for key, value in kept if key not in seen} | seen
                    )
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
