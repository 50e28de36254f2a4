"""The whole page: a summary, an overview of the images, and a section for each image."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from ...disk import read_text
from ...model import megabytes
from ..findings import ImageReport, SessionReport
from ..rebuilds import duration, edit_cost
from ..tally import Grade, headline, tally
from .dockerfile_view import dockerfile_section
from .files_matrix import files_section
from .layers_map import layers_section
from .markup import Html, el, joined
from .verdicts import verdicts_section
from .waterfall import waterfall_section

__all__ = ["render"]

_SIGNS: dict[Grade, str] = {"good": "✓", "bad": "✗", "doubtful": "?"}
_WORDS: dict[Grade, str] = {"good": "holds", "bad": "fails", "doubtful": "not verified"}


def render(session: SessionReport) -> str:
    """The page as text."""
    style = read_text(Path(__file__).with_name("page.css"))
    grade, words = headline(session)
    images = [image for image in session.images if image.checks or image.builds or image.layers]
    body = el(
        "body",
        el(
            "header",
            el("p", "Docker build cache", class_="product"),
            el("h1", el("span", _SIGNS[grade], class_=f"sign {grade}"), " ", words),
            _engine(session, images),
            _fixes(session),
            _since(session),
        ),
        _overview(images) if len(images) > 1 else "",
        el(
            "main",
            *(
                _image(image, number, alone=len(images) == 1)
                for number, image in enumerate(images, 1)
            ),
        ),
        el("footer", el("p", "Written by pytest-dockercache.")),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{_SIGNS[grade]} Docker build cache: {words}"),
        el("link", rel="icon", href="data:,"),
        el("style", Html(style)),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _policy(style: str) -> str:
    """The page's security policy: only its own style is allowed."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"


def _engine(session: SessionReport, images: Sequence[ImageReport]) -> Html:
    if any(build.outcome == "predicted" for image in images for build in image.builds):
        return el("p", "Predicted by the cache model: nothing was built.", class_="lead")
    return el("p", str(session.engine), class_="lead") if session.engine else Html("")


def _fixes(session: SessionReport) -> Html:
    report = session.fixes
    if report is None or not report.tried:
        return el("p", report.problem, class_="lead") if report and report.problem else Html("")
    rows = []
    for item in report.tried:
        said = f"proven by building. {item.saves}" if item.proven else f"not proven: {item.why}"
        rows.append(el("li", el("code", item.nodeid), f" {said}"))
    command = report.apply or f"git apply {report.path}"
    apply = el("p", "Apply: ", el("code", command)) if report.path else ""
    return el("section", el("h2", "Fixes that were tried"), el("ul", *rows), apply, class_="card")


def _since(session: SessionReport) -> Html:
    found = session.baseline
    if found is None:
        return Html("")
    title = el("h2", "Since ", el("code", found.path))
    if not found.lines:
        return el("section", title, el("p", "Nothing has become worse."), class_="card")
    lines = (el("li", line) for line in found.lines)
    return el("section", title, el("ul", *lines), class_="card doubtful")


def _overview(images: Sequence[ImageReport]) -> Html:
    sizes = [sum(layer.size for layer in image.layers) for image in images]
    costs = [edit_cost(image) for image in images]
    most = max(max((cost.seconds for cost in costs if cost), default=0.0), 0.001)
    order = sorted(range(len(images)), key=lambda at: tally(images[at].checks).grade == "good")
    heads = ["", "image", "checks"]
    heads += ["a source edit costs", ""] if any(costs) else []
    heads += ["image size"] if any(sizes) else []
    rows = []
    for at in order:
        image, size, cost, number = images[at], sizes[at], costs[at], at + 1
        grade = tally(image.checks).grade
        seconds = cost.seconds if cost and cost.total else None
        edit = "" if cost is None else f"{cost.again} of {cost.steps} steps"
        edit = edit if seconds is None else duration(seconds)
        cells = [
            el("td", el("span", _SIGNS[grade], class_=f"sign {grade}", title=_WORDS[grade])),
            el("td", el("a", image.node, href=f"#i{number}"), class_="step"),
            el("td", str(tally(image.checks)), data_label="checks"),
            el("td", edit, class_="n", data_label="a source edit"),
            el("td", _meter(seconds or 0.0, most, grade), class_="bar"),
            el("td", megabytes(size) if size else "", class_="n", data_label="image"),
        ]
        shown = (True, True, True, any(costs), any(costs), any(sizes))
        rows.append(el("tr", *(cell for cell, wanted in zip(cells, shown, strict=True) if wanted)))
    table = el(
        "table",
        el("thead", el("tr", *(el("th", head, scope="col", class_=_side(head)) for head in heads))),
        el("tbody", *rows),
        class_="cards overview",
    )
    return el("nav", el("h2", f"{len(images)} images"), el("div", table, class_="scroll"))


def _side(head: str) -> str | None:
    """The class that puts the head of a column of numbers above them, at the right."""
    return "n" if head in ("a source edit costs", "image size") else None


def _meter(value: float, most: float, grade: Grade) -> Html:
    if not value:
        return Html("")
    return el(
        "svg",
        el("rect", x=0, y=4, width=f"{max(value / most * 1000, 4):.1f}", height=12,
           class_="again" if grade == "bad" else "reused"),
        viewBox="0 0 1000 20",
        preserveAspectRatio="none",
        aria_hidden="true",
    )  # fmt: skip


def _image(image: ImageReport, number: int, *, alone: bool) -> Html:
    total = tally(image.checks)
    content = joined(
        _facts(image),
        verdicts_section(image, number),
        waterfall_section(image, number),
        files_section(image, number),
        layers_section(image, number),
        dockerfile_section(image, number),
    )
    title = joined(el("span", _SIGNS[total.grade], class_=f"sign {total.grade}"), " ", image.node)
    if alone:
        return el("section", el("h2", image.node), content, class_="image", id=f"i{number}")
    return el(
        "details",
        el("summary", el("h2", title), el("span", str(total), class_="meta")),
        el("div", content, id=f"i{number}", class_="inner"),
        class_="image",
        open=total.grade != "good",
    )


def _facts(image: ImageReport) -> Html:
    facts: list[tuple[str, str]] = []
    cost = edit_cost(image)
    if cost is not None and cost.total:
        least = "at least " if cost.unknown else ""
        facts.append(("a source edit costs", f"{least}{duration(cost.seconds)}"))
        facts.append(("the whole build", duration(cost.total)))
    elif cost is not None:
        facts.append(("a source edit runs again", f"{cost.again} of {cost.steps} steps"))
    own = [layer for layer in image.layers if not layer.base]
    if image.layers:
        size = sum(layer.size for layer in image.layers)
        facts.append(("image", megabytes(size)))
        waste = sum(
            layer.package_cache_bytes + layer.bytecode_bytes + layer.hidden_bytes for layer in own
        )
        if len(own) < len(image.layers):
            facts.append(("added by this Dockerfile", megabytes(sum(layer.size for layer in own))))
        if waste:
            facts.append(("of that caches, bytecode, hidden", megabytes(waste)))
    meta = [("context", image.context)] if image.image is None else []
    meta += [("target", image.target)] if image.target else []
    meta += [("platform", image.platform)] if image.platform else []
    said = [part for name, value in meta for part in (" · ", f"{name} ", el("code", value))]
    return joined(
        el("p", "an image that was not built here", class_="meta") if image.image else "",
        el("p", *said[1:], class_="meta") if said else "",
        el(
            "ul",
            *(el("li", el("b", value), el("span", name)) for name, value in facts),
            class_="facts",
        )
        if facts
        else "",
    )
