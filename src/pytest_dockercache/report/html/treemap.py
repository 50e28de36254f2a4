"""Rectangles whose areas are as some amounts, as near to squares as can be.

Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...values import dataclass

__all__ = ["Box", "squarified"]


@dataclass(frozen=True)
class Box:
    """A rectangle: its left upper corner, its width and its height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def inside(self, margin: float, top: float = 0.0) -> Box:
        """The rectangle within a margin, and below ``top`` more at the upper side."""
        width = max(self.width - 2 * margin, 0.0)
        height = max(self.height - 2 * margin - top, 0.0)
        return Box(self.x + margin, self.y + margin + top, width, height)


def squarified(amounts: Sequence[float], box: Box) -> list[Box]:
    """A box for each amount, all together as large as ``box``; the largest amount comes first."""
    total = sum(amounts)
    if not total or not box.area:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in amounts]
    scale = box.area / total
    areas = [amount * scale for amount in amounts]
    made: list[Box] = []
    rest = box
    start = 0
    while start < len(areas):
        side = min(rest.width, rest.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(
            areas[start:end], side
        ):
            end += 1
        row, rest = _laid(areas[start:end], rest)
        made += row
        start = end
    return made


def _worst(areas: Sequence[float], side: float) -> float:
    """The largest ratio of the sides of the boxes, if these areas make one row."""
    total = sum(areas)
    if not total or not side:
        return float("inf")
    return max(max(side * side * area / total**2, total**2 / (side * side * area))
               for area in areas if area)  # fmt: skip


def _laid(areas: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """One row along the shorter side, and the rest of the box."""
    total = sum(areas)
    row = []
    if box.width >= box.height:
        width = total / box.height if box.height else 0.0
        y = box.y
        for area in areas:
            height = area / width if width else 0.0
            row.append(Box(box.x, y, width, height))
            y += height
        return row, Box(box.x + width, box.y, max(box.width - width, 0.0), box.height)
    height = total / box.width if box.width else 0.0
    x = box.x
    for area in areas:
        width = area / height if height else 0.0
        row.append(Box(x, box.y, width, height))
        x += width
    return row, Box(box.x, box.y + height, box.width, max(box.height - height, 0.0))
