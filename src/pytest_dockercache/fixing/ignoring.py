"""Lines for the ignore file, so that what changes by itself changes no step."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from ..context import ContextTree, IgnoreRules
from ..disk import read_bytes
from ..values import dataclass
from .site import Site

__all__ = ["Ignoring", "ignoring", "tree_with", "with_lines"]


@dataclass(frozen=True)
class Ignoring:
    """An ignore file before (None if there is none) and after a fix, with the new lines."""

    path: Path
    before: str | None
    after: str
    added: tuple[str, ...]


def ignoring(site: Site, names: Sequence[str]) -> Ignoring:
    """The ignore file with lines for these names at its end.

    ``names`` are paths of the context (``.git``, ``src/__pycache__``). Paths
    below one of them that the Dockerfile names are let in again.
    """
    lines: dict[str, None] = {}
    for name in names:
        bare = name.rstrip("/")
        if posixpath.basename(bare) == "__pycache__":
            lines["**/__pycache__"] = None
            continue
        wanted = _named_below(site, bare)
        lines[f"{bare}/*" if wanted else bare] = None
        for inner in wanted:
            lines[f"!{inner}"] = None
    return with_lines(site, list(lines))


def with_lines(site: Site, lines: Sequence[str]) -> Ignoring:
    """The ignore file of a site with these lines at its end."""
    rules = site.snapshot.tree.ignore
    path = rules.source or site.spec.context / ".dockerignore"
    before = None
    if rules.source is not None:
        before = read_bytes(path).decode("utf-8", errors="surrogateescape")
    eol = "\r\n" if before and "\r\n" in before else "\n"
    start = before or ""
    if start and not start.endswith("\n"):
        start += eol
    after = start + "".join(line + eol for line in lines)
    return Ignoring(path, before, after, tuple(lines))


def _named_below(site: Site, name: str) -> list[str]:
    """The paths below a directory that the Dockerfile takes by name."""
    found: dict[str, None] = {}
    for step in site.steps:
        for transfer in step.transfers:
            if transfer.origin != "context":
                continue
            for source in transfer.sources:
                path = posixpath.normpath(source).lstrip("/")
                if path.startswith(f"{name}/"):
                    found[path] = None
    return list(found)


def tree_with(site: Site, made: Ignoring) -> ContextTree:
    """The context as a build sees it under the new ignore file."""
    content = made.after.encode("utf-8", "surrogateescape")
    return ContextTree.read(site.spec.context, IgnoreRules.parse(content, made.path))
