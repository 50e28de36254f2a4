"""The root cause of every miss that a builder reported.

The builder's verdict stands. The model's reason for the edit counts where the model expected this
miss. Elsewhere the reason comes from the edit itself (a COPY that takes an edited file, a changed
build argument), and its text says that the reason is a guess, or that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..context import takes
from ..dockerfile import PlannedStep, stage_chain, stages_of
from ..model import Build, Edit, Reason, Step

if TYPE_CHECKING:
    from .forecast import Forecast

__all__ = [
    "confirmed",
    "edited_paths",
    "explain",
    "is_rebuilt",
    "stage_ancestors",
    "unexplained_misses",
]


def is_rebuilt(step: Step) -> bool:
    """Whether a step ran again, or would have because it stands below a step that did.

    A build that was stopped never reaches the steps below the first miss; a step's root file system
    is matched by its key alone, never by content (BuildKit 0.8 to 0.25 and the classic builder), so
    those steps would have missed.
    """
    if step.status == "miss":
        return True
    return step.status == "not-reached" and step.reason is not None and step.reason.kind == "parent"


def stage_ancestors(steps: Sequence[PlannedStep]) -> Mapping[str, frozenset[str]]:
    """The labels of each stage's chain (the stage and those it is built FROM), by its label."""
    stages = stages_of(steps)
    return {
        stage.label: frozenset(item.label for item in stage_chain(stages, index))
        for index, stage in stages.items()
    }


def edited_paths(edits: Sequence[Edit]) -> tuple[str, ...]:
    """The context paths that some edits change, both names of a rename."""
    paths = []
    for edit in edits:
        if edit.context_path is not None:
            paths.append(edit.context_path)
            if edit.kind == "rename" and edit.text:
                paths.append(edit.text)
    return tuple(paths)


def explain(
    build: Build,
    steps: Sequence[PlannedStep],
    forecast: Callable[[], Sequence[Forecast]] | None = None,
) -> Build:
    """Give every miss of an edited build its reason; a first build has none.

    ``steps`` is the plan of the Dockerfile that was built, all stages;
    ``forecast`` asks the model about the same edit, if something missed.
    """
    if not build.edits:
        return build
    planned = {step.line: step for step in steps}
    ancestors = stage_ancestors(steps)
    expected: dict[tuple[int, str], Forecast] | None = None
    explained: list[Step] = []
    for step in build.steps:
        reason = None
        if step.status == "miss":
            reason = _parent(step, explained, ancestors)
            if reason is None:
                if expected is None:
                    said = forecast() if forecast is not None else ()
                    expected = {(item.step.line, _text(item.step)): item for item in said}
                own = _root(step, planned.get(step.line), build.edits, explained, steps)
                reason = _agreed(expected.get((step.line, step.text)), own)
        elif step.status == "not-reached":
            reason = _parent(step, explained, ancestors)
        explained.append(replace(step, reason=reason))
    return replace(build, steps=tuple(explained))


def unexplained_misses(
    build: Build, forecast: Callable[[], Sequence[Forecast]]
) -> tuple[Step, ...]:
    """The misses of an explained build that neither the model nor the edit explains.

    Only the uppermost such step of a chain is among them.
    """
    roots = [
        step
        for step in build.steps
        if step.status == "miss" and step.reason is not None and step.reason.kind != "parent"
    ]
    if not roots:
        return ()
    expected = {(item.step.line, _text(item.step)): item for item in forecast()}
    found = []
    for step in roots:
        said = expected.get((step.line, step.text))
        assert step.reason is not None
        if said.status == "hit" if said is not None else step.reason.kind == "unexplained":
            found.append(step)
    return tuple(found)


