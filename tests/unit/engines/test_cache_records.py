"""The records of a shared build cache that are taken for the plugin's."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from pytest_dockercache.engines.cache_records import (
    CacheRecord,
    Ledger,
    Trace,
    claimed,
    parse_usage,
    prune_all,
)
from pytest_dockercache.engines.vertices import Made

SECOND = 10**9
COPY = Made("[2/3] COPY a b", "", 10 * SECOND, 11 * SECOND)
RUN = Made("[3/3] RUN make 1", "make $N", 11 * SECOND, 60 * SECOND)


def ids(records: Sequence[CacheRecord]) -> set[str]:
    return {record.id for record in records}


def traces_of(*made: Made, began: int = 0, edited: bool = True) -> tuple[Trace, ...]:
    """The notes of a build that began then, as another process reads them."""
    ledger = Ledger(lambda: began)
    ledger.begin()
    ledger.end(made, edited=edited)
    noted: tuple[Trace, ...] = tuple(json.loads(json.dumps(ledger.traces())))
    assert ledger.traces() == ()
    return noted


def test_a_copy_is_recognised_by_its_name_and_its_moment() -> None:
    records = (
        CacheRecord("ours", COPY.name, 1, 10 * SECOND),
        CacheRecord("another instruction", "[2/3] COPY c d", 1, 10 * SECOND),
        CacheRecord("another day", COPY.name, 1, 5 * SECOND),
    )
    assert ids(claimed(traces_of(COPY), records)) == {"ours"}


def test_a_command_is_recognised_before_its_variables_are_replaced() -> None:
    records = (
        CacheRecord("ours", "mount / from exec /bin/sh -c make  $N", 1, 60 * SECOND),
        CacheRecord("another command", "mount / from exec /bin/sh -c make all", 1, 60 * SECOND),
        CacheRecord(
            "a cache mount", 'cached mount /c from exec make $N with id "c"', 1, 60 * SECOND
        ),
    )
    assert ids(claimed(traces_of(RUN), records)) == {"ours"}


def test_what_was_there_before_the_build_is_never_ours() -> None:
    # Made by somebody's docker build that ended just before ours began.
    store = [
        CacheRecord("users", COPY.name, 1, 10 * SECOND - 2),
        CacheRecord("ours", COPY.name, 1, 10 * SECOND),
    ]
    assert ids(claimed(traces_of(COPY, began=10 * SECOND - 1), store)) == {"ours"}


def test_what_the_next_build_makes_is_not_ours() -> None:
    # Its context differs, its Dockerfile is the same, and it had waited for ours to end.
    later = CacheRecord("theirs", COPY.name, 1, 11 * SECOND + SECOND // 5)
    assert claimed(traces_of(COPY), [later]) == ()
    unfinished = Made(COPY.name, "", 10 * SECOND, None)
    in_time = CacheRecord("ours", COPY.name, 1, 10 * SECOND + SECOND // 20)
    late = CacheRecord("theirs", COPY.name, 1, 10 * SECOND + SECOND // 5)
    assert ids(claimed(traces_of(unfinished, began=9 * SECOND), [in_time, late])) == {"ours"}


def test_an_unedited_build_leaves_only_its_upload_to_us() -> None:
    upload = Made("[internal] load remote build context", "", 9 * SECOND, 10 * SECOND)
    store = [
        CacheRecord("copy", COPY.name, 1, 10 * SECOND),
        CacheRecord("tar", "http url http://build-context-x1", 1, 10 * SECOND),
    ]
    assert ids(claimed(traces_of(upload, COPY, edited=False), store)) == {"tar"}


def test_without_a_clock_a_build_begins_with_its_first_vertex() -> None:
    ledger = Ledger()
    ledger.begin()
    ledger.end([Made("[internal] load build definition", "", 9 * SECOND, None), COPY], edited=True)
    assert min(trace["since"] for trace in ledger.traces()) == 9 * SECOND


def test_what_a_killed_run_of_another_version_noted_claims_nothing() -> None:
    (trace,) = traces_of(COPY)
    older = {**{name: value for name, value in trace.items() if name != "since"}, "known": []}
    records = [CacheRecord("ours", COPY.name, 1, 10 * SECOND)]
    assert claimed([older, {**trace, "worker": "1"}], records) == ()
    assert ids(claimed([older, trace], records)) == {"ours"}


def test_what_can_go_at_once_does() -> None:
    # On a daemon with ten thousand records one request takes half a second.
    wanted = [CacheRecord(name, "", 1, created) for created, name in enumerate("dacb")]
    asked: list[list[str]] = []

    def prune(names: Sequence[str]) -> Sequence[str]:
        asked.append(list(names))
        return names

    def records() -> list[CacheRecord]:
        pytest.fail("nothing is left to be looked for")

    assert prune_all(wanted, records, prune) == 0
    assert asked == [["b", "c", "a", "d"]]


def test_what_stays_is_asked_for_one_by_one_in_rounds() -> None:
    # A clock was set back: the record that stands on the others looks the oldest.
    store = {name: CacheRecord(name, "", 1, created) for created, name in enumerate("cba")}
    stack = list("abc")

    def prune(names: Sequence[str]) -> Sequence[str]:
        if len(names) == 1 and names[0] == stack[-1]:
            del store[stack.pop()]
        return ()

    wanted = list(store.values())
    assert prune_all(wanted, lambda: list(store.values()), prune) == 0
    assert store == {}


def test_what_cannot_go_is_counted_in_bytes() -> None:
    records = [CacheRecord("a", "", 7, 0), CacheRecord("b", "", 9, 0)]
    assert prune_all(records[:1], lambda: records, lambda names: ()) == 7


def test_the_verbose_usage_of_another_driver_is_read() -> None:
    text = (
        "ID:\t\tabc\n"
        "Parent:\t\tdef\n"
        "Created at:\t2026-11-22 12:10:44.947995208 +0000 UTC\n"
        "Mutable:\tfalse\n"
        "Size:\t\t1.5kB\n"
        "Description:\t[2/3] COPY a: b\n"
        "\n"
        "ID:\t\txyz\n"
        "Size:\t\t10B\n"
        "\n"
        "Reclaimable:\t1.51kB\n"
        "Total:\t\t1.51kB\n"
    )
    expected = CacheRecord("abc", "[2/3] COPY a: b", 1500, 1795349444947995208)
    first, second = parse_usage(text)
    assert first == expected
    assert (second.id, second.size) == ("xyz", 10)


def test_the_verbose_usage_of_a_newer_buildx_is_read_too() -> None:
    text = (
        "ID:           abc\n"
        "Parents:\n"
        " - def\n"
        "Created at:   2026-11-22 12:20:33.556104817 +0000 UTC\n"
        "Size:         0B\n"
        "Description:  [2/5] WORKDIR /opt/forecast\n"
    )
    (record,) = parse_usage(text)
    assert (record.id, record.description, record.size) == ("abc", "[2/5] WORKDIR /opt/forecast", 0)
