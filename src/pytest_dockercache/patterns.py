"""Regular expressions of the user's; an endless search is ended, with an error that names it.

For a repetition inside a repetition, Python's matcher may take time exponential in the length of a
text. The matcher looks for signals while it matches, so a timer of the process can end a search.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from functools import cache
from types import FrameType

from .errors import ConfigError
from .values import dataclass

__all__ = ["Pattern", "why_invalid"]

SECONDS = 2.0
"""Processor time of one search: a search takes microseconds, or it does not end."""


class _OverError(Exception):
    """The time is over."""


@dataclass(frozen=True)
class Pattern:
    """A regular expression; ``given`` is how the user gave it, for messages."""

    text: str
    given: str

    def __post_init__(self) -> None:
        """Raise ConfigError for a text that is no regular expression."""
        if why := why_invalid(self.text):
            raise ConfigError(
                f"{self.given:.300}: not a regular expression: {why}",
                fix="escape characters such as ( + * with a backslash",
            )

    def found_in(self, text: str) -> bool:
        """Whether the expression matches somewhere in a text.

        Raises ConfigError if a search has not ended after two seconds of processor time. Outside of
        the main thread, and on Windows, nothing ends a search.
        """
        found = _searched(self.text, text)
        if found is None:
            raise ConfigError(
                f"{self.given:.300}: the search is not done after {SECONDS:g} s in "
                f"{' '.join(text.split())!r:.60}",
                why="a repetition inside a repetition, as in (a+)+, tries every division",
                fix="write it without one, or give a plain part of the instruction's text",
            )
        return found


def why_invalid(text: str) -> str | None:
    """The problem with a text as a regular expression, None if there is none."""
    try:
        re.compile(text)
    except (re.error, OverflowError) as problem:
        return str(problem)
    except RecursionError:
        return "it is nested too deep"
    return None


@cache
def _searched(pattern: str, text: str) -> bool | None:
    """Whether a pattern is found, None if the search took too long."""
    try:
        with _limited():
            return re.search(pattern, text) is not None
    except _OverError:
        return None


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise _OverError in the block when the block has used up its processor time."""
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "setitimer")):
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise _OverError

    former = signal.signal(signal.SIGPROF, over)
    remaining, interval = signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, remaining, interval)
        # None stands for a handler that was not set from Python: nobody can set it again.
        signal.signal(signal.SIGPROF, signal.SIG_DFL if former is None else former)
