"""``env-layer-cached``: after an edit of a source file every environment step is a hit."""

from __future__ import annotations

from collections.abc import Sequence

from ..cache import is_rebuilt
from ..errors import CacheAssertionError, DockerCacheError
from ..model import Build, Edit, Step
from ..rebuild import Stop, Subject, named_step
from .verdict import Check, Verdict, broken, environment_steps, require_known, step_row

__all__ = ["CHECK", "judge", "rebuilt_environment"]


def judge(subject: Subject) -> Verdict:
    """Build, edit the source file, build again until the environment's fate is known."""
    environment_steps(subject, subject.first().steps)
    edit = subject.project.source_edit
    build = subject.after([edit], Stop("miss"))
    installed = environment_steps(subject, build.steps)
    if not any(is_rebuilt(step) for step in build.steps):
        require_known(build.steps)
        raise DockerCacheError(
            f"the edit never reached the image: no step copies {edit.path}\n"
            f"  edit   {edit}\n"
            "  fix    name a file that the image holds with --dockercache-edit=PATH"
        )
    rebuilt = [step for step in installed if is_rebuilt(step)]
    if rebuilt:
        raise rebuilt_environment(subject, build, [edit], rebuilt[0])
    require_known(installed)
    kept = ", ".join(str(step.line) for step in installed)
    lines = "line" if len(installed) == 1 else "lines"
    return Verdict(f"{lines} {kept} hit after {edit}", installed[0].line)


def rebuilt_environment(
    subject: Subject, build: Build, edits: Sequence[Edit], step: Step
) -> CacheAssertionError:
    """The failure "env layer was rebuilt": with its root cause and the fix."""
    root = _root(build, step)
    reason = root.reason
    cause, why, fix = _explained(subject, root, step)
    rows = []
    for shown in build.steps:
        if shown.line == root.line and shown.line != step.line:
            rows.append(step_row(shown, reason.message if reason else ""))
        elif shown.role == "environment" and is_rebuilt(shown):
            rows.append(step_row(shown, _cost(subject, shown, edits)))
    line = root.line
    if reason is not None and reason.kind == "argument" and reason.line is not None:
        line = reason.line
    return broken(
        f"env layer was rebuilt: {cause}",
        subject=subject,
        edits=edits,
        rows=rows,
        why=why,
        fix=fix,
        line=line,
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
    if seconds is None:
        return "again"
    what = "change of the build argument" if edits[0].kind == "build-arg" else "source edit"
    return f"{seconds:.1f} s again on every {what}"


def _explained(subject: Subject, root: Step, step: Step) -> tuple[str, str, str | None]:
    """The cause in the verdict, the why, and the fix."""
    reason = root.reason
    instruction = f'"{named_step(root, 60)}"'
    on_top = f"line {step.line} runs on top of line {root.line}"
    if reason is not None and reason.kind == "content" and reason.paths:
        what = _whole(reason.paths[0])
        read = _files_of(subject, step)
        unchanged = f"; {read[0]} itself is unchanged" if read else ""
        if root.line == step.line:
            mounted = f"{what} is mounted into it"
            return (
                mounted,
                f"line {step.line} mounts {reason.paths[0]}{unchanged}",
                (f"mount only {read[0]} in line {step.line}" if read else None),
            )
        if read and _takes_all(subject, root, read):
            fix = f"COPY {' '.join(read)} before line {step.line} and move {instruction} below it"
        else:
            fix = f"move {instruction} below line {_last_environment_line(subject, step)}"
        return f"{what} is copied before it", on_top + unchanged, fix
    if reason is not None and reason.kind == "argument" and reason.line is not None:
        name = _argument(reason.message)
        below = _last_environment_line(subject, step)
        return (
            f"build argument {name} is declared before it",
            f"every RUN below line {reason.line} sees the value of {name}, used or not",
            f'move "ARG {name}" (line {reason.line}) below line {below}',
        )
    if root.line == step.line:
        message = reason.message if reason is not None else "the builder ran it again"
        return message, f"line {step.line} missed by itself: {message}", None
    message = reason.message if reason is not None else "missed"
    return f"line {root.line} above it missed", f"{on_top}, which {message}", None


def _argument(message: str) -> str:
    return message.removeprefix("build argument ").split(" ", 1)[0]


def _whole(path: str) -> str:
    top, slash, _ = path.partition("/")
    return f"{top}/" if slash else top


def _files_of(subject: Subject, step: Step) -> list[str]:
    files = subject.project.environment_files
    return [file.path for file in files if step.line in file.readers]


def _takes_all(subject: Subject, root: Step, paths: Sequence[str]) -> bool:
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


CHECK = Check("env-layer-cached", judge)
