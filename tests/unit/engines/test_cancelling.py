"""A build is not cancelled before the command that it runs can be killed."""

from __future__ import annotations

from pytest_dockercache.engines.cancelling import Pending, cancel
from pytest_dockercache.errors import BuildFailed


class Scripted:
    """A build whose next news are known; each leaves these commands silent."""

    def __init__(self, *silent: set[str], error: bool = False) -> None:
        self.news = [frozenset(commands) for commands in silent]
        self.error = error
        self.stopped_after: int | None = None
        self.followed = 0

    def silent(self) -> frozenset[str]:
        return self.news[0]

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
    assert cancel(build) is None
    assert build.stopped_after == 0


def test_a_command_that_has_not_printed_is_first_given_time_to_start() -> None:
    build = Scripted({"run"}, {"run"}, set())
    pending = Pending()
    pending.add(cancel(build))
    pending.wait()
    assert build.stopped_after == 2


def test_a_build_that_fails_meanwhile_is_nobodys_concern() -> None:
    build = Scripted({"run"}, error=True)
    thread = cancel(build)
    assert thread is not None
    thread.join()
    assert build.stopped_after == 1
