"""A small project of a test's own, built by an engine from a staged context as the product does."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_dockercache.context import stage
from pytest_dockercache.dockerfile import read_dockerfile
from pytest_dockercache.engines import BuildRequest, Engine
from pytest_dockercache.model import Build, BuildSpec, Edit, Step, Watch

LABEL = "dockercache.test.engines"


def never(steps: Sequence[Step]) -> bool:
    """A watcher that lets the build run to its end."""
    return False


@dataclass
class ProjectUnderTest:
    """A Dockerfile and its context; ``nonce`` is unique, for steps that nobody built before."""

    root: Path
    staging: Path
    run: str
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(self, files: Mapping[str, str]) -> ProjectUnderTest:
        """Write files; ``{nonce}`` in their text is replaced."""
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{nonce}", self.nonce))
        return self

    def label(self, part: str | None = None) -> str:
        """The value of the label of this run's images, or of a part of them."""
        return self.run if part is None else f"{self.run}.{part}"

    def build(
        self,
        engine: Engine,
        *edits: Edit,
        watch: Watch = never,
        timeout: float | None = 120,
        label: str | None = None,
        **spec: object,
    ) -> Build:
        """Build after some edits, each unique; ``label`` is a part of the run's label."""
        wanted = BuildSpec(self.root / "Dockerfile", self.root, **spec)  # type: ignore[arg-type]
        nonce = uuid.uuid4().hex
        staged = stage(wanted, self.staging, edits, nonce=nonce)
        request = BuildRequest(
            spec=wanted,
            dockerfile=read_dockerfile(staged.dockerfile),
            staged=staged,
            edits=edits,
            labels=((LABEL, self.label(label)),),
            timeout=timeout,
        )
        return engine.build(request, watch)


def by_line(build: Build) -> dict[int, str]:
    """Line to status of every step."""
    return {step.line: step.status for step in build.steps}


def ended(text: str) -> bool:
    """Whether no process of this machine has a text in its command line any more.

    A daemon takes its time to kill a cancelled command, so this function looks more than once.
    """
    deadline = time.monotonic() + 30
    free = 0
    while time.monotonic() < deadline:
        running = False
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                running = running or text.encode() in path.read_bytes()
        free = 0 if running else free + 1
        if free == 6:  # for a second: a starting command is seen too
            return True
        time.sleep(0.2)
    return False
