"""Python's cyclic garbage collector, kept from going through the same modules again and again.

The modules of this package and of the docker SDK make fifty thousand objects that live as long as
the process. The collector went through all of them nine times in a run of a second, a fifth of it.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Generator
from contextlib import contextmanager

import pytest

__all__ = ["spared"]


@contextmanager
def spared(config: pytest.Config) -> Generator[None]:
    """Nothing is collected in the block, and what was made until its end is not gone through again.

    Both hold until the session ends. A process that has frozen objects of its own or collects none
    (``gc.freeze``, ``gc.disable``) is left as it is.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.freeze()
    config.add_cleanup(gc.unfreeze)
    # Python collects three times while it ends, when nobody needs the memory any more.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
