"""Engines: they run builds, and tell for every step whether it was a hit or a miss."""

from __future__ import annotations

from .base import BuildRequest, EmptyBuilder, Engine, Execution, MakesEmptyBuilders
from .choice import create_engine
from .connections import close_engines, connected_engine, engine_of_builder
from .registry import ENGINES, register_engine

__all__ = [
    "ENGINES",
    "BuildRequest",
    "EmptyBuilder",
    "Engine",
    "Execution",
    "MakesEmptyBuilders",
    "close_engines",
    "connected_engine",
    "create_engine",
    "engine_of_builder",
    "register_engine",
]
