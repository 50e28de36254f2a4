"""``dockerignore-effective``: .git, .pytest_cache and __pycache__ leave every step a hit."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence

from ..cache import is_rebuilt
from ..context import taken_files
from ..dockerfile import PlannedStep, Transfer, contributing_stages
from ..errors import CacheAssertionError, Unverifiable
from ..model import Build, Edit, Fix, Step, named_step
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from ..values import dataclass
from .named_contexts import require_no_named_directory
from .uncached import require_a_cache
from .verdict import Verdict, broken, require_known, step_row

__all__ = ["judge", "probes"]

_PROBE = "pytest-dockercache-probe"
_SHOWN = 3


@dataclass(frozen=True)
class Probe:
    """One path that changes by itself: its name in a message, and the edit that changes it.

    ``takers`` are the lines of the steps that take the edited path; ``naming`` are the lines of the
    steps that name the path itself, because the user wants the path in the image.
    """

    name: str
    edit: Edit
    takers: frozenset[int] = frozenset()
    naming: frozenset[int] = frozenset()

    @property
    def blamable(self) -> frozenset[int]:
        """The lines of the steps that take the path without asking for it."""
        return self.takers - self.naming


def probes(project: Project) -> tuple[Probe, ...]:
    """The changes that must not matter: of three kinds of path, and of paths named in ``.git``.

    A ``.git`` file (of a worktree or a submodule) is changed in place; a directory gets a new file,
    which changes the directory for certain. A link is left out: a build sees the link's text, which
    never changes. So is a directory that does not exist yet and whose future contents are ignored
    (``**/*.pyc``): a builder sees the new directory once, and no change after that.
    """
    context = project.spec.context
    found: list[Probe] = []
    for name in (".git", ".pytest_cache", *_bytecode_directories(project), *_named(project)):
        place = context / name
        if place.is_symlink():
            continue
        if place.is_file():
            found.append(Probe(name, Edit.append(name)))
        else:
            suffix = ".cpython-310.pyc" if name.endswith("__pycache__") else ""
            inside = f"{name}/{_PROBE}{suffix}"
            ignore = project.ignore
            if place.exists() or ignore.excludes(name) or not ignore.excludes(inside):
                found.append(Probe(f"{name}/", Edit.create(inside)))
    return _with_lines(project, found)


def judge(subject: Subject) -> Verdict:
    """Change all probes at once in the staged copy, and build again until one probe is to blame."""
    first = subject.first()
    project = subject.project
    require_a_cache(subject)
    tried = probes(project)
    if not tried:
        require_no_named_directory(project)
        return Verdict(
            "the Dockerfile names .git, .pytest_cache and __pycache__ itself, "
            "or the ignore file keeps out what they will hold"
        )
    build = subject.after([probe.edit for probe in tried], _stop(project, tried))
    names = _listed([probe.name for probe in tried])
    again = [step for step in build.steps if is_rebuilt(step)]
    roots = [step for step in again if step.reason is None or step.reason.kind != "parent"]
    wanted = {line for probe in tried for line in probe.naming}
    for step in roots:
        guilty = [probe for probe in tried if step.line in probe.blamable]
        if guilty:
            raise _let_in(subject, build, step, guilty)
    for step in again:
        if step.role == "environment":
            guilty, by = _asked_for(tried, step, roots)
            if guilty:
                raise _asked_too_early(subject, step, guilty, by)
    require_known(build.steps)
    for step in roots:
        if step.line not in wanted and not _follows(step, wanted):
            raise Unverifiable(
                f"line {step.line} ({named_step(step)}) was rebuilt, and it takes none of {names}: "
                "whether these leave every step a hit is not known"
            )
    require_no_named_directory(project)
    kept = f"all {len(first.steps)} steps" if not again else "every step that does not name them"
    return Verdict(f"changes in {names} leave {kept} hit")


def _stop(project: Project, tried: Sequence[Probe]) -> Stop:
    """At the first miss; where paths are asked for, when no other step and no install misses."""
    if not any(probe.naming for probe in tried):
        return Stop("any-miss")
    lines = {line for probe in tried for line in probe.blamable}
    lines |= {command.line for command in project.commands}
    reached = {step.line for step in project.steps}
    return Stop("miss", tuple(sorted(lines & reached)))


def _follows(step: Step, lines: Collection[int]) -> bool:
    """Whether a step missed only because a step at one of these lines missed."""
    return step.reason is not None and step.reason.line in lines


def _asked_for(
    tried: Sequence[Probe], step: Step, roots: Sequence[Step]
) -> tuple[list[Probe], Step]:
    """The probes that a step takes by name and that rerun an environment step, and that step."""
    lines = {step.line, step.reason.line if step.reason is not None else None}
    for root in roots:
        if root.line in lines:
            found = [probe for probe in tried if root.line in probe.naming]
            if found:
                return found, root
    return [], step


def _let_in(
    subject: Subject, build: Build, root: Step, guilty: Sequence[Probe]
) -> CacheAssertionError:
    listed = _listed([probe.name for probe in guilty])
    installs = [step for step in build.steps if step.role == "environment" and is_rebuilt(step)]
    rows = [step_row(root, f"takes {listed}")]
    rows += [step_row(step, "runs again with it") for step in installs if step.line != root.line]
    return broken(
        f"build context lets in {listed}: line {root.line} was rebuilt",
        subject=subject,
        edits=[probe.edit for probe in guilty[:_SHOWN]],
        rows=rows,
        why=f"line {root.line} ({named_step(root)}) copies {listed}; "
        + _why_let_in(subject.project, guilty),
        fix=_offer(subject, guilty),
        line=root.line,
        cause=root.reason,
    )


def _asked_too_early(
    subject: Subject, step: Step, guilty: Sequence[Probe], by: Step
) -> CacheAssertionError:
    """The failure of a wanted path whose every change installs everything again."""
    listed = _listed([probe.name for probe in guilty])
    rows = [step_row(by, f"takes {listed}")]
    if step.line != by.line:
        rows.append(step_row(step, "runs again with it"))
        how = f"copy {listed} below line {step.line}"
    else:
        how = f"take {listed} in a step of its own below line {step.line}"
    fix = _offer(subject, guilty)
    return broken(
        f"env layer was rebuilt: line {by.line} takes {listed}",
        subject=subject,
        edits=[probe.edit for probe in guilty[:_SHOWN]],
        rows=rows,
        why=f"line {step.line} stands on {listed}, which every commit or test run changes",
        fix=fix if fix is not None and fix.patch is not None else how,
        line=by.line,
        cause=by.reason,
    )


def _offer(subject: Subject, guilty: Sequence[Probe]) -> Fix | None:
    """Lines for the ignore file, tried on the model; else a sentence with the paths to keep out."""
    from ..fixing import without_what_changes_by_itself  # Only a failure needs it.

    project = subject.project
    edits = {probe.name.rstrip("/"): probe.edit for probe in guilty}
    offered = without_what_changes_by_itself(project, edits, subject.engine.dialect)
    return offered or Fix(f"keep {_listed(list(edits))} out of {project.spec.context}")


def _why_let_in(project: Project, guilty: Sequence[Probe]) -> str:
    source = project.ignore.source
    if source is None:
        beside = project.spec.dockerfile.parent / ".dockerignore"
        unread = project.spec.dockerfile.parent != project.spec.context and beside.is_file()
        other = f", and the one beside {project.spec.dockerfile.name} is not read" if unread else ""
        return f"there is no .dockerignore in {_directory(project)}{other}"
    for probe in guilty:
        line = project.ignore.deciding_line(probe.edit.path or "")
        if line is not None:
            return f"{line} lets {probe.name} in"
    return f"no line of {source.name} leaves {'it' if len(guilty) == 1 else 'them'} out"


def _directory(project: Project) -> str:
    """The build context as a message names it: from the root, if it lies below."""
    root, context = project.settings.root, project.spec.context
    if root is None or context == root or not context.is_relative_to(root):
        return "the build context"
    return f"the build context {context.relative_to(root).as_posix()}/"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(names if more <= 1 else names[:_SHOWN])
    return shown if more <= 1 else f"{shown} and {more} more"


# -- the steps that take a path


def _context_transfers(project: Project) -> Iterator[tuple[PlannedStep, Transfer]]:
    for step in project.steps:
        for transfer in step.transfers:
            if transfer.origin == "context":
                yield step, transfer


def _with_lines(project: Project, found: Sequence[Probe]) -> tuple[Probe, ...]:
    """The probes with the steps that take their paths after all edits."""
    tree = project.snapshot.after(project.spec, [probe.edit for probe in found]).tree
    entries = tuple(tree.entries.values())
    takers: dict[str, set[int]] = {}
    naming: dict[str, set[int]] = {}
    for step, transfer in _context_transfers(project):
        taken = set(taken_files(transfer, entries))
        for probe in found:
            path = probe.edit.path or ""
            if path in taken:
                takers.setdefault(path, set()).add(step.line)
                if _names(transfer, probe.name):
                    naming.setdefault(path, set()).add(step.line)
    inner = {
        probe.edit.path or ""
        for probe in found
        if probe.name.startswith((".git/", ".pytest_cache/")) and probe.name.rstrip("/").count("/")
    }
    judged = []
    for probe in found:
        path = probe.edit.path or ""
        asked = frozenset(naming.get(path, ()))
        # The whole directory is a probe too: a step that takes the directory is blamed there.
        taken_by = asked if path in inner else frozenset(takers.get(path, ()))
        if taken_by - asked or not asked or _may_carry_the_environment(project, asked):
            judged.append(Probe(probe.name, probe.edit, taken_by, asked))
    return tuple(judged)


def _may_carry_the_environment(project: Project, lines: Collection[int]) -> bool:
    """Whether an environment step may stand on one of these steps."""
    for step in project.steps:
        if project.roles[step.line] != "environment":
            continue
        stages = contributing_stages(project.steps, [step.stage.index])
        if any(
            other.line in lines
            and other.stage.index in stages
            and (other.stage.index != step.stage.index or other.line <= step.line)
            for other in project.steps
        ):
            return True
    return False


def _sources(transfer: Transfer) -> Iterator[str]:
    """The context paths of a transfer as written, each up to its first wildcard."""
    for source in transfer.sources:
        path = posixpath.normpath(source).lstrip("/")
        first = min((path.find(mark) for mark in "*?[" if mark in path), default=len(path))
        yield path[:first].rstrip("/") if first < len(path) else path


def _names(transfer: Transfer, name: str) -> bool:
    """Whether a source of a transfer is this path, or lies below the path."""
    bare = name.rstrip("/")
    return any(path == bare or path.startswith(f"{bare}/") for path in _sources(transfer))


def _named(project: Project) -> list[str]:
    """The paths below ``.git`` and ``.pytest_cache`` that the Dockerfile names."""
    found: dict[str, None] = {}
    for _, transfer in _context_transfers(project):
        for path in _sources(transfer):
            if (
                path.startswith((".git/", ".pytest_cache/"))
                and (project.spec.context / path).exists()
            ):
                found[path] = None
    return list(found)


def _bytecode_directories(project: Project) -> list[str]:
    """``__pycache__`` beside every copied Python file: where an interpreter would make it."""
    copied = {
        path
        for _, transfer in _context_transfers(project)
        for path in taken_files(transfer, project.entries)
    }
    folders: dict[str, None] = {}
    for entry in project.entries:
        if entry.path.endswith(".py") and entry.path in copied:
            folders[posixpath.join(posixpath.dirname(entry.path), "__pycache__")] = None
    return list(folders)
