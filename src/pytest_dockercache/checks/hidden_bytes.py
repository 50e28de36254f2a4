"""``no-hidden-bytes``: later layers delete or replace few bytes of earlier layers."""

from __future__ import annotations

from collections.abc import Sequence

from ..dockerfile import PlannedStep
from ..image import HiddenBytes, hidden, moved_base
from ..model import Fix, megabytes
from ..project import Project
from ..regexes import regex
from ..shell.running import step_commands
from .contents import Contents
from .judged import Judged
from .mending import knows_mounts, mended
from .origins import origin_of
from .reading import contents_of
from .settings import DEFAULTS, CheckSettings
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Add up the bytes that the Dockerfile's own layers hide of each other."""
    return judge_contents(subject, contents_of(subject, subject.image(), settings), settings)


def judge_contents(
    subject: Judged, contents: Contents, settings: CheckSettings = DEFAULTS
) -> Verdict:
    """Judge an image whose layers have been read already."""
    view = contents.layers.view
    found = (*hidden(view, contents.judged), *moved_base(view, contents.judged, _movers(contents)))
    counted = sorted((item for item in found if item.counted), key=lambda item: -item.bytes)
    total = sum(item.bytes for item in counted)
    base = sum(item.bytes for item in found if not item.counted)
    allowed = settings.max_hidden
    remark = f"; {megabytes(base)} of the base image are hidden too" if base else ""
    if total <= allowed:
        return Verdict(f"{megabytes(total)} hidden, {megabytes(allowed)} allowed{remark}")
    worst = counted[0]
    rows = []
    for item in counted[:5]:
        rows.append(contents.row(item.layer, f"adds {megabytes(item.bytes)} in {item.path}"))
        rows.append(
            contents.row(item.hidden_by, f"{_how(contents, item)} {item.files} of its files")
        )
    first, second = contents.line(worst.layer), contents.line(worst.hidden_by)
    raise broken(
        _verdict(contents, worst, total),
        subject=subject,
        rows=rows,
        why=_why(worst)
        + f"; {megabytes(allowed)} may be hidden (--dockercache-max-hidden){remark}",
        fix=mended(
            subject,
            lambda project: _offer(subject, project, contents, counted),
            _fix(contents, worst),
        ),
        line=second or first,
    )


def _movers(contents: Contents) -> frozenset[int]:
    """The layers whose RUN moves files."""
    steps = ((layer, _step(contents, layer)) for layer in contents.judged)
    return frozenset(
        layer
        for layer, step in steps
        if step is not None
        and step.instruction.keyword == "RUN"
        and any(command.name == "mv" for command in step_commands(step))
    )


def _offer(
    subject: Judged, project: Project, contents: Contents, counted: Sequence[HiddenBytes]
) -> Fix | None:
    """A patch after which no layer carries bytes that another layer hides."""
    from ..fixing import Hidden, showing_all_bytes  # Only a failure needs them.

    found = []
    for item in counted:
        first, second = contents.line(item.layer), contents.line(item.hidden_by)
        if first is not None and second is not None and not item.copies:
            found.append(Hidden(first, second, item.path, _how(contents, item)))
    if not found:
        return None
    return showing_all_bytes(project, found, mounts=knows_mounts(subject))


def _verdict(contents: Contents, worst: HiddenBytes, total: int) -> str:
    first, second = contents.place(worst.layer), contents.place(worst.hidden_by)
    what = f"{second} {_how(contents, worst)} what {first} adds in {worst.path}"
    if worst.copies:
        return f"layers hold {megabytes(total)} twice: {what}"
    return f"layers hide {megabytes(total)}: {what}"


def _why(worst: HiddenBytes) -> str:
    if worst.moved:
        return "a file that a step moves is stored again, whole, in that step's layer"
    if worst.copies:
        return (
            "a file whose owner or mode a step changes is stored again, whole, in that step's layer"
        )
    return "a layer keeps its bytes whatever a later one deletes"


