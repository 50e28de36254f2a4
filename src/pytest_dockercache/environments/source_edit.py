"""The one file that stands for "somebody changed the code": named by the user, or run by CMD."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..context.edits import context_path, no_such_file
from ..context.entries import ContextEntry
from ..context.ignore import IgnoreRules
from ..context.missing import alike, is_there
from ..dockerfile import stage_chain, stages_of
from ..dockerfile.syntax import PlannedStep
from ..errors import ConfigError
from ..values import dataclass
from .files import EnvironmentFile
from .flow import Files

__all__ = ["Choice", "named_source", "program_of"]


@dataclass(frozen=True)
class Choice:
    """The file that the source edit changes, with the reason for this choice in a few words."""

    path: str
    why: str


def named_source(
    path: str,
    entries: Iterable[ContextEntry],
    environment: Sequence[EnvironmentFile],
    *,
    context: Path,
    dockerfile: Path,
    ignore: IgnoreRules,
) -> Choice:
    """The file of ``--dockercache-edit``, relative to the context.

    Raises ConfigError for a file of which no edit can reach the image, and for
    an ``environment`` file, because its edits have to rebuild the environment.
    """
    option = f"--dockercache-edit={path}"
    cleaned = context_path(path, os.path.abspath(context), named=option)
    known = {entry.path: entry for entry in entries}
    reader = next((file.why for file in environment if file.path == cleaned), None)
    if reader is not None:
        raise ConfigError(
            f"{option}: is an environment file ({reader}), an edit of which has to rebuild the "
            "environment; name a source file"
        )
    entry = known.get(cleaned)
    if entry is not None and entry.kind == "dir":
        raise ConfigError(f"{option}: is a directory; name a file in it")
    if entry is None and context / cleaned != dockerfile:
        if is_there(context, cleaned) and ignore.excludes(cleaned):
            raise ConfigError(
                f"{option}: is kept out of the build context by {ignore.deciding_line(cleaned)}, "
                "so no edit of it reaches the image; name a file that the image holds"
            )
        meant = alike(cleaned, known)
        hint = f"perhaps {meant} is meant" if meant else "paths are relative to the context"
        raise no_such_file(option, context, hint)
    return Choice(cleaned, "named with --dockercache-edit")


def program_of(
    plan: Sequence[PlannedStep], ends: Mapping[int, Files], known: Mapping[str, ContextEntry]
) -> tuple[str, int] | None:
    """The context file that ENTRYPOINT or CMD of the last stage runs, and that line."""
    if not plan:
        return None
    files = ends.get(plan[-1].stage.index, Files())
    chain = stage_chain(stages_of(plan), plan[-1].stage.index)
    for keyword in ("ENTRYPOINT", "CMD"):
        for stage in chain:
            steps = [
                step
                for step in plan
                if step.stage.index == stage.index and step.instruction.keyword == keyword
            ]
            if not steps:
                continue
            found = _first_file(steps[-1], files)
            if found is not None and known[found].kind == "file":
                return found, steps[-1].line
            break
    return None


def _first_file(step: PlannedStep, files: Files) -> str | None:
    words = step.instruction.exec_form
    if words is None:
        try:
            words = tuple(shlex.split(step.instruction.value))
        except ValueError:
            words = tuple(step.instruction.value.split())
    elif any(re.search(r"\s", word) for word in words):
        # ["sh", "-c", "exec python main.py"]
        words = tuple(part for word in words for part in word.split())
    workdir = step.workdir or "/"
    for word in words:
        place = posixpath.normpath(posixpath.join(workdir, word))
        if place in files.at:
            return files.at[place]
    for position, word in enumerate(words):
        module = word.partition(":")[0]
        after_m = position > 0 and words[position - 1] == "-m"
        if not (after_m or ":" in word) or not re.fullmatch(r"\w+(\.\w+)*", module):
            continue
        base = module.replace(".", "/")
        for ending in (f"{base}.py", f"{base}/__main__.py", f"{base}/__init__.py"):
            direct = files.at.get(posixpath.join(workdir, ending))
            if direct is not None:
                return direct
            matching = sorted(
                path for place, path in files.at.items() if place.endswith("/" + ending)
            )
            if matching:
                return matching[0]
    return None
