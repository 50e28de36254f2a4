"""The part of the product that pytest sees while the plugin is active: collection, outcomes,
summary, sharing."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from .judging import SessionJudge

__all__ = ["activate", "judge_of"]

_JUDGE: pytest.StashKey[SessionJudge] = pytest.StashKey()

_PACKAGE = __name__.partition(".")[0]


class _OwnModules:
    """Finds this package's modules as Python itself does, before pytest's assertion rewriting.

    Pytest rewrites the assertions of every module of a plugin's distribution. This package has no
    assertion of use to a user, and compiling a hundred modules costs half a second in every run
    that may not write bytecode (``PYTHONDONTWRITEBYTECODE``, read-only installations), while pip
    has compiled them for Python long ago.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of this package; None leaves other modules to the next finder."""
        return PathFinder.find_spec(name, path) if name.startswith(f"{_PACKAGE}.") else None


def activate(config: pytest.Config) -> None:
    """Read the options and take part in the session. Raises ConfigError."""
    finder = _OwnModules()
    sys.meta_path.insert(0, finder)
    # The finder stays for the whole session: some rooms are imported at their first use.
    config.add_cleanup(lambda: sys.meta_path.remove(finder))
    from .garbage import spared

    with spared(config):
        _take_part(config)


def _take_part(config: pytest.Config) -> None:
    if config.getoption("dockercache_engine", None) in (None, "auto", "buildx"):
        from ..engines.docker_command import question

        question()
    from .session import ControllerPlugin, WorkerPlugin
    from .signals import end_like_interrupt

    end_like_interrupt(config)
    plugin = (WorkerPlugin if hasattr(config, "workerinput") else ControllerPlugin)(config)
    config.stash[_JUDGE] = plugin.judge
    config.pluginmanager.register(plugin)


def judge_of(config: pytest.Config) -> SessionJudge:
    """The judge of this process. Raises RuntimeError while the plugin is not active."""
    judge = config.stash.get(_JUDGE, None)
    if judge is None:
        raise RuntimeError("pytest-dockercache is not active in this session")
    return judge
