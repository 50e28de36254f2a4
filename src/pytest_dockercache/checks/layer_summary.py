"""The size and the waste of each layer of an image, for the table and the JSON report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..jsonable import from_jsonable, to_jsonable
from ..model import BuildSpec
from ..runs import Run, digest, read_json, write_json
from ..values import dataclass

if TYPE_CHECKING:
    from ..image.index import LayerIndex
    from .contents import Contents

__all__ = [
    "LayerSummary",
    "Place",
    "PlaceKind",
    "Reshipped",
    "recall_layers",
    "remember_layers",
    "summarise",
]


_MOST_WASTES = 8
"""How many places of waste are named for each layer."""

PlaceKind = Literal["files", "package-cache", "bytecode", "hidden"]


@dataclass(frozen=True)
class Place:
    """The bytes of a layer in one directory of the image, with their kind."""

    path: str
    bytes: int
    kind: PlaceKind = "files"


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Sizes are bytes. ``line`` is the Dockerfile line, None for the base image's layers and where the
    line is unknown; ``base`` says whether the layer is the base image's, None if unknown.
    ``hidden_bytes`` are the bytes of this layer that the layers of ``hidden_by`` (Dockerfile lines)
    hide. ``places`` says where the bytes of one of the Dockerfile's own layers lie, and is empty
    for the base image's layers.
    """

    line: int | None
    created_by: str
    size: int
    base: bool | None
    package_cache_bytes: int
    bytecode_bytes: int
    hidden_bytes: int
    hidden_by: tuple[int, ...]
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Reshipped:
    """What a source edit makes anew although the environment is a hit: the bytes of its layers.

    ``lines`` are the Dockerfile lines of these layers. ``predicted`` is True where no build with
    that edit ran to its end, and the cache model says which steps would run.
    """

    bytes: int
    lines: tuple[int, ...]
    predicted: bool


def summarise(contents: Contents) -> tuple[LayerSummary, ...]:
    """Every layer of an image, the lowest first."""
    from ..environments import tools
    from ..image import bytecode, hidden, package_caches
    from ..image.heavy import heavy_places
    from ..image.index import display

    view = contents.layers.view
    count = len(contents.layers.layers)
    everything = range(count)
    caches = [0] * count
    wastes: list[list[Place]] = [[] for _ in everything]
    for cache in package_caches(view, everything, tools.caches()):
        if cache.fails:
            caches[cache.layer] += cache.bytes
            wastes[cache.layer].append(Place(cache.path, cache.bytes, "package-cache"))
    compiled = [0] * count
    for found in bytecode(view, everything):
        if found.has_source:
            compiled[found.layer] += found.bytes
            wastes[found.layer].append(Place(found.path, found.bytes, "bytecode"))
    wasted = [0] * count
    hiders: list[set[int]] = [set() for _ in everything]
    for item in hidden(view, everything):
        wasted[item.layer] += item.bytes
        if not item.copies:
            wastes[item.layer].append(Place(item.path, item.bytes, "hidden"))
        line = contents.line(item.hidden_by)
        if line is not None:
            hiders[item.layer].add(line)

    def places(number: int, layer: LayerIndex) -> tuple[Place, ...]:
        held = _together(wastes[number])
        inside = [
            (place.path.strip("/").encode(), place.bytes, place.kind == "bytecode")
            for place in held
        ]
        files = (Place(display(path), size) for path, size in heavy_places(layer, inside))
        return (*held, *files)

    return tuple(
        LayerSummary(
            line=contents.line(number),
            created_by=contents.texts.get(contents.line(number) or 0)
            or contents.layers.created_by(number),
            size=layer.size,
            base=None if contents.lines is None else number not in contents.lines.own,
            package_cache_bytes=caches[number],
            bytecode_bytes=compiled[number],
            hidden_bytes=wasted[number],
            hidden_by=tuple(sorted(hiders[number])),
            places=places(number, layer) if contents.is_own(number) else (),
        )
        for number, layer in enumerate(contents.layers.layers)
    )


def _together(places: Sequence[Place]) -> tuple[Place, ...]:
    """The heaviest places of waste, and one sum for each kind of all other places."""
    kept = sorted((place for place in places if place.bytes), key=lambda place: -place.bytes)
    named, rest = kept[:_MOST_WASTES], kept[_MOST_WASTES:]
    others: dict[PlaceKind, int] = {}
    for place in rest:
        others[place.kind] = others.get(place.kind, 0) + place.bytes
    return (*named, *(Place("/", size, kind) for kind, size in others.items()))


def remember_layers(run: Run, spec: BuildSpec, image: str, contents: Contents) -> None:
    """Leave the summary of an image where every process of the run finds it."""
    write_json(_place(run, spec, image), to_jsonable(summarise(contents)))


def recall_layers(run: Run, spec: BuildSpec, image: str | None = None) -> tuple[LayerSummary, ...]:
    """The layers of a spec's image, or of the image that was named; empty if nobody looked."""
    found = read_json(_place(run, spec, image or ""))
    try:
        return tuple(from_jsonable(LayerSummary, layer) for layer in found or ())
    except (TypeError, ValueError):
        return ()


def _place(run: Run, spec: BuildSpec, image: str) -> Path:
    return run.directory / "layers" / f"{digest(json.dumps(to_jsonable(spec)), image)}.json"
