"""The builds and steps that a report shows for an image, and the cost of an edit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from ..cache import is_rebuilt
from ..model import Build, FileGroup, Status, Step
from ..values import dataclass
from .findings import ImageReport

__all__ = [
    "EditCost",
    "State",
    "duration",
    "edit_cost",
    "ending",
    "first_build",
    "runs_again",
    "same_step",
    "shown_steps",
    "source_rebuild",
    "state_of",
    "why_unknown",
]

State = Literal["hit", "miss", "MISS", "unknown", "not reached", "below", ""]
"""A step's status in a build as tables show it: ``MISS`` is an environment step that an edit ran
again, ``below`` a step that stands below a miss and was not waited for, ``""`` nothing to say."""

_WORDS: dict[Status, State] = {
    "hit": "hit",
    "miss": "miss",
    "unknown": "unknown",
    "not-reached": "not reached",
}


def why_unknown(builds: Iterable[Build]) -> str:
    """What ``unknown`` means in these builds: nobody reports of a build that was not made."""
    if any(build.outcome == "predicted" for build in builds):
        return "the model cannot tell whether the step runs again"
    return "the builder's report cannot be read safely"


def first_build(image: ImageReport) -> Build | None:
    """The build of the unedited project."""
    return next((build for build in image.builds if not build.edits), None)


def source_rebuild(image: ImageReport) -> Build | None:
    """The build after the source edit, else after the first edit that there was."""
    edited = [build for build in image.builds if build.edits]
    of_source = [
        build
        for build in edited
        if image.source and any(edit.context_path == image.source for edit in build.edits)
    ]
    complete = [build for build in of_source if build.outcome == "built"]
    return next(iter(complete or of_source or edited), None)


def shown_steps(builds: Sequence[Build]) -> tuple[Step, ...]:
    """The steps of the longest build, without steps that only change the image's settings.

    BuildKit has no vertex for ENV, LABEL, CMD and the like: not even a
    complete build reaches them.
    """
    if not builds:
        return ()
    settings = {
        step.line
        for build in builds
        if build.outcome == "built"
        for step in build.with_status("not-reached")
    }
    longest = max(builds, key=lambda build: len(build.steps))
    return tuple(
        step for step in longest.steps if step.line not in settings or step.instruction == "FROM"
    )


def same_step(step: Step, build: Build | None) -> Step | None:
    """A step as another build has it, None where that build has none of its line."""
    found = [] if build is None else [other for other in build.steps if other.line == step.line]
    return found[0] if found else None


def state_of(step: Step, build: Build | None) -> State:
    """How a step fared in a build."""
    same = same_step(step, build)
    status = None if same is None else same.status
    if step.instruction == "FROM" and status != "miss":
        status = None  # a base is not built: whether the builder calls it cached means nothing
    if same is None or status is None:
        return ""
    if status == "not-reached" and is_rebuilt(same):
        return "below"
    if status == "miss" and step.role == "environment" and build is not None and build.edits:
        return "MISS"
    return _WORDS[status]


def runs_again(image: ImageReport, group: FileGroup, step: Step) -> bool | None:
    """Whether an edit of these files runs an environment step again, None if unknown.

    A build with edits of only these files tells it for each step; the check of the files tells only
    whether any environment step ran again.
    """
    for build in image.builds:
        paths = {edit.context_path for edit in build.edits}
        if paths and build.outcome != "failed" and paths <= set(group.examples):
            state = state_of(step, build)
            if state in ("miss", "MISS", "below"):
                return True
            if state == "hit":
                return False
    if group.reinstalls is False:
        return False
    alone = sum(other.role == "environment" for other in shown_steps(image.builds)) == 1
    return group.reinstalls if alone else None


@dataclass(frozen=True)
class EditCost:
    """The cost of a source edit: the seconds of the steps that run again, and of all steps.

    ``again`` counts the steps that run again, ``steps`` all steps that are shown, ``unknown`` the
    steps that run again and whose seconds are not known. Where the seconds of a RUN are not
    known, ``seconds`` and ``total`` are 0: sums without them would say next to nothing.
    """

    seconds: float
    total: float
    again: int
    steps: int
    unknown: int
    predicted: bool


def edit_cost(image: ImageReport) -> EditCost | None:
    """The cost of the source edit, None where no source was edited or the build failed."""
    rebuild = source_rebuild(image)
    if rebuild is None or rebuild.outcome == "failed" or not image.source:
        return None
    if not any(edit.context_path == image.source for edit in rebuild.edits):
        return None
    steps = [step for step in shown_steps(image.builds) if step.instruction != "FROM"]
    again = [step for step in steps if state_of(step, rebuild) in ("miss", "MISS", "below")]
    known = [image.seconds[step.line] for step in again if step.line in image.seconds]
    told = all(step.line in image.seconds for step in steps if step.instruction == "RUN")
    return EditCost(
        seconds=sum(known) if told else 0.0,
        total=sum(image.seconds.get(step.line, 0.0) for step in steps) if told else 0.0,
        again=len(again),
        steps=len(steps),
        unknown=len(again) - len(known),
        predicted=rebuild.outcome == "predicted",
    )


def ending(build: Build) -> str:
    """How a build ended, and after how long."""
    words = {"built": "built in", "stopped": "stopped after", "failed": "failed after"}
    if build.outcome == "predicted":
        return "predicted"
    if not build.seconds:
        return build.outcome
    return f"{words[build.outcome]} {duration(build.seconds)}"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.4 s``, ``4 min 51 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
