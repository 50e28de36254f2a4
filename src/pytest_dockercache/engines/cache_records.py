"""Which records of a build cache our own edited builds made, and how those go.

A cache is shared with everything else that builds on the daemon, and a record
says nothing of who made it. Ours are recognised by what they describe and by
the moment they were made, both of which the build's own events tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from .progress import nanoseconds
from .vertices import Made, parse_name

__all__ = ["CacheRecord", "made_by", "parse_usage", "prune_all"]

_WINDOW = (-2 * 10**8, 3 * 10**9)
"""Nanoseconds from the start of a vertex in which its record is made: as its snapshot, at once."""

_EXEC = "mount / from exec "


@dataclass(frozen=True)
class CacheRecord:
    """A record: ``size`` in bytes, ``created`` in nanoseconds since the epoch."""

    id: str
    description: str
    size: int
    created: int


def made_by(made: Iterable[Made], records: Iterable[CacheRecord]) -> frozenset[str]:
    """The IDs of those records that these executed vertices made."""
    made = tuple(made)
    return frozenset(record.id for record in records if any(_fits(item, record) for item in made))


def _fits(made: Made, record: CacheRecord) -> bool:
    if not _WINDOW[0] <= record.created - made.started <= _WINDOW[1]:
        return False
    if record.description == made.name:
        return True
    name = parse_name(made.name)
    # A RUN is described by its arguments, in which variables are not expanded:
    # the moment alone has to do.
    return (
        name is not None
        and name.text.removeprefix("ONBUILD ").startswith("RUN")
        and record.description.startswith(_EXEC)
    )


def prune_all(
    ids: Collection[str],
    records: Callable[[], Iterable[CacheRecord]],
    prune: Callable[[str], object],
) -> int:
    """Remove records by ID; return how many bytes could not be removed.

    A record goes only after those that were made on top of it, hence the rounds.
    """
    sizes = {record.id: record.size for record in records()}
    pending = set(ids) & set(sizes)
    while pending:
        for record in sorted(pending):
            prune(record)
        sizes = {record.id: record.size for record in records()}
        left = pending & set(sizes)
        if left == pending:
            return sum(sizes[record] for record in left)
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
