"""The page as text: what stands in it, and what cannot."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sessions import GOOD_IMAGE, HOSTILE_IMAGE, IMAGE, LAYERS, NOT_BUILT, STRANGER, many, session
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks.layer_summary import Place
from pytest_dockercache.report import SessionReport
from pytest_dockercache.report.html import render
from pytest_dockercache.report.html.layers_map import cells
from pytest_dockercache.report.html.treemap import Box, squarified
from pytest_dockercache.report.pages import page_of

EMPTY = {"meta", "link", "br"}


class Page(HTMLParser):
    """The elements of a page: tag and attributes; and the texts between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


SESSIONS = {
    "nothing": SessionReport(),
    "good": session(GOOD_IMAGE),
    "broken": session(IMAGE),
    "not-built": session(NOT_BUILT),
    "stranger": session(STRANGER),
    "hostile": session(HOSTILE_IMAGE, replace(HOSTILE_IMAGE, image="x")),
    "many": many(4),
}


@pytest.mark.parametrize("name", ["good", "broken", "not-built", "stranger"])
def test_the_page_of_a_session(name: str, snapshot: SnapshotAssertion) -> None:
    text = re.sub(r"<style>.*?</style>", "<style/>", render(SESSIONS[name]), flags=re.DOTALL)
    # One element a line, so that a difference can be read.
    assert re.sub(r"sha256-[^']+", "sha256-…", text).replace("><", ">\n<") == snapshot


@pytest.mark.parametrize("name", SESSIONS)
def test_every_element_is_closed_and_every_id_is_there_once(name: str) -> None:
    page = Page(render(SESSIONS[name]))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inner = [str(a["href"]) for a in page.named("a") if str(a["href"]).startswith("#")]
    assert {link[1:] for link in inner} <= set(ids)


@pytest.mark.parametrize("name", SESSIONS)
def test_nothing_is_fetched_and_nothing_is_run(name: str) -> None:
    text = render(SESSIONS[name])
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert list(page.named("link")) == [{"rel": "icon", "href": "data:,"}]
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"style", "src"})
    for link in page.named("a"):
        assert str(link["href"]).startswith(("#", "https://github.com/pytest-dockercache/"))
    assert not re.search(r"@import|url\(", re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0])


def test_its_own_policy_allows_its_style_and_nothing_else() -> None:
    text = render(SESSIONS["broken"])
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(m["content"] for m in Page(text).named("meta") if "http-equiv" in m)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"


def test_texts_of_others_are_shown_and_are_no_markup() -> None:
    text = render(SESSIONS["hostile"])
    assert "<script" not in text
    assert "<img" not in text
    shown = "".join(Page(text).texts)
    assert '</script><script>alert("1")</script>' in shown


def test_control_characters_and_passwords_are_not_shown() -> None:
    secret = replace(IMAGE, text="FROM a\x1b[31m\nADD https://me:secret@host/ /\n")
    text = render(session(secret))
    assert "\x1b" not in text
    assert "secret" not in text


def test_every_failure_links_to_its_page_and_its_line() -> None:
    links = [link["href"] for link in Page(render(SESSIONS["broken"])).named("a")]
    assert page_of("env-layer-cached") in links
    assert "#i1-L4" in links


# --- the map --------------------------------------------------------------------------------------


@pytest.mark.parametrize("amounts", [[1.0], [5.0, 3.0, 1.0], [2.0**n for n in range(20, 0, -1)]])
def test_the_areas_of_a_map_are_as_the_amounts_and_fill_it(amounts: list[float]) -> None:
    whole = Box(0, 0, 300, 200)
    boxes = squarified(amounts, whole)
    for amount, box in zip(amounts, boxes, strict=True):
        assert box.area == pytest.approx(whole.area * amount / sum(amounts))
        assert box.x >= -1e-6
        assert box.x + box.width <= 300 + 1e-6
        assert box.y + box.height <= 200 + 1e-6


def test_the_areas_of_a_layer_are_together_its_bytes_whatever_overlaps() -> None:
    wasteful = replace(
        LAYERS[5],
        places=(
            Place("/opt/conda/pkgs", 90_000_000, "package-cache"),
            Place("/opt/conda/pkgs/lib", 80_000_000, "bytecode"),
            Place("/opt", 1_000, "files"),
        ),
    )
    for group in cells((*LAYERS[:5], wasteful)):
        places = {cell.layer for cell in group}
        assert len(places) == 1
    ours = next(g for g in cells((*LAYERS[:5], wasteful)) if g[0].layer == 6)
    assert sum(cell.bytes for cell in ours) == wasteful.size
    assert [(cell.path, cell.bytes) for cell in ours] == [
        ("/opt/conda/pkgs", 90_000_000),
        ("/opt/conda/pkgs/lib", 13_200_000),
    ]


def test_a_layer_whose_places_nobody_looked_at_is_parted_by_kind() -> None:
    ours = next(group for group in cells(LAYERS) if group[0].layer == 6)
    assert {cell.kind: cell.bytes for cell in ours} == {
        "files": 88_100_000,
        "package-cache": 12_000_000,
        "bytecode": 3_100_000,
    }


def test_the_output_of_a_step_that_failed_is_shown_unasked() -> None:
    page = Page(render(session(NOT_BUILT)))
    (log,) = page.named("details")
    assert "open" in log
    assert not [d for d in Page(render(session(IMAGE))).named("details") if "open" in d]


def test_the_overview_has_no_column_that_nobody_could_fill() -> None:
    heads = Page(render(session(NOT_BUILT, NOT_BUILT))).texts
    assert "checks" in heads
    assert "a source edit costs" not in heads
    assert "image size" not in heads
    assert "image size" in Page(render(many(2))).texts
