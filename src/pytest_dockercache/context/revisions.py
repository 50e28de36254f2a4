"""A build context as git had it at another commit, as a patch of the context that is there now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..disk import read_bytes
from ..errors import ConfigError
from ..model import BuildSpec
from .entries import ContextEntry
from .ignore import IgnoreRules
from .named import at_top
from .patch import Patch
from .tracked import ask_git
from .tree import ContextTree, new_entry

__all__ = ["as_it_was"]

_MODES = {"100644": 0o644, "100755": 0o755}


def as_it_was(spec: BuildSpec, tree: ContextTree, revision: str) -> Patch:
    """The difference that leads from the context back to a revision.

    Only what git tracks can be known: other files count as unchanged. Raises ConfigError where
    there is no such revision, or no repository.
    """
    context = Path(os.path.abspath(spec.context))
    if ask_git(context, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise ConfigError(
            f"--dockercache-since={revision}: git knows no such commit in {context}",
            fix="fetch it (actions/checkout with fetch-depth: 0), or name another",
        )
    changes: dict[str, ContextEntry | None] = {}
    contents: dict[str, bytes] = {}
    rules: dict[str, IgnoreRules] = {}
    for top, part in (tree.parts or {"": tree}).items():
        own, texts = _differences(part, revision)
        changes.update(
            (at_top(top, path), None if entry is None else replace(entry, path=at_top(top, path)))
            for path, entry in own.items()
        )
        contents.update((at_top(top, path), text) for path, text in texts.items())
        beside = None if top else spec.dockerfile
        rules[top] = _rules(beside, part, own, texts)
    main = rules.pop("")
    ignore = replace(main, named=rules) if rules else main
    return Patch(changes, contents, {}, ignore, _old(spec, revision))


def _differences(
    tree: ContextTree, revision: str
) -> tuple[dict[str, ContextEntry | None], dict[str, bytes]]:
    """The entries and contents that one context had; nothing where git does not know it."""
    context = Path(os.path.abspath(tree.root))
    said = ask_git(context, "diff", "--name-only", "--no-renames", "--relative", "-z", revision)
    changed = [os.fsdecode(path) for path in (said or b"").split(b"\0") if path]
    held = dict(_held(context, revision, changed))
    changes: dict[str, ContextEntry | None] = {}
    contents: dict[str, bytes] = {}
    for path in changed:
        old = held.get(path)
        if old is None:
            changes[path] = None
            continue
        mode, content = old
        now = tree.entries.get(path)
        kept = (
            now.mode if now is not None and bool(now.mode & 0o100) == bool(mode & 0o100) else mode
        )
        changes[path] = new_entry(path, "file", len(content), kept)
        contents[path] = content
    for path in held:
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if parent not in tree.entries:
                changes.setdefault(parent, new_entry(parent, "dir", 0, 0o755))
    return changes, contents


def _old(spec: BuildSpec, revision: str) -> bytes | None:
    """The Dockerfile of the revision, None where it was the same, or not there."""
    dockerfile = Path(os.path.realpath(spec.dockerfile))
    content = ask_git(dockerfile.parent, "show", f"{revision}:./{dockerfile.name}")
    return None if content == read_bytes(dockerfile) else content


def _held(
    context: Path, revision: str, paths: list[str]
) -> Iterator[tuple[str, tuple[int, bytes]]]:
    """The mode and the content of each of these files that the revision has."""
    for path in paths:
        listed = ask_git(context, "ls-tree", "-z", revision, "--", f":(literal){path}") or b""
        mode = listed.split(b" ", 1)[0].decode()
        content = ask_git(context, "show", f"{revision}:./{path}") if mode in _MODES else None
        if content is not None:
            yield path, (_MODES[mode], content)


def _rules(
    dockerfile: Path | None,
    tree: ContextTree,
    changes: dict[str, ContextEntry | None],
    contents: dict[str, bytes],
) -> IgnoreRules:
    """The ignore rules of the revision, where it had others; a named context has no Dockerfile."""
    names = [".dockerignore"]
    if dockerfile is not None:
        names.insert(0, os.path.relpath(f"{os.path.abspath(dockerfile)}.dockerignore", tree.root))
    for path in names:
        if path in contents:
            return IgnoreRules.parse(contents[path], Path(tree.root, path))
        if path not in changes and os.path.exists(Path(tree.root, path)):
            return tree.ignore
    return IgnoreRules()