def confirmed(steps: Sequence[Step], surprises: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of a last build; the reasons of ``surprises`` say that they missed each time."""
    found = []
    for step in steps:
        if step in surprises and step.reason is not None:
            message = (
                f"{step.reason.message}; it did so three times, each time after an unedited build"
            )
            step = replace(step, reason=replace(step.reason, message=message))
        found.append(step)
    return tuple(found)


def _text(step: PlannedStep) -> str:
    return f"ONBUILD {step.instruction.text}" if step.triggered else step.instruction.text


def _agreed(expected: Forecast | None, own: Reason) -> Reason:
    """The reason of a miss that no step above explains; ``own`` is the edit's own reason."""
    if expected is None:
        return own
    if expected.reason is not None and expected.reason.kind not in ("parent", "unexplained"):
        return expected.reason
    if expected.status == "unknown":
        return own if own.kind != "unexplained" else replace(own, message=_came_out(expected))
    if expected.status == "hit":
        # Model and builder disagree about the edit, so any reason is a guess.
        if own.kind == "unexplained":
            message = "the builder ran it again, and the model sees no change that it depends on"
        else:
            message = f"{own.message}; that is a guess: the model expected a hit"
        return replace(own, message=message)
    if expected.reason is not None:
        message = f"the builder ran it again; the model's best guess: it {expected.reason.message}"
        return Reason("unexplained", message, expected.reason.line)
    return own


def _came_out(expected: Forecast) -> str:
    note = expected.note or ""
    return f"what it depends on came out differently: it {note}" if note else "it ran again"


def _parent(
    step: Step, above: Sequence[Step], ancestors: Mapping[str, frozenset[str]]
) -> Reason | None:
    chain = ancestors.get(step.stage, frozenset({step.stage}))
    missed = [other for other in above if other.status == "miss" and other.stage in chain]
    if not missed:
        return None
    root = missed[0]
    return Reason("parent", f"runs on top of line {root.line}", root.line)


def _root(
    step: Step,
    planned: PlannedStep | None,
    edits: Sequence[Edit],
    above: Sequence[Step],
    steps: Sequence[PlannedStep],
) -> Reason:
    if planned is not None:
        # A modification time is in no key, and so is never a reason.
        paths = edited_paths([edit for edit in edits if edit.kind != "touch"])
        for transfer in planned.transfers:
            if transfer.origin != "context":
                continue
            taken = tuple(
                path
                for path in paths
                if takes(transfer, path) or takes(transfer, path, is_dir=True)
            )
            if taken:
                message = f"contains {_listed(taken)}"
                return Reason("content", message, step.line, taken)
        for transfer in planned.transfers:
            if isinstance(transfer.origin, int):
                label = next(
                    (other.stage.label for other in steps if other.stage.index == transfer.origin),
                    str(transfer.origin),
                )
                missed = [other for other in above if other.stage == label and is_rebuilt(other)]
                if missed:
                    line = missed[0].line
                    message = f"copies from stage {label}, where line {line} missed"
                    return Reason("content", message, line)
        for edit in edits:
            if edit.kind == "build-arg" and edit.path is not None:
                declared = _declaration(edit.path, planned, steps)
                if declared is not None:
                    message = f"build argument {edit.path} is declared in line {declared}"
                    return Reason("argument", message, declared, argument=edit.path)
    kinds = {edit.kind for edit in edits}
    if "base" in kinds:
        return Reason("base", "the base image changed", step.line)
    if "dockerfile" in kinds:
        return Reason("text", "the Dockerfile's text changed", step.line)
    message = "the builder ran it again; the edit does not explain why"
    return Reason("unexplained", message, step.line)


def _declaration(name: str, planned: PlannedStep, steps: Sequence[PlannedStep]) -> int | None:
    """The line of the ARG that brings a build argument into a step's scope."""
    if name not in planned.declared_args:
        return None
    chain = stage_ancestors(steps).get(planned.stage.label, frozenset())
    lines = [
        step.line
        for step in steps
        if step.instruction.keyword == "ARG"
        and step.stage.label in chain
        and step.line < planned.line
        and any(word.partition("=")[0] == name for word in step.instruction.value.split())
    ]
    return lines[-1] if lines else planned.line


def _listed(paths: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(paths[:limit])
    more = len(paths) - limit
    return shown if more <= 0 else f"{shown} and {more} more"
