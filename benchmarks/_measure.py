"""Measures sides in turns and prints the result: a table, or one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Claim", "Timing", "arguments", "environment", "interleaved", "parts_of", "report"]


@dataclass(frozen=True)
class Timing:
    """One side: its name and one value a round, in ``unit`` (seconds unless it says otherwise).

    ``part_of`` names the side of which this side is a part, None for a side of its own.
    """

    name: str
    values: tuple[float, ...]
    unit: str = "s"
    part_of: str | None = None

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Claim:
    """The limit of a benchmark: ``value`` is at most ``limit``.

    ``unit`` is empty for a ratio.
    """

    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.limit


def arguments(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has: ``--rounds`` and ``--json``."""
    text = (description or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def environment(**more: str) -> dict[str, str]:
    """The variables of a Python process that is measured: these, with ``more``.

    Bytecode may be written: packages that pip has installed are compiled, and a user who forbids
    bytecode for their own code does not compile them again.
    """
    own = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, **more}


def interleaved(
    sides: Mapping[str, Callable[[], float]], rounds: int, *, unit: str = "s"
) -> tuple[Timing, ...]:
    """Run every side once a round, ``rounds`` times; each call returns the value it measured.

    The order turns around every other round, so that a drift of the machine, and traces that one
    side leaves to the next, affect all sides alike.
    """
    values: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            values[name].append(sides[name]())
            print(
                f"  round {number + 1}/{rounds}  {name}  {values[name][-1]:.3f} {unit}",
                file=sys.stderr,
            )
    return tuple(Timing(name, tuple(seen), unit) for name, seen in values.items())


def parts_of(side: str, rounds: Sequence[Mapping[str, float]]) -> tuple[Timing, ...]:
    """The parts that make up one side, from the parts of each of its rounds."""
    names = list(rounds[0]) if rounds else []
    return tuple(Timing(name, tuple(one[name] for one in rounds), part_of=side) for name in names)


def report(
    name: str,
    about: str,
    timings: Sequence[Timing],
    claims: Sequence[Claim],
    *,
    as_json: bool,
    facts: Mapping[str, str] | None = None,
) -> int:
    """Print the result on standard output; return the exit code: 0 if every claim holds, else 1.

    ``facts`` are the facts that the figures depend on: versions, and sizes of the measured objects.
    """
    known = {**_machine(), **(facts or {})}
    if as_json:
        print(json.dumps(_as_json(name, about, timings, claims, known)))
    else:
        print(_as_text(name, about, timings, claims, known))
    return 0 if all(claim.holds for claim in claims) else 1


def _machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
    }


def _as_json(
    name: str,
    about: str,
    timings: Sequence[Timing],
    claims: Sequence[Claim],
    facts: Mapping[str, str],
) -> dict[str, object]:
    return {
        "benchmark": name,
        "about": about,
        "facts": dict(facts),
        "sides": [
            {
                "name": timing.name,
                "part_of": timing.part_of,
                "unit": timing.unit,
                "median": round(timing.median, 6),
                "values": [round(value, 6) for value in timing.values],
            }
            for timing in timings
        ],
        "claims": [
            {
                "what": claim.what,
                "value": round(claim.value, 6),
                "limit": claim.limit,
                "unit": claim.unit,
                "holds": claim.holds,
            }
            for claim in claims
        ],
    }


def _as_text(
    name: str,
    about: str,
    timings: Sequence[Timing],
    claims: Sequence[Claim],
    facts: Mapping[str, str],
) -> str:
    labels = [("  of which " if timing.part_of else "") + timing.name for timing in timings]
    width = max(map(len, labels))
    rounds = max(len(timing.values) for timing in timings)
    lines = [
        f"{name}: {about}",
        ", ".join(f"{key} {value}" for key, value in facts.items()),
        "",
        f"  {f'{rounds} rounds, sides in turns':<{width}}  {'median':>10} {'min':>10} {'max':>10}",
    ]
    for text, timing in zip(labels, timings, strict=True):
        row = (timing.median, min(timing.values), max(timing.values))
        figures = " ".join(f"{_figure(value, timing.unit):>10}" for value in row)
        lines.append(f"  {text:<{width}}  {figures}")
    lines.append("")
    for claim in claims:
        verdict = "holds" if claim.holds else "MISSED"
        value = _figure(claim.value, claim.unit)
        limit = _figure(claim.limit, claim.unit)
        lines.append(f"  {verdict:<7}{claim.what}: {value} (target: at most {limit})")
    return "\n".join(lines)


def _figure(value: float, unit: str) -> str:
    digits = 3 if abs(value) < 10 else 1
    return f"{value:.{digits}f} {unit}".rstrip()
