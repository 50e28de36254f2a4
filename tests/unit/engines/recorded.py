"""Recorded builds, and the engines' results for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.engines.progress import Event, RawJson, decode_trace
from pytest_dockercache.engines.vertices import Observation
from pytest_dockercache.model import Step

RECORDINGS = Path(__file__).parent / "recordings"


def rawjson(name: str) -> list[Event]:
    """The events of a recorded ``--progress=rawjson``."""
    decoder = RawJson()
    events: list[Event] = []
    for line in (RECORDINGS / f"{name}.txt").read_text("utf-8").splitlines(keepends=True):
        events += decoder.feed(line)
    return [*events, *decoder.end()]


def records(name: str) -> Iterator[dict[str, Any]]:
    """The records of a recorded ``POST /build``."""
    for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines():
        yield json.loads(line)


def trace(name: str) -> list[Event]:
    """The events of a recorded ``POST /build?version=2``."""
    return [
        event
        for record in records(name)
        if record.get("id") == "moby.buildkit.trace"
        for event in decode_trace(record["aux"])
    ]


def dockerfile(name: str) -> str:
    """The text of a recorded Dockerfile."""
    return (RECORDINGS / f"{name}.Dockerfile").read_text("utf-8")


def observation(text: str, events: Sequence[Event], target: str | None = None) -> Observation:
    """The state of a Dockerfile's steps after some events."""
    found = Observation(plan(parse_dockerfile(text), target), {})
    found.take(events)
    return found


def statuses(steps: tuple[Step, ...]) -> list[tuple[int, str]]:
    """Line and status of every step."""
    return [(step.line, step.status) for step in steps]
