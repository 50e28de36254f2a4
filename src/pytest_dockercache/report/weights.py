"""The rows of a report for an image's layers: one for each with bytes, one for the base's."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.layer_summary import LayerSummary
from ..values import dataclass

__all__ = ["COLUMNS", "LayerRow", "layer_rows"]

COLUMNS = (
    ("size", "size"),
    ("caches", "package_cache_bytes"),
    ("bytecode", "bytecode_bytes"),
    ("hidden", "hidden_bytes"),
)
"""The heads of the columns of bytes, and the attribute that each sums up."""


@dataclass(frozen=True)
class LayerRow:
    """One row: the text of its first two columns, and the layers that it sums up.

    ``own`` is False for the row of the base image's layers, and for the sum of all layers.
    """

    place: str
    text: str
    layers: tuple[LayerSummary, ...]
    own: bool = True

    def total(self, of: str) -> int:
        """The bytes of a column; ``of`` is an attribute of LayerSummary."""
        return sum(getattr(layer, of) for layer in self.layers)

    @property
    def hidden_by(self) -> str:
        """The lines that hide bytes of these layers."""
        lines = sorted({line for layer in self.layers for line in layer.hidden_by})
        return ", ".join(map(str, lines))


def layer_rows(layers: Sequence[LayerSummary]) -> list[LayerRow]:
    """The rows of an image: its base, each layer of its own that is not empty, the sum."""
    base = tuple(layer for layer in layers if layer.base)
    rows = []
    if base:
        count = f"{len(base)} layer" + ("s" if len(base) > 1 else "")
        rows.append(LayerRow("base", f"{count} of the base image", base, own=False))
    for number, layer in enumerate(layers, 1):
        if layer.base or not layer.size:
            continue
        place = f"#{number}" if layer.line is None else str(layer.line)
        rows.append(LayerRow(place, layer.created_by, (layer,)))
    if len(rows) > 1:
        rows.append(LayerRow("", "all layers", tuple(layers), own=False))
    return rows
