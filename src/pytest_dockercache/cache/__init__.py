"""Why a step hit or missed: keys, reasons, advice."""

from .reasons import explain, is_rebuilt, stage_ancestors

__all__ = ["explain", "is_rebuilt", "stage_ancestors"]
