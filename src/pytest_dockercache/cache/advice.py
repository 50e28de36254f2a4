"""Advice against the reason of a miss, in one line."""

from __future__ import annotations

from ..model import Reason

__all__ = ["advice"]


def advice(reason: Reason | None) -> str | None:
    """How to keep a step that missed for this reason; None where there is nothing to be done."""
    if reason is None:
        return None
    if reason.kind == "content" and reason.paths:
        if reason.changed == "mode":
            return f"keep the mode of {reason.paths[0]}: in the repository, and in the umask of CI"
        return f"copy {reason.paths[0]} below the steps that do not need it, or ignore it"
    if reason.argument is not None and reason.line is not None:
        return f"move line {reason.line} below the steps that do not need the argument"
    if reason.kind == "base":
        return "pin the base image by its digest if it should not move"
    return None
