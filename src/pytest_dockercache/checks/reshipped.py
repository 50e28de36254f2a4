"""``reshipped-bytes``: a source edit makes few bytes of layers anew; only when configured."""

from __future__ import annotations

from collections.abc import Sequence

from ..cache import predict
from ..errors import Unverifiable
from ..model import Build, megabytes
from ..subject import Subject
from .contents import Contents
from .layer_summary import LayerSummary, Reshipped
from .reading import contents_of
from .settings import CheckSettings
from .verdict import Verdict, broken, require_reached

__all__ = ["judge", "shipped_again"]

_SHOWN = 5


def judge(subject: Subject, settings: CheckSettings) -> Verdict:
    """Add up the layers of the edited image that the first image has not.

    Every push and pull after a code change moves these layers, whatever their content. Sizes are
    those of unpacked layers. An environment step that is a hit says nothing of it: a stage that
    copies code and environment in one step has both in one layer.
    """
    before = contents_of(subject, subject.image(), settings)
    edit = subject.project.source_edit
    build = subject.after([edit])
    require_reached(build, edit)
    if build.image is None:
        raise Unverifiable("the edited build left no image whose layers could be compared")
    after = contents_of(subject, build.image, settings)
    known = {layer.diff_id for layer in before.layers.layers}
    layers = after.layers.layers
    anew = [number for number, layer in enumerate(layers) if layer.diff_id not in known]
    size = sum(layers[number].size for number in anew)
    whole = megabytes(after.layers.size)
    allowed = settings.max_reship
    if allowed is None or size <= allowed:
        return Verdict(f"a source edit makes {megabytes(size)} of {whole} anew")
    largest = sorted(anew, key=lambda number: -layers[number].size)[:_SHOWN]
    first = largest[0]
    raise broken(
        f"a source edit makes {megabytes(size)} of layers anew, "
        f"{megabytes(size - allowed)} over its budget",
        subject=subject,
        edits=[edit],
        rows=[after.row(number, f"{megabytes(layers[number].size)} anew") for number in largest],
        why=f"{megabytes(allowed)} are allowed (--dockercache-max-reship); each push and pull "
        "after a code change moves them",
        fix=_advice(build, after, first),
        line=after.line(first),
    )


def _advice(build: Build, contents: Contents, layer: int) -> str:
    """What to do about the largest layer, in words: nothing of it was tried."""
    line, place = contents.line(layer), contents.place(layer)
    step = next((step for step in build.steps if step.line == line), None)
    if step is None or step.instruction not in ("COPY", "ADD"):
        return f"begin with {place}: env-layer-cached says why an environment is made again"
    return f"split {place}: first copy what a code change leaves as it is, then the code"


_WORTH_SAYING = 1_000_000
"""Bytes from which on a summary tells what is shipped again."""


def shipped_again(subject: Subject, layers: Sequence[LayerSummary]) -> Reshipped | None:
    """What a source edit makes anew, for a summary.

    None for little, for a rebuilt environment, and where it is not known of a step whether it runs
    again. Raises what the edit raises.
    """
    sizes = {layer.line: layer.size for layer in layers if layer.base is False}
    if sum(sizes.values()) < _WORTH_SAYING:
        return None
    project = subject.project
    edit = project.source_edit
    made = [one for one in subject.builds() if one.edits == (edit,) and one.outcome == "built"]
    if made:
        statuses = [(step.line, step.status) for step in made[0].steps]
    else:
        after = project.snapshot.after(project.spec_after([edit], "predicted"), [edit])
        forecast = predict(project.snapshot, after, subject.engine.dialect)
        statuses = [(item.step.line, item.status) for item in forecast]
    if any(
        status == "unknown" or (status == "miss" and project.roles.get(line) == "environment")
        for line, status in statuses
    ):
        return None
    missed = {line for line, status in statuses if status == "miss"}
    lines = tuple(sorted(line for line in sizes if line in missed and line is not None))
    size = sum(sizes[line] for line in lines)
    return Reshipped(size, lines, not made) if size >= _WORTH_SAYING else None