def _how(contents: Contents, item: HiddenBytes) -> str:
    parts = {"deletes": item.deleted, "replaces": item.replaced, "changes": item.attributes,
             "moves": item.moved}  # fmt: skip
    how = max(parts, key=lambda name: parts[name])
    step = _step(contents, item.hidden_by)
    copies = step is not None and step.instruction.keyword in ("COPY", "ADD")
    return "replaces" if how == "changes" and copies else how


def _step(contents: Contents, layer: int) -> PlannedStep | None:
    line = contents.line(layer)
    return next(
        (step for step in contents.steps
         if step.line == line and step.instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR")),
        None,
    )  # fmt: skip


_OWNER = regex(r"(?<![\w-])(?:chown|chgrp|chmod)(?![\w-])")


def _fix(contents: Contents, worst: HiddenBytes) -> str:
    below, above = _step(contents, worst.layer), _step(contents, worst.hidden_by)
    how = _how(contents, worst)
    if above is None or (below is None and not worst.copies):
        return "do both in one instruction"
    if worst.moved:
        return (
            f"leave {worst.path} where the base image has it (a link to it needs no bytes), or put "
            "it elsewhere where the base image is built"
        )
    changed = how == "changes"
    found = _OWNER.search(above.instruction.text) if changed else None
    command = found[0] if found is not None else "change of owner or mode"
    if worst.copies:
        return (
            f"leave the {command} of {worst.path} out of line {above.line}, or narrow it to what "
            "the image's user writes; what the base image should own otherwise is set where the "
            "base image is built"
        )
    assert below is not None
    if below.instruction.keyword == "RUN" and above.instruction.keyword == "RUN":
        return f"do what line {above.line} does in the RUN of line {below.line}"
    if below.instruction.keyword == "RUN":
        return (
            f"line {above.line} puts other files in the place of what line {below.line} makes: "
            "keep one of the two, they cannot be joined"
        )
    if changed:
        flag = "--chmod" if command == "chmod" else "--chown"
        return (
            f"set the owner or mode while copying, with {flag} in line {below.line}, and drop the "
            f"{command} from line {above.line}"
        )
    if above.instruction.keyword == "RUN" and _only_deletes(above):
        return (
            f"delete them where line {below.line} takes them from, or leave them out there, and "
            f"drop line {above.line}"
        )
    if above.instruction.keyword == "RUN":
        return _mounting(contents, below, above, worst)
    return (
        f"line {above.line} copies over what line {below.line} copies: copy each file once, in "
        "the later of the two"
    )


def _only_deletes(step: PlannedStep) -> bool:
    """Whether all commands of a RUN only delete."""
    commands = list(step_commands(step))
    return bool(commands) and all(
        command.name in _DELETING
        or (command.name in _CLEANING and any(word.text == "clean" for word in command.words[1:]))
        for command in commands
    )


_DELETING = frozenset({"cd", "echo", "find", "rm", "rmdir", "set", "true", "unlink", "xargs"})
_CLEANING = frozenset({"apt", "apt-get", "conda", "mamba", "micromamba", "npm", "yarn"})


def _mounting(
    contents: Contents, below: PlannedStep, above: PlannedStep, worst: HiddenBytes
) -> str:
    """How a RUN reads files without a COPY: from a bind mount."""
    origin = origin_of(contents.steps, below.line, worst.path, lambda step: False)
    place = worst.path
    if origin.kind == "stage":
        mount = f"--mount=type=bind,from={origin.stage},source={origin.path},target={place}"
    elif origin.kind == "context":
        mount = f"--mount=type=bind,source={origin.path.lstrip('/') or '.'},target={place}"
    else:
        mount = f"--mount=type=bind,…,target={place}"
    return (
        f"what line {above.line} only reads needs no layer: mount it there ({mount}) instead of "
        f"copying it in line {below.line}"
    )
