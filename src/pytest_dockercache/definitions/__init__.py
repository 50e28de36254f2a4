"""The builds that compose, bake and development container files define.

A team says in these files what it builds: Dockerfiles, contexts, arguments, stages. ``docker buildx
bake --print`` evaluates bake and compose files; without buildx, compose files are read here, with
compose's own rules. A definition that cannot be used says why, and does not stop the others.
"""

from __future__ import annotations

from .finding import (
    BAKE_FILES,
    COMPOSE_FILES,
    DEVELOPMENT_FILES,
    KINDS,
    Kind,
    definition_files,
    kind_of,
    read_definitions,
)
from .targets import BuildDefinition

__all__ = [
    "BAKE_FILES",
    "COMPOSE_FILES",
    "DEVELOPMENT_FILES",
    "KINDS",
    "BuildDefinition",
    "Kind",
    "definition_files",
    "kind_of",
    "read_definitions",
]
