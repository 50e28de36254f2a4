"""Why a step hits or misses: keys, prediction, reasons, advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .advice import advice
from .doubt import can_be_repeated, doubt_repeated_edits
from .reasons import confirmed, explain, is_rebuilt, stage_ancestors, unexplained_misses
from .snapshot import BUILDKIT, BUILDKIT_OVER_API, CLASSIC, Dialect, Snapshot

if TYPE_CHECKING:
    from .forecast import Forecast, predict

__all__ = [
    "BUILDKIT",
    "BUILDKIT_OVER_API",
    "CLASSIC",
    "Dialect",
    "Forecast",
    "Snapshot",
    "advice",
    "can_be_repeated",
    "confirmed",
    "doubt_repeated_edits",
    "explain",
    "is_rebuilt",
    "predict",
    "stage_ancestors",
    "unexplained_misses",
]


def __getattr__(name: str) -> Any:
    """Import the model at its first use: most modules need only the reasons of this package."""
    if name in ("Forecast", "predict"):
        from . import forecast

        return getattr(forecast, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
