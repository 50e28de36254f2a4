"""Reading a Dockerfile: instructions, stages, steps, roles; and rewriting it."""

from __future__ import annotations

from .expansion import SubstitutionError, expand
from .installers import Installation
from .instructions import declared, is_predefined
from .naming import may_be_named, vertex_name
from .plan import BaseImage, plan
from .reader import parse_dockerfile, read_dockerfile
from .rewrite import with_base, with_instruction
from .roles import (
    EnvironmentCommand,
    environment_command,
    environment_commands,
    is_named,
    role_of,
    roles_of,
)
from .stages import (
    carried,
    contributing_stages,
    reachable_stages,
    resolve_stage,
    resolved_stages,
    stage_label,
)
from .syntax import Dockerfile, Flag, Heredoc, Instruction, PlannedStep, Stage, Transfer

__all__ = [
    "BaseImage",
    "Dockerfile",
    "EnvironmentCommand",
    "Flag",
    "Heredoc",
    "Installation",
    "Instruction",
    "PlannedStep",
    "Stage",
    "SubstitutionError",
    "Transfer",
    "carried",
    "contributing_stages",
    "declared",
    "environment_command",
    "environment_commands",
    "expand",
    "is_named",
    "is_predefined",
    "may_be_named",
    "parse_dockerfile",
    "plan",
    "reachable_stages",
    "read_dockerfile",
    "resolve_stage",
    "resolved_stages",
    "role_of",
    "roles_of",
    "stage_label",
    "vertex_name",
    "with_base",
    "with_instruction",
]
