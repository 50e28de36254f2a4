"""The page in a real browser: at three widths, light and dark, printed, and by its keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, DRIVER, MISSING, Browser, browser
from sessions import GOOD_IMAGE, HOSTILE_IMAGE, IMAGE, NOT_BUILT, STRANGER, many, session

from pytest_dockercache.report.writing import rendered

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason=MISSING)

SESSIONS = {
    "good": session(GOOD_IMAGE),
    "broken": session(IMAGE),
    "not-built": session(NOT_BUILT, NOT_BUILT),
    "stranger": session(STRANGER),
    "hostile": session(HOSTILE_IMAGE),
    "thirty": many(30),
}

CONTRAST = """
const light = ([r, g, b]) => {
  const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
const ground = node => {
  for (; node; node = node.parentElement) {
    const found = numbers(getComputedStyle(node).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return numbers(getComputedStyle(document.documentElement).backgroundColor);
};
const weak = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const node = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest("defs, title"))
    continue;
  const inMap = node.closest("svg");
  const ink = numbers(inMap ? getComputedStyle(node).fill : getComputedStyle(node).color);
  const area = node.closest("g.area");
  const caption = node.classList.contains("say");
  const paper = area && !caption ? numbers(getComputedStyle(area.querySelector("rect")).fill)
    : ground(inMap || node);
  const [high, low] = [light(ink), light(paper)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) weak.push([node.textContent.slice(0, 40), ratio.toFixed(2)]);
}
return weak;
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pages")
    found = {name: place / f"{name}.html" for name in SESSIONS}
    for name, path in found.items():
        path.write_text(rendered("html", SESSIONS[name]), encoding="utf-8")
    return found


def test_the_console_is_heard(window: Browser, tmp_path: Path) -> None:
    """The tests below would see a complaint."""
    page = tmp_path / "page.html"
    page.write_text(
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        "<script>document.title = 'ran'</script>"
    )
    window.open(page)
    assert any("Content Security Policy" in line for line in window.complaints())
    assert window.run("return document.title") != "ran"


@pytest.mark.parametrize("width", [390, 1024, 1920])
@pytest.mark.parametrize("name", SESSIONS)
def test_a_page_fits_its_window_and_the_console_stays_empty(
    window: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    window.open(pages[name], width)
    assert window.complaints() == []
    assert window.run("return document.documentElement.scrollWidth") <= width
    assert window.run("return getComputedStyle(document.querySelector('h1')).fontWeight") == "700"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["broken", "good", "not-built", "stranger", "thirty"])
def test_every_text_can_be_read_in_light_and_dark(
    window: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    window.open(pages[name], prefers_color_scheme=scheme)
    ground = window.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(13, 17, 23)") == (scheme == "dark")
    assert window.run(CONTRAST) == []


def told(name: str) -> dict[str, Any]:
    images: list[dict[str, Any]] = json.loads(rendered("json", SESSIONS[name]))["images"]
    return images[0]


def test_the_waterfall_has_the_steps_and_seconds_of_the_json(
    window: Browser, pages: dict[str, Path]
) -> None:
    window.open(pages["broken"])
    rows = window.run(
        "return [...document.querySelectorAll('.waterfall tbody tr')].map(row => ["
        "row.cells[0].textContent, [...row.querySelectorAll('.st')].map(c => c.textContent),"
        "row.querySelector('rect')?.dataset.seconds ?? null,"
        "row.querySelector('rect')?.getBoundingClientRect().width ?? null])"
    )
    first, after, manifest = told("broken")["builds"]
    words = {"not-reached": "not reached"}
    shown = [step for step in first["steps"] if step["instruction"] != "CMD"]
    assert [int(row[0]) for row in rows] == [step["line"] for step in shown]
    for row, step in zip(rows[1:], shown[1:], strict=True):
        again = next(s for s in after["steps"] if s["line"] == step["line"])
        assert row[1][0] == words.get(step["status"], step["status"])
        assert row[1][1].lower() == again["status"]
        assert float(row[2]) == pytest.approx(step["seconds"], abs=0.001)
    assert rows[4][1] == ["miss", "MISS", "miss"]  # an edit of environment.yml must install
    widest = max(rows[1:], key=lambda row: row[3])
    assert widest[0] == "6"
    assert len(manifest["steps"]) == len(first["steps"])


@pytest.mark.parametrize(("width", "name"), [(1024, "wide"), (390, "narrow")])
def test_the_map_has_the_areas_of_the_json(
    window: Browser, pages: dict[str, Path], width: int, name: str
) -> None:
    window.open(pages["broken"], width)
    areas = window.run(
        f"return [...document.querySelectorAll('.map.{name} .area')].map(g => {{"
        "const r = g.querySelector('rect');"
        "return [Number(r.dataset.bytes), r.width.baseVal.value * r.height.baseVal.value,"
        "g.getAttribute('aria-label'), g.checkVisibility()] })"
    )
    layers = told("broken")["layers"]
    large = [layer["size"] for layer in layers if layer["size"] > 1_000_000]
    assert sum(area[0] for area in areas) == sum(large)
    per_byte = areas[0][1] / areas[0][0]
    for size, area, label, visible in areas:
        assert area == pytest.approx(size * per_byte, rel=0.01)
        assert label
        assert visible


def test_an_area_says_its_path_and_line_when_it_has_the_focus(
    window: Browser, pages: dict[str, Path]
) -> None:
    window.open(pages["broken"])
    said = window.run(
        "const area = [...document.querySelectorAll('.map.wide .area')].at(-1);"
        "const say = area.querySelector('.say');"
        "const before = getComputedStyle(say).visibility; area.focus();"
        "return [before, getComputedStyle(say).visibility, say.textContent,"
        "area.querySelector('title').textContent]"
    )
    assert said == ["hidden", "visible", *["line 6: 3.1 MB, bytecode"] * 2]


def test_every_picture_has_a_text_in_its_place(window: Browser, pages: dict[str, Path]) -> None:
    for name in ("broken", "thirty"):
        window.open(pages[name])
        unnamed = window.run(
            "return [...document.querySelectorAll('svg')].filter(s =>"
            "!s.getAttribute('aria-label') && s.getAttribute('aria-hidden') !== 'true').length"
        )
        assert unnamed == 0


def test_a_link_of_the_overview_opens_the_image_that_was_closed(
    window: Browser, pages: dict[str, Path]
) -> None:
    window.open(pages["thirty"])
    window.run("document.querySelector('.overview a[href=\"#i2\"]').click()")
    assert window.run("return document.querySelector('#i2').closest('details').open")


def test_what_is_folded_is_printed(window: Browser, pages: dict[str, Path]) -> None:
    window.open(pages["broken"])
    window.tell("Emulation.setEmulatedMedia", media="print", features=[])
    visible = window.run(
        "const pre = document.querySelector('.card.bad details pre');"
        "return pre.getBoundingClientRect().height > 20"
    )
    assert visible


@pytest.mark.parametrize("width", [390, 1024])
def test_no_line_of_a_command_ends_behind_the_hyphens_of_a_flag(
    window: Browser, pages: dict[str, Path], width: int
) -> None:
    window.open(pages["broken"], width)
    lines = window.run(
        "return [...document.querySelectorAll('.flag')].filter(f => f.checkVisibility())"
        ".map(flag => flag.getClientRects().length)"
    )
    assert lines
    assert set(lines) == {1}
