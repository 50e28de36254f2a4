"""The one loop that follows a running build of any engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ..model import Build, Step, Watch
from .base import BuildRequest, stopped
from .failure import build_timeout

__all__ = ["watched"]

_QUIET_SECONDS = 30.0
"""How many seconds a build may be silent before its daemon is asked for an answer.

An installation may be silent for minutes, a frozen daemon for ever.
"""


class _FollowedBuild(Protocol):
    def follow(self, deadline: float | None) -> bool:
        """Take in the build's next news; False after the end."""


class _Observed(Protocol):
    @property
    def news(self) -> int:
        """How often something about a step was new."""

    def steps(self) -> Sequence[Step]:
        """Every step with its state so far."""


def watched(
    running: _FollowedBuild,
    observed: _Observed,
    request: BuildRequest,
    watch: Watch,
    started: float,
    require_answer: Callable[[], None],
) -> Build | None:
    """Follow a build; return it if ``watch`` stopped it, None if it has ended by itself.

    ``started`` is a time of :func:`time.monotonic`. ``require_answer`` asks the daemon of a silent
    build for an answer, and raises EngineUnavailable without one. Raises BuildTimeout, and the
    errors of the running build.
    """
    deadline = None if request.timeout is None else started + request.timeout
    shown, news = observed.steps(), 0
    while running.follow(quiet := _earlier(deadline, time.monotonic() + _QUIET_SECONDS)):
        if observed.news != news:
            news, steps = observed.news, observed.steps()
            if steps != shown:
                shown = steps
                if watch(steps):
                    return stopped(request, steps, started)
        if deadline is not None and time.monotonic() >= deadline:
            raise build_timeout(request, observed.steps())
        if time.monotonic() >= quiet:
            require_answer()
    return None


def _earlier(deadline: float | None, other: float) -> float:
    return other if deadline is None else min(deadline, other)
