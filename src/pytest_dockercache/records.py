"""The builds of a run as files: each is made once, and every process of the run reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import errors
from .errors import BuildFailed, DockerCacheError, EngineUnavailable
from .model import Build, build_from_json

__all__ = ["describe", "revive"]


def describe(problem: DockerCacheError) -> dict[str, Any]:
    record: dict[str, Any] = {"type": type(problem).__name__, "message": str(problem)}
    if isinstance(problem, BuildFailed):
        record.update(line=problem.line, log=problem.log)
    if isinstance(problem, EngineUnavailable):
        record.update(absent=problem.absent)
    return record


def revive(record: Mapping[str, Any]) -> Build:
    if "build" in record:
        return build_from_json(record["build"])
    described = dict(record["error"])
    kind = getattr(errors, described.pop("type"))
    message = described.pop("message")
    raise kind(message, **described)
