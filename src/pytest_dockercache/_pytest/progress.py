"""Shows what a build is doing while it runs, without disturbing pytest's own lines.

On a terminal one line below pytest's current one, redrawn once a second and
gone when the build ends. Elsewhere (CI logs) one plain line when a step
starts to execute.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ..model import Step
from ..report.terminal import live_line, started_line

__all__ = ["LiveProgress", "NoProgress", "PlainProgress", "Progress"]


class Terminal(Protocol):
    """What we need of pytest's terminal writer."""

    @property
    def fullwidth(self) -> int: ...
    @property
    def width_of_current_line(self) -> int: ...
    def write(self, msg: str, *, flush: bool = False) -> None: ...


class Progress(Protocol):
    """Hears of builds; :meth:`paused` surrounds everything that pytest may print after."""

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """News of a build: what is being built, and its steps as they stand."""

    def close(self) -> None:
        """The build is over: leave the terminal as it was."""


class NoProgress:
    """For worker processes, whose output nobody sees."""

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Do nothing."""


class PlainProgress:
    """One line for each step that starts to execute; for logs."""

    def __init__(self, write_line: Callable[[str], None], width: int = 80) -> None:
        self._write_line = write_line
        self._width = width
        self._said: set[tuple[str, int]] = set()

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Say which steps have started since the last news."""
        for step in steps:
            if step.status == "miss" and (title, step.line) not in self._said:
                self._said.add((title, step.line))
                self._write_line(started_line(title, step, self._width))

    def close(self) -> None:
        """Forget what was said: another build has steps of the same lines."""
        self._said.clear()


class LiveProgress:
    """One line below pytest's current one, with the running step and its seconds."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._lock = threading.Lock()
        self._news: tuple[str, tuple[Step, ...]] | None = None
        self._started: dict[tuple[str, int], float] = {}
        self._column: int | None = None
        self._over = threading.Event()
        self._ticker: threading.Thread | None = None

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Take the news and draw it."""
        with self._lock:
            self._news = title, tuple(steps)
            for step in steps:
                if _is_running(step):
                    self._started.setdefault((title, step.line), self._clock())
        if self._ticker is None:
            self._over = threading.Event()
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        self.draw()

    def draw(self) -> None:
        """Draw the line, or draw it anew."""
        with self._lock:
            if self._news is None:
                return
            title, steps = self._news
            running = next((step for step in reversed(steps) if _is_running(step)), None)
            began = self._started.get((title, running.line)) if running is not None else None
            seconds = None if began is None else self._clock() - began
            line = live_line(title, running, seconds, self._terminal.fullwidth - 1)
            start = "\r\x1b[K"
            if self._column is None:
                self._column = self._terminal.width_of_current_line
                start = "\n"
            self._terminal.write(start + line, flush=True)

    def close(self) -> None:
        """Take the line away and put the cursor back where pytest left it."""
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            self._over.set()
            ticker.join()
        with self._lock:
            if self._column is not None:
                forward = f"\x1b[{self._column}C" if self._column else ""
                self._terminal.write(f"\r\x1b[K\x1b[A{forward}", flush=True)
            self._column = None
            self._news = None
            self._started.clear()

    def _tick(self) -> None:
        over = self._over
        while not over.wait(1.0):
            self.draw()


def _is_running(step: Step) -> bool:
    return step.status == "miss" and step.seconds is None


def can_draw(file: object) -> bool:
    """Whether a stream is a terminal that understands cursor movement."""
    isatty = getattr(file, "isatty", None)
    if isatty is None or not isatty():
        return False
    return os.name == "posix" and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def closing(progress: Progress) -> Iterator[None]:
    """Take the live line away before pytest prints what comes of the build."""
    try:
        yield
    finally:
        progress.close()
