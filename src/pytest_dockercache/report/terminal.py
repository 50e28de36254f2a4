"""What people read in a terminal: header, live line, tables; text and colour, no writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..cache import is_rebuilt
from ..checks.layer_summary import LayerSummary
from ..model import Build, EngineInfo, Status, Step, megabytes, shortened
from ..presentable import presentable
from ..runs import Leftovers
from .findings import FixReport, ImageReport, SessionReport

__all__ = ["Line", "duration", "engine_line", "live_line", "started_line", "summary"]

Line = tuple[tuple[str, Mapping[str, bool]], ...]
"""One line as pieces of text, each with pytest's markup (``red=True``)."""

_PLAIN: Mapping[str, bool] = {}
_BOLD: Mapping[str, bool] = {"bold": True}
_WARNING: Mapping[str, bool] = {"yellow": True}
_COLOURS: Mapping[Status, Mapping[str, bool]] = {
    "hit": {"green": True},
    "miss": {"yellow": True},
    "unknown": {"purple": True},
    "not-reached": {"light": True},
}
_WORDS: Mapping[Status, str] = {
    "hit": "hit",
    "miss": "miss",
    "unknown": "unknown",
    "not-reached": "not reached",
}
_LINE, _STATUS, _SECONDS, _SIZE = 4, 11, 8, 8
_WIDEST = 110
_WORTH_SAYING = 1_000_000
"""Bytes of build cache below which what stays behind is nobody's concern."""


def engine_line(engine: EngineInfo) -> str:
    """The header's line about the engine: which, its versions, and why."""
    return presentable(f"{engine} ({engine.why})" if engine.why else str(engine))


def live_line(title: str, step: Step | None, seconds: float | None, width: int) -> str:
    """The line that is redrawn while a build runs, at most ``width`` columns."""
    if step is None:
        return shortened(presentable(f"  {title} …"), width)
    elapsed = "" if seconds is None else f"  {duration(seconds)}"
    head = presentable(f"  {title}: line {step.line} ")
    room = max(width - len(head) - len(elapsed), 8)
    return shortened(f"{head}{shortened(_one_line(step.text), room)}{elapsed}", width)


def started_line(title: str, step: Step, width: int = 80) -> str:
    """The line of a log when a step starts to execute."""
    return shortened(presentable(f"  {title}: line {step.line} ") + _one_line(step.text), width)


def summary(session: SessionReport, width: int = 80) -> Iterator[Line]:
    """The section at the end: a table for each Dockerfile, and what was left behind."""
    for line in _summary(session, width):
        yield tuple((presentable(text), markup) for text, markup in line)


def _summary(session: SessionReport, width: int) -> Iterator[Line]:
    width = min(width, _WIDEST)
    shown = [image for image in session.images if image.builds or image.layers]
    for number, image in enumerate(shown):
        if number:
            yield ()
        yield ((shortened(_title(image, session.engine), width), _BOLD),)
        if image.builds:
            yield from _table(image, width)
        if image.layers:
            yield from _layers(image.layers, width)
    unverified = _nothing_verified(session)
    if unverified:
        yield ((f"nothing was verified: {unverified}", {"yellow": True, "bold": True}),)
    if session.fixes is not None:
        yield from _fixes(session.fixes)
    yield from _leftovers(session.leftovers)


def _fixes(fixes: FixReport) -> Iterator[Line]:
    """What ``--dockercache-fix`` has proven, and what each saves."""
    proven = [item for item in fixes.tried if item.proven]
    if fixes.problem:
        yield ((f"fixes: {fixes.problem}", _WARNING),)
    elif not fixes.tried:
        yield (("fixes: no failing check offers a patch", _PLAIN),)
    elif fixes.path is None:
        yield (("fixes: none is proven, nothing is written", _WARNING),)
    else:
        many = "fix is" if len(proven) == 1 else "fixes are"
        text = f"fixes: {len(proven)} {many} proven by building: git apply {fixes.path}"
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
    first = next((build for build in image.builds if not build.edits), None)
    after = _source_rebuild(image)
    builds = [build for build in (first, after) if build is not None]
    steps = _shown_steps(builds)
    if steps:
        room = max(width - _LINE - 2 - 2 * (_STATUS + 1) - _SECONDS - 1, 20)
        head = f"{'line':>{_LINE}}  {'step':<{room}} {'first build':<{_STATUS}} "
        yield ((f"{head}{'after edit':<{_STATUS}} {'seconds':>{_SECONDS}}".rstrip(), _PLAIN),)
    for step in steps:
        yield _row(step, first, after, image.seconds.get(step.line), room)
    if first is not None and first.outcome == "failed":
        yield ((f"first build: {_ending(first)}", _WARNING),)
    if after is not None:
        yield ((_after("edit:", after, width), _PLAIN),)
    for build in image.builds:
        if build.edits and build is not after:
            yield ((_after("also:", build, width), _PLAIN),)
    for build in image.builds:
        for warning in build.warnings:
            yield ((shortened(warning, width), _WARNING),)


def _shown_steps(builds: Sequence[Build]) -> tuple[Step, ...]:
    """The steps of the longest build, without those that only change the image's settings.

    BuildKit has no vertex for ENV, LABEL, CMD and the like: not even a
    complete build reaches them.
    """
    if not builds:
        return ()
    settings = {
        step.line
        for build in builds
        if build.outcome == "built"
        for step in build.with_status("not-reached")
    }
    longest = max(builds, key=lambda build: len(build.steps))
    return tuple(
        step for step in longest.steps if step.line not in settings or step.instruction == "FROM"
    )


