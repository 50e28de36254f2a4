"""Reading a Dockerfile: instructions, stages, steps, roles; and rewriting it."""

from __future__ import annotations

from .expansion import SubstitutionError, expand
from .instructions import declared, is_predefined, onbuild_trigger
from .plan import BaseImage, plan
from .reader import parse_dockerfile, read_dockerfile, reparsed
from .rewrite import with_base, with_instruction
from .stages import (
    contributing_stages,
    paths_in_final_stage,
    reachable_stages,
    resolve_stage,
    resolved_stages,
    stage_chain,
    stage_label,
    stages_of,
)
from .syntax import Dockerfile, Flag, Heredoc, Instruction, PlannedStep, Stage, Transfer
from .valueless import ValuelessSource, valueless_source

__all__ = [
    "BaseImage",
    "Dockerfile",
    "Flag",
    "Heredoc",
    "Instruction",
    "PlannedStep",
    "Stage",
    "SubstitutionError",
    "Transfer",
    "ValuelessSource",
    "contributing_stages",
    "declared",
    "expand",
    "is_predefined",
    "onbuild_trigger",
    "parse_dockerfile",
    "paths_in_final_stage",
    "plan",
    "reachable_stages",
    "read_dockerfile",
    "reparsed",
    "resolve_stage",
    "resolved_stages",
    "stage_chain",
    "stage_label",
    "stages_of",
    "valueless_source",
    "with_base",
    "with_instruction",
]
