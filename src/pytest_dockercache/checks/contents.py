"""The contents of an image, with the Dockerfile line of every layer that the project adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from ..dockerfile import PlannedStep
from ..errors import Unverifiable
from ..image import ImageLayers, LayerLines
from ..model import Finding, Row
from ..values import dataclass

__all__ = ["Contents"]


@dataclass(frozen=True)
class Contents:
    """An image's layers, which of them are judged, and their lines.

    ``lines`` is None where the base image's layers are not known; ``unknown`` then says why.
    ``texts`` are the instructions by their first line; ``steps`` all steps of the Dockerfile, empty
    where there is none.
    """

    layers: ImageLayers
    lines: LayerLines | None
    texts: Mapping[int, str]
    steps: Sequence[PlannedStep] = ()
    check_base: bool = False
    unknown: Finding | None = None

    @cached_property
    def judged(self) -> frozenset[int]:
        """The layers that the checks judge.

        Only layers that the Dockerfile adds are judged, or all with
        ``dockercache_base_layers = check``. Raises Unverifiable where the base image's layers are
        not known.
        """
        if self.check_base:
            return frozenset(range(len(self.layers.layers)))
        if self.lines is None:
            raise Unverifiable(self.unknown or "which layers are the base image's is not known")
        return self.lines.own

    def line(self, layer: int) -> int | None:
        """The Dockerfile line that made a layer, None for a base image's or an unknown layer."""
        return None if self.lines is None else self.lines.line(layer)

    def is_own(self, layer: int) -> bool:
        """Whether a layer is known to be the Dockerfile's own."""
        return self.lines is not None and layer in self.lines.own

    def place(self, layer: int) -> str:
        """Where a layer comes from, for a sentence: ``line 8`` or ``the base image``."""
        line = self.line(layer)
        if line is not None:
            return f"line {line}"
        known_base = self.lines is not None and not self.is_own(layer)
        return "the base image" if known_base else f"layer {layer + 1}"

    def row(self, layer: int, remark: str) -> Row:
        """One line of a failure: line number, instruction, remark."""
        line = self.line(layer)
        known_base = self.lines is not None and not self.is_own(layer)
        number = str(line) if line is not None else "base" if known_base else f"#{layer + 1}"
        text = self.texts.get(line or 0) or self.layers.created_by(layer)
        return Row(remark, number, text)
