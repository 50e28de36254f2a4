"""A matrix of groups of context files against the steps that take them."""

from __future__ import annotations

from ...model import FileGroup, Step, command_first, on_one_line
from ..findings import ImageReport
from ..rebuilds import runs_again, shown_steps
from .markup import Html, el

__all__ = ["files_section"]

_ROLES = {
    "input": "the environment is made from it",
    "needed": "the installation needs it",
    "source": "source",
}


def files_section(image: ImageReport, number: int) -> Html:
    """A row for each group of files, a column for each step that takes one or installs."""
    if not image.files:
        return Html("")
    taken = {line for group in image.files for line in group.steps}
    steps = [
        step
        for step in shown_steps(image.builds)
        if step.line in taken or step.role == "environment"
    ]
    heads = [
        el(
            "th",
            el("a", str(step.line), href=f"#i{number}-L{step.line}"),
            " ",
            el("code", on_one_line(command_first(step.text), 28)),
            scope="col",
        )
        for step in steps
    ]
    rows = [_row(image, group, steps) for group in image.files]
    return el(
        "section",
        el("h3", "Which files rebuild what"),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", el("th", "files", scope="col"), *heads)),
                el("tbody", *rows),
                class_="cards matrix",
            ),
            class_="scroll",
        ),
        class_="files",
    )


def _row(image: ImageReport, group: FileGroup, steps: list[Step]) -> Html:
    shown = group.examples[:3]
    more = group.count - len(shown)
    names = [el("li", el("code", path)) for path in shown]
    if more > 0:
        names.append(el("li", f"and {more} more", class_="more"))
    return el(
        "tr",
        el("th", el("ul", *names), el("small", _ROLES[group.role]), scope="row"),
        *(el("td", _cell(image, group, step), data_label=f"line {step.line}") for step in steps),
    )


def _cell(image: ImageReport, group: FileGroup, step: Step) -> Html:
    if step.role != "environment":
        taken = step.line in group.steps
        return el("span", "takes them", class_="s s-takes") if taken else Html("")
    again = runs_again(image, group, step)
    if again is None:
        return el("span", "not known", class_="s s-unknown")
    if not again:
        return el("span", "reused", class_="s s-hit")
    if group.role == "input":
        return el("span", "installs", class_="s s-miss", title="as it must")
    return el("span", "reinstalls", class_="s s-MISS")
