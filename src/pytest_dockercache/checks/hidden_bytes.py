"""``no-hidden-bytes``: later layers delete or replace little of what earlier ones carry."""

from __future__ import annotations

from ..image import HiddenBytes, hidden
from ..subject import Subject
from .contents import Contents, megabytes
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]


def judge(subject: Subject) -> Verdict:
    """Add up what the Dockerfile's own layers hide of each other."""
    return judge_contents(subject, contents_of(subject, subject.image()))


def judge_contents(subject: Subject, contents: Contents) -> Verdict:
    """The same for an image that was read already."""
    found = hidden(contents.layers.view, contents.judged)
    counted = [item for item in found if item.counted]
    total = sum(item.bytes for item in counted)
    base = sum(item.bytes for item in found if not item.counted)
    allowed = subject.settings.max_hidden
    remark = f"; {megabytes(base)} of the base image are hidden too" if base else ""
    if total <= allowed:
        return Verdict(f"{megabytes(total)} hidden, {megabytes(allowed)} allowed{remark}")
    worst = counted[0]
    rows = []
    for item in counted[:5]:
        rows.append(contents.row(item.layer, f"adds {megabytes(item.bytes)} in {item.path}"))
        rows.append(contents.row(item.hidden_by, f"{_how(item)} {item.files} of its files"))
    first, second = contents.line(worst.layer), contents.line(worst.hidden_by)
    fix = "do both in one instruction"
    if first is not None and second is not None:
        fix = f"join line {second} to line {first} with &&"
        if contents.texts.get(first, "").startswith(("COPY", "ADD")):
            fix = (
                f"leave these files out where line {first} takes them from, and drop line {second}"
            )
    raise broken(
        f"layers hide {megabytes(total)}: {contents.place(worst.hidden_by)} {_how(worst)} "
        f"what {contents.place(worst.layer)} adds in {worst.path}",
        subject=subject,
        rows=rows,
        why="a layer keeps its bytes whatever a later one deletes; "
        f"{megabytes(allowed)} may be hidden (--dockercache-max-hidden){remark}",
        fix=fix,
        line=second or first,
    )


def _how(item: HiddenBytes) -> str:
    parts = {"deletes": item.deleted, "replaces": item.replaced, "changes": item.attributes}
    return max(parts, key=lambda name: parts[name])
