"""Why a step hit or missed: keys, reasons, advice."""

from .doubt import doubt_repeated_edits
from .reasons import explain, is_rebuilt, stage_ancestors

__all__ = ["doubt_repeated_edits", "explain", "is_rebuilt", "stage_ancestors"]
