"""Checks, their verdicts, and the findings of failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from ..cache import is_rebuilt
from ..errors import CacheAssertionError, DockerCacheError, DoesNotApply, Unverifiable
from ..model import Build, Edit, Finding, Fix, Reason, Row, Step, as_said, named_step
from ..values import dataclass
from .judged import Judged
from .settings import CheckSettings

__all__ = [
    "Check",
    "Judge",
    "Verdict",
    "broken",
    "environment_steps",
    "require_known",
    "require_reached",
    "root_of",
    "step_row",
]


@dataclass(frozen=True)
class Verdict:
    """A property that holds: its message, and the properties for the test report."""

    message: str = ""
    line: int | None = None
    properties: tuple[tuple[str, str], ...] = ()
    predicted: bool = False

    def __str__(self) -> str:
        return as_said(self.message, predicted=self.predicted)


def _always(settings: CheckSettings) -> bool:
    return True


class Judge(Protocol):
    """How a check is judged."""

    def __call__(self, subject: Judged, settings: CheckSettings = ..., /) -> Verdict:
        """The verdict that the property holds; raises where it does not, or is not known."""


@dataclass(frozen=True)
class Check:
    """One property: its ID, how it is judged, when it applies, and what it needs.

    A check that ``needs`` the ``"image"`` looks into the image, and can judge one that was built
    before; a check that needs ``"builds"`` judges only a ``Subject``, one that needs a ``"log"``
    only a ``Recording``.
    """

    id: str
    judge: Judge
    needs: Literal["builds", "image", "log"] = "builds"
    applies: Callable[[CheckSettings], bool] = _always


def broken(
    verdict: str,
    *,
    subject: Judged | None = None,
    edits: Sequence[Edit] = (),
    rows: Sequence[Row | str] = (),
    why: str | None = None,
    fix: Fix | str | None = None,
    line: int | None = None,
    cause: Reason | None = None,
) -> CacheAssertionError:
    """The failure of a check, as an exception that carries its :class:`.Finding`."""
    return CacheAssertionError(
        Finding(
            verdict,
            line=line,
            edits=tuple(edits),
            rows=tuple(Row(row) if isinstance(row, str) else row for row in rows),
            why=why,
            fix=Fix(fix) if isinstance(fix, str) else fix,
            cause=cause,
            predicted=subject is not None and subject.predicts,
            judge=None if subject is None else subject.judge_row,
        )
    )


def step_row(step: Step, note: str = "") -> Row:
    """One line of a failure: line number, instruction, status, and a remark."""
    status = step.status.upper() if step.status != "not-reached" else "not reached"
    if step.status == "not-reached" and is_rebuilt(step):
        status = "below"
    return Row(note, str(step.line), step.text, status)


def root_of(build: Build, step: Step) -> Step:
    """The first miss of the chain that ends in ``step``."""
    if step.reason is not None and step.reason.kind == "parent":
        for other in build.steps:
            if other.line == step.reason.line and other.status == "miss":
                return other
    return step


def environment_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The environment steps of a build. Raises DoesNotApply if none was recognised."""
    found = tuple(step for step in steps if step.role == "environment")
    if not found:
        raise DoesNotApply(
            "no environment step recognised", fix="name it with --dockercache-env-step=REGEX"
        )
    return found


def require_known(steps: Sequence[Step]) -> None:
    """Raise Unverifiable if the builder's news of one of these steps cannot be read safely."""
    for step in steps:
        if step.status == "unknown":
            note = step.note or "the builder's report of it is ambiguous"
            raise Unverifiable(f"line {step.line} ({named_step(step)}) is unknown: {note}")


def require_reached(build: Build, edit: Edit) -> None:
    """Raise DockerCacheError if no step of the build after this edit ran again.

    Unverifiable, if that is not certain.
    """
    if any(is_rebuilt(step) for step in build.steps):
        return
    require_known(build.steps)
    raise DockerCacheError(
        Finding(
            f"the edit never reached the image: no step copies {edit.path}",
            edits=(edit,),
            fix=Fix("name a file that the image holds with --dockercache-edit=PATH"),
            predicted=build.outcome == "predicted",
        )
    )
