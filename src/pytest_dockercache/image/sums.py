"""The files and bytes of one finding while they are added up."""

from __future__ import annotations

from collections.abc import Sequence

from .index import LayerIndex, display

__all__ = ["Charge", "Sum"]


class Sum:
    """The number of files, their bytes, and the largest files."""

    __slots__ = ("bytes", "copied", "files", "largest")

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.copied = 0
        self.largest: list[tuple[int, bytes]] = []

    def add(self, path: bytes, size: int, copied: int = 0) -> None:
        """Add one file of ``size`` bytes, of which ``copied`` are a copy of a lower layer's."""
        self.files += 1
        self.bytes += size
        self.copied += copied
        self.largest.append((-size, path))
        if len(self.largest) > 64:
            self.largest = sorted(self.largest)[:3]

    @property
    def examples(self) -> tuple[str, ...]:
        """Some of the paths, the largest files first."""
        return tuple(display(path) for _, path in sorted(self.largest)[:3])


class Charge:
    """Charges a file's bytes to the first of its names that is met."""

    def __init__(self, layers: Sequence[LayerIndex]) -> None:
        self._layers = layers
        self._seen: set[tuple[int, int]] = set()

    def size(self, number: int, position: int) -> int:
        """The bytes of a file, 0 if another name of it was charged before."""
        layer = self._layers[number]
        group = layer.groups[position]
        if group:
            if (number, group) in self._seen:
                return 0
            self._seen.add((number, group))
        return layer.sizes[position]
