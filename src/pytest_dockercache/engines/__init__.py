"""What runs builds and says of every step whether it was a hit or a miss."""

from __future__ import annotations

from .base import ENGINES, BuildRequest, Engine, Execution
from .choice import create_engine
from .docker_command import forget_answers

__all__ = ["ENGINES", "BuildRequest", "Engine", "Execution", "create_engine", "forget_answers"]
