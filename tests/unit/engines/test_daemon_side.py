"""The connection of an engine to its daemon."""

from __future__ import annotations

import threading
import time
from typing import Any

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.engines.daemon_side import DaemonSide
from pytest_dockercache.model import EngineInfo


def test_two_threads_that_ask_at_once_make_one_connection() -> None:
    made: list[object] = []

    def connect() -> Any:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    side = DaemonSide(connect, EngineInfo("buildx", "1", "", "a test", "builder"), BUILDKIT)
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(side._daemon)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == made * 4
