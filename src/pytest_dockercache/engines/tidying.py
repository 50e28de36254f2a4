"""Removing what an edited build left in the build cache while the next build runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import DockerCacheError

__all__ = ["Tidying"]


class Tidying:
    """Removes traces in a thread of its own, in the order in which they are given.

    A daemon spends some 0.2 s on the records of one edited build, mostly waiting
    for its disk: a build that runs meanwhile is not slowed down by that. The
    removal is an attempt: the clean-up at the end of the run looks for what is
    left, so an error here is of no interest.
    """

    def __init__(self, remove: Callable[[Sequence[Any]], int]) -> None:
        self._remove = remove
        self._last: tuple[Sequence[Any], int] | None = None
        self._lock = threading.Lock()
        self._pending: list[Sequence[Any]] = []
        self._thread: threading.Thread | None = None

    def begin(self, traces: Sequence[Any]) -> None:
        """Begin to remove traces; return at once."""
        with self._lock:
            self._pending.append(traces)
            if self._thread is None:
                # The thread must not keep a process alive that was told to end.
                self._thread = threading.Thread(target=self._work, daemon=True, name="tidying")
                self._thread.start()

    def stayed(self, traces: Sequence[Any]) -> int | None:
        """How many bytes of these stayed, None unless they were given last and without an error."""
        self.wait()
        return self._last[1] if self._last is not None and self._last[0] is traces else None

    def wait(self) -> None:
        """Return when everything that was given has been tried."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._pending:
                    self._thread = None
                    return
                traces = self._pending.pop(0)
            # Somebody else may have written the traces, and the daemon may answer oddly.
            with contextlib.suppress(
                DockerCacheError, OSError, TypeError, ValueError, LookupError, AttributeError
            ):
                self._last = traces, self._remove(traces)
