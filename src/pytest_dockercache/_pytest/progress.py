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
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from ..model import Step
from ..report.terminal import live_line, started_line
from ..subject import WAITING

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = ["LiveProgress", "NoProgress", "PlainProgress", "Progress", "progress_for"]


def progress_for(config: pytest.Config) -> Progress:
    """The progress that fits where pytest writes; silent with ``-q``.

    A worker of pytest-xdist has no terminal: see :mod:`.relay`.
    """
    reporter: TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.get_verbosity() < 0:
        return NoProgress()
    terminal = _PytestTerminal(config, reporter)
    return LiveProgress(terminal) if terminal.can_draw else PlainProgress(terminal)


class Terminal(Protocol):
    """The methods of pytest's terminal writer that progress uses."""

    @property
    def width(self) -> int:
        """Columns of the terminal."""

    @property
    def column(self) -> int:
        """How many columns pytest has written in its current line."""

    def write(self, text: str) -> None:
        """Write a text unchanged, and flush it."""

    def end_line(self) -> None:
        """End a line that pytest has begun."""

    def resume(self) -> None:
        """Begin the line that was ended again, where pytest writes the item's result."""


class Progress(Protocol):
    """Hears of builds while they run."""

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Hear the news of a build: its title, and its steps so far."""

    def close(self, nodeid: str | None = None) -> None:
        """The build is over: leave the terminal as pytest expects it within this item."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to pytest for a while, though the build goes on."""


class NoProgress:
    """Where nobody looks."""

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Say nothing."""

    def close(self, nodeid: str | None = None) -> None:
        """Do nothing."""

    def paused(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()


class PlainProgress:
    """One line for each step that starts to execute; for logs.

    Each line is written at once: many log viewers show nothing before the newline.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._said: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Name the steps that have started since the last news, or what the build waits for."""
        started = [step for step in steps if _has_started(step)]
        with self._lock:
            for step in started:
                self._say(title, step)
            if not steps:
                self._say(title, None)

    def _say(self, title: str, step: Step | None) -> None:
        what = (title, 0 if step is None else step.line)
        if what not in self._said:
            self._said.add(what)
            self._terminal.end_line()
            self._terminal.write(f"{started_line(title, step, self._terminal.width)}\n")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Write nothing meanwhile."""
        with self._lock:
            yield

    def close(self, nodeid: str | None = None) -> None:
        """Let pytest's line of results go on below ours."""
        if self._said and nodeid is not None:
            self._terminal.resume()
        self._said.clear()


class LiveProgress:
    """One line below pytest's current one, with the running step and its seconds."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._lock = threading.Lock()
        self._news: tuple[str, Step | None] | None = None
        self._started: dict[tuple[str, int], float] = {}
        self._column: int | None = None
        self._over = threading.Event()
        self._ticker: threading.Thread | None = None

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Take the news and draw it."""
        running = next((step for step in reversed(steps) if step.running), None)
        with self._lock:
            if self._news == (title, running):
                return
            self._news = title, running
            self._started.setdefault(_place(title, running), self._clock())
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
            title, running = self._news
            began = self._started.get(_place(title, running))
            if running is None and title != WAITING:
                began = None  # between two steps; nobody wonders for how long
            seconds = None if began is None else self._clock() - began
            line = live_line(title, running, seconds, self._terminal.width - 1)
            start = "\r\x1b[K"
            if self._column is None:
                self._column = self._terminal.column
                start = "\n"
            self._terminal.write(start + line)

    def close(self, nodeid: str | None = None) -> None:
        """Take the line away and put the cursor back where pytest left it."""
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            self._over.set()
            ticker.join()
        with self._lock:
            self._lift()
            self._news = None
            self._started.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the live line; the line is drawn anew within a second after the block."""
        with self._lock:
            self._lift()
            yield

    def _lift(self) -> None:
        if self._column is not None:
            forward = f"\x1b[{self._column}C" if self._column else ""
            self._terminal.write(f"\r\x1b[K\x1b[A{forward}")
        self._column = None

    def _tick(self) -> None:
        over = self._over
        while not over.wait(1.0):
            self.draw()


def _place(title: str, step: Step | None) -> tuple[str, int]:
    return title, 0 if step is None else step.line


def _has_started(step: Step) -> bool:
    """Whether a step executes or has executed; a predicted miss never does."""
    return step.running or (step.status == "miss" and step.seconds is not None)


class _PytestTerminal:
    """Pytest's own terminal, reached past the capture of the test's output."""

    def __init__(self, config: pytest.Config, reporter: TerminalReporter) -> None:
        self._writer = config.get_terminal_writer()
        self._reporter = reporter
        self._ended: str | Path | None = None
        self._capture = config.pluginmanager.get_plugin("capturemanager")

    @property
    def can_draw(self) -> bool:
        """Whether the output is a terminal that understands cursor movement."""
        if os.name != "posix" or os.environ.get("TERM", "dumb") == "dumb":
            return False
        # A property before pytest 8.4 (read in 8.0.0 and 8.4.0), a method since.
        answer: object = self._reporter.isatty
        return bool(answer() if callable(answer) else answer)

    @property
    def width(self) -> int:
        return self._writer.fullwidth

    @property
    def column(self) -> int:
        return self._writer.width_of_current_line

    def write(self, text: str) -> None:
        # Pytest's own write() would count the text as part of pytest's line.
        raw = getattr(self._writer, "write_raw", self._writer.write)
        with self._uncaptured():
            raw(text, flush=True)

    def end_line(self) -> None:
        # The beginning of pytest's line: a file's path, with -v the item's place.
        begun = self._reporter.currentfspath
        if isinstance(begun, (str, Path)):
            self._ended = begun
        with self._uncaptured():
            self._reporter.ensure_newline()
            if self._writer.width_of_current_line:
                self._writer.line()  # the dots of workers, which begin with no file
            self._reporter.flush()

    def resume(self) -> None:
        # This code begins a line as pytest does, without pytest's empty line before.
        begun, self._ended = self._ended, None
        if begun is None:
            return
        text = str(begun)
        if isinstance(begun, Path):
            text = f"{os.path.relpath(begun, self._reporter.startpath)} "
        self._reporter.currentfspath = begun
        with self._uncaptured():
            self._writer.write(text, flush=True)

    def _uncaptured(self) -> AbstractContextManager[None]:
        if self._capture is None:
            return nullcontext()
        lifted: AbstractContextManager[None] = self._capture.global_and_fixture_disabled()
        return lifted
