"""What pytest sees of the product once it is active: collection, outcomes, summary, sharing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .gate import Gate

__all__ = ["activate", "gate_of"]

_NAME = "dockercache-gate"


def activate(config: pytest.Config) -> None:
    """Read the options and take part in the session. Raises ConfigError."""
    from .gate import Gate

    config.pluginmanager.register(Gate(config), _NAME)


def gate_of(config: pytest.Config) -> Gate:
    """The plugin's own state in this process; only while it is active."""
    gate: Gate | None = config.pluginmanager.get_plugin(_NAME)
    if gate is None:
        raise RuntimeError("pytest-dockercache is not active in this session")
    return gate