def _after(word: str, build: Build, width: int) -> str:
    """One line about a rebuild: its edit, how it ended, where it first missed."""
    missed = [step.line for step in build.with_status("miss")]
    unknown = [step.line for step in build.with_status("unknown")]
    if missed:
        what = f", first miss line {missed[0]}"
    else:
        what = f", no miss, line {unknown[0]} unknown" if unknown else ", every step hit"
    if build.outcome == "failed" and not missed:
        what = ""
    more = f" and {len(build.edits) - 1} more" if len(build.edits) > 1 else ""
    ending = f"{more}, {_ending(build)}{what}"
    return f"{word} {shortened(str(build.edits[0]), width - len(word) - 1 - len(ending))}{ending}"


def _source_rebuild(image: ImageReport) -> Build | None:
    """The build after the source edit, else after the first edit that there was."""
    edited = [build for build in image.builds if build.edits]
    of_source = [
        build
        for build in edited
        if image.source and any(edit.context_path == image.source for edit in build.edits)
    ]
    complete = [build for build in of_source if build.outcome == "built"]
    return next(iter(complete or of_source or edited), None)


def _row(
    step: Step, first: Build | None, after: Build | None, seconds: float | None, room: int
) -> Line:
    text = shortened(_one_line(step.text), room)
    took = "" if seconds is None else f"{seconds:.1f}"
    return (
        (f"{step.line:>{_LINE}}  {text:<{room}} ", _BOLD if step.role == "environment" else _PLAIN),
        *_status(step, first),
        *_status(step, after),
        (f"{took:>{_SECONDS}}" if took else "", _PLAIN),
    )


def _status(step: Step, build: Build | None) -> Line:
    same = [] if build is None else [other for other in build.steps if other.line == step.line]
    status: Status | None = same[0].status if same else None
    if step.instruction == "FROM" and status != "miss":
        status = None  # a base is not built: whether the builder calls it cached means nothing
    word = "" if status is None else _WORDS[status]
    if status == "not-reached" and is_rebuilt(same[0]):
        word = "below"
    if status == "miss" and step.role == "environment" and build is not None and build.edits:
        return ((f"{'MISS':<{_STATUS}} ", {"red": True, "bold": True}),)
    colour = _PLAIN if status is None else _COLOURS[status]
    return ((word, colour), (" " * (_STATUS + 1 - len(word)), _PLAIN))


@dataclass(frozen=True)
class _Row:
    """A row of the table of layers: what stands in its first two columns, and the layers."""

    place: str
    text: str
    layers: tuple[LayerSummary, ...]
    own: bool = True

    def total(self, of: str) -> int:
        return sum(getattr(layer, of) for layer in self.layers)

    @property
    def hidden_by(self) -> str:
        lines = sorted({line for layer in self.layers for line in layer.hidden_by})
        return ", ".join(map(str, lines))


_COLUMNS = (
    ("size", "size"),
    ("caches", "package_cache_bytes"),
    ("bytecode", "bytecode_bytes"),
    ("hidden", "hidden_bytes"),
)


def _layers(layers: Sequence[LayerSummary], width: int) -> Iterator[Line]:
    """What each layer weighs and wastes; the base image's in one row, empty ones left out."""
    rows = _layer_rows(layers)
    by = max((len(row.hidden_by) for row in rows), default=0)
    by = min(max(by, len("by line")), 12) if by else 0
    columns = len(_COLUMNS) * (_SIZE + 1) + (by + 1 if by else 0)
    room = max(width - _LINE - 2 - columns, 20)
    head = "".join(f" {name:>{_SIZE}}" for name, _ in _COLUMNS) + (" by line" if by else "")
    yield ((f"{'line':>{_LINE}}  {'layer':<{room}}{head}", _PLAIN),)
    for row in rows:
        text = shortened(_one_line(row.text), room)
        size = megabytes(row.total("size"))
        pieces: list[tuple[str, Mapping[str, bool]]] = [
            (
                f"{row.place:>{_LINE}}  {text:<{room}} {size:>{_SIZE}}",
                _PLAIN,
            )
        ]
        for _, of in _COLUMNS[1:]:
            amount = row.total(of)
            wasted = _WARNING if amount and row.own else _PLAIN
            pieces.append((f" {megabytes(amount) if amount else '':>{_SIZE}}", wasted))
        if by:
            pieces.append((f" {shortened(row.hidden_by, by)}", _PLAIN))
        yield tuple(pieces)


def _layer_rows(layers: Sequence[LayerSummary]) -> list[_Row]:
    base = tuple(layer for layer in layers if layer.base)
    rows = []
    if base:
        count = f"{len(base)} layer" + ("s" if len(base) > 1 else "")
        rows.append(_Row("base", f"{count} of the base image", base, own=False))
    for number, layer in enumerate(layers, 1):
        if layer.base or not layer.size:
            continue
        place = f"#{number}" if layer.line is None else str(layer.line)
        rows.append(_Row(place, layer.created_by, (layer,)))
    if len(rows) > 1:
        rows.append(_Row("", "all layers", tuple(layers), own=False))
    return rows


def _ending(build: Build) -> str:
    words = {"built": "built in", "stopped": "stopped after", "failed": "failed after"}
    if build.outcome == "predicted":
        return "predicted"
    if not build.seconds:
        return build.outcome
    return f"{words[build.outcome]} {duration(build.seconds)}"


def _nothing_verified(session: SessionReport) -> str | None:
    """The reason, if there were checks and each of them was skipped."""
    endings = [check.ending for image in session.images for check in image.checks]
    if not endings or any(ending.outcome != "skipped" for ending in endings):
        return None
    reasons = list(dict.fromkeys(_first_line(ending.said) for ending in endings))
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


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.4 s``, ``4 min 51 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _one_line(text: str) -> str:
    return presentable(" ".join(text.split()))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
