"""What a CI host shows without being asked: on GitHub, the job's summary and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .options import Options

__all__ = ["Hosted", "annotated_by_another", "hosted"]

_ANNOTATING = "pytest_github_actions_annotate_failures"
"""The name of the entry point of pytest-github-actions-annotate-failures (tried with 0.4.2)."""


@dataclass(frozen=True)
class Hosted:
    """What a session gives to its host unasked: where the summary goes, whether it annotates."""

    summary: Path | None = None
    annotations: bool = False


def hosted(options: Options, environ: Mapping[str, str]) -> Hosted:
    """What this session gives to its host; what was asked for at the same place comes once."""
    if not options.hosted_reports or not is_github(environ):
        return Hosted()
    asked = {(choice.kind, choice.path) for choice in options.reports}
    summary = environ.get("GITHUB_STEP_SUMMARY")
    path = Path(summary) if summary else None
    if path is not None and ("md", path) in asked:
        path = None
    return Hosted(path, ("annotations", None) not in asked)


def is_github(environ: Mapping[str, str]) -> bool:
    """Whether this is a step of GitHub Actions, or of what runs its workflows."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotated_by_another(config: pytest.Config, environ: Mapping[str, str]) -> bool:
    """Whether another plugin writes a workflow command for every failed test of this session."""
    return is_github(environ) and config.pluginmanager.hasplugin(_ANNOTATING)
