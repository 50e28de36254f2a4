"""The fix that a failure carries: the patch that was tried, or the files to separate."""

from __future__ import annotations

from collections.abc import Callable

from ..model import Fix
from ..project import Project
from ..regexes import regex
from .judged import Judged

__all__ = ["knows_mounts", "mended"]

_AS_IF_TRIED = regex(r"(move|join|append|drop|add|COPY)\b")
"""How an instruction begins that nobody has tried."""


def mended(
    subject: Judged, offer: Callable[[Project], Fix | None], otherwise: str | None = None
) -> Fix | None:
    """The fix that ``offer`` makes for the project: a patch, or words about what stands between.

    ``otherwise`` is the check's own sentence about what has to be reached. It stands where nothing
    is offered, and in place of a change that was not tried.
    """
    found = offer(subject.project)
    if found is not None and found.patch is not None:
        return found
    if otherwise is None or (found is not None and not _AS_IF_TRIED.match(found.text)):
        return found
    return Fix(otherwise)


def knows_mounts(subject: Judged) -> bool:
    """Whether the builder knows ``RUN --mount`` and the options of COPY that came with BuildKit."""
    return not subject.built_here or subject.engine.dialect.name != "classic"
