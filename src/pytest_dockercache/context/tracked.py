"""The files of a context that people write, by git's index and the names of tools' output."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from ..model import top_of
from .entries import ContextEntry
from .named import at_top

__all__ = [
    "GitHistory",
    "JoinedHistory",
    "ask_git",
    "changes_by_file",
    "is_left_by_tools",
    "sources_among",
    "tracked_files",
    "untracked_files",
    "virtual_environments",
]

_GIT_SECONDS = 20

_LEFT_BY_TOOLS = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".jj",
        ".tox",
        ".nox",
        ".venv",
        ".virtualenv",
        ".direnv",
        ".eggs",
        "node_modules",
        ".yarn",
        ".pnpm-store",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".pyre",
        ".pytype",
        ".cache",
        ".gradle",
        ".terraform",
        ".next",
        ".nuxt",
        ".svelte-kit",
        ".turbo",
        ".parcel-cache",
        ".pixi",
        ".bundle",
    ]
)
_BUILT = frozenset({"build", "dist", "htmlcov", "target"})


def tracked_files(context: Path) -> frozenset[str] | None:
    """The paths, relative to ``context``, of the files in it that git's index holds.

    Files of submodules count too. None if the index says nothing about the context: the context is
    in no repository, its repository tracks no file of it (before a first ``git add``, or because
    the directory is ignored), git is not installed, or git does not trust the repository's owner.
    """
    said = ask_git(context, "ls-files", "-z", "--recurse-submodules")
    if said is None:
        return None
    return frozenset(map(os.fsdecode, filter(None, said.split(b"\0")))) or None


def untracked_files(context: Path) -> frozenset[str]:
    """The paths, relative to ``context``, of its files that git neither tracks nor ignores.

    Empty where the context is in no repository, or git cannot be asked.
    """
    said = ask_git(context, "ls-files", "-z", "--others", "--exclude-standard")
    return frozenset(map(os.fsdecode, filter(None, (said or b"").split(b"\0"))))


def changes_by_file(context: Path) -> Mapping[str, int]:
    """How many of the last 300 commits changed a file, by its path relative to ``context``.

    Empty where the context is in no repository, or git cannot be asked.
    """
    said = ask_git(
        context, "log", "--max-count=300", "--format=", "--name-only", "--relative", "-z"
    )
    return Counter(map(os.fsdecode, filter(None, re.split(rb"[\0\n]", said or b""))))


class GitHistory:
    """What git says of the files of one context, asked once."""

    def __init__(self, context: Path) -> None:
        self._context = context

    @cached_property
    def tracked(self) -> frozenset[str] | None:
        """The files that git's index holds; see :func:`tracked_files`."""
        return tracked_files(self._context)

    @cached_property
    def changes(self) -> Mapping[str, int]:
        """How often each file was changed lately; see :func:`changes_by_file`."""
        # Git has just said that it knows nothing of the context: no second process for that.
        return {} if self.tracked is None else changes_by_file(self._context)


class JoinedHistory(GitHistory):
    """What git says of the files of a build's contexts, the named ones too.

    All files of a context count as tracked where git says nothing of that context.
    """

    def __init__(
        self,
        main: GitHistory,
        named: Mapping[str, GitHistory],
        entries: Mapping[str, ContextEntry],
    ) -> None:
        self._parts = {"": main, **named}
        self._entries = entries

    @cached_property
    def tracked(self) -> frozenset[str] | None:
        """The files that the indexes hold; None if git says nothing of any context."""
        if all(part.tracked is None for part in self._parts.values()):
            return None
        found = {
            at_top(top, path) for top, part in self._parts.items() for path in part.tracked or ()
        }
        silent = {top for top, part in self._parts.items() if part.tracked is None}
        return frozenset(found | {path for path in self._entries if top_of(path) in silent})

    @cached_property
    def changes(self) -> Mapping[str, int]:
        """How often each file was changed lately."""
        return {
            at_top(top, path): count
            for top, part in self._parts.items()
            for path, count in part.changes.items()
        }


def ask_git(context: Path, *arguments: str) -> bytes | None:
    """What git says in the context's directory, None if it fails or cannot be asked."""
    # In a hook, git's own variables name the index of the repository that is committed to.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    command = ("git", "-c", "core.fsmonitor=false", *arguments)
    try:
        done = subprocess.run(
            command,
            cwd=context,
            env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode != 0 else done.stdout


def virtual_environments(entries: Iterable[ContextEntry]) -> frozenset[str]:
    """The directories of a context that are Python or conda environments; "" is the context."""
    return frozenset(
        entry.path.removesuffix(marker).rstrip("/")
        for entry in entries
        for marker in ("pyvenv.cfg", "conda-meta/history")
        if entry.path == marker or entry.path.endswith(f"/{marker}")
    )


def sources_among(
    paths: Iterable[str],
    *,
    environments: Collection[str] = (),
    tracked: Collection[str] | None = None,
) -> frozenset[str]:
    """The context paths outside of directories that only tools write to.

    ``environments`` are the :func:`virtual_environments` of the context, ``tracked`` its
    :func:`tracked_files`: a tracked file below ``build`` or ``dist`` was written by a person. Each
    directory is judged once.
    """
    left: dict[str, bool] = {}
    built: dict[str, bool] = {}
    found: list[str] = []
    for path in paths:
        directory, _, name = path.rpartition("/")
        if directory not in left:
            parts = directory.split("/")
            left[directory] = any(map(is_left_by_tools, parts)) or any(
                "/".join(parts[:count]) in environments for count in range(len(parts) + 1)
            )
            built[directory] = not _BUILT.isdisjoint(parts)
        if left[directory] or is_left_by_tools(name) or path in environments:
            continue
        if not built[directory] or (tracked and path in tracked):
            found.append(path)
    return frozenset(found)


def is_left_by_tools(name: str) -> bool:
    """Whether only tools write into a directory of this name."""
    return name in _LEFT_BY_TOOLS or name.endswith(".egg-info")
