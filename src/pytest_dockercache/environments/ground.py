"""The ground of an environment step: the steps that its cache key depends on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..dockerfile import Stage, stage_chain, stages_of
from ..dockerfile.stages import contributing_stages
from ..dockerfile.syntax import PlannedStep
from ..values import dataclass

__all__ = ["Ground", "grounds_of"]


@dataclass(frozen=True)
class Ground:
    """The steps that one environment step stands on.

    ``chain`` are the steps below which it runs, in Dockerfile order, and the environment step
    itself as the last; ``apart`` are the steps of all other stages that the chain copies or mounts
    from, directly or through further stages.
    """

    chain: tuple[PlannedStep, ...]
    apart: tuple[PlannedStep, ...]

    @property
    def step(self) -> PlannedStep:
        """The environment step."""
        return self.chain[-1]

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Every step that the environment step depends on, itself included."""
        return self.apart + self.chain


def grounds_of(plan: Sequence[PlannedStep], lines: Collection[int]) -> tuple[Ground, ...]:
    """The ground of every RUN whose first line is among ``lines``, in the order of ``plan``."""
    stages = stages_of(plan)
    return tuple(
        _ground(plan, position, stages)
        for position, step in enumerate(plan)
        if step.line in lines and step.instruction.keyword == "RUN"
    )


def _ground(plan: Sequence[PlannedStep], position: int, stages: Mapping[int, Stage]) -> Ground:
    own = {stage.index for stage in stage_chain(stages, plan[position].stage.index)}
    chain = tuple(step for step in plan[: position + 1] if step.stage.index in own)
    origins = {
        transfer.origin
        for step in chain
        for transfer in step.transfers
        if isinstance(transfer.origin, int)
    }
    others = contributing_stages(plan, origins)
    apart = tuple(step for step in plan if step.stage.index in others and step not in chain)
    return Ground(chain, apart)
