"""The engines of this process: one for each name and builder, made at its first use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import EngineUnavailable
from .base import Engine
from .choice import create_engine
from .docker_command import forget_answers
from .watchdog import close_watchdog

__all__ = ["close_engines", "connected_engine", "engine_of_builder"]

_open: dict[tuple[str, str | None], Engine] = {}


_silent: dict[tuple[str, str | None], EngineUnavailable] = {}

_SWEEP_SECONDS = 10.0
"""How long a daemon is waited for that only has to be cleaned up: the next run may do it."""


def connected_engine(name: str, builder: str | None, timeout: float | None = None) -> Engine:
    """The engine of that name; ``timeout`` is in seconds for each answer of the daemon.

    A daemon that did not answer once is not waited for again. Raises
    EngineUnavailable, ConfigError.
    """
    key = (name, builder)
    if key in _silent:
        raise EngineUnavailable(_silent[key].finding, silent=True)
    if key not in _open:
        try:
            _open[key] = create_engine(name, builder=builder, timeout=timeout)
        except EngineUnavailable as problem:
            if problem.silent:
                _silent[key] = problem
            raise
    return _open[key]


@contextlib.contextmanager
def engine_of_builder(name: str, builder: str | None, identity: str) -> Iterator[Engine]:
    """The engine of that name whose builder has this identity: an open one, or one for this block.

    ``auto`` may have chosen it. Raises EngineUnavailable, also if another
    daemon answers now.
    """
    for engine in _open.values():
        if (engine.info.name, engine.info.builder) == (name, identity):
            yield engine
            return
    with contextlib.closing(create_engine(name, builder=builder, timeout=_SWEEP_SECONDS)) as engine:
        if engine.info.builder != identity:
            raise EngineUnavailable("another daemon answers now")
        yield engine


def close_engines() -> None:
    """Close the engines of this process, and forget the docker command's answers."""
    while _open:
        _open.popitem()[1].close()
    _silent.clear()
    forget_answers()
    close_watchdog()
