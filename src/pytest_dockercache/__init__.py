"""Prove how a Docker image's build cache behaves: the public names.

They are loaded on first use, so that having the plugin installed costs
nothing while it is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        BuildFailed,
        BuildTimeout,
        CacheAssertionError,
        ConfigError,
        DockerCacheError,
        EngineUnavailable,
        Unverifiable,
    )
    from .model import Build, BuildSpec, Edit, Reason, Step
    from .testing import DockerCache

__all__ = [
    "Build",
    "BuildFailed",
    "BuildSpec",
    "BuildTimeout",
    "CacheAssertionError",
    "ConfigError",
    "DockerCache",
    "DockerCacheError",
    "Edit",
    "EngineUnavailable",
    "Reason",
    "Step",
    "Unverifiable",
]

_HOMES = {
    **dict.fromkeys(("Build", "BuildSpec", "Edit", "Reason", "Step"), "model"),
    "DockerCache": "testing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
