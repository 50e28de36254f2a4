"""The waterfall: a row for each step, how long it takes, and in which builds it ran."""

from __future__ import annotations

from collections.abc import Sequence

from ...model import Build, Step, command_first, on_one_line
from ..findings import ImageReport
from ..rebuilds import (
    State,
    duration,
    edit_cost,
    ending,
    shown_steps,
    source_rebuild,
    state_of,
    why_unknown,
)
from .markup import Html, command_code, el, joined

__all__ = ["badge", "waterfall_section"]

_SAID: dict[State, str] = {
    "hit": "reused",
    "miss": "ran",
    "MISS": "installed again",
    "below": "would run: it stands below a step that ran; nobody waited for it",
    "unknown": "not known",
    "not reached": "not reached",
    "": "",
}
_WIDTH = 1000
_LEAST = 5
"""The width of a bar that took next to no time, of 1000."""


def badge(state: State) -> Html:
    """A status as a word with its colour."""
    if not state:
        return Html("")
    return el("span", state, class_=f"s s-{state.replace(' ', '-')}", title=_SAID[state])


def waterfall_section(image: ImageReport, number: int) -> Html:
    """The steps of an image as a table with bars, and a description of each build."""
    steps = shown_steps(image.builds)
    if not steps:
        return Html("")
    builds = [build for build in image.builds if build.outcome != "failed"]
    if builds and builds[0].outcome == "predicted":
        builds = [build for build in builds if build.edits]
    rebuild = source_rebuild(image)
    total = sum(image.seconds.get(step.line, 0.0) for step in steps)
    rows = []
    begun = 0.0
    for step in steps:
        took = image.seconds.get(step.line)
        rows.append(_row(image, step, builds, number, _bar(step, rebuild, begun, took, total)))
        begun += took or 0.0
    heads = [
        el("th", "line", scope="col"),
        el("th", "step", scope="col"),
        el("th", "seconds", scope="col", colspan=2),
        *(el("th", _name(builds, n), scope="col", title=_title(b)) for n, b in enumerate(builds)),
    ]
    return el(
        "section",
        el("h3", "Steps"),
        _headline(image),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", *heads)),
                el("tbody", *rows),
                class_="cards waterfall",
            ),
            class_="scroll",
        ),
        _legend(image, builds, rebuild),
        class_="steps",
    )


def _headline(image: ImageReport) -> Html:
    cost = edit_cost(image)
    if cost is None:
        return Html("")
    steps = f"{cost.again} of {cost.steps} steps"
    if not cost.total:
        said = " is predicted to run" if cost.predicted else " runs"
        return el("p", "A source edit", said, " ", el("strong", steps), " again.")
    least = "at least " if cost.unknown else ""
    return el(
        "p",
        "A source edit runs ",
        el("strong", f"{least}{duration(cost.seconds)}"),
        f" of {duration(cost.total)} again: {steps}.",
    )


def _state(image: ImageReport, step: Step, build: Build) -> State:
    """The status of a step; a miss after an edit of an environment's own inputs is no alarm."""
    state = state_of(step, build)
    inputs = {path for group in image.files if group.role == "input" for path in group.examples}
    if state == "MISS" and any(edit.context_path in inputs for edit in build.edits):
        return "miss"
    return state


def _row(image: ImageReport, step: Step, builds: Sequence[Build], number: int, bar: Html) -> Html:
    took = image.seconds.get(step.line)
    text = on_one_line(command_first(step.text), 400)
    environment = step.role == "environment"
    return el(
        "tr",
        el("td", el("a", str(step.line), href=f"#i{number}-L{step.line}"), class_="n"),
        el("td", command_code(text), " ", _role(step), class_="step"),
        el("td", bar, class_="bar"),
        el("td", "" if took is None else f"{took:.1f} s", class_="n secs"),
        *(
            el("td", badge(_state(image, step, build)), data_label=_name(builds, n), class_="st")
            for n, build in enumerate(builds)
        ),
        class_="env" if environment else None,
    )


def _role(step: Step) -> Html:
    return el("small", "environment", class_="tag") if step.role == "environment" else Html("")


def _bar(step: Step, rebuild: Build | None, begun: float, took: float | None, total: float) -> Html:
    if took is None or not total:
        return Html("")
    state = state_of(step, rebuild)
    again = state in ("miss", "MISS", "below")
    width = max(took / total * _WIDTH, _LEAST)
    start = min(begun / total * _WIDTH, _WIDTH - width)
    said = "again after a source edit" if again else "reused after a source edit"
    return el(
        "svg",
        el(
            "rect",
            x=f"{start:.1f}",
            y=2,
            width=f"{width:.1f}",
            height=16,
            class_="again" if again else "reused",
            data_seconds=took,
        ),
        viewBox=f"0 0 {_WIDTH} 20",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{duration(took)}, {said}" if rebuild else duration(took),
    )


def _name(builds: Sequence[Build], number: int) -> str:
    """The head of a build's column."""
    if not builds[number].edits:
        return "first build"
    edited = [build for build in builds[: number + 1] if build.edits]
    return f"edit {len(edited)}"


def _title(build: Build) -> str:
    return " and ".join(map(str, build.edits)) or "the project as it is"


def _legend(image: ImageReport, builds: Sequence[Build], rebuild: Build | None) -> Html:
    items = []
    for number, build in enumerate(builds):
        missed = [str(step.line) for step in build.with_status("miss")]
        lines = f"line{'s' if len(missed) > 1 else ''} {', '.join(missed)} ran" if missed else ""
        if not missed and build.outcome != "predicted":
            lines = "every step was reused"
        parts = [ending(build), *([lines] if lines and build.edits else [])]
        items.append(
            joined(
                el("dt", _name(builds, number)), el("dd", f"{_title(build)}: ", ", ".join(parts))
            )
        )
    failed = [build for build in image.builds if build.outcome == "failed"]
    items += [joined(el("dt", "failed"), el("dd", _title(build))) for build in failed]
    keys = Html("")
    if rebuild is not None and image.seconds:
        keys = el(
            "ul",
            el("li", el("span", class_="key again"), "runs again after a source edit"),
            el("li", el("span", class_="key reused"), "is reused"),
            class_="legend",
        )
    said = {**_SAID, "unknown": why_unknown(builds)}
    words = [
        el("li", badge(state), " ", said[state])
        for state in ("MISS", "below", "unknown")
        if any(_state(image, step, build) == state for build in builds for step in build.steps)
    ]
    return joined(keys, el("ul", *words, class_="legend") if words else "", el("dl", *items))
