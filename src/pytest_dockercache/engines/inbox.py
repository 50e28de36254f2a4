"""The items that a reader thread hands over: in order, with an end, and with a time limit."""

from __future__ import annotations

import queue
import time
from typing import Generic, TypeVar

__all__ = ["Inbox"]

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A queue with one writer and one reader that carries its end, or the error at the end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[bool, Item | BaseException | None]] = (
            queue.SimpleQueue()
        )
        self._error: object = None
        self.ended = False

    def put(self, item: Item) -> None:
        """Hand over one item."""
        self._queue.put((False, item))

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing follows; the reader gets the error, if there is one, at that point."""
        self._queue.put((True, error))

    def take(self, deadline: float | None = None) -> list[Item]:
        """Wait for news and return all there are.

        Nothing is returned when ``deadline`` (of :func:`time.monotonic`) has
        passed, or when this was the end: then ``ended`` is True. Raises the
        error that the writer ended with.
        """
        taken: list[Item] = []
        while not self.ended:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                last, item = self._queue.get(block=not taken, timeout=wait)
            except queue.Empty:
                return taken
            if last:
                self.ended = True
                self._error = item
            else:
                taken.append(item)  # type: ignore[arg-type]
        if not taken and isinstance(self._error, BaseException):
            error, self._error = self._error, None
            raise error
        return taken
