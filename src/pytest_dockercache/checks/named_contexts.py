"""Stages that start from the directory of a named context: no build reuses what stands on one."""

from __future__ import annotations

from ..dockerfile import PlannedStep, stage_chain, stages_of
from ..errors import Unverifiable
from ..project import Project

__all__ = ["from_directory", "require_reusable"]


def from_directory(project: Project) -> tuple[PlannedStep, ...]:
    """The FROMs of a named context that is a directory."""
    return tuple(
        step
        for step in project.steps
        if step.instruction.keyword == "FROM" and any(one.context for one in step.transfers)
    )


def require_reusable(project: Project, *, environment: bool) -> None:
    """Raise Unverifiable where steps run again in every build, whatever was edited.

    With ``environment``, only where an environment step is among them.
    """
    stages = stages_of(project.steps)
    for start in from_directory(project):
        above = [
            step
            for step in project.steps
            if start.stage in stage_chain(stages, step.stage.index) and step.ordinal is not None
        ]
        if environment:
            above = [step for step in above if project.roles.get(step.line) == "environment"]
        if above:
            raise Unverifiable(
                f"line {above[0].line} runs again in every build, for line {start.line} starts "
                f"from the directory of the named context {start.stage.base}; what an edit adds "
                "to that is not known",
                fix=f"take the files of {start.stage.base} with COPY --from",
            )
