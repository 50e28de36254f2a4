"""``env-layer-cached``: after an edit of any source file every environment step is a hit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..cache import is_rebuilt
from ..dockerfile import PlannedStep, Transfer, contributing_stages
from ..environments import (
    Unrecognised,
    belongs_to_manager,
    directories_of,
    grounds_of,
    is_installed_place,
    lists_apart,
    only_exports,
)
from ..errors import CacheAssertionError, DockerCacheError, DoesNotApply, Unverifiable
from ..model import Build, Edit, on_one_line
from ..project import Project
from ..subject import Subject
from .file_groups import remember_files
from .harmless import MOST_BUILDS, Trials, Tried, files_of, trials_of, tried_alone, tried_together
from .rebuilt import rebuilt_by_itself, rebuilt_environment
from .uncached import require_cached
from .verdict import Verdict, environment_steps, require_reached

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """Edit every group of source files, and see which environment steps run again."""
    try:
        return _judged(subject)
    finally:
        # Where the files cannot be told apart, the judgement has said why.
        with suppress(DockerCacheError):
            remember_files(subject.run, subject.spec, files_of(subject))


def _judged(subject: Subject) -> Verdict:
    project = subject.project
    if not subject.first().with_role("environment"):
        _require_recognised(project)
    environment_steps(subject.first().steps)
    require_cached(subject)
    trials = trials_of(project)
    if not trials.files:
        also = _also_needed(project)
        needed = f" but what an environment step needs; {also}" if also else ""
        raise DoesNotApply(f"the image takes no source file of the build context{needed}")
    tried = [one for one in tried_together(subject, trials) if _asks(one, trials)]
    apart = trials.apart(trials.files)
    tried += tried_alone(subject, apart)
    for one in tried:
        if one.failed is not None:
            raise one.failed
    guilty = [one for one in tried if one.rebuilt]
    if guilty:
        raise _rebuilt_by_source(subject, trials, guilty)
    _require_reached(tried, trials)
    _require_recognised(project)
    for one in tried:
        if one.edits[0] in apart:
            _require_survived(subject, one.build, one.edits[0])
    if len(apart) > MOST_BUILDS:
        raise Unverifiable(
            f"{len(apart)} groups of files may reach the environment, and only {MOST_BUILDS} "
            "of them were tried",
            fix="name one with --dockercache-edit=PATH",
        )
    unsettled = project.survey.roles.unsettled
    if unsettled and project.settings.edit is None:
        raise Unverifiable(
            "whether the environment needs all that it stands on is not known: "
            + "; ".join(unsettled.values())
        )
    return _kept(project, trials)


def _asks(tried: Tried, trials: Trials) -> bool:
    return any(edit in trials.files for edit in tried.edits)


def _require_recognised(project: Project) -> None:
    """Raise Unverifiable for a RUN below source files that looks like an installation."""
    for found in _unrecognised_below_source(project):
        step, shown = found.step, on_one_line(found.step.instruction.text, 60)
        if found.lacking:
            raise Unverifiable(
                f"line {step.line} ({shown}) may install packages again after a source edit: "
                f"the project needs {_some(found.lacking)}, and no manifest above names "
                f"{'it' if len(found.lacking) == 1 else 'them'}; with --no-deps it installs the "
                "project alone, and --dockercache-env-step=REGEX says that it does not"
            )
        if found.tool:
            raise Unverifiable(
                f"line {step.line} ({shown}) installs with {found.tool} on source files; whether "
                f"it adds packages to those that are installed above it is not known"
                + (f": {_some(found.came)} came with the source" if found.came else ""),
                fix=_above(found),
            )
        raise Unverifiable(
            f"line {step.line} ({shown}) looks like an "
            "installation that runs again after a source edit, and is not recognised: name it "
            "with --dockercache-env-step=REGEX"
        )


def _above(found: Unrecognised) -> str:
    """What to do about a recognised install that may add packages."""
    what = _some(found.came) if found.came else "the manifests that it reads"
    return (
        f"COPY {what} and install from {'it' if len(found.came) == 1 else 'them'} above the "
        "source; or say with --dockercache-env-step=REGEX that the line installs"
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _unrecognised_below_source(project: Project) -> Iterator[Unrecognised]:
    """The RUNs on source files that look like installations but are not recognised."""
    suspects = {found.step.line: found for found in project.unrecognised}
    for ground in grounds_of(project.steps, set(suspects)):
        said = "\n".join(
            step.instruction.text for step in ground.steps if step.instruction.keyword == "RUN"
        )
        belongs = belongs_to_manager(said) or (lambda path: False)
        lines = {step.line for step in ground.steps}
        if ground.step.line in suspects and any(
            not lines.isdisjoint(group.lines) and not all(map(belongs, group.paths))
            for group in project.survey.source_groups
        ):
            yield suspects[ground.step.line]


def _require_reached(tried: Sequence[Tried], trials: Trials) -> None:
    """Raise DockerCacheError if no step ran again after the edits of files."""
    if any(is_rebuilt(step) for one in tried for step in one.build.steps):
        return
    for one in tried:
        require_reached(one.build, next(edit for edit in one.edits if edit in trials.files))


def _kept(project: Project, trials: Trials) -> Verdict:
    installed = [command.line for command in project.commands]
    kept = ", ".join(map(str, installed))
    lines = "line" if len(installed) == 1 else "lines"
    files = sum(len(group.paths) for group in trials.files.values())
    edits = ", ".join(map(str, trials.files))
    stands = "" if files == len(trials.files) else f", which stand for {files} source files"
    remarks = "".join(
        f"; {said}" for said in (_also_needed(project), _lists_apart(project)) if said
    )
    return Verdict(f"{lines} {kept} hit after {edits}{stands}{remarks}", installed[0])


def _lists_apart(project: Project) -> str:
    """A remark on the first ``apt-get update`` in a RUN of its own, "" where there is none."""
    for updates, installs in lists_apart(project.steps)[:1]:
        return (
            f"line {updates} fetches apt's lists in a RUN of its own, which the cache keeps: a "
            f"changed line {installs} may ask for packages that are gone, so update and install in "
            "one RUN"
        )
    return ""


def _also_needed(project: Project) -> str:
    """The needed files that reinstall, each with the line that needs it."""
    needed = project.survey.roles.needed
    if not needed:
        return ""
    shown = [
        f"{path}, which line {use.line} {'runs' if use.runs else 'reads'}"
        for path, use in list(needed.items())[:3]
    ]
    more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
    return f"also reinstall: {', '.join(shown)}{more}"


def _rebuilt_by_source(
    subject: Subject, trials: Trials, guilty: Sequence[Tried]
) -> CacheAssertionError:
    """The failure of groups of source files that reinstall the environment."""
    first = guilty[0]
    if first.itself is not None:
        return rebuilt_by_itself(subject, first, first.itself)
    groups = [trials.files[edit] for one in guilty for edit in one.edits if edit in trials.files]
    paths = [path for group in groups for path in group.paths]
    notes = []
    if len(paths) > 1:
        edited = [str(edit.path) for one in guilty for edit in one.edits]
        shown = directories_of(paths, edited)
        notes.append(f"  files  {len(paths)} source files reinstall it: {shown}")
    also = _also_needed(subject.project)
    if also:
        notes.append(f"  also   {also.removeprefix('also reinstall: ')}, which is needed")
    return rebuilt_environment(subject, guilty, paths=paths, notes=notes)


def _require_survived(subject: Subject, build: Build, edit: Edit) -> None:
    """Raise Unverifiable where a command of another stage may have lost the edit on its way.

    A stage that was made again hands on its result. If an environment step stands on that result
    and the result came out as before, either the result has nothing to do with the edited file, or
    it does not show a comment: a minifier and a compiler drop comments, and would not drop code.
    """
    project = subject.project
    again = {step.line for step in build.steps if is_rebuilt(step)}
    lines = {step.line for step in build.with_role("environment")}
    for environment in (step for step in project.steps if step.line in lines):
        for step, transfer, stage in _taken_from_stages(project, environment):
            for made in _commands_of(project, stage):
                if (
                    made.line in again
                    and not only_exports(made)
                    and not _is_apart(project, made, transfer.sources)
                ):
                    raise Unverifiable(
                        f"whether an edit of {edit.path} rebuilds the environment is not "
                        f"known: line {made.line} ran again, and what line {step.line} "
                        "copies of its stage came out as before, perhaps because a comment "
                        "does not show in it"
                    )


def _taken_from_stages(
    project: Project, environment: PlannedStep
) -> Iterator[tuple[PlannedStep, Transfer, int]]:
    """Paths that an environment step, and the steps that it stands on, take from other stages."""
    chain = project.ancestors[environment.stage.label]
    for step in project.steps[: project.steps.index(environment) + 1]:
        for transfer in step.transfers:
            if step.stage.label in chain and isinstance(transfer.origin, int):
                yield step, transfer, transfer.origin


def _commands_of(project: Project, stage: int) -> list[PlannedStep]:
    """The RUN steps of a stage, and of the stages that it is made of."""
    stages = contributing_stages(project.steps, [stage])
    return [
        step
        for step in project.steps
        if step.stage.index in stages and step.instruction.keyword == "RUN"
    ]


def _is_apart(project: Project, made: PlannedStep, sources: Sequence[str]) -> bool:
    """Whether a RUN plainly has no part in these paths of its stage.

    Another RUN of that stage names the paths, or installs into them, and this RUN neither names
    them nor works in or above them.
    """
    others = [
        step
        for step in project.steps
        if step.stage.index == made.stage.index
        and step.instruction.keyword == "RUN"
        and step.line != made.line
    ]
    installs = any(project.roles.get(step.line) == "environment" for step in others)
    for source in sources:
        path = "/" + source.strip("/")
        here = made.workdir.rstrip("/") or "/"
        if here == path or here.startswith(f"{path}/") or path.startswith(f"{here}/"):
            return False
        named = any(path in step.instruction.text for step in others)
        if path in made.instruction.text or not (named or (installs and is_installed_place(path))):
            return False
    return True
