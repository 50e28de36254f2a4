"""The types of reports, and writing a report; a type's module is imported at its first use.

Each type has a module beside this one with a function ``render(session)``, which returns the whole
text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from .files import append_text, write_text
from .findings import SessionReport

__all__ = ["TYPES", "append_summary", "rendered", "write"]

TYPES: Mapping[str, str] = {
    "json": "json",
    "md": "markdown",
    "html": "html",
    "sarif": "sarif",
    "codequality": "codequality",
    "annotations": "annotations",
}
"""The module of each type of report."""


def rendered(kind: str, session: SessionReport) -> str:
    """The text of a report; ``kind`` is one of :data:`TYPES`."""
    module = import_module(f".{TYPES[kind]}", __package__)
    text: str = module.render(session)
    return text


def write(kind: str, session: SessionReport, path: Path) -> None:
    """Write a report to a file, a device or a pipe. Raises OSError."""
    write_text(path, rendered(kind, session))


def append_summary(session: SessionReport, path: Path) -> None:
    """Add the Markdown to the summary of a job, below the text of other steps. Raises OSError.

    GitHub shows none of a step's summary that is larger than 1 MiB
    (docs.github.com, "Adding a job summary").
    """
    from .markdown import SUMMARY_LIMIT, render

    try:
        used = os.stat(path).st_size
    except FileNotFoundError:
        used = 0
    append_text(path, render(session, limit=max(SUMMARY_LIMIT - used, 0)))
