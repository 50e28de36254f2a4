"""An engine that replays a test's script, to try pytest's side of the plugin without Docker.

The scripted engine proves nothing about builders. A project that wants it calls ``install()`` in
its ``conftest.py`` and describes its builds in ``script.json``: for each build (``first``, or the
path of its first edit) the lines that miss and their seconds; every other line hits.
``{"fail": [line, log]}`` is a failed build, ``{"absent": text}`` or ``{"denied": text}`` an engine
that does not answer (a list: text and fix). Each build is recorded as a line of ``builds.log``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.dockerfile import plan
from pytest_dockercache.engines import (
    BuildRequest,
    Engine,
    Execution,
    close_engines,
    register_engine,
)
from pytest_dockercache.errors import BuildFailed, EngineUnavailable
from pytest_dockercache.model import Build, BuildSpec, EngineInfo, Finding, Outcome, Step, Watch


def install() -> None:
    """Make ``--dockercache-engine=scripted`` known in this process, as the choice of ``auto``."""
    register_engine("scripted", connect, preferred=True)
    close_engines()


def connect(why: str, builder: str | None, timeout: float | None) -> Engine:
    return Scripted()


class Scripted:
    """The engine; see the module."""

    def __init__(self) -> None:
        self._built: list[BuildSpec] = []
        self.script: dict[str, Any] = json.loads(Path("script.json").read_text())
        for how in ("absent", "denied"):
            if how in self.script:
                told = self.script[how]
                verdict, fix = (told, None) if isinstance(told, str) else told
                raise EngineUnavailable(verdict, fix=fix, absent=how == "absent")

    dialect = BUILDKIT
    builds_every_stage = False

    @property
    def client(self) -> Any:
        """As much of a Docker client as keeping the images needs."""
        image = SimpleNamespace(short_id="sha256:0123456789ab", tag=lambda name: None)
        return SimpleNamespace(images=SimpleNamespace(list=lambda filters: [image]))

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("scripted", "1.0", "", "the test wrote it down", "scripted")

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        edit = request.edits[0] if request.edits else None
        name = "first" if edit is None else str(edit.path)
        with Path("builds.log").open("a") as log:
            log.write(f"{name}\n")
        script = self.script.get(name, {})
        if edit is None and request.spec in self._built:
            # The builder has a cache.
            script = {**script, "miss": {}}
        self._built.append(request.spec)
        if "interrupt" in script:
            raise KeyboardInterrupt
        planned = plan(request.dockerfile, request.spec.target, dict(request.spec.build_args))
        steps = [
            Step(
                line=step.line,
                stage=step.stage.label,
                instruction=step.instruction.keyword,
                text=step.instruction.text,
                role=request.roles.get(step.line, "other"),
                end_line=step.instruction.end_line,
            )
            for step in planned
        ]
        outcome: Outcome = "built"
        for index, (step, plan_) in enumerate(zip(steps, planned, strict=True)):
            if plan_.ordinal is None:
                continue
            if script.get("fail", [None])[0] == step.line:
                line, text = script["fail"]
                raise BuildFailed(Finding(f"line {line} failed: {step.text}", line=line, log=text))
            miss = script.get("miss", {}).get(str(step.line))
            if miss is not None:
                steps[index] = replaced(step, "miss", None, running=True)
                if watch(tuple(steps)):
                    outcome = "stopped"
                    break
            steps[index] = replaced(step, "hit" if miss is None else "miss", miss)
            if watch(tuple(steps)):
                outcome = "stopped"
                break
        steps = [replace(step, running=False) for step in steps]
        image = "sha256:" + "0" * 64 if outcome == "built" else None
        return Build(request.edits, outcome, script.get("seconds", 1.0), tuple(steps), image)

    def run(self, image: str, command: Sequence[str], **_: object) -> Execution:
        return Execution(0, "Python 3.10.4\n", "")

    def image_config(self, image: str) -> Mapping[str, object]:
        return {"Id": image, "Config": {}}

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        return tuple(self.script.get("stuck", ()))

    def traces(self) -> tuple[Any, ...]:
        return ()

    def remove_traces(self, traces: Sequence[Any]) -> int:
        return 0

    def remove_soon(self, traces: Sequence[Any]) -> None:
        return None

    def close(self) -> None:
        return None


def replaced(step: Step, status: Any, seconds: float | None, *, running: bool = False) -> Step:
    return replace(step, status=status, seconds=seconds, running=running)
