"""The files that a COPY, an ADD or a bind mount takes from a context, and their differences."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Literal

from ..context import ContextTree
from ..context.gomatch import BadPatternError, clean, compile_match, has_wildcard
from ..context.selection import rooted, taken
from ..dockerfile import Transfer
from ..errors import ConfigError
from ..model import top_of
from ..values import dataclass
from .snapshot import Dialect

__all__ = ["PathDifference", "SelectedPaths", "differences", "select"]

What = Literal["content", "mode", "type", "link", "added", "removed", "renamed"]


@dataclass(frozen=True)
class PathDifference:
    """One context path in which two selections differ; ``detail`` says how, in a few words.

    ``other`` is the old path of a renamed file. ``certain`` is False for a difference that a
    builder may overlook.
    """

    path: str
    what: What
    detail: str = ""
    other: str | None = None
    certain: bool = True


@dataclass(frozen=True)
class SelectedPaths:
    """The selection of one source of one step.

    ``named`` are pairs of a name that enters the key, and a path; ``roots`` are the tree's paths
    that the source names, with links followed ("" is the whole context). ``ordered`` is True for a
    wildcard, whose matches enter the key in the order of their paths, under their base names.
    """

    tree: ContextTree
    named: tuple[tuple[str, str], ...]
    roots: tuple[str, ...]
    ordered: bool = False


def select(
    tree: ContextTree,
    source: str,
    transfer: Transfer,
    dialect: Dialect,
    only: Collection[str] | None = None,
) -> SelectedPaths | None:
    """The selection of ``source``, None if a path is missing that must exist.

    A wildcard that matches nothing gives an empty selection. ``only`` names the paths of interest;
    the selection may leave out all other paths.
    """
    if transfer.parents or transfer.exclude:
        return _filtered(tree, source, transfer)
    wanted = rooted(source)
    pattern = transfer.kind != "bind" and has_wildcard(source)
    literal = tree.resolve(wanted)
    if literal is not None and top_of(literal) != transfer.context:
        literal = None
    if literal is not None:
        roots = [(wanted, literal)]
    elif not pattern:
        return None
    else:
        roots = [
            (path, root)
            for path, root in _matches(tree, wanted)
            if top_of(path) == transfer.context
        ]
    if dialect.name == "classic":
        return _classic(tree, [root for _, root in roots])
    named: list[tuple[str, str]] = []
    for written, root in roots:
        # A literal source's base name is part of the operation; a match's base name is part of the
        # content.
        name = posixpath.basename(written) if pattern else ""
        inside = tree.below(root) if only is None else _among(only, root, tree)
        if not root:
            named += ((path, path) for path in inside)
            continue
        named.append((name, root))
        if tree.entries[root].kind == "dir":
            cut = len(root)
            named += ((name + path[cut:], path) for path in inside)
    return SelectedPaths(tree, tuple(named), tuple(root for _, root in roots), ordered=pattern)


def _classic(tree: ContextTree, roots: list[str]) -> SelectedPaths:
    """Full paths, with the target of every link (builder/remotecontext/lazycontext.go)."""
    named: dict[str, str] = {}
    for root in roots:
        for path in (root, *tree.below(root)) if root else tree.below(""):
            target = tree.resolve(path)
            if target is None:
                named[path] = path  # A dangling link: its own path stands for its target.
            elif target:
                named[target] = target
    return SelectedPaths(tree, tuple(named.items()), tuple(roots))


def _among(only: Collection[str], root: str, tree: ContextTree) -> list[str]:
    prefix = f"{root}/" if root else ""
    return sorted(
        path
        for path in only
        if path.startswith(prefix) and path in tree.entries and (root or not top_of(path))
    )


def _matches(tree: ContextTree, pattern: str) -> Iterator[tuple[str, str]]:
    """Every path that a wildcard names, as named and with links followed."""
    parts = pattern.split("/")
    fixed = 0
    while not has_wildcard(parts[fixed]):
        fixed += 1
    above = tree.resolve("/".join(parts[:fixed]))
    if above is None:
        return
    rest = "/".join(parts[fixed:])
    depth = rest.count("/") + (above.count("/") + 1 if above else 0)
    try:
        matches = compile_match(rest)
    except BadPatternError as error:
        raise ConfigError(f"COPY {pattern}: syntax error in pattern {error}") from None
    cut = len(above) + 1 if above else 0
    for path in tree.below(above):
        if path.count("/") == depth and matches(path[cut:]):
            target = tree.resolve(path)
            if target is not None:
                yield path, target


def _filtered(tree: ContextTree, source: str, transfer: Transfer) -> SelectedPaths | None:
    """A selection with ``--exclude`` or ``--parents``."""
    single = replace(transfer, sources=(source,))
    named: dict[str, str] = {}
    roots: dict[str, None] = {}
    for item in taken(single, tree.entries):
        if transfer.parents:
            name = item.path
            for parent in _above(item.path):
                named.setdefault(parent, parent)
        else:
            base = posixpath.basename(item.root) if has_wildcard(source) else ""
            name = base + item.path[len(item.root) :]
        named[name] = item.path
        roots[item.root] = None
    if not named and not has_wildcard(source) and tree.resolve(rooted(source)) is None:
        return None
    present = tuple((name, path) for name, path in named.items() if path in tree.entries)
    return SelectedPaths(tree, present, tuple(roots))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def is_untouched(
    before: ContextTree, source: str, after: ContextTree, there: str, transfer: Transfer
) -> bool:
    """Whether two sources are certainly equal, without a look at every file."""
    if before is after:
        return source == there
    if after.parent is not before or source != there or after.has_links or before.has_links:
        return False
    if transfer.parents:
        return not after.changed
    parts = rooted(source).split("/")
    fixed = []
    for part in parts:
        if has_wildcard(part):
            break
        fixed.append(part)
    return not after.touched(clean("/" + "/".join(fixed))[1:])


def differences(
    before: SelectedPaths, after: SelectedPaths, dialect: Dialect
) -> tuple[PathDifference, ...]:
    """The differences of two selections that a cache key counts; empty if they are equal."""
    if before.ordered or after.ordered:
        # Two matches of a wildcard may have one base name, and may change places.
        if _in_order(before) == _in_order(after) and all(
            after.tree.differs(path, before.tree, there) is None
            for (_, there), (_, path) in zip(before.named, after.named, strict=True)
        ):
            return ()
        before, after = _by_path(before), _by_path(after)
    old, new = dict(before.named), dict(after.named)
    found: list[PathDifference] = []
    gone = [name for name in old if name not in new]
    fresh = [name for name in new if name not in old]
    for name, path in new.items():
        if name not in old:
            continue
        there = old[name]
        what = after.tree.differs(path, before.tree, there)
        if what == "mode":
            # A builder that still has the directory of the last transfer keeps its old mode; a
            # builder that fetches the context anew sees the new mode.
            directory = after.tree.entries[path].kind == "dir"
            certain = not (dialect.incremental and directory and path == there)
            modes = f"{before.tree.entries[there].mode:04o} → {after.tree.entries[path].mode:04o}"
            found.append(PathDifference(path, "mode", modes, certain=certain))
        elif what == "type":
            kinds = f"{before.tree.entries[there].kind} → {after.tree.entries[path].kind}"
            found.append(PathDifference(path, "type", kinds))
        elif what == "link":
            links = f"{before.tree.entries[there].link} → {after.tree.entries[path].link}"
            found.append(PathDifference(path, "link", links))
        elif what == "content":
            found.append(PathDifference(path, "content"))
    for name in fresh:
        path = new[name]
        source = _renamed_from(path, after, [old[item] for item in gone], before)
        if source is not None:
            gone = [item for item in gone if old[item] != source]
            found.append(PathDifference(path, "renamed", f"renamed from {source}", source))
        else:
            found.append(PathDifference(path, "added"))
    found += [PathDifference(old[name], "removed") for name in gone]
    return tuple(found)


def _in_order(selection: SelectedPaths) -> list[str]:
    return [name for name, _ in selection.named]


def _by_path(selection: SelectedPaths) -> SelectedPaths:
    return replace(selection, named=tuple((path, path) for _, path in selection.named))


def _renamed_from(
    path: str, after: SelectedPaths, candidates: list[str], before: SelectedPaths
) -> str | None:
    origin = after.tree.origins.get(path)
    if origin in candidates:
        return origin
    if after.tree.entries[path].kind != "file":
        return None
    for candidate in candidates:
        if after.tree.differs(path, before.tree, candidate) is None:
            return candidate
    return None
