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
from .vertices import Made

__all__ = ["CacheRecord", "Ledger", "made_by", "parse_usage", "prune_all", "uploads"]

_SLACK = 10**9
"""Nanoseconds that a record's time may differ from the start of its vertex (a copy's record)
or from its end (that of a command)."""

_UPLOAD = "[internal] load remote build context"
"""The vertex that takes in the tar of an Engine API build, under an address of its own."""


@dataclass(frozen=True)
class CacheRecord:
    """A record: ``size`` in bytes, ``created`` in nanoseconds since the epoch."""

    id: str
    description: str
    size: int
    created: int


class Ledger:
    """Keeps the account of what one engine's edited builds left in a build cache.

    ``records`` lists the whole cache, None if the builder cannot. A record is
    ours if it was not there before the build, describes a vertex that the
    build executed, and was made when it did: another build on the same
    daemon may add records at any time, and times alone are not exact enough
    (buildx shifts those it prints by up to its own latency).
    """

    def __init__(self, records: Callable[[], Iterable[CacheRecord] | None]) -> None:
        self._records = records
        self._before: frozenset[str] | None = None
        self._made: list[Made] = []
        self._left: frozenset[str] = frozenset()

    def begin(self, *, edited: bool) -> None:
        """Take stock before a build; what an unedited one leaves counts as there before."""
        if not edited:
            self._before = None
        elif self._before is None:
            records = tuple(self._records() or ())
            self._left |= made_by(self._made, records)
            self._made.clear()
            self._before = frozenset(record.id for record in records)

    def end(self, made: Iterable[Made], *, edited: bool) -> None:
        """Note what a build executed.

        The context that an Engine API build uploads counts after every build:
        it has an address that nothing will ever ask for again.
        """
        made = tuple(made)
        self._made += made if edited else uploads(made)

    def left(self) -> frozenset[str] | None:
        """The IDs of the records that the builds so far left; None if the builder cannot say."""
        if self._made:
            records = self._records()
            if records is None:
                return None
            records = tuple(records)
            before = self._before or frozenset()
            self._left |= made_by(self._made, (r for r in records if r.id not in before))
            self._made.clear()
            if self._before is not None:
                self._before = frozenset(record.id for record in records)
        return self._left


def uploads(made: Iterable[Made]) -> tuple[Made, ...]:
    """Those that hold the uploaded context of an Engine API build."""
    return tuple(item for item in made if item.name in (_UPLOAD, "copy /context /"))


def made_by(made: Iterable[Made], records: Iterable[CacheRecord]) -> frozenset[str]:
    """The IDs of those records that these executed vertices made."""
    made = tuple(made)
    return frozenset(record.id for record in records if any(_fits(item, record) for item in made))


def _fits(made: Made, record: CacheRecord) -> bool:
    end = made.completed if made.completed is not None else made.started
    if not made.started - _SLACK <= record.created <= end + _SLACK:
        return False
    if made.name == _UPLOAD:
        return record.description.startswith("http url http://build-context-")
    if record.description.startswith("mount / from exec "):
        # After the shell, if there is one, comes the command; its blanks vary.
        command = "".join(made.command.split())
        return bool(command) and "".join(record.description.split()).endswith(command)
    return record.description == made.name


def prune_all(
    ids: Collection[str],
    records: Callable[[], Iterable[CacheRecord]],
    prune: Callable[[str], object],
) -> int:
    """Remove records by ID; return how many bytes could not be removed.

    A record goes only after those that were made on top of it, which are newer;
    rounds, because a clock may be set back.
    """
    wanted = set(ids)
    pending = [record for record in records() if record.id in wanted]
    while pending:
        for record in sorted(pending, key=lambda record: (-record.created, record.id)):
            prune(record.id)
        left = [record for record in records() if record.id in wanted]
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
