"""What managers of other languages have fetched above a step, and what the step itself adds."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Literal

from ..dockerfile.instructions import mounts
from ..dockerfile.stages import path_below
from ..dockerfile.syntax import PlannedStep, Transfer
from ..values import dataclass
from .tools import Installation, Sight, Tool, tool_of

__all__ = ["Fetched", "added_by", "still_there"]


@dataclass(frozen=True)
class Fetched:
    """An installation of another language's manager; ``saw`` are the manifests that it found."""

    installation: Installation
    saw: frozenset[str] = frozenset()


def added_by(
    item: Installation, step: PlannedStep, above: Sequence[Fetched], sight: Sight
) -> Literal["dependencies", "project", "unknown"]:
    """The packages that an installation of another language's manager has to fetch in a step.

    ``above`` are the installations that the step finds, ``sight`` the context files. A command that
    builds the project fetches nothing below one that fetched its dependencies, and nothing where
    none are declared, or where a cache mount holds them. A command that installs again what is
    installed adds nothing either, as long as it finds no manifest that the first one did not, and
    means no member of the workspace that the first one left out.
    """
    tool = tool_of(item.tool)
    if tool is None or item.apart or item.packages or item.afresh:
        return "dependencies"
    before = [one for one in above if _covers(tool, one.installation, item)]
    if before:
        lacking = all(
            _is_narrower(one.installation, item) or _has_grown(tool, one, item, sight)
            for one in before
        )
        there = item.offline or (item.with_project and _is_mounted(tool, step))
        return "unknown" if lacking and not there else "project"
    if not item.with_project:
        return "dependencies"
    if item.offline or _is_mounted(tool, step):
        return "project"
    found = tool.fetches(item, sight)
    return "unknown" if found is None else "dependencies" if found else "project"


def _covers(tool: Tool, earlier: Installation, item: Installation) -> bool:
    if tool_of(earlier.tool) is not tool or earlier.apart or earlier.packages:
        return False
    if not _are_related(earlier.directory, item.directory) or _read_apart(earlier, item):
        return False
    if item.with_project and not earlier.with_project:
        return True
    return item.selects <= earlier.selects and earlier.leaves <= item.leaves


def _read_apart(one: Installation, other: Installation) -> bool:
    """Whether two installations of one directory are told to read different manifests.

    A build of the project reads what the project has, whatever the earlier one was told to read.
    """
    if one.directory is None or one.directory != other.directory or other.with_project:
        return False
    return bool(one.manifests and other.manifests) and set(one.manifests).isdisjoint(
        other.manifests
    )


def _is_narrower(earlier: Installation, item: Installation) -> bool:
    """Whether an earlier installation left members of the workspace out that a later one means."""
    return bool(earlier.narrows) and not (item.narrows and item.narrows <= earlier.narrows)


def _are_related(one: str | None, other: str | None) -> bool:
    """Whether one of two directories is or holds the other; unknown ones may be any."""
    if one is None or other is None:
        return True
    return path_below(one, other) is not None or path_below(other, one) is not None


def _has_grown(tool: Tool, earlier: Fetched, item: Installation, sight: Sight) -> bool:
    """Whether manifests have come that the earlier installation did not find."""
    if item.directory is None:
        return False
    new = manifests_in(tool, sight) - earlier.saw
    if item.with_project:
        return tool.adds(sorted(new), sight)
    if tool.grows(item.directory, sight):
        return bool(new)
    return any(place in new for place in item.manifests)


def manifests_in(tool: Tool, sight: Sight) -> frozenset[str]:
    """The manifests of a manager among the context files that a step finds."""
    return frozenset(
        place
        for place in sight.places
        if tool.manifests.fullmatch(posixpath.basename(place).lower())
    )


def _is_mounted(tool: Tool, step: PlannedStep) -> bool:
    """Whether a cache mount holds what the manager fetches."""
    return any(
        mount.type == "cache" and tool.stores.fullmatch(mount.target.rstrip("/"))
        for mount in mounts(step.instruction)
    )


def still_there(fetched: Sequence[Fetched], transfer: Transfer) -> tuple[Fetched, ...]:
    """The installations of another stage that a COPY of that stage, or a mount, brings along."""
    sources = ["/" + source.strip("/") for source in transfer.sources or ("/",)]
    found = []
    for one in fetched:
        tool = tool_of(one.installation.tool)
        directory = one.installation.directory
        if tool is not None and any(
            tool.stores.fullmatch(source)
            or tool.results.fullmatch(source)
            or source in ("/", "/root", "/usr/local", "/home")
            or (directory is not None and path_below(directory, source) is not None)
            for source in sources
        ):
            found.append(one)
    return tuple(found)
