"""A Docker daemon of the tests' own, to be killed, stopped, frozen and filled.

The daemon needs root and ``dockerd``. Where these are missing, the tests are skipped with the
reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from own_daemon import OwnDaemon, Trial
from plugin_process import environment


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often a run is killed: a few times in CI, as often as wanted by hand."""
    group = parser.getgroup("faults")
    group.addoption("--kills", type=int, default=5, help="how many runs are killed (default: 5)")
    group.addoption("--runs", type=int, default=30, help="how many runs in a row (default: 30)")
    group.addoption("--kill-seed", type=int, default=None, help="repeat the moments of a trial")


@pytest.fixture(scope="session")
def own_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    """A daemon that nobody else uses."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None or shutil.which("ip") is None:
        pytest.skip("a daemon of its own needs root, dockerd and ip")
    daemon = OwnDaemon(tmp_path_factory.mktemp("daemon"))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.remove()


@pytest.fixture
def trial(own_daemon: OwnDaemon, tmp_path: Path) -> Iterator[Trial]:
    """A project on that daemon, and a cache directory of its own."""
    own_daemon.start()
    env = environment(
        DOCKER_HOST=own_daemon.host, XDG_CACHE_HOME=str(tmp_path / "cache"), COLUMNS="200"
    )
    yield Trial(own_daemon, tmp_path, env)
    own_daemon.thaw()
