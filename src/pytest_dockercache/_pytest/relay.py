"""Progress under pytest-xdist: workers leave news of their builds, the controller shows them.

A worker has a file in the run's directory while it builds or waits; the
controller looks at these files twice a second.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..errors import ConfigError
from ..model import Step
from ..runs import Run, read_json, write_json
from .progress import Progress

__all__ = ["Relay", "RelayedProgress"]

_SECONDS = 0.5
"""Between two looks."""


def _place(run: Run) -> Path:
    return run.directory / "progress"


class RelayedProgress:
    """In a worker: leaves what its build is doing where the controller looks.

    ``run`` is asked for when there is news; ``worker`` is the worker's name.
    """

    def __init__(self, run: Callable[[], Run], worker: str) -> None:
        self._run = run
        self._worker = worker
        self._told: tuple[str, int | None] | None = None

    def __call__(self, title: str, steps: Sequence[Step]) -> None:
        """Leave the title and the running step for the controller, if they have changed."""
        running = next((step for step in reversed(steps) if step.running), None)
        news = (title, None if running is None else running.line)
        if news == self._told or (steps and running is None):
            return
        self._told = news
        text = None if running is None else running.text
        # A full disk must not end a build for the sake of a line on the screen.
        with contextlib.suppress(OSError, ConfigError):
            write_json(self._file, {"title": title, "line": news[1], "text": text})

    def close(self, nodeid: str | None = None) -> None:
        """The build is over."""
        if self._told is not None:
            self._told = None
            with contextlib.suppress(OSError):
                self._file.unlink()

    def paused(self) -> AbstractContextManager[None]:
        """Nothing is drawn here."""
        return nullcontext()

    @property
    def _file(self) -> Path:
        return _place(self._run()) / f"{self._worker}.json"


class Relay:
    """In the controller: shows what the workers build.

    ``shown`` is the progress of the controller's own terminal. The thread calls :meth:`look` again
    and again.
    """

    def __init__(self, run: Run, shown: Progress) -> None:
        self._run = run
        self._shown = shown
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and leave the terminal to pytest."""
        self._over.set()
        self._thread.join()
        self._shown.close()

    def look(self) -> None:
        """Show the build that runs; builds on one builder take turns, and the others wait."""
        waiting: str | None = None
        for path in sorted(_place(self._run).glob("*.json")):
            news = read_json(path)
            if not isinstance(news, dict) or not isinstance(news.get("title"), str):
                continue
            line, text = news.get("line"), news.get("text")
            if isinstance(line, int) and isinstance(text, str):
                step = Step(line, "", "", text, status="miss", running=True)
                self._shown(news["title"], (step,))
                return
            waiting = news["title"]
        if waiting is not None:
            self._shown(waiting, ())
        elif not self._over.is_set():
            self._shown.close()

    def _watch(self) -> None:
        while not self._over.wait(_SECONDS):
            self.look()
