"""The texts for a terminal: header, live line, tables, with colours; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..checks.layer_summary import LayerSummary, Reshipped
from ..model import (
    Build,
    EngineInfo,
    Step,
    command_first,
    megabytes,
    on_one_line,
    shortened,
)
from ..presentable import presentable
from ..runs import Leftovers
from .blamed import blamed
from .findings import FixReport, ImageReport, SessionComparison, SessionReport
from .pages import page_of
from .rebuilds import (
    State,
    duration,
    ending,
    first_build,
    shown_steps,
    source_rebuild,
    state_of,
    why_unknown,
)
from .weights import COLUMNS, layer_rows

__all__ = ["Line", "duration", "engine_line", "live_line", "started_line", "summary"]

Line = tuple[tuple[str, Mapping[str, bool]], ...]
"""One line as pieces of text, each with pytest's markup (``red=True``)."""

_PLAIN: Mapping[str, bool] = {}
_BOLD: Mapping[str, bool] = {"bold": True}
_WARNING: Mapping[str, bool] = {"yellow": True}
_COLOURS: Mapping[State, Mapping[str, bool]] = {
    "hit": {"green": True},
    "miss": {"yellow": True},
    "unknown": {"purple": True},
    "not reached": {"light": True},
    "below": {"light": True},
    "": _PLAIN,
}
_LINE, _STATUS, _SECONDS, _SIZE = 4, 11, 8, 8
_WIDEST, _NARROWEST = 200, 60
_STEP_IN_PROGRESS = 24
"""Columns that the line about a running build leaves to its step, however long the rest is."""
_KEYS: Mapping[State, str] = {
    "MISS": "the environment is installed again",
    "below": "stands below a step that ran, so it runs too; nobody waited for it",
}
"""The meanings of the table's words that do not explain themselves, ``unknown`` aside."""
_MANY = 4
"""Images from which on the summary is one table, with details of what failed alone."""
_WORTH_SAYING = 1_000_000
"""Bytes of build cache below which a rest that could not be removed is not reported."""


def engine_line(engine: EngineInfo) -> str:
    """The header's line about the engine: its name, its versions, and the reason for the choice."""
    return presentable(f"{engine} ({engine.why})" if engine.why else str(engine))


def live_line(title: str, step: Step | None, seconds: float | None, width: int) -> str:
    """The line that is redrawn while a build runs, at most ``width`` columns."""
    if step is None:
        waited = " …" if seconds is None else f", {seconds:.0f} s"
        return shortened(presentable(f"  {title}"), width - len(waited)) + waited
    elapsed = "" if seconds is None else f"  {duration(seconds)}"
    head = _head(title, step, width - len(elapsed))
    room = max(width - len(head) - len(elapsed), 8)
    return shortened(f"{head}{shortened(_named(step), room)}{elapsed}", width)


def started_line(title: str, step: Step | None, width: int = 80) -> str:
    """The line of a log when a step starts to execute, or when a build cannot begin (None)."""
    if step is None:
        return shortened(presentable(f"  {title}"), width)
    return shortened(_head(title, step, width) + _named(step), width)


def _head(title: str, step: Step, width: int) -> str:
    """The text before a step's own: build and line; the build's name is cut to make room."""
    line = f": line {step.line} "
    room = width - len("  ") - len(line) - min(len(_named(step)), _STEP_IN_PROGRESS)
    return f"  {shortened(presentable(title), max(room, 12))}{line}"


def summary(session: SessionReport, width: int = 80) -> Iterator[Line]:
    """The section at the end: a table for each Dockerfile, and the traces that stay."""
    for line in _summary(session, width):
        yield tuple((presentable(text), markup) for text, markup in line)


def _summary(session: SessionReport, width: int) -> Iterator[Line]:
    width = min(max(width, _NARROWEST), _WIDEST)
    shown = [image for image in session.images if image.builds or image.layers]
    several = len(session.images) >= _MANY
    if several:
        yield from _overview(session.images, width)
        shown = [image for image in shown if _blamed_checks(image)]
    for number, image in enumerate(shown):
        if number or several:
            yield ()
        yield ((shortened(_title(image, session.engine), width), _BOLD),)
        if image.builds:
            yield from _table(image, width)
        if image.layers:
            yield from _layers(image.layers, width)
        if image.reshipped is not None:
            yield ((_reshipped(image.reshipped), _WARNING),)
    unverified = _nothing_verified(session)
    if unverified:
        yield ((f"nothing was verified: {unverified}", {"yellow": True, "bold": True}),)
    if session.fixes is not None:
        yield from _fixes(session.fixes)
    if session.baseline is not None:
        yield from _baseline(session.baseline, width)
    yield from _pages(session)
    yield from _leftovers(session.leftovers)


def _reshipped(found: Reshipped) -> str:
    """What a source edit makes anew, in a line."""
    lines = ", ".join(map(str, found.lines))
    how = "a source edit would make" if found.predicted else "a source edit makes"
    how = f"predicted: {how}" if found.predicted else how
    return f"{how} {megabytes(found.bytes)} anew (line {lines}), and the environment is a hit"


