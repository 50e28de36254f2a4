"""The failure "env layer was rebuilt": its cost, its root cause, and the files to separate."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..cache import is_rebuilt
from ..environments import tops_of
from ..errors import CacheAssertionError
from ..model import Build, Edit, Fix, Row, Step, named_step
from ..subject import Subject
from .harmless import Tried
from .named_contexts import from_directory
from .verdict import broken, root_of, step_row

__all__ = ["rebuilt_by_itself", "rebuilt_environment"]


def rebuilt_environment(
    subject: Subject, guilty: Sequence[Tried], paths: Sequence[str] = (), notes: Sequence[str] = ()
) -> CacheAssertionError:
    """The failure of edits that reinstall the environment.

    ``guilty`` are the builds that show it, one for each edit; ``paths`` the
    context files that the edits stand for; ``notes`` further lines.
    """
    first = guilty[0]
    step = first.rebuilt[0]
    root = root_of(first.build, step)
    how, why = _explained(subject, first, root, step)
    edits = tuple(edit for one in guilty for edit in one.edits)
    what = (
        named_together(paths, _named(subject), [str(edit.path) for edit in edits])
        if paths
        else _arguments(edits)
    )
    line = root.line
    if root.reason is not None and root.reason.kind == "argument" and root.reason.line is not None:
        line = root.reason.line
    return broken(
        f"env layer was rebuilt{how.format(what=what)}",
        subject=subject,
        edits=edits,
        rows=[*_rows(subject, guilty), *notes],
        why=why,
        fix=_fix(subject, guilty, _separation(subject, step, what))
        if "{what}" in how
        else _unexplained(root) or _from_image(subject, root),
        line=line,
        cause=root.reason,
    )


def _fix(subject: Subject, guilty: Sequence[Tried], separation: str) -> Fix:
    """The order that the model has tried; else what hinders it; else what to separate."""
    from ..fixing import keeping_the_environment  # Only a failure needs it.

    edits = [edit for one in guilty for edit in one.edits]
    arguments = all(edit.kind == "build-arg" for edit in edits)
    lines = {step.line for one in guilty for step in one.rebuilt} if arguments else None
    dialect = subject.engine.dialect
    return keeping_the_environment(subject.project, edits, dialect, lines) or Fix(separation)


def rebuilt_by_itself(subject: Subject, tried: Tried, root: Step) -> CacheAssertionError:
    """The failure of a step whose input differs at every build, whatever was edited."""
    step = tried.rebuilt[0]
    others = [other for other in tried.rebuilt if other.line != root.line]
    return broken(
        f"env layer was rebuilt: {taken_of_server(root)}",
        subject=subject,
        rows=[step_row(root), *(step_row(other, _cost(subject, other)) for other in others)],
        why=f"line {step.line} runs on top of line {root.line}, and no edit of the build context "
        f"changes what line {root.line} takes",
        fix=f"fix what line {root.line} takes (ADD --checksum, an address with a version), or "
        f"take it apart from line {step.line}",
        line=root.line,
        cause=root.reason,
    )


def taken_of_server(root: Step) -> str:
    """Why a step ran again that takes something of a server."""
    return f"line {root.line} ({named_step(root)}) takes something else at every build"


def _named(subject: Subject) -> frozenset[str]:
    """The sources of COPY, ADD and mounts as the Dockerfile names them."""
    return frozenset(
        source.removeprefix("./").strip("/")
        for step in subject.project.steps
        for transfer in step.transfers
        for source in transfer.sources
    )


def named_together(
    paths: Sequence[str], named: Collection[str], edited: Collection[str], limit: int = 3
) -> str:
    """The files or directories at the top of some paths, with their verb: ``src/ is``.

    ``named`` are the files that the Dockerfile names one by one, ``edited`` those that were
    edited.
    """
    tops = tops_of(paths, named, edited)
    if len(tops) == 1:
        return f"{tops[0]} is"
    *first, last = tops[:limit] if len(tops) <= limit else [*tops[:limit], "more"]
    return f"{', '.join(first)} and {last} are"


def _arguments(edits: Sequence[Edit]) -> str:
    names = [str(edit.path) for edit in edits]
    if len(names) == 1:
        return f"build argument {names[0]} is"
    return f"build arguments {', '.join(names[:-1])} and {names[-1]} are"


def _rows(subject: Subject, guilty: Sequence[Tried]) -> list[Row]:
    """The rows of the root steps, of the steps that passed the edit on, and of the environment."""
    rows: dict[int, Row] = {}
    for one in guilty:
        roots = {step.line: root_of(one.build, step) for step in one.rebuilt}
        origins = [_origin(one.build, root) for root in roots.values()]
        for root in roots.values():
            if root.line not in roots:
                rows.setdefault(root.line, step_row(root, _message(root)))
        for origin in filter(None, origins):
            rows.setdefault(origin.line, step_row(origin, _message(origin)))
        for step in one.build.steps:
            if step.role == "environment" and is_rebuilt(step):
                rows[step.line] = step_row(step, _cost(subject, step, one.edits))
    return [rows[line] for line in sorted(rows)]


def _message(step: Step) -> str:
    return step.reason.message if step.reason is not None else ""


def _cost(subject: Subject, step: Step, edits: Sequence[Edit] = ()) -> str:
    seconds = subject.seconds(step)
    known = "" if seconds is None else f"{seconds:.1f} s "
    if not edits:
        return f"{known}again at every build"
    argument = edits[0].kind == "build-arg"
    what = "change of the build argument" if argument else "source edit"
    return f"{known}again on every {what}"


def _origin(build: Build, root: Step) -> Step | None:
    """The step of another stage that took the edited file which ``root`` copies from there."""
    reason = root.reason
    if reason is None or reason.kind != "content" or reason.paths or reason.line == root.line:
        return None
    for other in build.steps:
        if other.line == reason.line and other.reason is not None:
            return other
    return None


def _explained(subject: Subject, tried: Tried, root: Step, step: Step) -> tuple[str, str]:
    """The rest of the verdict, with a place for the file at fault, and the why."""
    reason = root.reason
    on_top = f"line {step.line} runs on top of line {root.line}"
    unchanged = _unchanged(subject, step)
    argument = tried.edits[0].path if tried.edits[0].kind == "build-arg" else None
    origin = _origin(tried.build, root)
    if origin is not None:
        took = f"what line {origin.line} {'made' if origin.instruction == 'RUN' else 'took'}"
        how = f": {{what}} {'reaching' if argument else 'copied'} into it through stage "
        return f"{how}{origin.stage}", f"{on_top}, which copies {took}{unchanged}"
    if argument is not None and reason is not None and reason.kind != "unexplained":
        declared = reason.line if reason.kind == "argument" else None
        if root.line != step.line and f"${argument}" in root.text.replace("{", ""):
            why = f"{on_top}, which uses {argument}{unchanged}"
        elif declared is not None:
            why = f"every RUN below line {declared} sees the value of {argument}, used or not"
        else:
            why = f"{on_top}: {reason.message}{unchanged}"
        return ": {what} declared before it", why
    if reason is not None and reason.kind == "content" and reason.paths:
        if root.line == step.line:
            return (
                ": {what} mounted into it",
                f"line {step.line} mounts {reason.paths[0]}{unchanged}",
            )
        return ": {what} copied before it", on_top + unchanged
    if reason is not None and reason.line in {one.line for one in from_directory(subject.project)}:
        return f": line {reason.line} starts from a directory", reason.message
    if reason is None or reason.kind == "unexplained":
        return (
            ", and the edit does not explain it",
            f"nothing that we know of line {root.line} changed; its record may have been removed "
            "from the build cache between the builds",
        )
    if root.line == step.line:
        return f": {reason.message}", f"line {step.line} itself missed{unchanged}"
    return f": line {root.line} above it missed", f"{on_top}: {reason.message}{unchanged}"


def _unchanged(subject: Subject, step: Step) -> str:
    read = files_read(subject, step)
    if not read:
        return ""
    shown = read[0] if len(read) == 1 else f"{read[0]} and {len(read) - 1} more"
    return f"; {shown} {'itself is' if len(read) == 1 else 'are'} unchanged"


def files_read(subject: Subject, step: Step) -> list[str]:
    """The environment files that an environment step reads."""
    files = subject.project.environment_files
    return [file.path for file in files if step.line in file.read_by]


def _separation(subject: Subject, step: Step, what: str) -> str:
    """A sentence that says what to keep apart."""
    read = files_read(subject, step)
    only = f", which reads {', '.join(read)}" if read else ""
    subject_of = what.removesuffix(" is").removesuffix(" are")
    return f"keep {subject_of} out of what line {step.line} stands on{only}"


def _from_image(subject: Subject, root: Step) -> str | None:
    """What to write for a FROM of a directory, None for any other cause."""
    for start in from_directory(subject.project):
        if root.reason is not None and root.reason.line == start.line:
            return (
                f"start line {start.line} from an image, and take the files of {start.stage.base} "
                f"with COPY --from={start.stage.base}"
            )
    return None


def _unexplained(root: Step) -> str | None:
    if root.reason is None or root.reason.kind == "unexplained":
        return "run again; if it stays so, please report it with the Dockerfile"
    return None
