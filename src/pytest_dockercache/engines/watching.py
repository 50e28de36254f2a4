"""The one loop that follows a running build, whichever engine runs it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from ..model import Build, Step, Watch
from .base import BuildRequest, stopped
from .failure import build_timeout

__all__ = ["watched"]


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
    running: _Running, observed: _Observed, request: BuildRequest, watch: Watch, started: float
) -> Build | None:
    """Follow a build; return it if ``watch`` stopped it, None if it has ended by itself.

    ``started`` is of :func:`time.monotonic`. Raises BuildTimeout, and what the
    running build raises.
    """
    deadline = None if request.timeout is None else started + request.timeout
    shown, news = observed.steps(), 0
    while running.follow(deadline):
        if observed.news != news:
            news, steps = observed.news, observed.steps()
            if steps != shown:
                shown = steps
                if watch(steps):
                    return stopped(request, steps, started)
        if deadline is not None and time.monotonic() >= deadline:
            raise build_timeout(request, observed.steps())
    return None
