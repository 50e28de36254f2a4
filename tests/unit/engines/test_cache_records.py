"""Which records of a shared build cache are taken for ours."""

from __future__ import annotations

from pytest_dockercache.engines.cache_records import (
    CacheRecord,
    Ledger,
    made_by,
    parse_usage,
    prune_all,
)
from pytest_dockercache.engines.vertices import Made

SECOND = 10**9
COPY = Made("[2/3] COPY a b", "", 10 * SECOND, 11 * SECOND)
RUN = Made("[3/3] RUN make 1", "make $N", 11 * SECOND, 60 * SECOND)


def test_a_copy_is_recognised_by_its_name_and_its_moment() -> None:
    records = (
        CacheRecord("ours", COPY.name, 1, 10 * SECOND),
        CacheRecord("another instruction", "[2/3] COPY c d", 1, 10 * SECOND),
        CacheRecord("another day", COPY.name, 1, 5 * SECOND),
    )
    assert made_by([COPY], records) == {"ours"}


def test_a_command_is_recognised_before_its_variables_are_replaced() -> None:
    records = (
        CacheRecord("ours", "mount / from exec /bin/sh -c make  $N", 1, 60 * SECOND),
        CacheRecord("another command", "mount / from exec /bin/sh -c make all", 1, 60 * SECOND),
        CacheRecord(
            "a cache mount", 'cached mount /c from exec make $N with id "c"', 1, 60 * SECOND
        ),
    )
    assert made_by([RUN], records) == {"ours"}


def test_what_was_there_before_the_build_is_never_ours() -> None:
    store = [CacheRecord("users", COPY.name, 1, 10 * SECOND)]
    ledger = Ledger(lambda: tuple(store))
    ledger.begin(edited=True)
    store.append(CacheRecord("ours", COPY.name, 1, 10 * SECOND))
    ledger.end([COPY], edited=True)
    assert ledger.left() == {"ours"}
    ledger.begin(edited=True)
    ledger.end([], edited=True)
    assert ledger.left() == {"ours"}


def test_an_unedited_build_leaves_only_its_upload_to_us() -> None:
    store: list[CacheRecord] = []
    ledger = Ledger(lambda: tuple(store))
    upload = Made("[internal] load remote build context", "", 9 * SECOND, 10 * SECOND)
    ledger.begin(edited=False)
    store.append(CacheRecord("copy", COPY.name, 1, 10 * SECOND))
    store.append(CacheRecord("tar", "http url http://build-context-x1", 1, 10 * SECOND))
    ledger.end([upload, COPY], edited=False)
    ledger.begin(edited=True)
    ledger.end([], edited=True)
    assert ledger.left() == {"tar"}


def test_a_builder_that_cannot_list_its_cache_says_so() -> None:
    ledger = Ledger(lambda: None)
    ledger.begin(edited=True)
    ledger.end([COPY], edited=True)
    assert ledger.left() is None


def test_records_go_in_the_order_in_which_they_stand_on_each_other() -> None:
    store = {"a": 1, "b": 2, "c": 4}

    def prune(record: str) -> None:
        if record == max(store):
            del store[record]

    def records() -> list[CacheRecord]:
        return [CacheRecord(name, "", size, 0) for name, size in store.items()]

    assert prune_all(["a", "b", "c", "gone"], records, prune) == 0
    assert store == {}


def test_the_newest_record_goes_first_so_that_each_is_asked_for_once() -> None:
    # On a daemon with ten thousand records one request takes half a second.
    store = {name: CacheRecord(name, "", 1, created) for created, name in enumerate("dacb")}
    asked: list[str] = []

    def prune(record: str) -> None:
        asked.append(record)
        if record == max(store, key=lambda name: store[name].created):
            del store[record]

    assert prune_all("abcd", lambda: list(store.values()), prune) == 0
    assert asked == ["b", "c", "a", "d"]


def test_what_cannot_go_is_counted_in_bytes() -> None:
    records = [CacheRecord("a", "", 7, 0), CacheRecord("b", "", 9, 0)]
    assert prune_all(["a"], lambda: records, lambda record: None) == 7


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
