"""The build context: what it holds, what is ignored, what is copied; staging and editing a copy."""

from __future__ import annotations

from .comments import comment_syntax
from .digests import Digests
from .edits import apply_argument_edits
from .entries import ContextEntry, context_files
from .ignore import IgnoreLine, IgnoreRules
from .missing import MissingSource, missing_sources
from .preview import EditedContext, preview
from .selection import taken_files, takes
from .staging import Change, StagedContext, stage
from .tree import ContextTree

__all__ = [
    "Change",
    "ContextEntry",
    "ContextTree",
    "Digests",
    "EditedContext",
    "IgnoreLine",
    "IgnoreRules",
    "MissingSource",
    "StagedContext",
    "apply_argument_edits",
    "comment_syntax",
    "context_files",
    "missing_sources",
    "preview",
    "stage",
    "taken_files",
    "takes",
]
