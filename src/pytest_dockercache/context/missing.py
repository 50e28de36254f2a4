"""Why a file that a Dockerfile takes from the build context is not there, said in one way."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..dockerfile.syntax import PlannedStep, Transfer
from ..model import top_of
from ..values import dataclass
from .entries import ContextEntry
from .gomatch import has_wildcard
from .ignore import IgnoreLine, IgnoreRules
from .links import walk_links
from .places import BetterContext
from .selection import is_remote, rooted

__all__ = ["MissingSource", "alike", "is_there", "missing_sources"]

_VERBS = {"copy": "copies", "add": "adds", "bind": "mounts"}


@dataclass(frozen=True)
class MissingSource:
    """A source of COPY, ADD or a bind mount that the build context does not hold.

    ``source`` is the path that the step names, ``path`` the missing path: the source itself, or the
    target of a link. Both are relative to the context. ``excluded_by`` is the line of the ignore
    file that keeps out an existing path; ``edited`` is True for a source that an edit has taken
    away, ``outside`` for a source that climbs out of the context (``../conf``), which builders do
    not follow; ``alike`` is a path of the context that may be meant.
    """

    source: str
    path: str
    line: int
    transfer: Transfer
    excluded_by: IgnoreLine | None = None
    edited: bool = False
    outside: bool = False
    alike: str | None = None

    def verdict(self, where: str) -> str:
        """The sentence that names the missing path and, as ``where``, the line that takes it."""
        taken = "it" if self.path == self.source else f"{self.source}, a link to it"
        takes = f"but {where} {_VERBS[self.transfer.kind]} {taken}"
        if self.excluded_by is not None:
            return f"{self.path} is kept out of the build context by {self.excluded_by}, {takes}"
        if self.edited:
            return f"{self.path} is not in the build context after the edit, {takes}"
        if self.outside:
            return f"{self.path} is not in the build context and nothing above it can be, {takes}"
        return f"{self.path} is not in the build context, {takes}"

    def fix(self, context: Path | None, better: BetterContext | None = None) -> str:
        """The text of the fix; ``better`` is a context that holds more of the sources."""
        here = f" {context}" if context is not None else ""
        if self.excluded_by is not None:
            if self.transfer.context:
                inside = self.path[len(self.transfer.context) + 1 :]
                return f"add '!{inside}' at the end of {self.excluded_by.file}"
            return f"add '!{self.path}' at the end of {self.excluded_by.file.name}"
        if self.transfer.context and not self.edited:
            name = self.transfer.context.removesuffix(":")
            also = f" (it has {self.alike})" if self.alike is not None else ""
            return f"create it in the named context {name}, or correct line {self.line}{also}"
        if self.edited:
            return f"make an edit after which line {self.line} still finds {self.path}"
        # A single file that lies elsewhere in the context may as well be spelled wrong.
        if better is not None and (self.alike is None or better.holds > 1):
            return str(better)
        if self.outside:
            return (
                f"put it into the build context{here} and correct line {self.line}, "
                "or name a directory above with --dockercache-context"
            )
        if self.alike is not None:
            return (
                f"correct line {self.line} (the build context has {self.alike}), "
                f"or create {self.path} in{here or ' it'}"
            )
        return f"create {self.path} in the build context{here}, or correct line {self.line}"


def missing_sources(
    step: PlannedStep,
    entries: Mapping[str, ContextEntry],
    ignore: IgnoreRules | None = None,
    context: Path | None = None,
    named: Mapping[str, Path] | None = None,
) -> Iterator[MissingSource]:
    """The sources of a step that name nothing among ``entries``, the unignored files.

    Wildcards are left out: builders differ on a wildcard that matches nothing. With ``context`` and
    ``ignore``, an ignored path is told from a path that does not exist; ``named`` are the
    directories of named contexts, by the first part of their files' paths.
    """
    for transfer in step.transfers:
        if transfer.origin != "context" or transfer.parents:
            continue
        for source in transfer.sources:
            wanted = rooted(source)
            if not wanted or has_wildcard(wanted) or (transfer.kind == "add" and is_remote(source)):
                continue
            path, found = walk_links(wanted, entries.get)
            if found:
                continue
            top = transfer.context
            root = (named or {}).get(top) if top else context
            exists = root is not None and is_there(root, path[len(top) + 1 :] if top else path)
            excluded = exists and ignore is not None and ignore.excludes(path)
            yield MissingSource(
                wanted,
                path,
                step.line,
                transfer,
                excluded_by=ignore.deciding_line(path) if excluded and ignore else None,
                edited=exists and not excluded,
                outside=posixpath.normpath(source).startswith("../"),
                alike=alike(path, _of_one_context(entries, top)),
            )


def _of_one_context(
    entries: Mapping[str, ContextEntry], context: str
) -> Mapping[str, ContextEntry]:
    return {path: entry for path, entry in entries.items() if top_of(path) == context}


def is_there(context: Path, path: str) -> bool:
    """Whether a directory holds a path of exactly this spelling, links followed.

    Some file systems find ``README`` under the name ``readme``, builders do not. A directory that
    the user may not list (a database's) counts as not there.
    """
    place = str(context)
    for part in path.split("/"):
        try:
            if part not in os.listdir(place):
                return False
        except OSError:
            return False
        place = os.path.join(place, part)
    return True


def alike(path: str, entries: Mapping[str, ContextEntry]) -> str | None:
    """A file of this base name elsewhere in the context, else a file of a similar path."""
    import difflib

    files = sorted(entry.path for entry in entries.values() if entry.kind != "dir")
    name = posixpath.basename(path)
    namesakes = [other for other in files if posixpath.basename(other) == name]
    if namesakes:
        return min(namesakes, key=len)
    close = difflib.get_close_matches(path.lower(), [other.lower() for other in files], 1, 0.85)
    return next((other for other in files if other.lower() in close), None)
