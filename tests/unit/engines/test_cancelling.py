"""A build is not cancelled before the command that it runs can be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from pytest_dockercache.engines.cancelling import (
    LIMIT_SECONDS,
    START_SECONDS,
    cancel,
    uninterrupted,
)
from pytest_dockercache.errors import BuildFailed

COMMAND = "a command that no process of this machine runs"


class Scripted:
    """A build whose next news are known; each leaves these commands silent."""

    def __init__(self, *silent: set[str], error: BaseException | None = None) -> None:
        self.news = [dict.fromkeys(steps, COMMAND) for steps in silent]
        self.error = error
        self.stopped_after: int | None = None
        self.followed = 0

    def alive(self) -> bool:
        return self.stopped_after is None

    def starting(self) -> dict[str, str]:
        return self.news[0]

    def follow(self, deadline: float) -> bool:
        self.followed += 1
        if self.error is not None:
            raise self.error
        self.news.pop(0)
        return True

    def stop(self) -> None:
        self.stopped_after = self.followed


def test_a_build_that_runs_no_silent_command_is_cancelled_at_once() -> None:
    build = Scripted(set())
    cancel(build)
    assert build.stopped_after == 0


def test_a_build_that_has_ended_is_not_waited_for() -> None:
    build = Scripted({"run"})
    build.stop()
    cancel(build)
    assert build.followed == 0


def test_a_command_that_has_not_printed_is_first_given_time_to_start() -> None:
    build = Scripted({"run"}, {"run"}, set())
    cancel(build)
    assert build.stopped_after == 2


def test_a_command_that_can_be_seen_running_needs_no_more_time() -> None:
    build = Scripted({"run"}, {"run"}, set())
    command = f"import time\nprint('{uuid.uuid4()}', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            build.news[0] = {"run": command}
            cancel(build)
        finally:
            process.kill()
    assert build.stopped_after == (0 if Path("/proc/self/cmdline").exists() else 2)


def test_a_build_that_fails_meanwhile_is_nobodys_concern() -> None:
    build = Scripted({"run"}, error=BuildFailed("it fails while nobody looks"))
    cancel(build)
    assert build.stopped_after == 1


def test_a_command_that_never_shows_is_waited_for_only_so_long() -> None:
    build = Scripted(*[{"run"}] * 100)
    times = iter(range(1000))
    cancel(build, clock=lambda: float(next(times)))
    assert build.stopped_after is not None
    assert START_SECONDS / 2 <= build.stopped_after <= LIMIT_SECONDS


def test_an_interrupt_of_the_wait_still_cancels_the_build() -> None:
    build = Scripted({"run"}, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        cancel(build)
    assert build.stopped_after == 1


def test_an_interrupt_waits_until_what_was_begun_is_known() -> None:
    begun: list[str] = []

    def begin() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            begun.append("the build")

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert begun == ["the build"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_only_the_main_thread_is_interrupted() -> None:
    done: list[bool] = []

    def begin() -> None:
        with uninterrupted():
            done.append(True)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    assert done == [True]
