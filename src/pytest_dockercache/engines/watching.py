"""The one loop that follows a running build, whichever engine runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ..model import Build, Step, Watch
from .base import BuildRequest, stopped
from .failure import build_timeout

__all__ = ["watched"]

_QUIET_SECONDS = 30.0
"""How long a build may say nothing before its daemon is asked whether it is still there: an
installation may be silent for minutes, a daemon that is frozen is so for ever."""


class _Running(Protocol):
    def follow(self, deadline: float | None) -> bool:
        """Take in what the build says next; False when it has said everything."""


class _Observed(Protocol):
    @property
    def news(self) -> int:
        """How often something about a step was new."""

    def steps(self) -> Sequence[Step]:
        """Every step as it stands."""


def watched(
    running: _Running,
    observed: _Observed,
    request: BuildRequest,
    watch: Watch,
    started: float,
    require_answer: Callable[[], None],
) -> Build | None:
    """Follow a build; return it if ``watch`` stopped it, None if it has ended by itself.

    ``started`` is of :func:`time.monotonic`. ``require_answer`` asks the daemon
    of a build that has said nothing for a while; it raises EngineUnavailable.
    Raises BuildTimeout, and what the running build raises.
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
