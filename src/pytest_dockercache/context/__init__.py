"""The build context: what it holds, what is ignored, what is copied; staging and editing a copy."""

from __future__ import annotations

from .choice import Choice, EnvironmentFile, choose_source, environment_files, named_source
from .comments import comment_syntax
from .digests import Digests
from .edits import apply_argument_edits
from .entries import ContextEntry, context_files
from .environment import check_environment_file, environment_name, load_yaml, python_pin
from .ignore import IgnoreLine, IgnoreRules
from .missing import MissingSource, missing_sources
from .preview import EditedContext, preview
from .selection import taken_files, takes
from .staging import Change, StagedContext, stage
from .tree import ContextTree

__all__ = [
    "Change",
    "Choice",
    "ContextEntry",
    "ContextTree",
    "Digests",
    "EditedContext",
    "EnvironmentFile",
    "IgnoreLine",
    "IgnoreRules",
    "MissingSource",
    "StagedContext",
    "apply_argument_edits",
    "check_environment_file",
    "choose_source",
    "comment_syntax",
    "context_files",
    "environment_files",
    "environment_name",
    "load_yaml",
    "missing_sources",
    "named_source",
    "preview",
    "python_pin",
    "stage",
    "taken_files",
    "takes",
]
