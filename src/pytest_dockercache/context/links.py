"""Following symbolic links on the way to a context path."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from ..model import top_of
from .entries import ContextEntry
from .gomatch import clean

__all__ = ["LINKS_FOLLOWED", "anchored", "follow", "walk_links"]

LINKS_FOLLOWED = 255
"""As many links as BuildKit follows on the way to a path."""


def anchored(directory: str, text: str) -> str:
    """Where a link in ``directory`` leads as builders read it: its context is the root."""
    top = top_of(directory)
    inside = directory[len(top) :]
    leads = clean(text if text.startswith("/") else f"/{inside}/{text}")
    return (top + leads).rstrip("/") if top else leads[1:]


def walk_links(
    path: str,
    entry: Callable[[str], ContextEntry | None],
    *,
    last: bool = True,
    target: Callable[[str, str], str] = anchored,
) -> tuple[str, bool]:
    """The path to which ``path`` leads with links followed, and whether that path exists.

    For a broken link, the first path is the one that would have to exist. ``entry`` looks a context
    path up; ``target(directory, text)`` says where a link with this text in this directory leads;
    with ``last`` False, a link at the end of the path is not followed.
    """
    waiting = path.split("/")[::-1]
    here = ""
    links = 0
    while waiting:
        part = waiting.pop()
        step = posixpath.join(here, part)
        found = entry(step)
        if found is None:
            return "/".join([step, *reversed(waiting)]), False
        if found.kind != "link" or not (waiting or last):
            here = step
            continue
        links += 1
        if links > LINKS_FOLLOWED:
            return path, False
        leads = target(here, found.link or "")
        waiting += [item for item in reversed(leads.split("/")) if item]
        here = ""
    return here, True


def follow(path: str, entries: Mapping[str, ContextEntry], *, last: bool = True) -> str | None:
    """``path`` with every link on it followed, anchored at the context; None if it dangles."""
    found, there = walk_links(path, entries.get, last=last)
    return found if there else None
