"""Hits that an earlier build explains better than the edit: they are unknown, not hits.

An edit that carries the run's nonce makes a context that nobody built before.
Deleting, renaming, changing a mode, or a value that a test chose can be
repeated: the second time, the cache holds the result, and a step that depends
on the edit hits all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..context import takes
from ..dockerfile import PlannedStep
from ..model import UNIQUE_KINDS, Build, Edit, Step
from .reasons import edited_paths, stage_ancestors

__all__ = ["doubt_repeated_edits"]


def doubt_repeated_edits(
    build: Build, steps: Sequence[PlannedStep], changed: Collection[int] = ()
) -> Build:
    """Turn into ``unknown`` each hit of a step that certainly depends on a repeatable edit.

    The steps below such a step, and those that copy from its stage, become
    unknown with it. ``steps`` is the plan of the Dockerfile that was built,
    ``changed`` the lines whose keys another Dockerfile text is known to change.
    """
    repeatable = [edit for edit in build.edits if _is_repeatable(edit)]
    if not repeatable:
        return build
    planned = {step.line: step for step in steps}
    ancestors = stage_ancestors(steps)
    labels = {step.stage.index: step.stage.label for step in steps}
    doubtful: set[str] = set()
    judged: list[Step] = []
    for step in build.steps:
        item = planned.get(step.line)
        if step.status == "hit" and item is not None:
            chain = ancestors.get(step.stage, frozenset({step.stage}))
            copied = {labels.get(t.origin) for t in item.transfers if isinstance(t.origin, int)}
            if chain & doubtful or copied & doubtful or _depends(item, repeatable, changed):
                doubtful.add(step.stage)
                note = (
                    f"it depends on the edit ({', '.join(map(str, repeatable))}), so its hit "
                    "can only come from an earlier build of the same edit"
                )
                judged.append(replace(step, status="unknown", note=note))
                continue
        judged.append(step)
    return replace(build, steps=tuple(judged))


def _is_repeatable(edit: Edit) -> bool:
    if edit.kind == "build-arg":
        return edit.text is not None
    return edit.kind not in UNIQUE_KINDS and edit.kind != "touch"


def _depends(step: PlannedStep, edits: Sequence[Edit], changed: Collection[int]) -> bool:
    for edit in edits:
        if edit.kind == "dockerfile" and step.line in changed:
            return True
        if edit.kind == "base" and step.stage.parent is None:
            return True
        if edit.kind == "build-arg":
            in_scope = edit.path in step.declared_args
            if step.instruction.keyword == "RUN" and in_scope:
                return True
            continue
        for path in edited_paths([edit]):
            for transfer in step.transfers:
                if transfer.origin == "context" and (
                    takes(transfer, path) or takes(transfer, path, is_dir=True)
                ):
                    return True
    return False
