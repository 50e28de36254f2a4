"""A build is not cancelled before the command that it runs can be killed."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from pytest_dockercache.engines.cancelling import Pending, cancel
from pytest_dockercache.errors import BuildFailed

COMMAND = "a command that no process of this machine runs"


class Scripted:
    """A build whose next news are known; each leaves these commands silent."""

    def __init__(self, *silent: set[str], error: bool = False) -> None:
        self.news = [dict.fromkeys(steps, COMMAND) for steps in silent]
        self.error = error
        self.stopped_after: int | None = None
        self.followed = 0
        self.reading = False

    def alive(self) -> bool:
        return self.stopped_after is None

    def silent(self) -> dict[str, str]:
        return self.news[0]

    def reads_context(self) -> bool:
        return self.reading

    def follow(self, deadline: float) -> bool:
        self.followed += 1
        if self.error:
            raise BuildFailed("it fails while nobody looks")
        self.news.pop(0)
        return True

    def stop(self) -> None:
        self.stopped_after = self.followed


def test_a_build_that_runs_no_silent_command_is_cancelled_at_once() -> None:
    build = Scripted(set())
    pending = Pending()
    pending.add(cancel(build))
    pending.wait()
    assert build.stopped_after == 0


def test_a_build_that_has_ended_is_not_waited_for() -> None:
    build = Scripted({"run"})
    build.stop()
    assert cancel(build) is None


def test_a_command_that_has_not_printed_is_first_given_time_to_start() -> None:
    build = Scripted({"run"}, {"run"}, set())
    pending = Pending()
    pending.add(cancel(build))
    pending.wait()
    assert build.stopped_after == 2


def test_a_command_that_can_be_seen_running_needs_no_more_time() -> None:
    build = Scripted({"run"}, {"run"}, set())
    command = f"import time\nprint('{uuid.uuid4()}', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            build.news[0] = {"run": command}
            thread = cancel(build)
            assert thread is not None
            thread.join()
        finally:
            process.kill()
    assert build.stopped_after == (0 if Path("/proc/self/cmdline").exists() else 2)


def test_the_caller_is_held_up_while_the_context_is_still_read() -> None:
    build = Scripted({"run"}, set())
    build.reading = True
    cancel(build)
    assert build.stopped_after == 1


def test_a_build_that_fails_meanwhile_is_nobodys_concern() -> None:
    build = Scripted({"run"}, error=True)
    thread = cancel(build)
    assert thread is not None
    thread.join()
    assert build.stopped_after == 1
