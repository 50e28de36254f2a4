"""How much time and memory a reader may take for one input: more of either is a finding."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

__all__ = ["TooMuchMemoryError", "TooSlowError", "bounded"]

SECONDS = 10.0
"""Of processor time: a busy machine is no finding."""

BYTES = 300 * 10**6

_STATUS = Path("/proc/self/status")
_PEAK = Path("/proc/self/clear_refs")


class TooSlowError(BaseException):
    """A reader took too long. No Exception: no reader may catch it."""


class TooMuchMemoryError(AssertionError):
    """A reader took too much memory."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Raise TooSlowError or TooMuchMemoryError if the block takes too much."""
    before = _begin_anew()
    with _alarm():
        yield
    grown = _kilobytes("VmHWM") * 1024 - before
    if before and grown > BYTES:
        raise TooMuchMemoryError(f"{grown / 1e6:.0f} MB")


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {SECONDS:g} s of processor time")

    former = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


def _begin_anew() -> int:
    """Let the peak begin anew, and return the bytes that are taken now; 0 where nobody counts."""
    try:
        _PEAK.write_text("5")
    except OSError:
        return 0
    return _kilobytes("VmRSS") * 1024


def _kilobytes(name: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
