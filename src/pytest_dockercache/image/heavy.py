"""Where the bytes of a layer lie: its heaviest directories, few enough for a picture."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .index import LayerIndex

__all__ = ["heavy_places"]

_MOST = 8
"""How many places of one layer are named."""

_WORTH_PARTING = 0.1
"""The share of a layer below which a directory is not shown in parts."""


def heavy_places(
    layer: LayerIndex, without: Iterable[tuple[bytes, int, bool]] = ()
) -> tuple[tuple[bytes, int], ...]:
    """Directories (without a slash at the ends) that together hold a layer's bytes, heaviest first.

    No byte is counted twice: the bytes of a directory do not include the heavy directories below
    that are listed themselves. ``without`` has directories with the bytes that are shown elsewhere,
    and whether these bytes are bytecode.
    """
    own = _own_bytes(layer)
    for place, size, compiled in without:
        _take_away(own, place, size, compiled=compiled)
    below = _with_ancestors(own)
    total = below.get(b"", 0)
    children: dict[bytes, list[bytes]] = {}
    for path in below:
        if path:
            children.setdefault(_parent(path), []).append(path)
    waiting = [(-total, b"")]
    ready: dict[bytes, int] = {}
    while waiting:
        size, path = heapq.heappop(waiting)
        parts = sorted(children.get(path, ()), key=lambda part: -below[part])
        room = _MOST - len(ready) - len(waiting)
        if not parts or -size < total * _WORTH_PARTING or room < 1:
            ready[path] = ready.get(path, 0) - size
            continue
        # Of many parts the heaviest are named, and the rest stays with the directory.
        chosen = parts if len(parts) == 1 else parts[: max(min(room, 4), 1)]
        chosen = [part for part in chosen if below[part] >= total * 0.01]
        rest = -size - sum(below[part] for part in chosen)
        for part in chosen:
            heapq.heappush(waiting, (-below[part], part))
        if rest > 0:
            ready[path] = ready.get(path, 0) + rest
    found = ((path, size) for path, size in ready.items() if size)
    return tuple(sorted(found, key=lambda item: (-item[1], item[0])))


def _own_bytes(layer: LayerIndex) -> dict[bytes, int]:
    """The bytes of the files that lie in each directory itself, each hard-link group once."""
    found: dict[bytes, int] = {}
    seen: set[int] = set()
    for path, size, group in zip(layer.paths, layer.sizes, layer.groups, strict=True):
        if not size or group in seen:
            continue
        if group:
            seen.add(group)
        directory = _parent(path)
        found[directory] = found.get(directory, 0) + size
    return found


def _take_away(own: dict[bytes, int], place: bytes, size: int, *, compiled: bool) -> None:
    """Take bytes from a directory and the directories below, from each its share."""
    inside = [path for path in own if not place or path == place or path.startswith(place + b"/")]
    caches = [path for path in inside if path.endswith(b"__pycache__")]
    if compiled and sum(own[path] for path in caches) >= size:
        inside = caches
    total = sum(own[path] for path in inside)
    if not total:
        return
    for path in inside:
        own[path] -= round(own[path] * min(size / total, 1.0))


def _with_ancestors(own: dict[bytes, int]) -> dict[bytes, int]:
    """The bytes of each directory with all that is below it."""
    below: dict[bytes, int] = {}
    for path, size in own.items():
        if not size:
            continue
        while True:
            below[path] = below.get(path, 0) + size
            if not path:
                break
            path = _parent(path)
    return below


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]