def _overview(images: Sequence[ImageReport], width: int) -> Iterator[Line]:
    """One row for each image: its name, and how its checks ended."""
    room = min(max(len(image.node) for image in images), width * 2 // 3)
    yield ((f"{'image':<{room}}  verdict", _PLAIN),)
    for image in images:
        text, markup = _verdict(image)
        head = f"{shortened(image.node, room):<{room}}  "
        yield ((head, _PLAIN), (shortened(text, width - len(head)), markup))


def _verdict(image: ImageReport) -> tuple[str, Mapping[str, bool]]:
    """How the checks of an image ended, in a few words, with the colour of the worst."""
    ended = [check.ending.outcome for check in image.checks]
    unverified = sum(check.ending.skip == "not-verified" for check in image.checks)
    failed = [check.id for check in image.checks if check.ending.outcome == "failed"]
    said = [f"{', '.join(failed)} failed"] if failed else []
    errors = ended.count("error")
    wrong = failed or errors
    if errors:
        said.append(f"{errors} error{'' if errors == 1 else 's'}")
    if ended.count("passed"):
        said.append(f"{ended.count('passed')} passed")
    open_checks = unverified if not wrong else 0
    if open_checks:
        said.append(f"{open_checks} not verified")
    markup = {"red": True} if wrong else _WARNING if open_checks else {"green": True}
    return ", ".join(said) or "nothing to judge", markup


def _blamed_checks(image: ImageReport) -> list[str]:
    """The IDs of the checks that failed, or could not be judged for an error."""
    wrong = ("failed", "error")
    return [check.id for check in image.checks if check.ending.outcome in wrong]


def _baseline(found: SessionComparison, width: int) -> Iterator[Line]:
    """The changes for the worse since the earlier run."""
    if not found.lines:
        yield ((shortened(f"since {found.path}: nothing has become worse", width), _PLAIN),)
        return
    yield ((shortened(f"since {found.path}:", width), _BOLD),)
    for line in found.lines:
        yield ((f"  {line}", _WARNING),)  # a cut line would not name its subject


def _pages(session: SessionReport) -> Iterator[Line]:
    """The pages about the checks that fail; an error that stops a check has no page."""
    failed = (item for item in blamed(session) if item.check.ending.outcome == "failed")
    for check in dict.fromkeys(item.id for item in failed):
        yield ((f"about {check}: {page_of(check)}", _PLAIN),)


def _fixes(fixes: FixReport) -> Iterator[Line]:
    """The fixes that ``--dockercache-fix`` has proven, and the savings of each."""
    proven = [item for item in fixes.tried if item.proven]
    if fixes.problem:
        yield ((f"fixes: {fixes.problem}", _WARNING),)
    elif not fixes.tried:
        yield (("fixes: no failing check offers a patch", _PLAIN),)
    elif fixes.path is None:
        yield (("fixes: none is proven, nothing is written", _WARNING),)
    else:
        many = "fix is" if len(proven) == 1 else "fixes are"
        command = fixes.apply or f"git apply {fixes.path}"
        text = f"fixes: {len(proven)} {many} proven by building: {command}"
        yield ((text, _BOLD),)
    for item in fixes.tried:
        if item.proven:
            saves = f": {item.saves}" if item.saves else ""
            yield ((f"  {item.nodeid}{saves}", {"green": True}),)
        else:
            yield ((f"  {item.nodeid} is not proven: {item.why}", _WARNING),)


def _title(image: ImageReport, engine: EngineInfo | None) -> str:
    if image.image is not None:
        return f"{image.node}  (image, not built here)"
    if any(build.outcome == "predicted" for build in image.builds):
        return f"{image.node}  (predicted: nothing was built)"
    return image.node if engine is None else f"{image.node}  ({engine})"


def _table(image: ImageReport, width: int) -> Iterator[Line]:
    first = first_build(image)
    after = source_rebuild(image)
    builds = [build for build in (first, after) if build is not None]
    steps = shown_steps(builds)
    # The model builds nothing, so a predicted first build says nothing.
    predicted = first is not None and first.outcome == "predicted"
    columns = {"first build": first, "after edit": after}
    columns = {head: build for head, build in columns.items() if not (predicted and build is first)}
    if steps:
        taken = _LINE + 2 + len(columns) * (_STATUS + 1) + _SECONDS + 1
        longest = max(len(_named(step)) for step in steps)
        room = max(min(width - taken, longest), 20)
        heads = "".join(f"{head:<{_STATUS}} " for head in columns)
        head = f"{'line':>{_LINE}}  {'step':<{room}} {heads}{'seconds':>{_SECONDS}}"
        yield ((head.rstrip(), _PLAIN),)
    for step in steps:
        yield _row(step, tuple(columns.values()), image.seconds.get(step.line), room)
    yield from _keys(steps, tuple(columns.values()), width)
    if first is not None and first.outcome == "failed":
        yield ((f"first build: {ending(first)}", _WARNING),)
    if after is not None:
        yield ((_after("edit:", after, width), _PLAIN),)
    for build in image.builds:
        if build.edits and build is not after:
            yield ((_after("also:", build, width), _PLAIN),)
    for build in image.builds:
        for warning in build.warnings:
            yield ((shortened(warning, width), _WARNING),)


def _keys(steps: Sequence[Step], builds: Sequence[Build | None], width: int) -> Iterator[Line]:
    """The meanings of the words in the table."""
    said = {state_of(step, build) for step in steps for build in builds}
    keys = {**_KEYS, "unknown": why_unknown(build for build in builds if build is not None)}
    for state, meaning in keys.items():
        if state in said:
            yield ((shortened(f"{state}: {meaning}", width), {"light": True}),)


def _after(word: str, build: Build, width: int) -> str:
    """One line about a rebuild: its edit, its outcome, and its first miss."""
    missed = [step.line for step in build.with_status("miss")]
    unknown = [step.line for step in build.with_status("unknown")]
    if missed:
        what = f", first miss line {missed[0]}"
    else:
        what = f", no miss, line {unknown[0]} unknown" if unknown else ", every step hit"
    if build.outcome == "failed" and not missed:
        what = ""
    more = f" and {len(build.edits) - 1} more" if len(build.edits) > 1 else ""
    rest = f"{more}, {ending(build)}{what}"
    room = width - len(word) - 1 - len(rest)
    edit = str(build.edits[0])
    if len(edit) > room:
        edit = edit.partition(" (")[0]  # The path says more than the beginning of what was done.
    return f"{word} {shortened(edit, room)}{rest}"


def _row(step: Step, builds: Sequence[Build | None], seconds: float | None, room: int) -> Line:
    text = shortened(_named(step), room)
    took = "" if seconds is None else f"{seconds:.1f}"
    return (
        (f"{step.line:>{_LINE}}  {text:<{room}} ", _BOLD if step.role == "environment" else _PLAIN),
        *(piece for build in builds for piece in _status(step, build)),
        (f"{took:>{_SECONDS}}" if took else "", _PLAIN),
    )


def _status(step: Step, build: Build | None) -> Line:
    state = state_of(step, build)
    rest = " " * (_STATUS + 1 - len(state))
    if state == "MISS":
        return ((f"{state}{rest}", {"red": True, "bold": True}),)
    return ((state, _COLOURS[state]), (rest, _PLAIN))


def _layers(layers: Sequence[LayerSummary], width: int) -> Iterator[Line]:
    """Size and waste of each layer; one row for the base image's layers, none for empty layers."""
    rows = layer_rows(layers)
    columns = [
        (head, of) for head, of in COLUMNS if of == "size" or any(row.total(of) for row in rows)
    ]
    by = max((len(row.hidden_by) for row in rows), default=0)
    by = min(max(by, len("by line")), 12) if by else 0
    taken = _LINE + 2 + len(columns) * (_SIZE + 1) + (by + 1 if by else 0)
    longest = max(len(_one_line(command_first(row.text))) for row in rows)
    room = max(min(width - taken, longest), 10)
    heads = "".join(f" {head:>{_SIZE}}" for head, _ in columns) + (" by line" if by else "")
    yield ((f"{'line':>{_LINE}}  {'layer':<{room}}{heads}", _PLAIN),)
    for row in rows:
        text = shortened(_one_line(command_first(row.text)), room)
        pieces: list[tuple[str, Mapping[str, bool]]] = [
            (f"{row.place:>{_LINE}}  {text:<{room}}", _PLAIN)
        ]
        for head, of in columns:
            amount = row.total(of)
            wasted = _WARNING if head != "size" and amount and row.own else _PLAIN
            shown = megabytes(amount) if amount or head == "size" else ""
            pieces.append((f" {shown:>{_SIZE}}", wasted))
        if by:
            pieces.append((f" {shortened(row.hidden_by, by)}", _PLAIN))
        yield tuple(pieces)


def _nothing_verified(session: SessionReport) -> str | None:
    """The reason, if there were checks and each of them was skipped."""
    endings = [check.ending for image in session.images for check in image.checks]
    if not endings or any(ending.outcome != "skipped" for ending in endings):
        return None
    reasons = list(dict.fromkeys(ending.reason for ending in endings))
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"every check was skipped: {reasons[0]}{more}"


def _leftovers(leftovers: Leftovers) -> Iterator[Line]:
    if leftovers.kept_images:
        yield ((f"kept: {', '.join(leftovers.kept_images)}", _PLAIN),)
    for name in leftovers.stuck:
        yield ((f"left behind: {name}", _WARNING),)
    if leftovers.cache_bytes >= _WORTH_SAYING:
        amount = megabytes(leftovers.cache_bytes)
        yield ((f"left behind: {amount} of build cache that the edits made", _WARNING),)


def _named(step: Step) -> str:
    return _one_line(command_first(step.text))


def _one_line(text: str) -> str:
    return presentable(on_one_line(text))
