"""What a check is, what it finds, and the shape of the text in which a failure is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..cache import is_rebuilt
from ..errors import CacheAssertionError, DockerCacheError, Unverifiable
from ..model import Build, Edit, Step, named_step
from ..project import Settings
from ..subject import Subject

__all__ = [
    "Check",
    "Verdict",
    "broken",
    "environment_steps",
    "require_known",
    "require_reached",
    "step_row",
]

_TEXT_WIDTH = 36


@dataclass(frozen=True)
class Verdict:
    """A property holds: what was seen, and what goes into the test report as properties."""

    message: str = ""
    line: int | None = None
    properties: tuple[tuple[str, str], ...] = ()


def _always(settings: Settings) -> bool:
    return True


@dataclass(frozen=True)
class Check:
    """One property: its ID, how it is judged, when it applies, and what it needs.

    ``needs`` is ``"image"`` for checks that look into the built image.
    """

    id: str
    judge: Callable[[Subject], Verdict]
    needs: Literal["builds", "image"] = "builds"
    applies: Callable[[Settings], bool] = _always


def broken(
    verdict: str,
    *,
    subject: Subject | None = None,
    edits: Sequence[Edit] = (),
    rows: Sequence[str] = (),
    why: str | None = None,
    fix: str | None = None,
    line: int | None = None,
) -> CacheAssertionError:
    """The failure of a check: the verdict first, then what, where, why, and the fix."""
    predicted = subject is not None and subject.predicts
    lines = [f"predicted: {verdict}" if predicted else verdict]
    lines += [f"  edit   {edit}" for edit in edits]
    lines += rows
    if why:
        lines.append(f"  why    {why}")
    if fix:
        lines.append(f"  fix    {fix}")
    if subject is not None:
        lines.append(f"  {subject.judge_row}")
    return CacheAssertionError("\n".join(lines), line=line)


def step_row(step: Step, note: str = "") -> str:
    """One line of a failure: line number, instruction, status, and a remark."""
    status = step.status.upper() if step.status != "not-reached" else "not reached"
    if step.status == "not-reached" and is_rebuilt(step):
        status = "below"
    row = f"{step.line:>4}  {named_step(step, _TEXT_WIDTH):<{_TEXT_WIDTH}} {status:<5} {note}"
    return row.rstrip()


def environment_steps(subject: Subject, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The environment steps of a build. Raises Unverifiable if none was recognised."""
    found = tuple(step for step in steps if step.role == "environment")
    if not found:
        raise Unverifiable(
            "no environment step recognised: name it with --dockercache-env-step=REGEX"
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
        f"the edit never reached the image: no step copies {edit.path}\n"
        f"  edit   {edit}\n"
        "  fix    name a file that the image holds with --dockercache-edit=PATH"
    )
