"""Cancelling a build without leaving its running command behind.

BuildKit up to 0.13 at least kills a RUN only if its process had started when
the build was cancelled (executor/runcexecutor, ``runcProcessHandle``: "nothing
to kill"): cancelled a moment earlier, a minutes-long install goes on in the
daemon with nobody waiting for it. The verdict is known before that moment,
so the caller gets it at once, and the build is cancelled a little later.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ..errors import DockerCacheError

__all__ = ["Pending", "cancel"]

START_SECONDS = 2.0
"""How long a command that prints nothing is given to have been started."""

LIMIT_SECONDS = 8.0
"""How long a build may go on altogether."""


class _Running(Protocol):
    def silent(self) -> frozenset[str]:
        """The commands that run and have printed nothing."""

    def follow(self, deadline: float) -> bool:
        """Take in what the build says until the deadline; False when it has ended."""

    def stop(self) -> None:
        """Cancel the build."""


def cancel(build: _Running) -> threading.Thread | None:
    """Cancel a build, now if that is safe, else in a thread that is returned."""
    if not build.silent():
        build.stop()
        return None
    # Not a daemon thread: an interpreter that ends waits these seconds for it.
    thread = threading.Thread(target=_cancel_later, args=(build,), name="build cancellation")
    thread.start()
    return thread


def _cancel_later(build: _Running, clock: Callable[[], float] = time.monotonic) -> None:
    first_seen: dict[str, float] = {}
    limit = clock() + LIMIT_SECONDS
    try:
        # What the build still has to say, an error of its own too, concerns nobody.
        with contextlib.suppress(DockerCacheError):
            while (now := clock()) < limit:
                ages = (first_seen.setdefault(command, now) for command in build.silent())
                young = [seen + START_SECONDS for seen in ages if seen + START_SECONDS > now]
                if not young or not build.follow(min(limit, *young)):
                    break
    finally:
        build.stop()


class Pending:
    """The cancellations that are still under way."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def add(self, thread: threading.Thread | None) -> None:
        """Remember a cancellation."""
        self._threads = [known for known in self._threads if known.is_alive()]
        if thread is not None:
            self._threads.append(thread)

    def wait(self) -> None:
        """Return when every cancelled build has ended."""
        while self._threads:
            self._threads.pop().join()
