"""The changes for the worse since an earlier run, by the JSON report of that run."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..cache import is_rebuilt
from ..disk import read_text
from ..model import Build, command_first, megabytes, on_one_line
from ..presentable import presentable
from .findings import ImageComparison, ImageReport, SessionComparison, SessionReport
from .json import SCHEMA
from .rebuilds import duration

__all__ = ["compared", "read_baseline"]

_WORTH_BYTES = 100_000
"""How much a layer must have grown to be named."""

_WORTH_SECONDS = 2.0
_WORTH_FACTOR = 1.5
"""How much longer a step must take to be named: both, because seconds differ from run to run."""

_LIMIT = 64_000_000
"""Bytes of a report that are read."""


def read_baseline(path: Path) -> Mapping[str, Any]:
    """The JSON report of an earlier run. Raises OSError, ConfigError, and ValueError for others."""
    found = json.loads(read_text(path, limit=_LIMIT))
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise ValueError(f"no JSON report of ours with schema {SCHEMA}")
    if not isinstance(found.get("images"), list):
        raise ValueError("a report without images")
    return found


def compared(
    earlier: Mapping[str, Any], session: SessionReport, path: str, most: int | None = None
) -> SessionComparison:
    """Compare a session with an earlier one; ``most`` are the bytes by which an image may grow."""
    before = {_key(image): image for image in earlier["images"] if isinstance(image, dict)}
    images, missing, over = [], [], []
    for image in session.images:
        known = before.get(image.node) or before.get(
            (image.dockerfile, image.target, image.image, image.platform)
        )
        if known is None:
            missing.append(image.node)
            continue
        found = _image(known, image, most)
        images.append(found)
        if most is not None and found.grown is not None and found.grown > most:
            over.append(
                f"{image.node} has grown by {megabytes(found.grown)} since {path}, "
                f"and may by {megabytes(most)} (--dockercache-max-growth)"
            )
    return SessionComparison(path, tuple(images), tuple(missing), tuple(over))


def _key(image: Mapping[str, Any]) -> Hashable:
    """The node of an image; what else tells images apart in a report without nodes."""
    node = image.get("node")
    if isinstance(node, str):
        return node
    return tuple(image.get(name) for name in ("dockerfile", "target", "image", "platform"))


def _image(before: Mapping[str, Any], now: ImageReport, most: int | None) -> ImageComparison:
    layers = [layer for layer in _dicts(before, "layers") if isinstance(layer.get("size"), int)]
    grown = None
    lines: list[str] = []
    if layers and now.layers:
        grown = sum(layer.size for layer in now.layers) - sum(layer["size"] for layer in layers)
        allowed = ""
        if most is not None and grown > most:
            allowed = f", and may by {megabytes(most)} (--dockercache-max-growth)"
        if grown >= _WORTH_BYTES or allowed:
            total = megabytes(sum(layer.size for layer in now.layers))
            lines.append(f"the image has grown by {megabytes(grown)} to {total}{allowed}")
        lines += _grown(layers, now)
    lines += _misses(_dicts(before, "builds"), now)
    lines += _slower(_dicts(before, "builds"), now)
    return ImageComparison(now.node, grown, tuple(map(presentable, lines)))


def _dicts(of: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = of.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _grown(before: Sequence[Mapping[str, Any]], now: ImageReport) -> Iterator[str]:
    """The layers of unchanged instructions that have grown, and the layers of new instructions."""
    sizes: dict[str, list[int]] = {}
    for layer in before:
        sizes.setdefault(str(layer.get("created_by")), []).append(layer["size"])
    for item in now.layers:
        if item.base:
            continue
        known = sizes.get(item.created_by)
        was = known.pop(0) if known else 0
        if item.size - was < _WORTH_BYTES:
            continue
        where = "a layer" if item.line is None else f"line {item.line}"
        named = on_one_line(command_first(item.created_by), 50)
        if was:
            yield f"{where} ({named}) has grown from {megabytes(was)} to {megabytes(item.size)}"
        else:
            yield f"{where} ({named}) is new and adds {megabytes(item.size)}"


def _misses(before: Sequence[Mapping[str, Any]], now: ImageReport) -> Iterator[str]:
    """The steps that an edit runs again now, and did not then."""
    hits: dict[tuple[Any, Any], set[str]] = {}
    for build in before:
        edit = build.get("edit")
        if isinstance(edit, dict):
            steps = [s for s in _dicts(build, "steps") if s.get("status") == "hit"]
            key = (edit.get("kind"), edit.get("path"))
            hits.setdefault(key, set()).update(str(step.get("text")) for step in steps)
    said = set()
    for made in now.builds:
        if not made.edits:
            continue
        first = made.edits[0]
        reused = hits.get((first.kind, first.path), set())
        for step in made.steps:
            if step.text in reused and is_rebuilt(step) and (step.line, first.path) not in said:
                said.add((step.line, first.path))
                named = on_one_line(command_first(step.text), 50)
                yield f"line {step.line} ({named}) began to run again after {first}"


def _slower(before: Sequence[Mapping[str, Any]], now: ImageReport) -> Iterator[str]:
    """The steps that both runs have executed and that now take much longer."""
    seen: dict[str, float] = {}
    for build in before:
        for step in _dicts(build, "steps"):
            if isinstance(step.get("seconds"), (int, float)):
                seen[str(step.get("text"))] = float(step["seconds"])
    for line, text, took in _executed(now.builds):
        was = seen.get(text)
        if was is not None and took - was >= _WORTH_SECONDS and took >= was * _WORTH_FACTOR:
            named = on_one_line(command_first(text), 50)
            yield f"line {line} ({named}) took {duration(took)}, and {duration(was)} then"


def _executed(builds: Sequence[Build]) -> list[tuple[int, str, float]]:
    found = {
        step.line: (step.line, step.text, step.seconds)
        for build in builds
        for step in build.steps
        if step.status == "miss" and step.seconds is not None
    }
    return list(found.values())
