"""The missing directories that a step makes, and their owners.

A COPY makes the directory that it copies into, and all directories above, for the owner of its
``--chown``; a WORKDIR makes its directory for the USER in force (BuildKit) or for root (the classic
builder). Both leave an existing directory as it is. (Observed on Engine 26.1.5.)
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ..dockerfile import PlannedStep
from .effects import effects_of
from .site import Site

__all__ = ["copying_owner", "made_directories", "parents"]

_ROOT = ("", "0", "root", "0:0", "root:root", "root:0", "0:root")


def parents(path: str) -> Iterator[str]:
    """The directories above a path, without the root; the path itself if it ends in a slash."""
    directory = posixpath.dirname(path)
    while directory.strip("/"):
        yield directory
        directory = posixpath.dirname(directory)


def copying_owner(site: Site, position: int) -> str:
    """Whose the files of a COPY are."""
    return _owner(site.steps[position].instruction.flag("chown") or "")


def made_directories(site: Site, position: int) -> dict[str, str]:
    """The directories that a step makes unless they are there, with their owner."""
    key = (position, "directories")
    if key not in site.memory:
        step = site.steps[position]
        places = _places(site, position, step)
        keyword = step.instruction.keyword
        owner = copying_owner(site, position) if keyword in ("COPY", "ADD") else _owner(step.user)
        site.memory[key] = {above: owner for path in places for above in parents(path)}
    found: dict[str, str] = site.memory[key]
    return found


def _owner(text: str) -> str:
    return "root" if text in _ROOT else text


def _places(site: Site, position: int, step: PlannedStep) -> Iterator[str]:
    """The paths whose parents a step makes."""
    keyword = step.instruction.keyword
    writes = effects_of(site, position).writes
    if keyword == "WORKDIR":
        written = step.expanded.partition(" ")[2].strip()
        yield posixpath.normpath(posixpath.join(step.workdir, written)) + "/"
    elif keyword in ("COPY", "ADD", "RUN"):
        yield from (path for path in writes.files if path.startswith("/"))
        yield from (f"{tree}/" for tree in writes.trees if tree.startswith("/"))
