"""The directory that can be a Dockerfile's build context: one that holds all its sources.

``docker build`` has no default context; people run it in the Dockerfile's
directory (``docker build .``) or above it (``docker build -f
docker/Dockerfile .``).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..dockerfile.syntax import PlannedStep
from ..values import dataclass
from .gomatch import has_wildcard
from .selection import is_remote, rooted

__all__ = [
    "BetterContext",
    "best_context",
    "better_context",
    "directories_above",
    "held",
    "taken_sources",
]

_LEVELS = 8
_BELOW = 200


def taken_sources(steps: Iterable[PlannedStep]) -> frozenset[str]:
    """The context paths, with wildcards as written, that COPY, ADD and bind mounts take by name."""
    return frozenset(
        rooted(source)
        for step in steps
        for transfer in step.transfers
        if transfer.origin == "context" and not transfer.context
        for source in transfer.sources
        if not (transfer.kind == "add" and is_remote(source)) and rooted(source)
    )


def held(directory: Path, sources: Collection[str]) -> int:
    """How many of these context paths a directory holds."""
    return sum(_holds(directory, source) for source in sources)


def _holds(directory: Path, source: str) -> bool:
    try:
        if not has_wildcard(source):
            return os.path.lexists(directory / source)
        return next(glob.iglob(source, root_dir=directory), None) is not None
    except (OSError, ValueError):  # A name that no file can have.
        return False


def best_context(candidates: Sequence[Path], sources: Collection[str]) -> Path:
    """The first candidate that holds most of the sources."""
    return max(candidates, key=lambda directory: held(directory, sources))


def directories_above(dockerfile: Path, root: Path) -> tuple[Path, ...]:
    """The Dockerfile's directory and every one above it up to ``root``, the nearest first.

    Only its own directory, if it does not lie below ``root``.
    """
    found = [dockerfile.parent]
    if dockerfile.is_relative_to(root):
        while found[-1] != root:
            found.append(found[-1].parent)
    return tuple(found)


@dataclass(frozen=True)
class BetterContext:
    """A directory that holds ``holds`` of the ``wanted`` paths that a Dockerfile takes."""

    directory: Path
    holds: int
    wanted: int

    def __str__(self) -> str:
        here, place = Path.cwd(), self.directory
        shown = place.relative_to(here) if place.is_relative_to(here) else place
        return (
            f"name the build context with --dockercache-context={shown}, which holds "
            f"{self.holds} of the {self.wanted} paths that the Dockerfile takes"
        )


def better_context(
    steps: Sequence[PlannedStep], dockerfile: Path, context: Path
) -> BetterContext | None:
    """A directory that holds more of a Dockerfile's sources than ``context``, else None.

    The candidates are the Dockerfile's directory, the directories above it in its repository
    (without one, a few levels), and their direct subdirectories.
    """
    sources = taken_sources(steps)
    here = held(context, sources)
    if here == len(sources):
        return None
    above = list(_in_repository(dockerfile))
    best = best_context([context, *above, *islice(_inside(above), _BELOW)], sources)
    there = held(best, sources)
    return BetterContext(best, there, len(sources)) if there > here else None


def _in_repository(dockerfile: Path) -> Iterator[Path]:
    places = list(islice((place for place in dockerfile.parents if place.parent != place), _LEVELS))
    tops = [number for number, place in enumerate(places) if (place / ".git").exists()]
    yield from places[: tops[0] + 1] if tops else places[:2]


def _inside(directories: Iterable[Path]) -> Iterator[Path]:
    for directory in directories:
        try:
            with os.scandir(directory) as scan:
                names = sorted(item.name for item in scan if item.is_dir(follow_symlinks=False))
        except OSError:
            continue
        yield from (directory / name for name in names if not name.startswith("."))
