"""The Markdown that GitHub and GitLab show: a summary of the job, a comment on a pull request.

Failures come first and open; steps, layers and files are folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..model import Build, FileGroup, command_first, megabytes, on_one_line
from ..presentable import presentable
from ..regexes import regex
from .findings import CheckResult, ImageReport, SessionReport
from .pages import page_of
from .rebuilds import (
    duration,
    edit_cost,
    ending,
    first_build,
    runs_again,
    shown_steps,
    source_rebuild,
    state_of,
)
from .tally import Grade, headline, said_once, tally
from .weights import COLUMNS, layer_rows

__all__ = ["COMMENT_LIMIT", "SUMMARY_LIMIT", "render"]

SUMMARY_LIMIT = 1_000_000
"""Bytes, a little less than the 1 MiB that GitHub shows of one step's summary."""

COMMENT_LIMIT = 60_000
"""Bytes: a comment on GitHub has at most 65,536 characters, and a bot adds some of its own."""

_MARKS: dict[Grade, str] = {"good": "✅", "bad": "❌", "doubtful": "⚠️"}
_SPECIAL = regex(r"[\\`*_\[\]~$|]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;"})
"""The signs that would mention a person (@) or link an issue (#) are escaped too."""

_MOST_CHANGES = 20
"""How many changes since an earlier run are named."""

_MOST_MESSAGE = 4000
"""Characters of a check's own text that are shown."""


def render(session: SessionReport, limit: int = COMMENT_LIMIT) -> str:
    """The summary, of at most ``limit`` bytes; a note names the parts that did not fit."""
    grade, words = headline(session)
    images = [image for image in session.images if image.checks or image.builds or image.layers]
    head = [f"## {_MARKS[grade]} Docker build cache: {words}", ""]
    if len(images) > 1:
        head += [*_overview(images), ""]
    head += _since(session)
    single = len(images) == 1
    opened = [list(_opened(image, session, single=single)) for image in images]
    folded = [list(_folded(image)) for image in images]
    return _fitted(head, images, opened, folded, limit)


def _since(session: SessionReport) -> Iterator[str]:
    """The changes for the worse since the earlier run."""
    found = session.baseline
    if found is None:
        return
    if not found.lines:
        yield f"Since {_code(found.path)} nothing has become worse."
    else:
        yield f"**Since {_code(found.path)}**"
        yield ""
        yield from (f"- {_text(line)}" for line in found.lines[:_MOST_CHANGES])
        if len(found.lines) > _MOST_CHANGES:
            yield f"- and {len(found.lines) - _MOST_CHANGES} more"
    yield ""


def _fitted(
    head: Sequence[str],
    images: Sequence[ImageReport],
    opened: Sequence[Sequence[str]],
    folded: Sequence[Sequence[str]],
    limit: int,
) -> str:
    """The parts put together: first the heads, then verdicts, then details, while there is room."""
    room = limit - _size(head) - 400  # for the note about the parts that are left out
    bad = [number for number, image in enumerate(images) if tally(image.checks).grade != "good"]
    order = [*bad, *(number for number in range(len(images)) if number not in bad)]
    kept: set[tuple[str, int]] = set()
    for kind, parts in (("verdicts", opened), ("details", folded)):
        for number in order:
            size = _size(parts[number])
            if size <= room and (kind == "verdicts" or ("verdicts", number) in kept):
                kept.add((kind, number))
                room -= size
    lines = list(head)
    for number in range(len(images)):
        lines += opened[number] if ("verdicts", number) in kept else []
        lines += folded[number] if ("details", number) in kept else []
    lines += _left_out(images, opened, folded, kept)
    return "\n".join(lines).rstrip("\n") + "\n" if limit > 1000 else ""


def _left_out(
    images: Sequence[ImageReport],
    opened: Sequence[Sequence[str]],
    folded: Sequence[Sequence[str]],
    kept: set[tuple[str, int]],
) -> list[str]:
    gone = []
    for kind, parts in (("verdicts", opened), ("details", folded)):
        missing = [n for n in range(len(images)) if parts[n] and (kind, n) not in kept]
        if missing:
            of = "1 image" if len(missing) == 1 else f"{len(missing)} images"
            gone.append(f"the {kind} of {of}")
    if not gone:
        return []
    return [
        f"> Left out, because this text may not be longer: {' and '.join(gone)}. "
        "`--dockercache-report=html:PATH` and `json:PATH` have everything.",
        "",
    ]


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _overview(images: Sequence[ImageReport]) -> Iterator[str]:
    yield "| | image | checks | a source edit | image |"
    yield "|---|---|---|---|---:|"
    for image in images:
        total = tally(image.checks)
        size = sum(layer.size for layer in image.layers)
        cells = (
            _MARKS[total.grade],
            _code(image.node, table=True),
            str(total),
            _cost(image) or "",
            megabytes(size) if size else "",
        )
        yield f"| {' | '.join(cells)} |"


