"""The open table of engines by name. An engine is imported at its first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError
from ..values import dataclass

if TYPE_CHECKING:
    from .base import Engine

__all__ = ["ENGINES", "Connect", "Registration", "register_engine", "require_engine"]

Connect = Callable[[str, "str | None", "float | None"], "Engine"]
"""Makes an engine; the arguments are the reason of the choice, the name of a builder or None, and
how many seconds the daemon may take for one answer (None: the usual time)."""


@dataclass(frozen=True)
class Registration:
    """How an engine is made: a function, or ``module:function`` below this package.

    ``takes_builder`` is True if ``--dockercache-builder`` names a builder of
    the engine. ``auto`` takes a ``preferred`` engine before it looks for a
    daemon.
    """

    connect: Connect | str
    takes_builder: bool = False
    preferred: bool = False

    def load(self) -> Connect:
        """The function that makes the engine."""
        if not isinstance(self.connect, str):
            return self.connect
        module, _, name = self.connect.partition(":")
        return cast("Connect", getattr(import_module(f".{module}", __package__), name))


ENGINES: dict[str, Registration] = {
    "buildx": Registration("choice:connect_buildx", takes_builder=True),
    "buildkit": Registration("choice:connect_buildkit"),
    "classic": Registration("choice:connect_classic"),
    "model": Registration("choice:connect_model"),
}
"""The engines that ``--dockercache-engine`` may name."""

UNAVAILABLE = ("podman",)
"""Engines that are planned: their names are known, and refused as not yet available."""


def require_engine(name: str, where: str) -> None:
    """Raise ConfigError for a name that is no engine's; ``where`` is how the name was given."""
    valid = ", ".join(("auto", *ENGINES))
    if name in UNAVAILABLE:
        raise ConfigError(f"{where}: engine {name} is not available yet; valid: {valid}")
    if name not in ENGINES:
        raise ConfigError(f"{where}: unknown engine; valid: {valid}")


def register_engine(name: str, connect: Connect, *, preferred: bool = False) -> None:
    """Add an engine to the table, or put another in its place."""
    ENGINES[name] = Registration(connect, preferred=preferred)
