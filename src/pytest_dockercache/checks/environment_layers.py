"""``env-layer-cached``: after an edit of a source file every environment step is a hit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..cache import is_rebuilt
from ..dockerfile import PlannedStep, Transfer, contributing_stages
from ..environments.tools import is_installed_place
from ..errors import CacheAssertionError, Unverifiable
from ..model import Build, Edit, Step, named_step
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from .verdict import (
    Verdict,
    broken,
    environment_steps,
    require_known,
    require_reached,
    step_row,
)

__all__ = ["judge", "rebuilt_environment"]


def judge(subject: Subject) -> Verdict:
    """Build, edit the source file, build again until the environment's fate is known."""
    environment_steps(subject, subject.first().steps)
    edit = subject.project.source_edit
    build = subject.after([edit], Stop("miss"))
    installed = environment_steps(subject, build.steps)
    require_reached(build, edit)
    rebuilt = [step for step in installed if is_rebuilt(step)]
    if rebuilt:
        raise rebuilt_environment(subject, build, [edit], rebuilt[0])
    require_known(installed)
    _require_survived(subject, build, edit, installed)
    kept = ", ".join(str(step.line) for step in installed)
    lines = "line" if len(installed) == 1 else "lines"
    return Verdict(f"{lines} {kept} hit after {edit}", installed[0].line)


def _require_survived(
    subject: Subject, build: Build, edit: Edit, installed: Sequence[Step]
) -> None:
    """Raise Unverifiable where a command of another stage may have lost the edit on its way.

    A stage that was made again hands on what it makes. If an environment step
    stands on that and it came out as before, either it has nothing to do with
    the edited file, or a comment does not show in it: a minifier and a
    compiler drop comments, and would not drop code.
    """
    project = subject.project
    again = {step.line for step in build.steps if is_rebuilt(step)}
    lines = {step.line for step in installed}
    for environment in (step for step in project.steps if step.line in lines):
        for step, transfer, stage in _taken_from_stages(project, environment):
            for made in _commands_of(project, stage):
                if made.line in again and not _is_apart(project, made, transfer.sources):
                    raise Unverifiable(
                        f"whether an edit of {edit.path} rebuilds the environment is not "
                        f"known: line {made.line} ran again, and what line {step.line} "
                        "copies of its stage came out as before, perhaps because a comment "
                        f"does not show in it; move line {step.line} below line "
                        f"{environment.line}, or name another file with --dockercache-edit"
                    )


def _taken_from_stages(
    project: Project, environment: PlannedStep
) -> Iterator[tuple[PlannedStep, Transfer, int]]:
    """What an environment step, and the steps that it stands on, take of other stages."""
    chain = project.ancestors[environment.stage.label]
    for step in project.steps[: project.steps.index(environment) + 1]:
        for transfer in step.transfers:
            if step.stage.label in chain and isinstance(transfer.origin, int):
                yield step, transfer, transfer.origin


def _commands_of(project: Project, stage: int) -> list[PlannedStep]:
    """The RUN steps of a stage, and of those that it is made of."""
    stages = contributing_stages(project.steps, [stage])
    return [
        step
        for step in project.steps
        if step.stage.index in stages and step.instruction.keyword == "RUN"
    ]


def _is_apart(project: Project, made: PlannedStep, sources: Sequence[str]) -> bool:
    """Whether a RUN plainly has no part in these paths of its stage.

    Another command of that stage names them, or installs what lies in such
    places; and this one neither names them nor works in or above them.
    """
    others = [
        step
        for step in project.steps
        if step.stage.index == made.stage.index
        and step.instruction.keyword == "RUN"
        and step.line != made.line
    ]
    installs = any(project.roles[step.line] == "environment" for step in others)
    for source in sources:
        path = "/" + source.strip("/")
        here = made.workdir.rstrip("/") or "/"
        if here == path or here.startswith(f"{path}/") or path.startswith(f"{here}/"):
            return False
        named = any(path in step.instruction.text for step in others)
        if path in made.instruction.text or not (named or (installs and is_installed_place(path))):
            return False
    return True


def rebuilt_environment(
    subject: Subject, build: Build, edits: Sequence[Edit], step: Step
) -> CacheAssertionError:
    """The failure "env layer was rebuilt": with its root cause and the fix."""
    root = _root(build, step)
    reason = root.reason
    cause, why, fix = _explained(subject, build, root, step)
    origin = _origin(build, root)
    rows = []
    for shown in build.steps:
        if origin is not None and shown.line == origin.line:
            rows.append(step_row(shown, origin.reason.message if origin.reason else ""))
        elif shown.line == root.line and shown.line != step.line:
            rows.append(step_row(shown, reason.message if reason else ""))
        elif shown.role == "environment" and is_rebuilt(shown):
            rows.append(step_row(shown, _cost(subject, shown, edits)))
    line = root.line
    if reason is not None and reason.kind == "argument" and reason.line is not None:
        line = reason.line
    return broken(
        f"env layer was rebuilt{cause}",
        subject=subject,
        edits=edits,
        rows=rows,
        why=why,
        fix=fix,
        line=line,
        cause=reason,
    )