def _opened(image: ImageReport, session: SessionReport, *, single: bool) -> Iterator[str]:
    """The unfolded part: the facts about the image, and its failures."""
    total = tally(image.checks)
    if not single:
        yield f"### {_MARKS[total.grade]} {_code(image.node)}: {total}"
        yield ""
    facts = [_code(image.node)] if single else []
    if image.image is not None:
        facts.append("not built here")
    elif any(build.outcome == "predicted" for build in image.builds):
        facts.append("predicted: nothing was built")
    elif session.engine is not None and image.builds:
        facts.append(_text(str(session.engine)))
    cost = _cost(image)
    if cost:
        facts.append(f"a source edit runs again {cost}")
    size = sum(layer.size for layer in image.layers)
    if size:
        facts.append(f"image {megabytes(size)}")
    if facts:
        yield " · ".join(facts)
        yield ""
    failing = [check for check in image.checks if check.ending.outcome in ("failed", "error")]
    for check in failing:
        if check.ending.same_as is None:
            yield from _failure(image, check)
    for said in said_once(check for check in failing if check.ending.same_as is not None):
        yield f"- ❌ {_text(said.text)}: {_named(said.checks)}"
        yield ""
    yield from _skipped(image)
    yield from _fixes(image, session)


def _failure(image: ImageReport, check: CheckResult) -> Iterator[str]:
    found = check.ending
    error = " (error)" if found.outcome == "error" else ""
    yield f"#### ❌ {_text(found.verdict)}{error}"
    yield ""
    place = [f"[`{check.id}`]({page_of(check.id)})"]
    if found.line is not None and image.dockerfile is not None:
        place.append(f"{_code(image.dockerfile)}, line {found.line}")
    if found.why:
        place.append(_text(found.why))
    yield " · ".join(place)
    yield ""
    if found.fix is not None:
        yield f"**Fix** {_text(str(found.fix))}"
        yield ""
        if found.fix.patch is not None:
            yield from _fenced(found.fix.patch, "diff")
    yield from _details("all that was seen", _fenced(_cut(found.said), "text"))


def _cut(text: str) -> str:
    if len(text) <= _MOST_MESSAGE:
        return text
    return f"{text[:_MOST_MESSAGE]}\n… and {len(text) - _MOST_MESSAGE:,} characters more"


def _skipped(image: ImageReport) -> Iterator[str]:
    skipped = [check for check in image.checks if check.ending.outcome == "skipped"]
    unsure = [check for check in skipped if check.ending.skip != "does-not-apply"]
    for said in said_once(unsure):
        yield f"- ⚠️ not verified: {_text(said.text)} ({_named(said.checks)})"
    absent = [check for check in skipped if check.ending.skip == "does-not-apply"]
    if absent:
        yield f"- does not apply: {_named(absent)}"
    if skipped:
        yield ""


def _named(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"[`{check.id}`]({page_of(check.id)})" for check in checks)


def _fixes(image: ImageReport, session: SessionReport) -> Iterator[str]:
    """The results of building with this image's fixes."""
    report = session.fixes
    tried = [] if report is None else report.tried
    own = {check.nodeid for check in image.checks}
    for item in tried:
        if item.nodeid not in own:
            continue
        if item.proven:
            path = f", in {_code(report.path)}" if report is not None and report.path else ""
            saves = f": {_text(item.saves)}" if item.saves else ""
            yield f"- fix of {_code(item.nodeid)} proven by building{path}{saves}"
        else:
            yield f"- fix of {_code(item.nodeid)} not proven: {_text(item.why)}"
    if any(item.nodeid in own for item in tried):
        yield ""


def _cost(image: ImageReport) -> str | None:
    """How much of the build a source edit costs."""
    cost = edit_cost(image)
    if cost is None:
        return None
    steps = f"{cost.again} of {cost.steps} steps"
    if cost.predicted or not cost.total:
        return steps + (" (predicted)" if cost.predicted else "")
    least = "at least " if cost.unknown else ""
    return f"{steps} ({least}{duration(cost.seconds)} of {duration(cost.total)})"


