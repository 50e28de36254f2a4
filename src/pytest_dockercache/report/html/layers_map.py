"""The map of an image's layers: an area for each place, as large as its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...checks.layer_summary import LayerSummary, PlaceKind
from ...model import command_first, megabytes, on_one_line
from ...values import dataclass
from ..findings import ImageReport
from ..weights import COLUMNS, layer_rows
from .markup import Html, command_code, el
from .treemap import Box, squarified

__all__ = ["Cell", "cells", "layers_section"]

_KINDS: dict[str, str] = {
    "base": "base image",
    "files": "files",
    "package-cache": "package cache",
    "bytecode": "bytecode",
    "hidden": "hidden by a later layer",
}
_CAPTION = 26
_LETTER = 7.2
"""The width of a letter of a label, in the map's own units (12 units of height)."""


@dataclass(frozen=True)
class Cell:
    """One area of the map: its layer, its path, its kind, and its bytes."""

    layer: int
    place: str
    path: str
    kind: str
    bytes: int

    @property
    def title(self) -> str:
        """The description of the area for a tooltip."""
        where = "base image" if self.kind == "base" else f"line {self.place}"
        if self.place.startswith("#"):
            where = f"layer {self.place}"
        kind = "" if self.kind in ("base", "files") else f", {_KINDS[self.kind]}"
        path = f" {self.path}" if self.path else ""
        return f"{where}:{path} {megabytes(self.bytes)}{kind}"


def cells(layers: Sequence[LayerSummary]) -> list[list[Cell]]:
    """The areas of each layer that holds bytes, the largest first; the base image is one layer."""
    found = []
    base = sum(layer.size for layer in layers if layer.base)
    if base:
        found.append([Cell(0, "base", "", "base", base)])
    for number, layer in enumerate(layers, 1):
        if layer.size and not layer.base:
            place = f"#{number}" if layer.line is None else str(layer.line)
            parts = [
                Cell(number, place, path, kind, size) for path, kind, size in _parts(layer) if size
            ]
            found.append(sorted(parts, key=lambda cell: -cell.bytes))
    return sorted(found, key=lambda group: -sum(cell.bytes for cell in group))


def _parts(layer: LayerSummary) -> Iterator[tuple[str, str, int]]:
    """Path, kind and bytes of the parts of a layer, which add up to the layer's size."""
    left = layer.size
    for place in layer.places:
        size = min(place.bytes, left)
        left -= size
        yield place.path, place.kind, size
    if not layer.places:
        amounts: tuple[tuple[PlaceKind, int], ...] = (
            ("package-cache", layer.package_cache_bytes),
            ("bytecode", layer.bytecode_bytes),
            ("hidden", layer.hidden_bytes),
        )
        for kind, amount in amounts:
            size = min(amount, left)
            left -= size
            yield "", kind, size
    yield "", "files", left


def layers_section(image: ImageReport, number: int) -> Html:
    """The map, its legend, and a table of the map's values."""
    if not any(layer.size for layer in image.layers):
        return Html("")
    groups = cells(image.layers)
    total = sum(layer.size for layer in image.layers)
    shown = [kind for kind in _KINDS if any(cell.kind == kind for g in groups for cell in g)]
    about = (
        f"Map of {len(groups)} layers, {megabytes(total)} in all; each area is as large as "
        "the bytes that it stands for. The table below says the same."
    )
    return el(
        "section",
        el("h3", f"Layers: {megabytes(total)}"),
        el(
            "p",
            "Each area is as large as its bytes. Point at one, or go to it with the Tab key, "
            "for its path and its line.",
            class_="hint",
        ),
        _map(groups, Box(0, 0, 1000, 340), number, about, "wide"),
        _map(groups, Box(0, 0, 360, 420), number, about, "narrow"),
        el(
            "ul",
            *(el("li", el("span", class_=f"key k-{kind}"), _KINDS[kind]) for kind in shown),
            class_="legend",
        ),
        _table(image, number),
        class_="layers",
    )