def _root(build: Build, step: Step) -> Step:
    """The first miss of the chain that ends in ``step``."""
    if step.reason is not None and step.reason.kind == "parent":
        for other in build.steps:
            if other.line == step.reason.line and other.status == "miss":
                return other
    return step


def _cost(subject: Subject, step: Step, edits: Sequence[Edit]) -> str:
    seconds = subject.seconds(step)
    known = "" if seconds is None else f"{seconds:.1f} s "
    what = "change of the build argument" if edits[0].kind == "build-arg" else "source edit"
    return f"{known}again on every {what}"


def _origin(build: Build, root: Step) -> Step | None:
    """The step of another stage that took the edited file which ``root`` copies from there."""
    reason = root.reason
    if reason is None or reason.kind != "content" or reason.paths or reason.line == root.line:
        return None
    for other in build.steps:
        if other.line == reason.line and other.reason is not None and other.reason.paths:
            return other
    return None


def _explained(
    subject: Subject, build: Build, root: Step, step: Step
) -> tuple[str, str, str | None]:
    """The cause as the verdict goes on, the why, and the fix."""
    reason = root.reason
    instruction = f'"{named_step(root, 60)}"'
    on_top = f"line {step.line} runs on top of line {root.line}"
    read = _files_of(subject, step)
    unchanged = f"; {read[0]} itself is unchanged" if read else ""
    below = _last_environment_line(subject, step)
    if reason is not None and reason.kind == "content" and reason.paths:
        what = _whole(reason.paths[0])
        if root.line == step.line:
            return (
                f": {what} is mounted into it",
                f"line {step.line} mounts {reason.paths[0]}{unchanged}",
                f"mount only {read[0]} in line {step.line}" if read else None,
            )
        if read and _takes_any(subject, root, read):
            fix = f"COPY {' '.join(read)} before line {step.line} and move {instruction} below it"
        else:
            fix = f"move {instruction} below line {below}"
        return f": {what} is copied before it", on_top + unchanged, fix
    origin = _origin(build, root)
    if origin is not None and origin.reason is not None:
        return (
            f": {_whole(origin.reason.paths[0])} reaches it through stage {origin.stage}",
            f"{on_top}, which copies what line {origin.line} took{unchanged}",
            f"move {instruction} below line {below}" if root.line != step.line else None,
        )
    if reason is not None and reason.argument is not None and reason.line is not None:
        name = reason.argument
        users = _lines_using(subject, name, reason.line, step)
        if root.line != step.line and root.line in users:
            why = f"{on_top}, which uses {name}{unchanged}"
        else:
            why = f"every RUN below line {reason.line} sees the value of {name}, used or not"
        return (
            f": build argument {name} is declared before it",
            why,
            f'move "ARG {name}" (line {reason.line}){_with_it(users)} below line {below}',
        )
    if reason is None or reason.kind == "unexplained":
        return (
            ", and the edit does not explain it",
            f"nothing that we know of line {root.line} changed; its record may have been removed "
            "from the build cache between the builds",
            "run again; if it stays so, please report it with the Dockerfile",
        )
    if root.line == step.line:
        return f": {reason.message}", f"line {step.line} itself missed{unchanged}", None
    return f": line {root.line} above it missed", f"{on_top}: {reason.message}{unchanged}", None


def _lines_using(subject: Subject, name: str, declared: int, step: Step) -> list[int]:
    """The lines between the declaration of an argument and ``step`` that expand it.

    An ENV or ARG that passes it on counts, and what expands that does not:
    who moves the lines will see it.
    """
    used = re.compile(rf"\$(?:{name}\b|\{{{name}\b)")
    return [
        planned.line
        for planned in subject.project.steps
        if declared < planned.line < step.line and used.search(planned.instruction.text)
    ]


def _with_it(users: Sequence[int]) -> str:
    if not users:
        return ""
    lines = f"line {users[0]}" if len(users) == 1 else f"lines {', '.join(map(str, users))}"
    return f" and {lines}, which {'uses' if len(users) == 1 else 'use'} it,"


def _whole(path: str) -> str:
    top, slash, _ = path.partition("/")
    return f"{top}/" if slash else top


def _files_of(subject: Subject, step: Step) -> list[str]:
    files = subject.project.environment_files
    return [file.path for file in files if step.line in file.readers]


def _takes_any(subject: Subject, root: Step, paths: Sequence[str]) -> bool:
    from ..context import takes

    planned = next((item for item in subject.project.steps if item.line == root.line), None)
    if planned is None:
        return False
    sources = [item for item in planned.transfers if item.origin == "context"]
    return any(takes(transfer, path) for transfer in sources for path in paths)


def _last_environment_line(subject: Subject, step: Step) -> int:
    """The last environment step of the stage: what must stand above the source."""
    same = [
        command.line
        for command, planned in (
            (command, next(item for item in subject.project.steps if item.line == command.line))
            for command in subject.project.commands
        )
        if planned.stage.label == step.stage
    ]
    return max(same, default=step.line)
