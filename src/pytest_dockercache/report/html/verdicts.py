"""The verdicts of an image: failures with their fixes, unverified checks, and the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ...presentable import presentable
from ..findings import CheckResult, ImageReport
from ..pages import HOLDS, page_of
from ..tally import said_once
from .markup import Html, el, joined

__all__ = ["verdicts_section"]

_MOST_TEXT = 20_000
"""Characters of a check's own text that are shown."""


def verdicts_section(image: ImageReport, number: int) -> Html:
    """All checks of an image, the failing ones first and open."""
    if not image.checks:
        return Html("")
    bad = [check for check in image.checks if check.ending.outcome in ("failed", "error")]
    skipped = [check for check in image.checks if check.ending.outcome == "skipped"]
    unsure = [check for check in skipped if check.ending.skip != "does-not-apply"]
    absent = [check for check in skipped if check.ending.skip == "does-not-apply"]
    good = [check for check in image.checks if check.ending.outcome == "passed"]
    return el(
        "section",
        *(_failure(image, check, number) for check in bad if check.ending.same_as is None),
        *(
            el("p", el("b", "✗ ", said.text), ": ", _named(said.checks), class_="same")
            for said in said_once(check for check in bad if check.ending.same_as is not None)
        ),
        *(
            el(
                "div",
                el("p", el("b", "? not verified"), " ", said.text),
                el("p", _named(said.checks), class_="meta"),
                class_="card doubtful",
            )
            for said in said_once(unsure)
        ),
        _holding(good),
        el("p", "Does not apply: ", _named(absent), class_="meta") if absent else "",
        class_="verdicts",
    )


def _failure(image: ImageReport, check: CheckResult, number: int) -> Html:
    found = check.ending
    meta: list[str] = [el("a", check.id, href=page_of(check.id), class_="rule")]
    if found.line is not None and image.dockerfile is not None:
        place = f"{image.dockerfile}, line {found.line}"
        meta += [" · ", el("a", place, href=f"#i{number}-L{found.line}")]
    word = "fails" if found.outcome == "failed" else "error"
    parts = [
        el("h4", el("span", f"✗ {word}", class_="word"), " ", found.verdict),
        el("p", *meta, class_="meta"),
    ]
    if found.why:
        parts.append(el("p", el("b", "Why "), found.why))
    if found.fix is not None:
        parts.append(el("p", el("b", "Fix "), str(found.fix)))
        if found.fix.patch is not None:
            parts.append(_diff(found.fix.patch))
    parts.append(
        el(
            "details",
            el("summary", "all that was seen"),
            el("pre", _cut(found.said), tabindex=0),
            open=bool(found.finding.log),
        )
    )
    return el("article", *parts, class_="card bad", id=f"i{number}-{check.id}")


def _cut(text: str) -> str:
    if len(text) <= _MOST_TEXT:
        return text
    return f"{text[:_MOST_TEXT]}\n… and {len(text) - _MOST_TEXT:,} characters more"


def _diff(patch: str) -> Html:
    kinds = {"+": "plus", "-": "minus", "@": "at"}
    lines = []
    for line in presentable(patch).rstrip("\n").split("\n"):
        kind = "file" if line.startswith(("+++", "---")) else kinds.get(line[:1])
        lines.append(el("span", f"{line}\n", class_=kind))
    return el("pre", *lines, class_="diff", tabindex=0)


def _holding(checks: Sequence[CheckResult]) -> Html:
    if not checks:
        return Html("")
    rows = [
        joined(
            el("dt", "✓ ", el("a", check.id, href=page_of(check.id))),
            el("dd", check.ending.verdict or HOLDS.get(check.id, "")),
        )
        for check in checks
    ]
    many = "1 check holds" if len(checks) == 1 else f"{len(checks)} checks hold"
    return el("details", el("summary", f"✓ {many}"), el("dl", *rows), class_="good")


def _named(checks: Sequence[CheckResult]) -> Html:
    links = [el("a", check.id, href=page_of(check.id)) for check in checks]
    return joined(*[part for link in links for part in (", ", link)][1:])