def _map(groups: Sequence[Sequence[Cell]], box: Box, number: int, about: str, name: str) -> Html:
    outer = squarified([sum(cell.bytes for cell in group) for group in groups], box)
    areas: list[Html] = []
    frames: list[Html] = []
    for group, place in zip(groups, outer, strict=True):
        inner = squarified([cell.bytes for cell in group], place)
        areas += [_area(cell, part, box, number) for cell, part in zip(group, inner, strict=True)]
        frames.append(_rect(place, class_="frame"))
    low = box.height + _CAPTION
    hatch = f"hatch-{name}-{number}"
    return el(
        "svg",
        el("defs", _hatch(hatch)),
        *areas,
        *frames,
        viewBox=f"-1 -1 {box.width + 2:g} {low + 2:g}",
        class_=f"map {name}",
        role="group",
        aria_label=about,
    )


def _hatch(name: str) -> Html:
    return el(
        "pattern",
        el("path", d="M0 8L8 0M-2 2L2 -2M6 10L10 6", class_="line"),
        id=name,
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
    )


def _area(cell: Cell, place: Box, box: Box, number: int) -> Html:
    if place.width < 0.4 or place.height < 0.4:
        return Html("")  # too small to be seen; the table has it
    name = "wide" if box.width > 500 else "narrow"
    wasted = cell.kind in ("package-cache", "bytecode", "hidden")
    parts = [el("title", cell.title), _rect(place, class_=f"k-{cell.kind}", data_bytes=cell.bytes)]
    if wasted:
        parts.append(_rect(place, fill=f"url(#hatch-{name}-{number})", class_="over"))
    parts += _labels(cell, place)
    caption = on_one_line(cell.title, int(box.width / _LETTER))
    parts.append(el("text", caption, x=0, y=box.height + 18, class_="say"))
    return el("g", *parts, class_="area", tabindex=0, role="img", aria_label=cell.title)


def _labels(cell: Cell, place: Box) -> Iterator[Html]:
    room = int((place.width - 10) / _LETTER)
    where = cell.place if cell.place.startswith("#") else f"line {cell.place}"
    what = cell.path or ("" if cell.kind == "files" else _KINDS[cell.kind])
    ends = [f"…/{end}" for end in (what.split("/", n)[-1] for n in range(2, what.count("/") + 1))]
    texts = [f"{where} {text}".rstrip() for text in (what, *ends)]
    texts += [what, *ends, where, cell.place]
    first = (
        "base image"
        if cell.kind == "base"
        else next((text for text in texts if text and len(text) <= room), cell.place)
    )
    for row, text in enumerate((first, megabytes(cell.bytes))):
        if place.height < 20 + row * 16 or room < 6:
            return
        if len(text) > room and row == 0:
            text = f"{cell.place} …{cell.path[-(room - len(cell.place) - 2) :]}"
            if room < 12:
                text = cell.place
        if len(text) <= room:
            yield el("text", text, x=f"{place.x + 6:.1f}", y=f"{place.y + 16 + row * 16:.1f}")


def _rect(box: Box, **attributes: object) -> Html:
    return el(
        "rect",
        x=f"{box.x:.2f}",
        y=f"{box.y:.2f}",
        width=f"{box.width:.2f}",
        height=f"{box.height:.2f}",
        **attributes,
    )


def _table(image: ImageReport, number: int) -> Html:
    rows = layer_rows(image.layers)
    hidden = any(row.hidden_by for row in rows)
    heads = ["line", "layer", *(head for head, _ in COLUMNS), *(["hidden by"] if hidden else [])]
    body = []
    for row in rows:
        amounts = [row.total(of) for _, of in COLUMNS]
        place = row.place
        line = el("a", place, href=f"#i{number}-L{place}") if place.isdecimal() else place
        text = command_code(on_one_line(command_first(row.text), 400)) if row.own else row.text
        body.append(
            el(
                "tr",
                el("td", line, class_="n"),
                el("td", text, class_="step"),
                *(
                    el("td", megabytes(amount) if amount else "", class_="n", data_label=head)
                    for amount, (head, _) in zip(amounts, COLUMNS, strict=True)
                ),
                *(
                    [el("td", row.hidden_by and f"line {row.hidden_by}", data_label="hidden by")]
                    if hidden
                    else []
                ),
                class_=None if row.own else "sum",
            )
        )
    return el(
        "details",
        el("summary", "the layers as a table"),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", *(el("th", head, scope="col") for head in heads))),
                el("tbody", *body),
                class_="cards",
            ),
            class_="scroll",
        ),
    )
