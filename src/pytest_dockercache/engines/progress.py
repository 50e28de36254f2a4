"""A BuildKit build's progress as one kind of event, read from either of its two encodings.

``docker buildx build --progress=rawjson`` writes ``SolveStatus`` objects as JSON to standard error,
indented over many lines (buildx 0.13) or one a line (0.29), with plain text between them when a
build fails. ``POST /build`` of the Engine API with ``version=2`` streams the progress as base64
protobuf ``StatusResponse`` messages in ``moby.buildkit.trace`` records.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Any

from ..regexes import regex
from ..values import dataclass

__all__ = [
    "Event",
    "LogEvent",
    "RawJson",
    "TextEvent",
    "VertexEvent",
    "decode_trace",
    "nanoseconds",
]


@dataclass(frozen=True)
class VertexEvent:
    """News of one vertex. ``started`` and ``completed`` are nanoseconds since the epoch."""

    digest: str
    name: str
    inputs: tuple[str, ...] = ()
    cached: bool = False
    started: int | None = None
    completed: int | None = None
    error: str = ""


@dataclass(frozen=True)
class LogEvent:
    """A piece of a vertex's output; pieces end anywhere, also within a line."""

    vertex: str
    text: str


@dataclass(frozen=True)
class TextEvent:
    """A line that the builder's client wrote beside the events, such as its last error."""

    text: str


Event = VertexEvent | LogEvent | TextEvent


class RawJson:
    """Decodes the output of ``--progress=rawjson``, line by line.

    An object that spans lines begins with a line ``{`` and ends with a line
    ``}``, as Go's encoder indents it; everything else is text.
    """

    def __init__(self) -> None:
        self._open: list[str] = []

    def feed(self, line: str) -> Iterator[Event]:
        """Yield the events that this line completes."""
        stripped = line.rstrip("\r\n")
        if self._open:
            self._open.append(stripped)
            if stripped.startswith("}"):
                yield from self._close()
        elif stripped == "{":
            self._open.append(stripped)
        elif stripped.startswith("{"):
            yield from _decode_json(stripped)
        elif stripped:
            yield TextEvent(stripped)

    def end(self) -> Iterator[Event]:
        """Yield the rest of an output that broke off in the middle of an object."""
        yield from self._close()

    def _close(self) -> Iterator[Event]:
        lines, self._open = self._open, []
        if lines:
            yield from _decode_json("\n".join(lines))


def _decode_json(text: str) -> Iterator[Event]:
    try:
        record, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        record, end = None, 0
    if isinstance(record, dict):
        yield from _status_events(record)
    for line in text[end:].splitlines():
        if line.strip():
            yield TextEvent(line)


def _status_events(record: Mapping[str, Any]) -> Iterator[Event]:
    # A RUN may print what looks like a status: a value that is no event is left out.
    for vertex in _records(record, "vertexes"):
        inputs = vertex.get("inputs")
        yield VertexEvent(
            digest=_string(vertex, "digest"),
            name=_string(vertex, "name"),
            inputs=tuple(map(str, inputs)) if isinstance(inputs, list) else (),
            cached=bool(vertex.get("cached")),
            started=nanoseconds(_string(vertex, "started")),
            completed=nanoseconds(_string(vertex, "completed")),
            error=_string(vertex, "error"),
        )
    for log in _records(record, "logs"):
        try:
            text = base64.b64decode(_string(log, "data")).decode(errors="replace")
        except (binascii.Error, ValueError):
            continue
        yield LogEvent(_string(log, "vertex"), text)


def _records(record: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    value = record.get(key)
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _string(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


_RFC3339 = regex(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))"
)


def nanoseconds(stamp: str | None) -> int | None:
    """A time in the form of RFC 3339, in nanoseconds since the epoch; None for any other text."""
    # datetime.fromisoformat() of Python 3.10 knows neither "Z" nor nanoseconds,
    # and two starts of one vertex may differ by less than a microsecond.
    found = _RFC3339.fullmatch(stamp or "")
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    # Not time.strptime(), nor calendar.timegm(): a cache has thousands of records.
    days = _days(int(year), int(month), int(day))
    if days is None:
        return None
    seconds = days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


@lru_cache(64)
def _days(year: int, month: int, day: int) -> int | None:
    """The number of a day since 1 January 1970; None if the calendar has no such day."""
    with suppress(ValueError):
        return date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    return None


def decode_trace(record: str) -> Iterator[Event]:
    """Decode the ``aux`` of one ``moby.buildkit.trace`` record.

    The message is ``moby.buildkit.v1.StatusResponse`` (BuildKit
    api/services/control/control.proto): 1 vertexes, 2 statuses, 3 logs. Raises ValueError for bytes
    that are not such a message.
    """
    for number, value in _fields(base64.b64decode(record)):
        if number == 1 and isinstance(value, bytes):
            yield _vertex(value)
        elif number == 3 and isinstance(value, bytes):
            fields = dict(_fields(value))
            yield LogEvent(_text(fields.get(1)), _text(fields.get(4)))


def _vertex(message: bytes) -> VertexEvent:
    fields: dict[int, int | bytes] = {}
    inputs = []
    for number, value in _fields(message):
        if number == 2:
            inputs.append(_text(value))
        else:
            fields[number] = value
    return VertexEvent(
        digest=_text(fields.get(1)),
        name=_text(fields.get(3)),
        inputs=tuple(inputs),
        cached=bool(fields.get(4, 0)),
        started=_timestamp(fields.get(5)),
        completed=_timestamp(fields.get(6)),
        error=_text(fields.get(7)),
    )


def _text(value: int | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _timestamp(value: int | bytes | None) -> int | None:
    if not isinstance(value, bytes):
        return None
    fields = dict(_fields(value))
    seconds, nanos = fields.get(1, 0), fields.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        raise ValueError("a timestamp of the build trace is not a protobuf Timestamp")
    return seconds * 10**9 + nanos


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of one protobuf message: number and value, in the order of the message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire = key & 7
        if wire == 0:
            number, position = _varint(message, position)
            yield key >> 3, number
            continue
        if wire == 2:
            size, position = _varint(message, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} in the build trace")
        if position + size > len(message):
            raise ValueError("the build trace breaks off within a field")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("the build trace breaks off within a number")
        byte = message[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
