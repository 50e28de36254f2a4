"""Engines: they run builds, and tell for every step whether it was a hit or a miss."""

from __future__ import annotations

from .base import BuildRequest, Engine, Execution
from .choice import create_engine
from .connections import close_engines, connected_engine, engine_of_builder
from .registry import ENGINES, register_engine

__all__ = [
    "ENGINES",
    "BuildRequest",
    "Engine",
    "Execution",
    "close_engines",
    "connected_engine",
    "create_engine",
    "engine_of_builder",
    "register_engine",
]
