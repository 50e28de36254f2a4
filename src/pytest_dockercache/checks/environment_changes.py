"""``env-change-rebuilds``: after an edit of an environment file the steps that read it miss."""

from __future__ import annotations

from ..cache import is_rebuilt
from ..environments import EnvironmentFile, check_environment_file
from ..errors import CacheAssertionError, DoesNotApply
from ..model import Build, Edit
from ..stopping import Stop
from ..subject import Subject
from .verdict import Verdict, broken, environment_steps, require_known, step_row

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """The negative control: one edited build for each environment file."""
    project = subject.project
    environment_steps(subject, subject.first().steps)
    if not project.environment_files:
        raise DoesNotApply(
            "no environment file found that the environment steps read; "
            "name one with --dockercache-environment=PATH"
        )
    for file in project.environment_files:
        check_environment_file(project.spec.context / file.path)
        _judge_file(subject, file)
    names = ", ".join(file.path for file in project.environment_files)
    return Verdict(f"an edit of {names} rebuilds the environment")


def _judge_file(subject: Subject, file: EnvironmentFile) -> None:
    edit = Edit.append(file.path)
    stop = Stop("hit", file.readers) if file.readers else Stop("any-miss")
    build = subject.after([edit], stop)
    rebuilt = [step for step in build.steps if is_rebuilt(step)]
    readers = [step for step in build.steps if step.line in file.readers]
    if not rebuilt:
        require_known(build.steps)
        raise _unread(subject, build, file, edit, "an edit of it changes nothing")
    if not readers:
        raise _unread(subject, build, file, edit, "no environment step can read it")
    require_known(readers)
    kept = [step for step in readers if not is_rebuilt(step)]
    if kept:
        rows = [step_row(step) for step in readers]
        raise broken(
            f"env layer is stale: line {kept[0].line} was reused after {file.path} changed",
            subject=subject,
            edits=[edit],
            rows=rows,
            why=f"line {kept[0].line} can read {file.path}, but its layer does not depend on it",
            fix=f"COPY {file.path} in a step of its own above line {kept[0].line}",
            line=kept[0].line,
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
        fix=f"COPY {file.path} above line {line} and install from it",
        line=line,
    )
