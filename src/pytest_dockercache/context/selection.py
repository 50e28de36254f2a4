"""The context paths that a COPY, an ADD or a bind mount takes."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..dockerfile.syntax import Transfer
from ..model import top_of
from ..regexes import regex
from .entries import ContextEntry
from .gomatch import BadPatternError, clean, compile_match, has_wildcard
from .ignore import IgnoreRules
from .links import follow

__all__ = ["Listing", "Taken", "container_paths", "is_remote", "taken", "taken_files", "takes"]

_REMOTE = regex(r"^(https?|git|ssh|ftp)://|^git@|\.git(#.*)?$")


class Taken(NamedTuple):
    """One context path that a source selects.

    ``source`` is the source as written, ``root`` the context path that it names (a match of its
    wildcard, links followed), "" for the context; ``path`` is the selected path: ``root`` itself or
    a path below it.
    """

    path: str
    root: str
    source: str
    root_is_dir: bool


def is_remote(source: str) -> bool:
    """Whether an ADD source is a URL or a git reference rather than a context path."""
    return _REMOTE.search(source) is not None and not source.startswith(("./", "/"))


class Listing(dict[str, ContextEntry]):
    """A context's entries by path, which do not change any more, for many selections.

    A directory is found among 10,000 paths without looking at each of them.
    """

    @cached_property
    def _paths(self) -> list[str]:
        return sorted(self)

    @cached_property
    def _main_paths(self) -> list[str]:
        return [path for path in self._paths if not top_of(path)]

    def below(self, root: str) -> list[str]:
        """The sorted paths below a directory; "" is the root of the main context."""
        if not root:
            return self._main_paths
        # "0" follows "/" in ASCII, so the paths that begin with "root/" lie between the two.
        start, end = (bisect_left(self._paths, root + after) for after in "/0")
        return self._paths[start:end]


def rooted(source: str) -> str:
    """A source as a context path: anchored at the root, ``..`` clamped; "" is the context."""
    return clean("/" + source)[1:]


def takes(transfer: Transfer, path: str, *, is_dir: bool = False) -> bool:
    """Whether ``transfer`` takes the context path ``path``, judged by its name alone.

    ``is_dir`` says that the path is a directory. Links are not followed (:func:`taken_files` does).
    False for a transfer that does not take from the context.
    """
    if transfer.origin != "context" or top_of(path) != transfer.context:
        return False
    parts = path.split("/")
    for source in transfer.sources:
        if transfer.kind == "add" and is_remote(source):
            continue
        if transfer.parents:
            if _takes_with_parents(source, parts) and not _excluded(transfer, path, path):
                return True
            continue
        root = rooted(source)
        if not root:
            if not _excluded(transfer, path, path):
                return True
            continue
        count = root.count("/") + 1
        if count > len(parts):
            continue
        head = "/".join(parts[:count])
        if head != root and not (
            transfer.kind != "bind" and has_wildcard(root) and _matches(root, head)
        ):
            continue
        below = "/".join(parts[count:]) or parts[-1]
        if not _excluded(transfer, below, path):
            return True
    return False


def taken(transfer: Transfer, entries: Mapping[str, ContextEntry]) -> Iterator[Taken]:
    """Yield what each source of ``transfer`` selects among ``entries`` (by path), links followed.

    Directories are included. A path that two sources select is yielded twice.
    """
    if transfer.origin != "context":
        return
    for source in transfer.sources:
        if transfer.kind == "add" and is_remote(source):
            continue
        if transfer.parents:
            for path in entries:
                if top_of(path) == transfer.context and (
                    _takes_with_parents(source, path.split("/"))
                    and not _excluded(transfer, path, path)
                ):
                    yield Taken(path, "", source, True)
            continue
        for root in _roots(rooted(source), transfer, entries):
            yield from _below(root, source, transfer, entries)


def taken_files(transfer: Transfer, entries: Iterable[ContextEntry]) -> tuple[str, ...]:
    """The context files and links, sorted, that ``transfer`` takes among ``entries``."""
    known = {entry.path: entry for entry in entries}
    return tuple(
        sorted({item.path for item in taken(transfer, known) if known[item.path].kind != "dir"})
    )


def container_paths(transfer: Transfer) -> Callable[[Taken], tuple[str, ...]]:
    """A function that gives the container paths at which a taken item may lie.

    A destination without a trailing slash gives more than one path: it names the file unless the
    image already has a directory there.
    """
    destination = posixpath.normpath(transfer.destination)
    inside = destination.rstrip("/")

    def of_directory(item: Taken) -> tuple[str, ...]:
        if not item.root_is_dir:
            return _of_file(transfer, destination, item)
        # Both paths are clean, and normalising their join would cost 10 µs for each file of a
        # context.
        below = item.path[len(item.root) :].lstrip("/")
        return (f"{inside}/{below}" if below else destination,)

    if transfer.parents:
        return lambda item: _with_parents(destination, item)
    return of_directory


def _with_parents(destination: str, item: Taken) -> tuple[str, ...]:
    pivot, _, _ = item.source.rpartition("/./")
    base = rooted(pivot) if pivot else ""
    below = posixpath.relpath(item.path, base) if base else item.path
    return (posixpath.normpath(posixpath.join(destination, below)),)


def _of_file(transfer: Transfer, destination: str, item: Taken) -> tuple[str, ...]:
    # A followed link keeps the name under which it was copied.
    name = posixpath.basename(rooted(item.source)) if not has_wildcard(item.source) else ""
    inside = posixpath.join(destination, name or posixpath.basename(item.root))
    if transfer.kind == "bind":
        return (destination,)
    if transfer.destination.endswith("/"):
        return (inside,)
    return (destination, inside)


def _roots(pattern: str, transfer: Transfer, entries: Mapping[str, ContextEntry]) -> Iterator[str]:
    """The context paths that one source names, links followed; "" is the context itself."""
    if not pattern:
        yield ""
        return
    literal = follow(pattern, entries)
    if literal is not None and top_of(literal) == transfer.context:
        yield literal
    if transfer.kind == "bind" or not has_wildcard(pattern):
        return
    depth = pattern.count("/")
    for path in entries:
        if (
            path.count("/") == depth
            and path != literal
            and top_of(path) == transfer.context
            and _matches(pattern, path)
        ):
            target = follow(path, entries)
            if target is not None:
                yield target


def _below(
    root: str, source: str, transfer: Transfer, entries: Mapping[str, ContextEntry]
) -> Iterator[Taken]:
    entry = entries.get(root)
    if root and entry is not None and entry.kind != "dir":
        if not _excluded(transfer, posixpath.basename(root), root):
            yield Taken(root, root, source, False)
        return
    if entry is not None and not transfer.exclude:
        yield Taken(root, root, source, True)
    prefix = root + "/" if root else ""
    below: Iterable[str] = entries
    if isinstance(entries, Listing):
        below = entries.below(root)
    elif prefix:
        below = [path for path in entries if path.startswith(prefix)]
    elif not root:
        below = [path for path in entries if not top_of(path)]
    if transfer.exclude:
        below = [path for path in below if not _excluded(transfer, path[len(prefix) :], path)]
    for path in below:
        if path != root:
            yield Taken(path, root, source, True)


def _matches(pattern: str, path: str) -> bool:
    try:
        return compile_match(pattern)(path)
    except BadPatternError:
        return False


def _takes_with_parents(source: str, parts: list[str]) -> bool:
    """``--parents``: the part after ``/./`` is a pattern in which ``**`` counts."""
    pivot, separator, pattern = source.partition("/./")
    base = rooted(pivot) if separator else ""
    pattern = rooted(pattern if separator else source)
    if base:
        depth = base.count("/") + 1
        if "/".join(parts[:depth]) != base or len(parts) == depth:
            return False
        parts = parts[depth:]
    if not pattern:
        return True
    return _rules((pattern,)).excludes("/".join(parts))


def _excluded(transfer: Transfer, below: str, path: str) -> bool:
    """``--exclude``: judged relative to the copied directory, as BuildKit's copier does."""
    return bool(transfer.exclude) and _rules(transfer.exclude).excludes(below)


_RULES: dict[tuple[str, ...], IgnoreRules] = {}


def _rules(patterns: tuple[str, ...]) -> IgnoreRules:
    if patterns not in _RULES:
        text = "\n".join(patterns).encode("utf-8", "surrogateescape")
        _RULES[patterns] = IgnoreRules.parse(text, Path("Dockerfile"))
    return _RULES[patterns]
