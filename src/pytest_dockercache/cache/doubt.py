"""Hits that an earlier build may explain instead of the edit: such steps are unknown.

An edit that carries the run's nonce makes a context that nobody built before.
Deleting, renaming, changing a mode, a rule of an ignore file, or a value that
a test chose can be repeated: the second time, the cache holds the result, and
a step that depends on the edit hits all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..context import takes
from ..dockerfile import PlannedStep, stage_chain, stages_of
from ..model import UNIQUE_KINDS, Build, Edit, Step
from .reasons import edited_paths, stage_ancestors

__all__ = ["can_be_repeated", "doubt_repeated_edits"]


def can_be_repeated(edit: Edit) -> bool:
    """Whether an earlier build may have had the same edit, as far as cache keys can tell.

    The text added to an ignore file is unique, but the files that the ignore file keeps out are
    not. An edit of the Dockerfile can be repeated too: this function does not know the Dockerfile's
    path, so its caller checks that.
    """
    if edit.kind == "build-arg":
        return edit.text is not None
    if edit.path is not None and edit.path.endswith(".dockerignore"):
        return edit.kind != "touch"
    return edit.kind not in UNIQUE_KINDS and edit.kind != "touch"


def doubt_repeated_edits(
    build: Build,
    steps: Sequence[PlannedStep],
    changed: Collection[int] = (),
    unchanged: Collection[int] = (),
) -> Build:
    """Turn into ``unknown`` each hit of a step that certainly depends on a repeatable edit.

    The steps below such a step, and those that copy from its stage, become
    unknown with it. ``steps`` is the plan of the Dockerfile that was built;
    ``changed`` and ``unchanged`` are the lines whose keys the edits are known
    to change, or not to change (an argument given the value that it has), if
    any of them can be repeated.
    """
    repeatable = [edit for edit in build.edits if can_be_repeated(edit)]
    if not repeatable and not changed:
        return build
    named = ", ".join(map(str, repeatable or build.edits))
    chmod = any(edit.kind == "chmod" for edit in repeatable)
    # docs/cache-model.md: BuildKit may overlook a mode where it keeps a copy of the context.
    overlooked = ", or the mode of a directory was overlooked" if chmod else ""
    planned = {step.line: step for step in steps}
    ancestors = stage_ancestors(steps)
    labels = {step.stage.index: step.stage.label for step in steps}
    base = _rebased(steps)
    doubtful: set[str] = set()
    judged: list[Step] = []
    for step in build.steps:
        item = planned.get(step.line)
        if step.status == "hit" and item is not None:
            chain = ancestors.get(step.stage, frozenset({step.stage}))
            copied = {labels.get(t.origin) for t in item.transfers if isinstance(t.origin, int)}
            certain = step.line in changed or (
                step.line not in unchanged and _depends(item, repeatable, base)
            )
            if chain & doubtful or copied & doubtful or certain:
                doubtful.add(step.stage)
                note = (
                    f"it depends on the edit ({named}), so its hit "
                    f"can only come from an earlier build of the same edit{overlooked}"
                )
                judged.append(replace(step, status="unknown", note=note))
                continue
        judged.append(step)
    return replace(build, steps=tuple(judged))


def _rebased(steps: Sequence[PlannedStep]) -> frozenset[int]:
    """The stages that stand on the base that an edit of the base replaces: the target's."""
    stages = stages_of(steps)
    roots = {index: stage_chain(stages, index)[-1] for index in stages}
    return frozenset(index for index, root in roots.items() if root is roots[max(roots)])


def _depends(step: PlannedStep, edits: Sequence[Edit], rebased: Collection[int]) -> bool:
    for edit in edits:
        if edit.kind == "base" and step.stage.index in rebased:
            return True
        if edit.kind == "build-arg":
            in_scope = edit.path in step.declared_args
            if step.instruction.keyword == "RUN" and in_scope:
                return True
            continue
        if edit.kind in UNIQUE_KINDS:
            continue  # An edit of an ignore file: the files that it keeps out are not known here.
        for path in edited_paths([edit]):
            for transfer in step.transfers:
                if transfer.origin == "context" and (
                    takes(transfer, path) or takes(transfer, path, is_dir=True)
                ):
                    return True
    return False
