"""The rules by which a build may end before its image is made, because the answer is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from .model import Step
from .regexes import regex
from .values import dataclass

__all__ = ["Stop", "decided"]


StopRule = Literal["any-miss", "miss", "hit", "decided"]


@dataclass(frozen=True)
class Stop:
    """The rule by which a build may end before its image is made.

    ``any-miss`` ends the build as soon as any step misses. The other rules look at the steps whose
    first lines are ``lines`` (None: the environment steps). ``miss`` settles the claim "all hit":
    one of the steps missed, or all hit and another step missed. ``hit`` settles the claim "all
    miss": one of the steps hit, or all missed. ``decided`` waits until each step has hit or missed.
    A step below a RUN that missed counts as missed at once.
    """

    rule: StopRule
    lines: tuple[int, ...] | None = None


def decided(
    steps: Sequence[Step], stop: Stop | None, ancestors: Mapping[str, frozenset[str]] | None = None
) -> bool:
    """Whether a build with these steps may be stopped.

    ``ancestors`` maps the label of each stage to the labels of the stages that it is built from,
    with itself.
    """
    missed = [step for step in steps if step.status == "miss"]
    if stop is None or not missed:
        return False
    if stop.rule == "any-miss":
        return True
    if stop.lines is None:
        wanted = [step for step in steps if step.role == "environment"]
    else:
        wanted = [step for step in steps if step.line in stop.lines]
    below = [step for step in wanted if _is_below(step, steps, ancestors or {})]
    hit = [step for step in wanted if step.status == "hit"]
    known_misses = [step for step in wanted if step.status == "miss" or step in below]
    if stop.rule == "miss":
        return bool(known_misses) or len(hit) == len(wanted)
    if stop.rule == "hit":
        return bool(hit) or len(known_misses) == len(wanted)
    return len(hit) + len(known_misses) == len(wanted)


def _is_below(step: Step, steps: Sequence[Step], ancestors: Mapping[str, frozenset[str]]) -> bool:
    if step.status != "not-reached":
        return False
    stages = ancestors.get(step.stage, frozenset({step.stage}))
    found = False
    for other in sorted(steps, key=lambda other: other.line):
        if other.stage not in stages or other.line > step.line:
            continue
        if _READS_CONTENT.search(other.text):
            # The step hits if the steps below it make equal files.
            found = False
        # Copying takes no time, so a step below a COPY is observed; a RUN may take minutes.
        if other.instruction == "RUN" and other.status == "miss" and other.line < step.line:
            found = True
    return found


_READS_CONTENT = regex(r"--mount=\S*\btype=[\"']?(secret|ssh)\b", re.IGNORECASE)
"""A RUN whose key on BuildKit holds the content of its root file system (see cache/prediction)."""
