"""``image-size``: the image is no larger than its budget; only when one is configured."""

from __future__ import annotations

from ..model import megabytes
from .contents import Contents
from .judged import Judged
from .reading import contents_of
from .settings import DEFAULTS, CheckSettings
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]

_SHOWN = 5


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Add up the bytes of all layers, the base image's too: a push or pull moves all of them."""
    return judge_contents(subject, contents_of(subject, subject.image(), settings), settings)


def judge_contents(
    subject: Judged, contents: Contents, settings: CheckSettings = DEFAULTS
) -> Verdict:
    """Judge an image whose layers have been read already."""
    allowed = settings.max_size
    size = contents.layers.size
    if allowed is None or size <= allowed:
        budget = "no budget" if allowed is None else f"{megabytes(allowed)} allowed"
        return Verdict(f"{megabytes(size)}, {budget}")
    by_size = sorted(
        range(len(contents.layers.layers)), key=lambda layer: -contents.layers.layers[layer].size
    )
    largest = [layer for layer in by_size if contents.line(layer) is not None] or by_size
    rows = [
        contents.row(layer, f"adds {megabytes(contents.layers.layers[layer].size)}")
        for layer in by_size[:_SHOWN]
    ]
    raise broken(
        f"image is {megabytes(size)}, {megabytes(size - allowed)} over its budget",
        subject=subject,
        rows=rows,
        why=f"{megabytes(allowed)} are allowed (--dockercache-max-size)",
        fix=f"begin with {contents.place(largest[0])}, the largest layer that this Dockerfile adds",
        line=contents.line(largest[0]),
    )
