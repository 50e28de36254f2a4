"""``env-change-rebuilds``: after an edit of an environment file the steps that read it miss."""

from __future__ import annotations

from collections.abc import Iterator

from ..cache import is_rebuilt
from ..environments import EnvironmentFile, check_environment_file, is_foreign_file
from ..errors import CacheAssertionError, DoesNotApply, Unverifiable
from ..model import Build, Edit
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from .uncached import require_a_cache
from .verdict import Verdict, broken, environment_steps, require_known, step_row

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """The negative control: one edited build for each environment file."""
    project = subject.project
    environment_steps(subject.first().steps)
    require_a_cache(subject)
    if not project.environment_files:
        raise DoesNotApply(
            "no environment file found that the environment steps read",
            fix="name one with --dockercache-environment=PATH",
        )
    judged = (*project.environment_files, *_included(project))
    for file in judged:
        if not is_foreign_file(file.path):
            check_environment_file(project.spec.place(file.path))
        _judge_file(subject, file)
    names = ", ".join(file.path for file in judged)
    return Verdict(f"an edit of {names} rebuilds the environment")


def _included(project: Project) -> Iterator[EnvironmentFile]:
    """One included file of each group of files that no environment file stands for.

    Files that the same steps take have the same effect on every key.
    """
    survey = project.survey
    told = {file.path for file in project.environment_files}
    readers = {path: tuple(file.readers) for file in survey.read_files for path in (file.path,)}
    lines = tuple(sorted({line for found in readers.values() for line in found}))
    for group in survey.groups:
        if group.role != "input" or not told.isdisjoint(group.paths):
            continue
        included = [path for path in group.paths if " includes it" in survey.roles.inputs[path]]
        if included:
            able = tuple(line for line in lines if survey.sees(line, included[0]))
            yield EnvironmentFile(included[0], able, survey.roles.inputs[included[0]], able)


def _judge_file(subject: Subject, file: EnvironmentFile) -> None:
    edit = Edit.append(file.path)
    stop = Stop("hit", file.readers) if file.readers else Stop("decided")
    build = subject.after([edit], stop)
    installed = build.with_role("environment")
    if not file.readers:
        if any(is_rebuilt(step) for step in installed):
            return
        _require_not_made_of(subject.project, build, file)
        require_known(installed)
        changes = any(is_rebuilt(step) for step in build.steps)
        why = "no environment step can read it" if changes else "an edit of it changes nothing"
        raise _unread(subject, build, file, edit, why)
    readers = [step for step in build.steps if step.line in file.readers]
    require_known(readers)
    kept = [step for step in readers if not is_rebuilt(step)]
    if kept:
        _require_not_made_of(subject.project, build, file)
        rows = [step_row(step) for step in readers]
        raise broken(
            f"env layer is stale: line {kept[0].line} was reused after {file.path} changed",
            subject=subject,
            edits=[edit],
            rows=rows,
            why=f"line {kept[0].line} can read {file.path}, but its layer does not depend on it",
            fix=f"let line {kept[0].line} read {file.path} from a COPY or a bind mount of its own",
            line=kept[0].line,
        )


def _require_not_made_of(project: Project, build: Build, file: EnvironmentFile) -> None:
    """Raise Unverifiable where another stage turns the file into an input of the environment.

    That stage's commands may drop a comment in the file, as ``poetry export`` does.
    """
    again = {step.line for step in build.steps if is_rebuilt(step)}
    for ground in project.survey.grounds:
        for step in ground.apart:
            if step.instruction.keyword == "RUN" and step.line in again:
                raise Unverifiable(
                    f"whether a change of {file.path} reaches the environment is not known: line "
                    f"{step.line} of another stage ran again, and what is copied of it came out "
                    "as before, perhaps because a comment does not show in it"
                )


def _unread(
    subject: Subject, build: Build, file: EnvironmentFile, edit: Edit, why: str
) -> CacheAssertionError:
    installed = [step for step in build.steps if step.role == "environment"]
    line = installed[0].line
    return broken(
        f"env layer ignores {file.path}: {why}",
        subject=subject,
        edits=[edit],
        rows=[step_row(step, f"does not read {file.path}") for step in installed],
        why=f"no step above line {line} copies {file.path}, so the image and the file drift apart",
        fix=f"install from {file.path} in line {line}, or name the file that the image is made of "
        "with --dockercache-environment",
        line=line,
    )
