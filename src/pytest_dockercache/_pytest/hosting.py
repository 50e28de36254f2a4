"""The reports that a CI host gets unasked: on GitHub, the job's summary and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ..values import dataclass
from .options import Options

__all__ = ["Hosted", "annotated_by_another", "hosted"]

_ANNOTATING = "pytest_github_actions_annotate_failures"
"""The name of the entry point of pytest-github-actions-annotate-failures (tried with 0.4.2)."""


@dataclass(frozen=True)
class Hosted:
    """The unasked reports of a session: the path of the summary, and whether it annotates."""

    summary: Path | None = None
    annotations: bool = False


def hosted(options: Options, environ: Mapping[str, str]) -> Hosted:
    """The unasked reports of this session, without those that an option asks for already."""
    if not options.hosted_reports or not is_github(environ):
        return Hosted()
    asked = {(choice.kind, choice.path) for choice in options.reports}
    summary = environ.get("GITHUB_STEP_SUMMARY")
    path = Path(summary) if summary else None
    if path is not None and ("md", path) in asked:
        path = None
    return Hosted(path, ("annotations", None) not in asked)


def is_github(environ: Mapping[str, str]) -> bool:
    """Whether this process is a step of GitHub Actions, or of another runner of its workflows."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotated_by_another(config: pytest.Config, environ: Mapping[str, str]) -> bool:
    """Whether another plugin writes a workflow command for every failed test of this session."""
    return is_github(environ) and config.pluginmanager.hasplugin(_ANNOTATING)