# --- folded ---------------------------------------------------------------------------------------


def _folded(image: ImageReport) -> Iterator[str]:
    if shown_steps(image.builds):
        yield from _details(f"steps of {presentable(image.node)}", _steps(image))
    if image.layers:
        size = megabytes(sum(layer.size for layer in image.layers))
        yield from _details(f"layers of {presentable(image.node)}: {size}", _layers(image))
    if image.files:
        title = f"which files rebuild what in {presentable(image.node)}"
        yield from _details(title, _files(image))


def _details(summary: str, content: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{_text(summary)}</summary>"
    yield ""
    yield from content
    yield "</details>"
    yield ""


def _steps(image: ImageReport) -> Iterator[str]:
    first, after = first_build(image), source_rebuild(image)
    steps = shown_steps([build for build in (first, after) if build is not None])
    shown = first is not None and first.outcome != "predicted"
    heads = ["line", "step", *(["first build"] if shown else []), "after edit", "seconds"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---:|---|{'---|' if shown else ''}---|---:|"
    for step in steps:
        took = image.seconds.get(step.line)
        cells = [str(step.line), _code(command_first(step.text), table=True)]
        if shown:
            cells.append(state_of(step, first))
        state = state_of(step, after)
        cells += [
            f"**{state}**" if state == "MISS" else state,
            "" if took is None else f"{took:.1f}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for build in image.builds:
        if build.edits or build.outcome == "failed":
            yield f"- {_text(_build(build))}"
    yield ""


def _build(build: Build) -> str:
    edits = " and ".join(str(edit) for edit in build.edits) or "first build"
    missed = [str(step.line) for step in build.with_status("miss")]
    lines = f", missed line{'s' if len(missed) > 1 else ''} {', '.join(missed)}" if missed else ""
    return f"{edits}: {ending(build)}{lines}"


def _layers(image: ImageReport) -> Iterator[str]:
    yield f"| line | layer | {' | '.join(head for head, _ in COLUMNS)} | by line |"
    yield "|---:|---|---:|---:|---:|---:|---|"
    for row in layer_rows(image.layers):
        amounts = [row.total(of) for _, of in COLUMNS]
        text = _code(command_first(row.text), table=True) if row.own else _text(row.text)
        cells = [row.place, text, *(megabytes(amount) if amount else "" for amount in amounts)]
        yield f"| {' | '.join([*cells, row.hidden_by])} |"
    yield ""


def _files(image: ImageReport) -> Iterator[str]:
    yield "| files | | taken by | an edit reinstalls |"
    yield "|---:|---|---|---|"
    steps = [step for step in shown_steps(image.builds) if step.role == "environment"]
    for group in image.files:
        examples = ", ".join(_code(path, table=True) for path in group.examples[:3])
        more = " …" if group.count > len(group.examples[:3]) else ""
        lines = ", ".join(map(str, group.steps))
        kind = "" if group.role == "source" else f" ({group.role})"
        again = [runs_again(image, group, step) for step in steps]
        yield f"| {group.count} | {examples}{more}{kind} | line {lines} | {_answer(group, again)} |"
    yield ""


def _answer(group: FileGroup, again: Sequence[bool | None]) -> str:
    """Whether an edit of these files reinstalls an environment, by the answers for each step."""
    if True in again or group.reinstalls:
        return "yes, as it must" if group.role == "input" else "**yes**"
    if group.reinstalls is False or (again and None not in again):
        return "no"
    return "not known"


# --- texts of others ------------------------------------------------------------------------------


def _text(text: str) -> str:
    """A text as Markdown that shows the text unchanged, on one line."""
    line = on_one_line(presentable(text)).translate(_ENTITIES)
    return _SPECIAL.sub(lambda found: "\\" + found[0], line)


def _code(text: str, *, table: bool = False) -> str:
    """A text as a code span."""
    text = on_one_line(presentable(text))
    if not text:
        return ""
    ticks = "`" * (_longest_run(text) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    span = f"{ticks}{blank}{text}{blank}{ticks}"
    return span.replace("|", "\\|") if table else span


def _fenced(text: str, language: str) -> Iterator[str]:
    """A text as a fenced block whose fence is longer than any in the text."""
    text = presentable(text).rstrip("\n")
    fence = "`" * max(3, _longest_run(text) + 1)
    yield f"{fence}{language}"
    yield from text.split("\n")
    yield fence
    yield ""


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
