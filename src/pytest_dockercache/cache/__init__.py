"""Why a step hits or misses: keys, prediction, reasons, advice."""

from .advice import advice
from .doubt import can_be_repeated, doubt_repeated_edits
from .forecast import Forecast, predict
from .reasons import explain, is_rebuilt, stage_ancestors
from .snapshot import BUILDKIT, CLASSIC, UPLOADED, Dialect, Snapshot

__all__ = [
    "BUILDKIT",
    "CLASSIC",
    "UPLOADED",
    "Dialect",
    "Forecast",
    "Snapshot",
    "advice",
    "can_be_repeated",
    "doubt_repeated_edits",
    "explain",
    "is_rebuilt",
    "predict",
    "stage_ancestors",
]
