"""The records of a build cache that the plugin's edited builds made, and their removal.

A cache is shared with everything else that builds on the daemon, and a record does not name its
maker. The plugin's records are recognised by their descriptions and by their time, both of which
the build's own events tell.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ..values import dataclass
from .progress import nanoseconds
from .vertices import Made

__all__ = ["CacheRecord", "Ledger", "Trace", "claimed", "parse_usage", "prune_all"]

_SLACK = 10**8
"""Nanoseconds by which the time of a cache record may lie outside the times of its vertex.

BuildKit makes the record between start and end of its vertex; the times that buildx prints are
shifted by its latency, some 10 ms. The next build of the builder, which may be somebody else's of
an equal Dockerfile, needs more than this time to make its first record.
"""

_UPLOAD = "[internal] load remote build context"
"""The vertex that takes in the tar of an Engine API build, under an address of its own."""


@dataclass(frozen=True)
class CacheRecord:
    """A record: ``size`` in bytes, ``created`` in nanoseconds since the epoch."""

    id: str
    description: str
    size: int
    created: int


Trace = Mapping[str, Any]
"""A vertex that one of the plugin's builds executed, in JSON.

The fields are those of :class:`Made`, plus ``since`` and ``until``, the time in which the vertex's
cache record can have been created.
"""


class Ledger:
    """Keeps the account of the records that one engine's edited builds left in a build cache.

    ``now`` tells the builder's time in nanoseconds since the epoch; where ``now`` is None, a build
    begins with its first vertex.
    """

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now
        self._since: int | None = None
        self._traces: list[Trace] = []

    def begin(self) -> None:
        """Note when a build begins."""
        self._since = None if self._now is None else self._now()

    def end(self, made: Iterable[Made], *, edited: bool) -> None:
        """Note the vertices that a build executed.

        The context that an Engine API build uploads counts after every build, because no later
        build will ask for its address.
        """
        made = tuple(made)
        stamps = [stamp for item in made for stamp in (item.started, item.completed) if stamp]
        since = min(stamps, default=0) if self._since is None else self._since
        # A vertex that was still running when the build was stopped ends at about this time.
        now = max(stamps, default=0) if self._now is None else self._now()
        for item in made:
            if edited or _uploaded(item):
                until = (item.completed or max(now, item.started)) + _SLACK
                begun = max(since, item.started - _SLACK)
                self._traces.append({**dataclasses.asdict(item), "since": begun, "until": until})

    def traces(self) -> tuple[Trace, ...]:
        """The vertices that were noted since the last call."""
        new, self._traces = tuple(self._traces), []
        return new


def _uploaded(made: Made) -> bool:
    """Whether a vertex holds the uploaded context of an Engine API build."""
    return made.name in (_UPLOAD, "copy /context /")


def claimed(traces: Iterable[Trace], records: Iterable[CacheRecord]) -> tuple[CacheRecord, ...]:
    """The records of a cache that the plugin's builds have made.

    Such a record describes a vertex that a build executed, and was made during that execution:
    another build on the daemon may add records at any time.
    """
    ours: list[tuple[Made, int, int]] = []
    for trace in traces:
        fields = dict(trace)
        # A killed run of another version may have noted other fields.
        with contextlib.suppress(KeyError, TypeError):
            since, until = fields.pop("since"), fields.pop("until")
            ours.append((Made(**fields), since, until))
    return tuple(
        record
        for record in records
        if any(
            since <= record.created <= until and _fits(made, record) for made, since, until in ours
        )
    )


def _fits(made: Made, record: CacheRecord) -> bool:
    if made.name == _UPLOAD:
        return record.description.startswith("http url http://build-context-")
    if record.description.startswith("mount / from exec "):
        # After the shell, if there is one, comes the command; its blanks vary.
        command = "".join(made.command.split())
        return bool(command) and "".join(record.description.split()).endswith(command)
    return record.description == made.name


def prune_all(
    wanted: Sequence[CacheRecord],
    records: Callable[[], Iterable[CacheRecord]],
    prune: Callable[[Sequence[str]], Collection[str]],
) -> int:
    """Remove records; return how many bytes could not be removed.

    ``prune`` tries to remove the records of some IDs, and returns the IDs that it removed. A record
    can be removed only after the records on top of it, which are newer; there are several rounds,
    because a clock may have been set back.
    """
    newest_first = sorted(wanted, key=lambda record: (-record.created, record.id))
    gone = set(prune([record.id for record in newest_first])) if wanted else set()
    pending = [record for record in newest_first if record.id not in gone]
    while pending:
        for record in pending:
            prune([record.id])
        there = {record.id for record in records()}
        left = [record for record in pending if record.id in there]
        if len(left) == len(pending):
            return sum(record.size for record in left)
        pending = left
    return 0


_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_usage(text: str) -> tuple[CacheRecord, ...]:
    """``docker buildx du --verbose``: blocks of ``Name:<tabs>value`` lines, one a record."""
    found: list[CacheRecord] = []
    for block in re.split(r"^(?=ID:)", text, flags=re.MULTILINE):
        fields = dict(_fields(block.splitlines()))
        if "ID" not in fields:
            continue
        created = fields.get("Created at", "")
        found.append(
            CacheRecord(
                fields["ID"],
                fields.get("Description", ""),
                _bytes(fields.get("Size", "")),
                nanoseconds(_rfc3339(created)) or 0,
            )
        )
    return tuple(found)


def _fields(lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip()


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([\d.]+)\s*([kMGT]?B)", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else 0


def _rfc3339(text: str) -> str:
    """``2026-11-22 12:10:44.9 +0000 UTC``, as Go prints a time, in the form of RFC 3339."""
    found = re.match(r"(\S+) (\S+) ([+-]\d\d)(\d\d)", text)
    return f"{found[1]}T{found[2]}{found[3]}:{found[4]}" if found else text
