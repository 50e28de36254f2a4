"""SIGTERM and SIGHUP end a session as Ctrl-C does: with everything cleaned up.

A container that is stopped, a job that is cancelled or a terminal that is
closed would otherwise leave the images and the cache records of the run until
the next run sweeps them.
"""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import FrameType

import pytest

__all__ = ["end_like_interrupt"]


def end_like_interrupt(config: pytest.Config) -> None:
    """Raise KeyboardInterrupt at the first of these signals; the next ones are ignored.

    A handler that other code has set, or that ignores the signal (``nohup``), stays.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        if not ended:
            ended = True
            raise KeyboardInterrupt(signal.Signals(number).name)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)
            config.add_cleanup(partial(_restore, number, end))


def _restore(number: int, handler: object) -> None:
    if signal.getsignal(number) is handler:
        signal.signal(number, signal.SIG_DFL)
