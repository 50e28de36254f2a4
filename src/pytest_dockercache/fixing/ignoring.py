"""Lines for the ignore file, so that what changes by itself changes no step."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path

from ..context import ContextTree, IgnoreRules
from ..disk import read_bytes
from ..model import top_of
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


def ignoring(site: Site, names: Sequence[str]) -> tuple[Ignoring, ...]:
    """The ignore files with lines for these names at their ends, one for each context.

    ``names`` are paths of the context (``.git``, ``src/__pycache__``), or of named contexts
    (``shared:/.git``). Paths below one of them that the Dockerfile names are let in again.

    A line for a directory that is kept out already would change nothing for a file that a later
    line lets in again: such a file needs a pattern that matches the file itself (``.git/**``).
    """
    lines: dict[str, dict[str, None]] = {}
    for name in names:
        bare = name.rstrip("/")
        top = top_of(bare)
        own = lines.setdefault(top, {})
        inside = _inside(bare, top)
        if posixpath.basename(bare) == "__pycache__":
            own["**/__pycache__"] = None
            continue
        root, below, _ = inside.partition("/")
        within = below and root.startswith(".")
        wanted = _named_below(site, f"{top}/{root}" if top else root) if within else None
        if wanted is None:
            wanted = _named_below(site, bare)
            own[f"{inside}/*" if wanted else inside] = None
        else:
            own[f"{root}/**"] = None
        for inner in wanted:
            own[f"!{_inside(inner, top)}"] = None
    return tuple(with_lines(site, list(own), top) for top, own in lines.items())


def _inside(path: str, top: str) -> str:
    return path[len(top) + 1 :] if top else path


def with_lines(site: Site, lines: Sequence[str], top: str = "") -> Ignoring:
    """The ignore file of a context with these lines at its end; ``top`` is "" for the main one."""
    tree = site.snapshot.tree
    part = tree.parts[top] if top else tree
    rules = part.ignore
    path = rules.source or part.root / ".dockerignore"
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


def tree_with(site: Site, made: Sequence[Ignoring]) -> ContextTree:
    """The contexts as a build sees them under the new ignore files."""
    tree = site.snapshot.tree
    read = {top: _with(part, made) for top, part in (tree.parts or {"": tree}).items()}
    main = read.pop("")
    return ContextTree.joined(main, read)


def _with(part: ContextTree, made: Sequence[Ignoring]) -> ContextTree:
    """One context under the new ignore files; one that lies in two contexts holds for both."""
    own = os.path.realpath(part.ignore.source or part.root / ".dockerignore")
    for one in made:
        if os.path.realpath(one.path) == own:
            content = one.after.encode("utf-8", "surrogateescape")
            return ContextTree.read(part.root, IgnoreRules.parse(content, one.path))
    return part
