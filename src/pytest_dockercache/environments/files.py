"""The environment files of a context, and the steps that read them."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ..context.entries import ContextEntry
from ..context.gomatch import BadPatternError, compile_match, has_wildcard
from ..context.ignore import IgnoreRules
from ..context.missing import missing_sources
from ..dockerfile.syntax import PlannedStep
from ..errors import ConfigError
from ..values import dataclass
from .flow import Followed, StepView, follow_files
from .steps import EnvironmentCommand
from .tools import tool_of

__all__ = ["EnvironmentFile", "environment_files"]


@dataclass(frozen=True)
class EnvironmentFile:
    """A context file that environment steps read, or ought to.

    ``readers`` are the first lines of the environment steps whose root
    filesystem or bind mounts hold it, in Dockerfile order; empty when the
    image never reads it. ``why`` says in a few words how it was found;
    ``read_by`` are the first lines of the steps whose commands read the file,
    as far as the Dockerfile says so.
    """

    path: str
    readers: tuple[int, ...]
    why: str
    read_by: tuple[int, ...] = ()


def environment_files(
    plan: Sequence[PlannedStep],
    entries: Iterable[ContextEntry],
    commands: Sequence[EnvironmentCommand],
    named: Sequence[str] = (),
    *,
    context: Path | None = None,
    ignore: IgnoreRules | None = None,
    beside: str = "",
    is_of_others: Callable[[str], bool] = lambda name: False,
    followed: Followed | None = None,
) -> tuple[EnvironmentFile, ...]:
    """The manifests in the context that the environment steps read, or ought to read.

    The ``named`` files (from ``--dockercache-environment``) come first and must exist. Then comes
    each manifest that a command reads, followed from the container back through COPY, ADD, bind
    mounts and ``COPY --from=STAGE`` to the context. Where no command reads a manifest, and a
    manager installs packages by name although its conventional manifest lies in the directory of
    the Dockerfile (``beside``, relative to the context), that manifest counts too: manifest and
    image drift apart. A manifest in any other directory belongs to somebody else, and so does one
    that another Dockerfile names (``is_of_others``). ``context`` and ``ignore`` are used in
    messages; ``followed`` is the result of :func:`follow_files` for the plan, if the caller has it
    already.

    Raises ConfigError for a file that is named, or copied for a command to
    read, but is not in the context.
    """
    known = {entry.path: entry for entry in entries}
    views, _ = followed or follow_files(plan, known)
    at_line = {
        view.step.line: view for view in views.values() if view.step.instruction.keyword == "RUN"
    }
    found: dict[str, str] = {}
    for path in named:
        cleaned = _named_file(path, known, context)
        found.setdefault(cleaned, "named with --dockercache-environment")
    read_by: dict[str, list[int]] = {}
    for command in commands:
        view = at_line.get(command.line)
        if view is None:
            continue
        for manifest in (*command.manifests, *command.unresolved):
            read = _origins(view, manifest) if manifest in command.manifests else ()
            if not read:
                _require_copied(plan, view, manifest, known, context, ignore)
                read = _namesakes(view, manifest)
            for origin in read:
                found.setdefault(origin, f"line {command.line} reads it")
                read_by.setdefault(origin, []).append(command.line)
    if not read_by:
        for command in commands:
            drifting = _drifting(command, at_line.get(command.line), known, beside)
            if drifting is not None and not is_of_others(posixpath.basename(drifting)):
                why = f"line {command.line} installs by name although it is there"
                found.setdefault(drifting, why)
    return tuple(
        EnvironmentFile(
            path,
            _readers(path, commands, at_line),
            why,
            tuple(dict.fromkeys(read_by.get(path, ()))),
        )
        for path, why in found.items()
    )


def _drifting(
    command: EnvironmentCommand,
    view: StepView | None,
    known: Mapping[str, ContextEntry],
    beside: str,
) -> str | None:
    """The conventional manifest of the manager that installs by name there, if it lies there."""
    tool = tool_of(command.tool)
    if tool is None or view is None or not command.named or command.tools_only:
        return None
    for name in tool.conventional[:2]:
        path = posixpath.normpath(posixpath.join(beside, name))
        if path in known and known[path].kind != "dir":
            return path
    return None


def _named_file(path: str, known: Mapping[str, ContextEntry], context: Path | None) -> str:
    cleaned = posixpath.normpath(path)
    if cleaned.startswith("/") and context is not None:
        cleaned = posixpath.relpath(cleaned, context.absolute().as_posix())
    entry = known.get(cleaned)
    if entry is not None and entry.kind != "dir":
        return cleaned
    where = f" {context}" if context is not None else ""
    if not path.strip():
        problem = f"names no file; give a path relative to the build context{where}"
    elif cleaned == "." or (entry is not None and entry.kind == "dir"):
        problem = "is a directory; name a file"
    elif cleaned == ".." or cleaned.startswith(("../", "/")):
        problem = f"is outside of the build context{where}, so that no step can read it"
    elif context is not None and os.path.lexists(context / cleaned):
        problem = "is excluded from the build context by its ignore file; let it in with a '!' line"
    else:
        problem = f"no such file in the build context{where}; paths are relative to the context"
    raise ConfigError(f"--dockercache-environment={path}: {problem}")


def _origins(view: StepView, manifest: str) -> tuple[str, ...]:
    """The context files behind a container path, or behind the paths that its wildcard matches."""
    place = posixpath.normpath(manifest)
    origin = view.own.at.get(place) or view.before.at.get(place)
    if origin is not None:
        return (origin,)
    if not has_wildcard(place):
        return ()
    with contextlib.suppress(BadPatternError):
        matches = compile_match(place)
        visible = {**view.before.at, **view.own.at}
        matching = {path for there, path in visible.items() if matches(there)}
        return tuple(sorted(matching))
    return ()


def _namesakes(view: StepView, manifest: str) -> tuple[str, ...]:
    """The one visible context file with the manifest's name: a RUN may have moved it.

    For a name with wildcards (``find -name 'requirements*.txt' -exec …``) every matching file.
    """
    name = posixpath.basename(manifest)
    visible = view.own.present | view.before.present
    if has_wildcard(name):
        with contextlib.suppress(BadPatternError):
            matches = compile_match(name)
            return tuple(sorted(path for path in visible if matches(posixpath.basename(path))))
    candidates = [path for path in visible if posixpath.basename(path) == name]
    return tuple(candidates) if len(candidates) == 1 else ()


def _require_copied(
    plan: Sequence[PlannedStep],
    view: StepView,
    manifest: str,
    known: Mapping[str, ContextEntry],
    context: Path | None,
    ignore: IgnoreRules | None,
) -> None:
    """Refuse a manifest that a COPY names although the context does not hold it."""
    place = posixpath.normpath(manifest)
    for step in plan:
        if step.stage.index != view.step.stage.index or step.line > view.step.line:
            continue
        for missing in missing_sources(step, known, ignore, context):
            destination = posixpath.normpath(missing.transfer.destination)
            inside = posixpath.join(destination, posixpath.basename(missing.source))
            if place in (destination, inside):
                raise ConfigError(
                    f"environment file {missing.verdict(f'line {step.line}')} for line "
                    f"{view.step.line}",
                    fix=missing.fix(context),
                )


def _readers(
    path: str, commands: Sequence[EnvironmentCommand], at_line: Mapping[int, StepView]
) -> tuple[int, ...]:
    lines = {
        command.line
        for command in commands
        if (view := at_line.get(command.line)) is not None
        and (path in view.before.present or path in view.own.present)
    }
    return tuple(sorted(lines))
