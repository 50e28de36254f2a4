"""How the work for an input grows with the input's size, whatever the machine and its load."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TIMES = 8
"""How many times the size of the larger input is that of the smaller."""

LINEAR = 3 * TIMES
"""More than linear growth shows on any machine, and less than square growth, which is 64 times."""


def growth(work: Callable[[int], object], size: int) -> float:
    """By how much the processor time grows while the size grows eightfold.

    ``work`` does the work for an input of a size. Both sizes are tried three times in turns, and
    the least time of each counts. The smaller one should take at least a few milliseconds.
    """
    small, large = [], []
    for _ in range(3):
        small.append(_seconds(work, size))
        large.append(_seconds(work, size * TIMES))
    return min(large) / min(small)


def _seconds(work: Callable[[int], object], size: int) -> float:
    gc.collect()
    began = time.process_time()
    work(size)
    return time.process_time() - began
