"""Cancelling a build without leaving its running command behind.

BuildKit up to 0.13 at least kills a RUN only if its process had started when the build was
cancelled (executor/runcexecutor, ``runcProcessHandle``: "nothing to kill"; moby/buildkit#5106).
After a cancellation a moment earlier, or at the end of the COPY before it, a minutes-long install
goes on in the daemon with nobody waiting for its end. So the build is cancelled a little later than
the verdict is known. A RUN that ends while its build is being cancelled may still be followed by
the next RUN.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from ..errors import DockerCacheError

__all__ = ["Starting", "cancel", "uninterrupted"]

START_SECONDS = 4.0
"""How long a command that cannot be seen, and prints nothing, is given to have been started."""

LIMIT_SECONDS = 6.0
"""How long a build may go on altogether."""

_LOOK_SECONDS = 0.01
"""The least number of seconds between two looks for started commands."""


class Starting(NamedTuple):
    """A step whose command cannot be killed yet; ``begun`` if the builder has started it."""

    command: str
    begun: bool


class _CancellableBuild(Protocol):
    def alive(self) -> bool:
        """Whether the build still runs."""

    def starting(self) -> Mapping[str, Starting]:
        """The steps whose commands may begin after a cancellation."""

    def follow(self, deadline: float) -> bool:
        """Take in the build's news until the deadline; False when the build has ended."""

    def stop(self) -> None:
        """Cancel the build, and return after its end."""


def cancel(build: _CancellableBuild, clock: Callable[[], float] = time.monotonic) -> None:
    """Cancel a build as soon as that is safe; return when the build is gone.

    No other build may begin before: the next build on the builder may get no news of steps that it
    shares with a build that is still being cancelled. The news of this build until then is taken
    in.
    """
    try:
        with contextlib.suppress(DockerCacheError):
            _until_safe(build, clock)
    finally:
        try:
            build.stop()
        finally:
            # The rest of its news, its own error included, is of no interest.
            with contextlib.suppress(DockerCacheError, ValueError):
                build.follow(clock())


def _until_safe(build: _CancellableBuild, clock: Callable[[], float]) -> None:
    limit = clock() + LIMIT_SECONDS
    first_seen: dict[tuple[str, bool], float] = {}
    build.follow(clock())
    while build.alive() and (now := clock()) < limit:
        # A command seen for the first time gets START_SECONDS of its own.
        waiting = [
            step.command
            for name, step in build.starting().items()
            if first_seen.setdefault((name, step.begun), now) + START_SECONDS > now
        ]
        if not waiting or _have_started(waiting):
            return
        # A machine with thousands of processes is not kept busy with looking.
        looked = clock() - now
        if not build.follow(now + looked + max(_LOOK_SECONDS, 2 * looked)):
            return


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C, and every other signal that a Python function answers, wait until the end.

    For a start whose end has to be guaranteed: an interrupt between the two would leave a build
    that nobody knows.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    missed: list[int] = []
    handlers = {}
    for number in (signal.SIGINT, *_ENDING):
        if number == signal.SIGINT or callable(signal.getsignal(number)):
            handlers[number] = signal.signal(number, lambda number, _: missed.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in missed[:1]:
            signal.raise_signal(number)


_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a session, where the session answers them (see ``_pytest/signals.py``)."""


def _have_started(commands: list[str]) -> bool:
    """Whether processes of this machine run these commands.

    The containers of a daemon on this Linux machine are visible as processes; elsewhere they are
    not, and the time limit has to do.
    """
    missing = {"".join(command.split()) for command in commands}
    if "" in missing:
        return False
    for line in _command_lines():
        missing = {wanted for wanted in missing if not line.endswith(wanted)}
        if not missing:
            return True
    return False


def _command_lines() -> Iterator[str]:
    """The command line of each process of this machine, without white space."""
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with contextlib.suppress(OSError), open(f"{entry.path}/cmdline", "rb") as file:
                    said = file.read().replace(b"\0", b" ").decode(errors="replace")
                    yield "".join(said.split())
