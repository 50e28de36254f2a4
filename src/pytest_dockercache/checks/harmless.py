"""One build for all edits that must not matter to the environment, and its findings.

To a builder, a source edit and another value of an unrelated build argument are one and the same
question. All edits that are expected to leave the environment alone are made in one build; an edit
that is expected to reinstall the environment gets a build of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from ..cache import is_rebuilt
from ..context import is_remote
from ..dockerfile import PlannedStep
from ..environments import Group
from ..errors import BuildFailed, Unverifiable
from ..model import Build, Edit, FileGroup, Step
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from ..values import dataclass
from .verdict import environment_steps, require_known, root_of

__all__ = ["Trials", "Tried", "files_of", "trials_of", "tried_alone", "tried_together"]

MOST_BUILDS = 12
"""How many edits of one kind get a build of their own; a message names the untried edits."""


@dataclass(frozen=True)
class Trials:
    """The edits that must leave the environment alone, each with the files that it stands for.

    ``files`` maps the edit of a representative to its group, ``arguments`` the change of a build
    argument to the first lines of the environment steps that must not notice it. ``together`` are
    the edits that share one build; each other edit gets a build of its own. ``unreached`` are
    arguments that no step up to the environment can see.
    """

    files: Mapping[Edit, Group] = field(default_factory=dict)
    arguments: Mapping[Edit, tuple[int, ...]] = field(default_factory=dict)
    together: tuple[Edit, ...] = ()
    unreached: tuple[str, ...] = ()

    def apart(self, edits: Mapping[Edit, object]) -> tuple[Edit, ...]:
        """The members of ``edits`` that get a build of their own."""
        return tuple(edit for edit in edits if edit not in self.together)


def trials_of(project: Project) -> Trials:
    """The edits to make, as far as the project tells them without a build.

    ``--dockercache-edit`` names the only file to judge.
    """
    survey = project.survey
    if project.settings.edit is not None:
        path = project.source.path
        own = next((group for group in survey.groups if path in group.paths), None)
        groups: tuple[Group, ...] = (
            Group(own.lines if own else (), "source", (path,), own is None or own.stands_on),
        )
    else:
        groups = survey.source_groups
    files = {Edit.append(survey.representative(group)): group for group in groups}
    arguments = survey.arguments
    lines = {ground.step.line for ground in survey.grounds}
    changes: dict[Edit, tuple[int, ...]] = {}
    together = [edit for edit, group in files.items() if not group.stands_on]
    unreached: list[str] = []
    for name, judged in arguments.judged.items():
        edit = Edit.build_arg(name)
        if name in arguments.reaching:
            changes[edit] = judged
        elif name in arguments.naming or set(judged) != lines:
            # An invented value may not build, or rightly reinstalls another environment.
            unreached.append(name)
        else:
            changes[edit] = judged
            together.append(edit)
    return Trials(files, changes, tuple(together), tuple(unreached))


@dataclass(frozen=True)
class Tried:
    """The environment steps in question after one build with some edits.

    ``rebuilt`` are the steps that ran again; ``itself`` is the step at their root if its result
    differs at every build, whatever was edited. ``failed`` says why the image does not build after
    the edits, None if it builds.
    """

    edits: tuple[Edit, ...]
    build: Build
    rebuilt: tuple[Step, ...] = ()
    itself: Step | None = None
    failed: BuildFailed | None = None


def tried_together(subject: Subject, trials: Trials) -> tuple[Tried, ...]:
    """Make the edits that are expected to be harmless, in one build unless some are guilty.

    Several builds are made only to name the guilty edits. The result is empty where there are no
    edits. Raises Unverifiable where the edits reinstall together and none does alone, and the
    errors of a build.
    """
    if not trials.together:
        return ()
    tried = _tried(subject, trials.together, None)
    if len(trials.together) == 1 or not (tried.failed or tried.rebuilt) or tried.itself:
        return (tried,)
    alone = tuple(_tried(subject, (edit,), None) for edit in trials.together)
    if tried.rebuilt and not any(one.rebuilt or one.failed for one in alone):
        line = tried.rebuilt[0].line
        raise Unverifiable(
            f"line {line} ran again after {len(trials.together)} edits at once and after none of "
            "them alone: something else removes its record from the build cache"
        )
    return alone


def tried_alone(
    subject: Subject, edits: Sequence[Edit], lines: Sequence[int] | None = None
) -> Iterator[Tried]:
    """A build for each of these edits; ``lines`` are the environment steps in question."""
    for edit in edits[:MOST_BUILDS]:
        yield _tried(subject, (edit,), lines)


def _tried(subject: Subject, edits: tuple[Edit, ...], lines: Sequence[int] | None) -> Tried:
    stop = Stop("miss", None if lines is None else tuple(lines))
    try:
        build = subject.after(edits, stop)
    except BuildFailed as problem:
        return Tried(edits, Build(edits, "failed", 0.0, ()), failed=problem)
    installed = [
        step for step in environment_steps(build.steps) if lines is None or step.line in lines
    ]
    rebuilt = tuple(step for step in installed if is_rebuilt(step))
    if not rebuilt:
        require_known(installed)
        return Tried(edits, build)
    return Tried(edits, build, rebuilt, _changing(subject.project, root_of(build, rebuilt[0])))


def _changing(project: Project, root: Step) -> Step | None:
    """The step if it takes something of a server, and no edit explains that it ran again."""
    if root.reason is not None and (root.reason.paths or root.reason.kind == "argument"):
        return None
    planned = next((step for step in project.all_steps if step.line == root.line), None)
    if planned is None or not _takes_of_server(planned):
        return None
    return root


def _takes_of_server(step: PlannedStep) -> bool:
    return any(
        transfer.kind == "add" and any(map(is_remote, transfer.sources))
        for transfer in step.transfers
    )


def files_of(subject: Subject) -> tuple[FileGroup, ...]:
    """The groups of files that steps take, with the results of this run's builds."""
    project = subject.project
    trials = trials_of(project)
    edits = {group: edit for edit, group in trials.files.items()}
    shown: dict[Edit, bool] = {}
    for build in subject.builds():
        if build.outcome == "failed":
            continue
        installed = build.with_role("environment")
        again = any(is_rebuilt(step) for step in installed)
        known = all(step.status == "hit" for step in installed)
        if len(build.edits) == 1 and (again or known):
            shown[build.edits[0]] = again
        elif known:
            shown.update(dict.fromkeys(build.edits, False))
    return tuple(
        FileGroup(
            group.lines,
            group.role,
            len(group.paths),
            _examples(project, group),
            shown.get(edits[group]) if group in edits else None,
        )
        for group in project.survey.groups
    )


def _examples(project: Project, group: Group, limit: int = 5) -> tuple[str, ...]:
    first = project.survey.representative(group)
    return (first, *(path for path in group.paths if path != first))[:limit]
