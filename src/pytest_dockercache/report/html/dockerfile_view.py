"""The Dockerfile, with marks on its lines: reruns, sizes, and failing checks."""

from __future__ import annotations

from ...model import Step, megabytes
from ..findings import ImageReport
from ..rebuilds import shown_steps, source_rebuild, state_of
from .markup import Html, command_code, el
from .waterfall import badge

__all__ = ["dockerfile_section"]


def dockerfile_section(image: ImageReport, number: int) -> Html:
    """Every line of the Dockerfile, numbered, with an anchor for links."""
    if not image.text or image.dockerfile is None:
        return Html("")
    steps = shown_steps(image.builds)
    inside = {
        line: step for step in steps for line in range(step.line, max(step.end_line, step.line) + 1)
    }
    lines = [
        el(
            "li",
            command_code(text or " "),
            _marks(image, line, inside.get(line), number),
            id=f"i{number}-L{line}",
            class_=_class(image, inside.get(line)),
        )
        for line, text in enumerate(image.text.replace("\r\n", "\n").rstrip("\n").split("\n"), 1)
    ]
    return el(
        "section",
        el("h3", "Dockerfile"),
        el("ol", *lines, class_="dockerfile"),
        class_="source",
    )


def _class(image: ImageReport, step: Step | None) -> str | None:
    if step is None:
        return None
    state = state_of(step, source_rebuild(image))
    return f"l-{state.replace(' ', '-')}" if state else None


def _marks(image: ImageReport, line: int, step: Step | None, number: int) -> Html:
    marks = [
        el("a", f"✗ {check.id}", href=f"#i{number}-{check.id}", class_="blame")
        for check in image.checks
        if check.ending.outcome in ("failed", "error")
        and check.ending.same_as is None
        and check.ending.line == line
    ]
    if step is not None and step.line == line:
        marks.append(badge(state_of(step, source_rebuild(image))))
        took = image.seconds.get(line)
        if took is not None and took >= 0.05:
            marks.append(el("span", f"{took:.1f} s", class_="fact"))
        size = sum(layer.size for layer in image.layers if layer.line == line)
        if size:
            marks.append(el("span", megabytes(size), class_="fact"))
    return el("span", *marks, class_="marks") if any(marks) else Html("")
