"""Prove how a Docker image's build cache behaves: the public names.

The names are loaded on first use, so that an installed plugin costs nothing while it is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engines import Execution
    from .environments.installed import Environment
    from .errors import (
        BuildFailed,
        BuildTimeout,
        CacheAssertionError,
        ConfigError,
        DockerCacheError,
        DoesNotApply,
        EngineUnavailable,
        Unverifiable,
    )
    from .model import Build, BuildSpec, Edit, Finding, Fix, Reason, Step
    from .testing import DockerCache, Image

__all__ = [
    "Build",
    "BuildFailed",
    "BuildSpec",
    "BuildTimeout",
    "CacheAssertionError",
    "ConfigError",
    "DockerCache",
    "DockerCacheError",
    "DoesNotApply",
    "Edit",
    "EngineUnavailable",
    "Environment",
    "Execution",
    "Finding",
    "Fix",
    "Image",
    "Reason",
    "Step",
    "Unverifiable",
]

_HOMES = {
    **dict.fromkeys(("Build", "BuildSpec", "Edit", "Finding", "Fix", "Reason", "Step"), "model"),
    **dict.fromkeys(("DockerCache", "Image"), "testing"),
    "Environment": "environments.installed",
    "Execution": "engines",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
