"""The context files that reinstall the environment, as a check found out, for the reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..jsonable import from_jsonable, to_jsonable
from ..model import BuildSpec, FileGroup
from ..runs import Run, digest, read_json, write_json

__all__ = ["recall_files", "remember_files"]


def remember_files(run: Run, spec: BuildSpec, groups: Sequence[FileGroup]) -> None:
    """Leave the groups of a spec's context files where every process of the run finds them."""
    write_json(_place(run, spec), to_jsonable(tuple(groups)))


def recall_files(run: Run, spec: BuildSpec) -> tuple[FileGroup, ...]:
    """The groups of a spec's context files; empty if no check has made any."""
    found = read_json(_place(run, spec))
    try:
        return tuple(from_jsonable(FileGroup, group) for group in found or ())
    except (TypeError, ValueError):
        return ()


def _place(run: Run, spec: BuildSpec) -> Path:
    return run.directory / "files" / f"{digest(json.dumps(to_jsonable(spec)))}.json"
