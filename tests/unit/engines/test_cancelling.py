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
    Starting,
    cancel,
    uninterrupted,
)
from pytest_dockercache.errors import BuildFailed

COMMAND = "a command that no process of this machine runs"

Commands = dict[str, Starting]


def begun(*steps: str) -> Commands:
    return {step: Starting(COMMAND, begun=True) for step in steps}


class Scripted:
    """A build whose next news are known; each says which commands may begin.

    ``heard`` counts the news that were taken in before it was stopped.
    """

    def __init__(self, *news: Commands, error: BaseException | None = None) -> None:
        self.news = iter(news)
        self.now: Commands = begun("what nobody has been told yet")
        self.error = error
        self.heard = 0
        self.stopped = False

    def alive(self) -> bool:
        return not self.stopped

    def starting(self) -> Commands:
        return self.now

    def follow(self, deadline: float) -> bool:
        if self.stopped:
            return False
        if self.error is not None and self.heard:
            raise self.error
        self.now = next(self.news)
        self.heard += 1
        return True

    def stop(self) -> None:
        self.stopped = True


def test_a_build_that_runs_no_silent_command_is_cancelled_at_once() -> None:
    build = Scripted({})
    cancel(build)
    assert build.stopped
    assert build.heard == 1


def test_a_build_that_has_ended_is_not_waited_for() -> None:
    build = Scripted()
    build.stop()
    cancel(build)
    assert build.heard == 0


def test_a_command_that_has_not_printed_is_first_given_time_to_start() -> None:
    build = Scripted(begun("run"), begun("run"), {})
    cancel(build)
    assert build.stopped
    assert build.heard == 3


def test_a_command_that_can_be_seen_running_needs_no_more_time() -> None:
    command = f"import time\nprint('{uuid.uuid4()}', flush=True)\ntime.sleep(60)"
    build = Scripted({"run": Starting(command, begun=True)}, {"run": Starting(command, True)}, {})
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            cancel(build)
        finally:
            process.kill()
    assert build.heard == (1 if Path("/proc/self/cmdline").exists() else 3)


def test_a_build_that_fails_meanwhile_is_nobodys_concern() -> None:
    build = Scripted(begun("run"), error=BuildFailed("it fails while nobody looks"))
    cancel(build)
    assert build.stopped


def test_a_command_that_never_shows_is_waited_for_only_so_long() -> None:
    build = Scripted(*[begun("run")] * 100)
    cancel(build, clock=Seconds())
    assert build.stopped
    assert START_SECONDS / 2 <= build.heard <= START_SECONDS + 1


def test_a_command_that_begins_late_has_its_time_from_then_on() -> None:
    pending = {"run": Starting(COMMAND, begun=False)}
    build = Scripted(pending, pending, *[begun("run")] * 100)
    cancel(build, clock=Seconds(step=0.6))
    late = build.heard
    build = Scripted(*[begun("run")] * 100)
    cancel(build, clock=Seconds(step=0.6))
    assert late > build.heard


def test_commands_that_begin_one_after_the_other_are_waited_for_only_so_long() -> None:
    build = Scripted(*[begun(str(number)) for number in range(100)])
    cancel(build, clock=Seconds())
    assert build.stopped
    assert build.heard <= LIMIT_SECONDS


class Seconds:
    """A clock that goes on whenever it is looked at."""

    def __init__(self, step: float = 1.0) -> None:
        self.step = step
        self.time = 0.0

    def __call__(self) -> float:
        self.time += self.step
        return self.time


def test_an_interrupt_of_the_wait_still_cancels_the_build() -> None:
    build = Scripted(begun("run"), error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        cancel(build)
    assert build.stopped


def test_an_interrupt_waits_until_what_was_begun_is_known() -> None:
    known: list[str] = []

    def begin() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            known.append("the build")

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert known == ["the build"]
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
