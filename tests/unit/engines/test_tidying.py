"""What an edited build left goes while the next build runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pytest_dockercache.engines.tidying import Tidying
from pytest_dockercache.errors import DockerCacheError


def test_traces_go_in_their_order_and_nobody_waits_for_them() -> None:
    goes_on, removed = threading.Event(), list[Sequence[str]]()

    def remove(traces: Sequence[str]) -> int:
        goes_on.wait(10)
        removed.append(traces)
        return 0

    tidying = Tidying(remove)
    tidying.begin(["a"])
    tidying.begin(["b"])
    assert removed == []
    goes_on.set()
    tidying.wait()
    assert removed == [["a"], ["b"]]


def test_it_can_begin_again_after_it_has_ended() -> None:
    removed = list[Sequence[str]]()

    def remove(traces: Sequence[str]) -> int:
        removed.append(traces)
        return 0

    tidying = Tidying(remove)
    for name in "abc":
        tidying.begin([name])
        tidying.wait()
    assert removed == [["a"], ["b"], ["c"]]


def test_an_error_is_left_to_the_clean_up_at_the_end() -> None:
    removed = list[Sequence[str]]()

    def remove(traces: Sequence[str]) -> int:
        if traces == ["lost"]:
            raise DockerCacheError("the daemon is gone")
        removed.append(traces)
        return 0

    tidying = Tidying(remove)
    tidying.begin(["lost"])
    tidying.begin(["b"])
    tidying.wait()
    assert removed == [["b"]]


def test_nothing_is_waited_for_where_nothing_was_begun() -> None:
    tidying = Tidying(lambda _: 0)
    tidying.wait()
    assert tidying.stayed(["a"]) is None


def test_how_much_stayed_is_known_of_what_was_given_last() -> None:
    tidying = Tidying(len)
    first, last, lost = ["a"], ["b", "c"], [1, 2]
    tidying.begin(first)
    tidying.begin(last)
    assert tidying.stayed(last) == 2
    assert tidying.stayed(first) is None
    assert tidying.stayed(lost) is None
