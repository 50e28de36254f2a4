"""The parts that all tests share: pytest's harness for plugins, and the division among workers."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

pytest_plugins = ["pytester"]

# In tox, pytest keeps its cache below TOX_ENV_DIR: the projects that tests run pytest in
# would all share one, and --lf would mean the failures of another.
os.environ.pop("TOX_ENV_DIR", None)

# A process that a shell starts in the background (`.ci/run &`, as some CI runners do) ignores the
# interrupt, and so does every run below it that a test wants to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, a file goes to one worker, but the samples to any, one by one.

    Tests of a file share images that its module builds, and some count what is
    in the daemon's build cache: two that build the same Dockerfile at the same
    moment would count each other's. The samples are many, slow and independent.
    (xdist's own `loadgroup` does not group under pytest 9.2.)
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if "/test_samples.py::" in nodeid else super()._split_scope(nodeid)

    return Scheduling(config, log)
