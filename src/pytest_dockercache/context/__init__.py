"""The build context: its entries, ignore rules, selections, and a staged, edited copy."""

from __future__ import annotations

from .comments import comment_syntax
from .digests import Digests
from .edits import apply_argument_edits, normalised
from .entries import ContextEntry, context_files
from .ignore import IgnoreLine, IgnoreRules
from .missing import MissingSource, missing_sources
from .patch import Patch, patch
from .revisions import as_it_was
from .selection import is_remote, taken_files, takes
from .staging import StagedContext, stage
from .tracked import GitHistory, JoinedHistory, tracked_files, virtual_environments
from .tree import ContextTree

__all__ = [
    "ContextEntry",
    "ContextTree",
    "Digests",
    "GitHistory",
    "IgnoreLine",
    "IgnoreRules",
    "JoinedHistory",
    "MissingSource",
    "Patch",
    "StagedContext",
    "apply_argument_edits",
    "as_it_was",
    "comment_syntax",
    "context_files",
    "is_remote",
    "missing_sources",
    "normalised",
    "patch",
    "stage",
    "taken_files",
    "takes",
    "tracked_files",
    "virtual_environments",
]
