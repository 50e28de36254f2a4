"""Both encodings of BuildKit's progress, from recordings of real builders and broken input."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import rawjson, records, trace

from pytest_dockercache.engines.progress import (
    LogEvent,
    RawJson,
    TextEvent,
    VertexEvent,
    decode_trace,
    nanoseconds,
)
from pytest_dockercache.engines.vertices import parse_name


@pytest.mark.parametrize("name", ["buildx-0.13.1-cold", "buildx-0.29.1-edited"])
def test_indented_and_one_line_json_give_the_same_kind_of_events(name: str) -> None:
    events = rawjson(name)
    names = {event.name for event in events if isinstance(event, VertexEvent)}
    assert "[stage-1 4/4] RUN cat /src/main.py" in names
    assert not [event for event in events if isinstance(event, TextEvent)]


def test_the_engine_api_carries_the_same_vertices_as_buildx() -> None:
    def steps(events: Sequence[object]) -> set[str]:
        found = (parse_name(event.name) for event in events if isinstance(event, VertexEvent))
        return {str(name) for name in found if name is not None and name.keyword != "FROM"}

    assert steps(trace("engine-26.1.5-edited")) == steps(rawjson("buildx-0.29.1-edited"))


def test_a_vertex_of_the_trace_has_inputs_times_and_the_cached_flag() -> None:
    events = [e for e in trace("engine-26.1.5-edited") if isinstance(e, VertexEvent)]
    cached = [e for e in events if e.name.startswith("[builder 4/4]") and e.cached]
    ran = [e for e in events if e.name.startswith("[stage-1 4/4]") and e.completed]
    assert cached
    assert all(e.started and e.inputs for e in cached)
    assert (ran[-1].completed or 0) > (ran[-1].started or 0) > 1_700_000_000 * 10**9
    assert not ran[-1].cached


@pytest.mark.parametrize("source", ["buildx", "engine"])
def test_the_output_of_a_command_is_decoded(source: str) -> None:
    name = "buildx-0.13.1-failing" if source == "buildx" else "engine-26.1.5-failing"
    events = rawjson(name) if source == "buildx" else trace(name)
    text = "".join(event.text for event in events if isinstance(event, LogEvent))
    assert "before the end\n" in text


@pytest.mark.parametrize("name", ["buildx-0.13.1-failing", "buildx-0.29.1-failing"])
def test_plain_text_between_the_objects_is_kept_as_text(name: str) -> None:
    text = [event.text for event in rawjson(name) if isinstance(event, TextEvent)]
    assert any(line.startswith("ERROR: ") and "exit code: 3" in line for line in text)
    assert any(">>> RUN echo before the end; exit 3" in line for line in text)


def test_text_glued_to_an_object_is_told_from_it() -> None:
    decoder = RawJson()
    events = list(decoder.feed('{"vertexes":[{"digest":"d","name":"n"}]}ERROR: gone\n'))
    assert events == [VertexEvent("d", "n"), TextEvent("ERROR: gone")]


def test_an_output_that_breaks_off_within_an_object_is_text() -> None:
    decoder = RawJson()
    events = [event for line in ("{", ' "vertexes": [') for event in decoder.feed(line)]
    assert events == []
    assert [getattr(event, "text", None) for event in decoder.end()] == ["{", ' "vertexes": [']


NO_STATUS = [
    "{not json", "[1, 2]", '{"vertexes": null}', "{}", "\x1b[0m", '{"vertexes": true}',
    '{"vertexes": [5, "a"]}', '{"logs": 5}', '{"logs": [[]]}', "{" + '"a":{' * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("line", NO_STATUS)
def test_a_line_that_is_no_status_never_raises(line: str) -> None:
    assert not [e for e in RawJson().feed(line) if isinstance(e, VertexEvent)]


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.5Z", 5 * 10**8),
        ("1970-01-01T02:00:01+02:00", 10**9),
        ("1969-12-31T23:00:01-01:00", 10**9),
        ("2024-02-29T23:59:59.123456789Z", 1709251199123456789),
        ("2023-02-29T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_keep_their_nanoseconds(stamp: str | None, expected: int | None) -> None:
    assert nanoseconds(stamp) == expected


@given(st.binary(max_size=200))
def test_a_broken_trace_is_a_value_error_or_events(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        list(decode_trace(base64.b64encode(message).decode()))


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=300))
def test_a_trace_cut_anywhere_never_hangs_or_crashes(which: int, cut: int) -> None:
    found = [r["aux"] for r in records("engine-26.1.5-edited") if "buildkit" in r.get("id", "")]
    message = base64.b64decode(found[which % len(found)])
    with contextlib.suppress(ValueError):
        list(decode_trace(base64.b64encode(message[: len(message) - cut]).decode()))


def test_fields_of_other_types_than_a_status_has_are_left_out() -> None:
    odd = {"digest": 5, "name": ["a"], "inputs": 7, "started": True, "error": {}}
    line = json.dumps({"vertexes": [odd], "logs": [{"vertex": 5, "data": [1]}]})
    assert list(RawJson().feed(line)) == [VertexEvent("", ""), LogEvent("", "")]
