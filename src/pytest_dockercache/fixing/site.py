"""A Dockerfile in its context, as a draft: its steps, and the files that they see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..cache import Snapshot
from ..disk import read_inside
from ..dockerfile import PlannedStep, plan, reparsed
from ..dockerfile.rewriting import Sheet, sheet_of
from ..environments import ContainerFiles, EnvironmentCommand, environment_commands
from ..environments.flow import StepView, follow_files
from ..model import BuildSpec
from ..values import dataclass

__all__ = ["Site"]

_LARGEST_TEXT = 1 << 20


@dataclass(frozen=True)
class Site:
    """One Dockerfile text in one context.

    ``snapshot`` holds the Dockerfile, the context and the build arguments;
    ``env_step`` is the pattern of ``--dockercache-env-step``; ``text`` the
    Dockerfile as it is on disk, decoded.
    """

    snapshot: Snapshot
    spec: BuildSpec
    text: str
    env_step: str | None = None

    def rewritten(self, text: str) -> Site:
        """The project with another Dockerfile. Raises ConfigError for a text without a FROM."""
        dockerfile = reparsed(self.snapshot.dockerfile, text)
        return replace(self, text=text, snapshot=replace(self.snapshot, dockerfile=dockerfile))

    @cached_property
    def sheet(self) -> Sheet:
        """The Dockerfile as blocks."""
        return sheet_of(self.text)

    @cached_property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps of every stage up to the target's."""
        arguments = dict(self.spec.build_args)
        return plan(
            self.snapshot.dockerfile,
            self.spec.target,
            arguments,
            all_stages=True,
            classic=False,
            platform=self.spec.platform,
        )

    @cached_property
    def container_files(self) -> ContainerFiles:
        """The texts of the context's files at the places where the steps find them."""
        return ContainerFiles(lambda: self.snapshot.tree.entries.values(), self.file)

    @cached_property
    def commands(self) -> tuple[EnvironmentCommand | None, ...]:
        """The installation of each step, None for a step that is no environment step."""
        return environment_commands(self.steps, self.env_step, self.container_files)

    @cached_property
    def views(self) -> dict[int, StepView]:
        """The context files that each step sees, by the step's position."""
        return follow_files(self.steps, self.snapshot.tree.entries)[0]

    def position(self, line: int) -> int:
        """The position of the step that is written at ``line``. Raises KeyError."""
        for position, step in enumerate(self.steps):
            if step.line == line and not step.triggered:
                return position
        raise KeyError(line)

    def visible(self, position: int) -> Mapping[str, str]:
        """Container path to context path of every context file that a step sees."""
        if position not in self._visible:
            view = self.views[position]
            self._visible[position] = {**view.before.at, **view.own.at}
        return self._visible[position]

    @cached_property
    def _visible(self) -> dict[int, Mapping[str, str]]:
        return {}

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """Results that were computed for each step, such as its effects by its position."""
        return {}

    @cached_property
    def _texts(self) -> dict[str, str | None]:
        return {}

    def file(self, context_path: str) -> str | None:
        """The text of a context file; None if the file is missing, large, or cannot be read."""
        if context_path not in self._texts:
            self._texts[context_path] = self._read(context_path)
        return self._texts[context_path]

    def _read(self, context_path: str) -> str | None:
        entry = self.snapshot.tree.entries.get(context_path)
        if entry is None or entry.kind not in ("file", "link") or entry.size > _LARGEST_TEXT:
            return None
        content = read_inside(*self.spec.root_of(context_path))
        if content is None or b"\0" in content:
            return None
        return content.decode("utf-8", errors="replace")
