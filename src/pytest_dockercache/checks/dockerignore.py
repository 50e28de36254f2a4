"""``dockerignore-effective``: .git, .pytest_cache and __pycache__ leave every step a hit."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from ..cache import is_rebuilt
from ..context import taken_files
from ..dockerfile import Transfer
from ..model import Edit, Step, named_step
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from .verdict import Verdict, broken, require_known, step_row

__all__ = ["judge", "probes"]

_PROBE = "pytest-dockercache-probe"


@dataclass(frozen=True)
class Probe:
    """One path that changes by itself: what a message calls it, and the edit that changes it."""

    name: str
    edit: Edit


def probes(project: Project) -> tuple[Probe, ...]:
    """The changes that must not matter, without those to paths that the Dockerfile itself names.

    A ``.git`` file (of a worktree or a submodule) is changed in place; in a
    directory a new file appears, which changes it for certain.
    """
    context = project.spec.context
    found = []
    for name in (".git", ".pytest_cache", *_bytecode_directories(project)):
        if _named(project, name):
            continue
        if (context / name).is_file():
            found.append(Probe(name, Edit.append(name)))
        else:
            found.append(Probe(f"{name}/", Edit.create(f"{name}/{_PROBE}")))
    return tuple(found)


def judge(subject: Subject) -> Verdict:
    """Change all of them at once in the staged copy and build again until a step misses."""
    first = subject.first()
    wanted = probes(subject.project)
    if not wanted:
        return Verdict("the Dockerfile names all of .git, .pytest_cache and __pycache__ itself")
    build = subject.after([probe.edit for probe in wanted], Stop("any-miss"))
    rebuilt = [step for step in build.steps if is_rebuilt(step)]
    names = ", ".join(probe.name for probe in wanted)
    if not rebuilt:
        require_known(build.steps)
        return Verdict(f"changes in {names} leave all {len(first.steps)} steps hit")
    root = rebuilt[0]
    guilty = _guilty(subject.project, wanted, root)
    listed = ", ".join(probe.name for probe in guilty)
    installs = [step for step in build.steps if step.role == "environment" and is_rebuilt(step)]
    rows = [step_row(root, f"takes {listed}")]
    rows += [step_row(step, "runs again with it") for step in installs if step.line != root.line]
    raise broken(
        f"build context lets in {listed}: line {root.line} was rebuilt",
        subject=subject,
        edits=[probe.edit for probe in guilty],
        rows=rows,
        why=f"line {root.line} ({named_step(root)}) copies {listed}; "
        + _why_let_in(subject.project, guilty),
        fix=_fix(subject.project, guilty),
        line=root.line,
    )


def _guilty(project: Project, wanted: Sequence[Probe], root: Step) -> list[Probe]:
    """The changes that the missed step takes and no ignore line keeps out; else all of them."""
    taken = root.reason.paths if root.reason is not None else ()
    let_in = [probe for probe in wanted if not project.ignore.excludes(probe.edit.path or "")]
    return [probe for probe in let_in if probe.edit.path in taken] or let_in or list(wanted)


def _ignore_file(project: Project) -> str:
    source = project.ignore.source
    return ".dockerignore" if source is None else source.name


def _why_let_in(project: Project, guilty: list[Probe]) -> str:
    name = _ignore_file(project)
    if project.ignore.source is None:
        return f"there is no {name}"
    for probe in guilty:
        line = project.ignore.deciding_line(probe.edit.path or "")
        if line is not None:
            return f"{line} lets {probe.name} in"
    return f"no line of {name} leaves them out"


def _fix(project: Project, guilty: list[Probe]) -> str:
    patterns = _patterns(guilty)
    name = _ignore_file(project)
    lines = f"{'the line' if len(patterns) == 1 else 'these lines'}: {', '.join(patterns)}"
    if project.ignore.source is None:
        return f"create {name} with {lines}"
    return f"add at the end of {name} {lines}"


def _patterns(guilty: list[Probe]) -> list[str]:
    patterns: dict[str, None] = {}
    for probe in guilty:
        name = probe.name.rstrip("/")
        patterns["**/__pycache__" if name.endswith("__pycache__") else name] = None
    return list(patterns)


def _context_transfers(project: Project) -> list[Transfer]:
    return [
        transfer
        for step in project.steps
        for transfer in step.transfers
        if transfer.origin == "context"
    ]


def _bytecode_directories(project: Project) -> list[str]:
    """``__pycache__`` beside every copied Python file: where an interpreter would make it."""
    copied = {
        path
        for transfer in _context_transfers(project)
        for path in taken_files(transfer, project.entries)
    }
    folders: dict[str, None] = {}
    for entry in project.entries:
        if entry.path.endswith(".py") and entry.path in copied:
            folders[posixpath.join(posixpath.dirname(entry.path), "__pycache__")] = None
    return list(folders)


def _named(project: Project, name: str) -> bool:
    for transfer in _context_transfers(project):
        for source in transfer.sources:
            path = posixpath.normpath(source).lstrip("/")
            if path == name or path.startswith(f"{name}/"):
                return True
    return False
