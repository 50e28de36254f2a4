"""What pytest sees of the product once it is active: collection, outcomes, summary, sharing."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from .gate import Gate

__all__ = ["activate", "gate_of"]

_NAME = "dockercache-gate"
_PACKAGE = __name__.partition(".")[0]


class _OwnModules:
    """Finds this package's modules as Python itself does, before pytest's assertion rewriting.

    Pytest rewrites the assertions of every module of a plugin's distribution.
    There are none of use to a user here, and compiling a hundred modules
    costs half a second in every run that may not write bytecode
    (``PYTHONDONTWRITEBYTECODE``, read-only installations), while pip has
    compiled them for Python long ago.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module, if it is one of ours; else whoever is next may find it."""
        return PathFinder.find_spec(name, path) if name.startswith(f"{_PACKAGE}.") else None


def activate(config: pytest.Config) -> None:
    """Read the options and take part in the session. Raises ConfigError."""
    finder = _OwnModules()
    sys.meta_path.insert(0, finder)
    # Not only for now: some rooms are imported when they are needed.
    config.add_cleanup(lambda: sys.meta_path.remove(finder))
    if config.getoption("dockercache_engine", None) in (None, "auto", "buildx"):
        from ..engines.docker_command import question

        question()
    from .gate import Gate
    from .signals import end_like_interrupt

    end_like_interrupt(config)
    config.pluginmanager.register(Gate(config), _NAME)


def gate_of(config: pytest.Config) -> Gate:
    """The plugin's own state in this process; only while it is active."""
    gate: Gate | None = config.pluginmanager.get_plugin(_NAME)
    if gate is None:
        raise RuntimeError("pytest-dockercache is not active in this session")
    return gate
