"""``dockerignore-effective``: .git, .pytest_cache and __pycache__ leave every step a hit."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ..cache import is_rebuilt
from ..context import taken_files
from ..context.named import at_top
from ..dockerfile import PlannedStep, Transfer, contributing_stages
from ..errors import CacheAssertionError, Unverifiable
from ..model import Build, Edit, Fix, Step, named_step, top_of
from ..project import Project
from ..regexes import regex
from ..stopping import Stop
from ..subject import Subject
from ..values import dataclass
from .named_contexts import require_reusable
from .uncached import require_a_cache
from .verdict import Verdict, broken, require_known, step_row

__all__ = ["judge", "probes"]

_PROBE = "pytest-dockercache-probe"
_SHOWN = 3
_AT_ROOT = (".git", ".pytest_cache")
"""What changes by itself at the root of a context."""


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
    """The changes that must not matter: of three kinds of path, and of files in ``.git``.

    The files are those that the Dockerfile names, and of a directory that is kept out those that
    the ignore file lets in again (``!.git/index``).

    A ``.git`` file (of a worktree or a submodule) is changed in place; a directory gets a new file,
    which changes the directory for certain. A link is left out: a build sees the link's text, which
    never changes. So is a directory that does not exist yet and whose future contents are ignored
    (``**/*.pyc``): a builder sees the new directory once, and no change after that.
    """
    found: list[Probe] = []
    seen: set[str] = set()
    for name in (
        *_roots(project),
        *_bytecode_directories(project),
        *_named(project),
        *_let_in_again(project),
    ):
        place = project.spec.place(name)
        # A directory of two contexts is changed once, and that changes both.
        real = _real(project, name)
        if place.is_symlink() or real in seen:
            continue
        seen.add(real)
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
    require_reusable(project, environment=False)
    tried = probes(project)
    if not tried:
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
    if offered is not None:
        return offered
    tops = {top_of(name) for name in edits}
    directories = [str(project.spec.place(f"{top}/" if top else "")) for top in sorted(tops)]
    return Fix(f"keep {_listed(list(edits))} out of {' and '.join(directories)}")


def _why_let_in(project: Project, guilty: Sequence[Probe]) -> str:
    tops = {top_of(probe.name) for probe in guilty}
    if tops != {""}:
        return _why_named(project, guilty, sorted(tops))
    source = project.ignore.source
    if source is None:
        beside = project.spec.dockerfile.parent / ".dockerignore"
        unread = project.spec.dockerfile.parent != project.spec.context and beside.is_file()
        other = f", and the one beside {project.spec.dockerfile.name} is not read" if unread else ""
        return f"there is no .dockerignore in {_directory(project)}{other}"
    for probe in guilty:
        line = project.ignore.deciding_line(probe.edit.path or probe.name)
        if line is not None:
            return f"{line} lets {probe.name} in"
    return f"no line of {source.name} leaves {'it' if len(guilty) == 1 else 'them'} out"


def _why_named(project: Project, guilty: Sequence[Probe], tops: Sequence[str]) -> str:
    for probe in guilty:
        line = project.ignore.deciding_line(_seen(probe))
        if line is not None:
            return f"{line} lets {probe.name} in"
    said = []
    for top in tops:
        rules = project.ignore.named[top] if top else project.ignore
        name = f"the named context {top.removesuffix(':')}" if top else "the build context"
        if rules.source is None:
            said.append(f"there is no .dockerignore in {name}")
        else:
            said.append(f"no line of {rules.source.name} in {name} leaves them out")
    return ", and ".join(said)


def _seen(probe: Probe) -> str:
    """The edited path as the context has it that lets it in."""
    path = probe.edit.path or probe.name
    if top_of(path) == top_of(probe.name):
        return path
    return f"{probe.name.rstrip('/')}/{posixpath.basename(path)}"


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
    elsewhere: dict[str, str] = {}
    for step, transfer in _context_transfers(project):
        taken = {_real(project, path): path for path in taken_files(transfer, entries)}
        for probe in found:
            path = probe.edit.path or ""
            by = taken.get(_real(project, path))
            if by is None:
                continue
            if top_of(by) != top_of(path):
                elsewhere[path] = by
            takers.setdefault(path, set()).add(step.line)
            if _names(project, transfer, probe.name):
                naming.setdefault(path, set()).add(step.line)
    inner = {probe.edit.path or "" for probe in found if _is_below_tools(probe.name.rstrip("/"))}
    again = _let_in_again(project)
    judged = []
    for probe in found:
        path = probe.edit.path or ""
        if path in elsewhere:
            # At the root of one context, and below the root of another that is taken.
            if not project.spec.place(probe.name.rstrip("/")).exists() and _is_at_root(probe.name):
                continue
            cut = len(path) - len(probe.name.rstrip("/"))
            name = elsewhere[path][: len(elsewhere[path]) - cut]
            probe = replace(probe, name=f"{name}/" if probe.name.endswith("/") else name)
        asked = frozenset(naming.get(path, ()))
        # The whole directory is a probe too: a step that takes the directory is blamed there.
        taken_by = frozenset(takers.get(path, ()))
        if path in inner and (asked or path not in again):
            taken_by = asked
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


def _names(project: Project, transfer: Transfer, name: str) -> bool:
    """Whether a source of a transfer is this path, or lies below the path."""
    bare = _real(project, name.rstrip("/"))
    places = [_real(project, path) for path in _sources(transfer)]
    return any(place == bare or place.startswith(f"{bare}/") for place in places)


def _real(project: Project, path: str) -> str:
    """Where a path of a context lies on disk: equal for a file of two contexts."""
    root, rest = project.spec.root_of(path)
    return os.path.join(os.path.realpath(root), rest).rstrip("/")


def _roots(project: Project) -> list[str]:
    """``.git`` and ``.pytest_cache`` at the root of each context that steps take files of."""
    tops = dict.fromkeys(("", *(transfer.context for _, transfer in _context_transfers(project))))
    return [at_top(top, name) for top in tops for name in _AT_ROOT]


def _is_at_root(name: str) -> bool:
    return name[len(top_of(name)) :].strip("/") in _AT_ROOT


def _is_below_tools(path: str) -> bool:
    """Whether a path lies below ``.git`` or ``.pytest_cache`` of its context."""
    inside = path[len(top_of(path)) :].lstrip("/")
    return inside.startswith(tuple(f"{name}/" for name in _AT_ROOT))


def _named(project: Project) -> list[str]:
    """The paths below ``.git`` and ``.pytest_cache`` that the Dockerfile names."""
    found: dict[str, None] = {}
    for _, transfer in _context_transfers(project):
        for path in _sources(transfer):
            if _is_below_tools(path) and project.spec.place(path).exists():
                found[path] = None
    return list(found)


_MOVING = regex(
    r"\.git/((FETCH_|ORIG_)?HEAD|index|packed-refs|COMMIT_EDITMSG|logs/.*|refs/.*)"
    r"|\.pytest_cache/v/cache/.*"
)
"""The files of git and pytest that a commit, a checkout or a run of tests writes anew."""

_AT_MOST = 4
"""Files of one directory that stand for all that the ignore file lets in again."""


def _let_in_again(project: Project) -> list[str]:
    """The files of ``.git`` and ``.pytest_cache`` that are let in although their directory is not.

    A file is left out if no commit and no run of tests changes the file.
    """
    found: list[str] = []
    for root in _roots(project):
        if project.ignore.excludes(f"{root}/{_PROBE}"):
            inside = [
                entry.path
                for entry in project.entries
                if entry.path.startswith(f"{root}/")
                and _MOVING.fullmatch(entry.path[len(top_of(entry.path)) :].lstrip("/"))
                and project.spec.place(entry.path).is_file()
            ]
            found += sorted(inside, key=lambda path: (path.count("/"), path))[:_AT_MOST]
    return found


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
