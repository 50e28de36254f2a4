"""Cancelling a build without leaving its running command behind.

BuildKit up to 0.13 at least kills a RUN only if its process had started when
the build was cancelled (executor/runcexecutor, ``runcProcessHandle``: "nothing
to kill"): cancelled a moment earlier, a minutes-long install goes on in the
daemon with nobody waiting for it. The verdict is known before that moment;
the build is cancelled a little later.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ..errors import DockerCacheError

__all__ = ["Pending", "cancel"]

START_SECONDS = 4.0
"""How long a command that cannot be seen, and prints nothing, is given to have been started."""

LIMIT_SECONDS = 12.0
"""How long a build may go on altogether."""

_LOOK_SECONDS = 0.05
"""How often it is looked whether a command has been started."""


class _Running(Protocol):
    def alive(self) -> bool:
        """Whether the build still goes on."""

    def silent(self) -> Mapping[str, str]:
        """The steps that run a command and have printed nothing, with their commands."""

    def reads_context(self) -> bool:
        """Whether the staged context is still being read."""

    def follow(self, deadline: float) -> bool:
        """Take in what the build says until the deadline; False when it has ended."""

    def stop(self) -> None:
        """Cancel the build."""


def cancel(build: _Running) -> threading.Thread | None:
    """Cancel a build, as soon as that is safe, in a thread that is returned; None if it has ended.

    Returns only when the build no longer needs its staged context, which the
    next build will change.
    """
    if not build.alive():
        build.stop()
        return None
    reads_context = build.reads_context()
    # Not a daemon thread: an interpreter that ends waits these seconds for it.
    thread = threading.Thread(target=_cancel_later, args=(build,), name="build cancellation")
    thread.start()
    if reads_context:
        thread.join()
    return thread


def _cancel_later(build: _Running, clock: Callable[[], float] = time.monotonic) -> None:
    first_seen: dict[str, float] = {}
    limit = clock() + LIMIT_SECONDS
    try:
        # What the build still has to say, an error of its own too, concerns nobody.
        with contextlib.suppress(DockerCacheError):
            while (now := clock()) < limit:
                waiting = [
                    command
                    for step, command in build.silent().items()
                    if first_seen.setdefault(step, now) + START_SECONDS > now
                ]
                if not waiting or all(map(_has_started, waiting)):
                    break
                if not build.follow(now + _LOOK_SECONDS):
                    break
    finally:
        build.stop()


def _has_started(command: str) -> bool:
    """Whether a process of this machine runs the command.

    A daemon's containers are seen so when it runs beside us on Linux;
    elsewhere they are not, and time has to do.
    """
    wanted = "".join(command.split())
    if not wanted:
        return False
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "".join(arguments.split()).endswith(wanted):
                return True
    return False


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
