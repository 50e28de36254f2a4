"""Workflow commands of GitHub Actions: one for each check that fails, on its line.

The commands are described at docs.github.com, "Workflow commands for GitHub Actions", their
escaping in ``packages/core/src/command.ts`` of actions/toolkit.
"""

from __future__ import annotations

from .blamed import Blamed, blamed
from .findings import SessionReport

__all__ = ["render"]


def render(session: SessionReport, *, only_errors: bool = False) -> str:
    """A line for each failure and error, empty if there is none.

    ``only_errors`` leaves out the failures: pytest-github-actions-annotate-failures (0.3) annotates
    failures, but no error of a set-up.
    """
    return "".join(
        f"{_command(item)}\n"
        for item in blamed(session)
        if not only_errors or item.check.ending.outcome == "error"
    )


def _command(item: Blamed) -> str:
    place = f"file={_property(item.path)},line={item.line},title={_property(item.id)}"
    text = f"{item.text}\n{item.page}"
    return f"::error {place}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
