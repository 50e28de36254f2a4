"""A subject whose builds a test wrote down: to try the conclusions of a check, and their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_dockercache.cache import BUILDKIT, doubt_repeated_edits, explain
from pytest_dockercache.dockerfile import plan
from pytest_dockercache.engines import Execution
from pytest_dockercache.errors import BuildFailed
from pytest_dockercache.model import Build, BuildSpec, Edit, EngineInfo, Step
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run
from pytest_dockercache.stopping import Stop, decided
from pytest_dockercache.subject import Subject

RAN = ("RUN", "COPY", "ADD", "WORKDIR")


class Terminal:
    """Stands for an engine where a check only asks for its name, or runs a command."""

    info = EngineInfo("buildx", "0.13.1", "26.1.5", "the test says so", "test")
    dialect = BUILDKIT
    builds_every_stage = False

    def __init__(
        self,
        answers: Mapping[str, Execution],
        config: Mapping[str, Any],
        architecture: str = "amd64",
    ) -> None:
        self.answers = answers
        self.config = config
        self.architecture = architecture
        self.commands: list[str] = []

    def image_config(self, image: str) -> Mapping[str, Any]:
        return {"Config": self.config, "Architecture": self.architecture}

    def run(
        self, image: str, command: Sequence[str], *, entrypoint: Sequence[str], **_: object
    ) -> Execution:
        words = " ".join([*entrypoint, *command])
        self.commands.append(words)
        return self.answers.get(words, Execution(127, "", f"exec: {words}: not found"))


@dataclass
class Scripted(Subject):
    """``misses`` maps an edited path or argument to the missing lines, ``fails`` to a failed build.

    Edits are named by their paths, joined by a blank; the misses of single edits hold for the edits
    together. The edited builds are explained by the same code as real ones.
    """

    misses: dict[str, Sequence[int]] = field(default_factory=dict)
    unknown: dict[str, Sequence[int]] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    known_seconds: dict[int, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    terminal: Any = field(default_factory=lambda: Terminal({}, {}))

    @property
    def engine(self) -> Any:
        """A stand-in for the engine."""
        return self.terminal

    def first(self) -> Build:
        return Build((), "built", 1.0, self._steps((), ()), image="sha256:0")

    def after(self, edits: Sequence[Edit], stop: Stop | None = None) -> Build:
        name = " ".join(str(edit.path) for edit in edits)
        self.asked.append(name)
        if name in self.fails:
            raise BuildFailed(self.fails[name])
        steps = self._steps(self._all(self.misses, name), self._all(self.unknown, name))
        outcome = "built"
        for position in range(len(steps)):
            seen = steps[: position + 1]
            rest = [
                Step(s.line, s.stage, s.instruction, s.text, s.role) for s in steps[position + 1 :]
            ]
            if decided([*seen, *rest], stop, self.project.ancestors):
                steps, outcome = (*seen, *rest), "stopped"
                break
        build = Build(tuple(edits), outcome, 0.4, tuple(steps))  # type: ignore[arg-type]
        planned = self.project.all_steps
        return doubt_repeated_edits(explain(build, planned), planned)

    @staticmethod
    def _all(told: Mapping[str, Sequence[int]], name: str) -> Sequence[int]:
        """The misses that the script has for these edits together, else for each edit."""
        if name in told:
            return told[name]
        return [line for one in name.split() for line in told.get(one, ())]

    def seconds(self, step: Step) -> float | None:
        return self.known_seconds.get(step.line)

    def _steps(self, misses: Sequence[int], unknown: Sequence[int]) -> tuple[Step, ...]:
        return tuple(
            Step(
                step.line,
                step.stage.label,
                step.instruction.keyword,
                step.instruction.text,
                self.project.roles[step.line],
                "miss" if step.line in misses else "unknown" if step.line in unknown else "hit",
            )
            for step in plan(self.project.dockerfile, self.spec.target)
            if step.instruction.keyword in RAN
        )


def subject(root: Path, files: Mapping[str, str], **given: Any) -> Scripted:
    """A subject of a project with these files; ``settings`` and ``build_args`` may be given."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    settings = given.pop("settings", Settings())
    if "engine" in given:
        given["terminal"] = given.pop("engine")
    spec = BuildSpec(root / "Dockerfile", root)
    return Scripted(spec, settings, Run("run", "nonce", root / ".run"), **given)
