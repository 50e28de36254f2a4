"""GitLab's Code Quality report, which merge requests show on the lines of a Dockerfile.

The format is described at docs.gitlab.com, "Code Quality", "Code Quality report format".
"""

from __future__ import annotations

import json
from typing import Any

from .blamed import Blamed, blamed
from .findings import SessionReport

__all__ = ["render"]


def render(session: SessionReport) -> str:
    """The report: a JSON list with an entry for each failure, empty if there is none."""
    return json.dumps([_issue(item) for item in blamed(session)], indent=1) + "\n"


def _issue(item: Blamed) -> dict[str, Any]:
    return {
        "type": "issue",
        "description": f"{item.verdict} ({item.page})",
        "check_name": item.id,
        "fingerprint": item.fingerprint,
        "severity": "critical" if item.check.ending.outcome == "error" else "major",
        "location": {"path": item.path, "lines": {"begin": item.line}},
        "categories": ["Performance"],
        # Of Code Climate's own format, which GitLab's is a part of.
        "content": {"body": f"{item.text}\n\n{item.page}"},
    }
