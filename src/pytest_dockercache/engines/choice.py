"""The choice of the engine: the named one, or the best one that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import EngineUnavailable
from .base import Engine
from .docker_command import DockerInstallation, question, supported
from .failure import needs_buildx
from .registry import ENGINES, require_engine
from .sdk import load_sdk

if TYPE_CHECKING:
    from .daemon import Daemon

__all__ = ["create_engine"]

_ANSWERS = "the buildx plugin answers"


def create_engine(
    name: str = "auto", *, builder: str | None = None, timeout: float | None = None
) -> Engine:
    """Connect to the daemon and return the engine with the given name.

    ``auto`` takes buildx if its plugin answers, else BuildKit over the Engine API, else the classic
    builder; where no daemon listens, ``auto`` takes the model, which predicts. ``builder`` names a
    buildx builder instance and therefore asks for buildx. The buildx plugin answers even without a
    daemon, and is taken only if a daemon answers too. ``timeout`` is how many seconds the daemon
    may take for one answer.

    Raises ConfigError for an unknown name, and for a builder with an engine
    that has none; EngineUnavailable if no daemon answers (``absent`` only if
    none listens) or the named engine is not there.
    """
    if name != "auto":
        require_engine(name, f"--dockercache-engine={name}")
    if builder is not None and name != "auto" and not ENGINES[name].takes_builder:
        raise needs_buildx(f"--dockercache-builder={builder}", name)
    if name == "auto":
        return _best(builder, timeout)
    return ENGINES[name].load()(f"--dockercache-engine={name}", builder, timeout)


def connect_buildx(why: str, builder: str | None, timeout: float | None = None) -> Engine:
    """The engine behind ``docker buildx build``."""
    from .buildx import Buildx

    answer = question().answer(timeout)
    plugin = answer.plugin
    if answer.reached is not None and plugin is not None and supported(plugin.version):
        return Buildx.of_daemon(answer.reached, why, builder, plugin, timeout)
    return _on_daemon(lambda daemon: Buildx.of_daemon(daemon, why, builder, plugin), timeout)


def connect_buildkit(why: str, builder: str | None, timeout: float | None = None) -> Engine:
    """The engine of the daemon's own BuildKit."""
    load_sdk()
    from .buildkit import BuildKit

    return _on_daemon(lambda daemon: BuildKit(daemon, why), timeout)


def connect_classic(why: str, builder: str | None, timeout: float | None = None) -> Engine:
    """The engine of the builder that Docker had before BuildKit."""
    load_sdk()
    from .classic import Classic

    return _on_daemon(lambda daemon: Classic(daemon, why), timeout)


def connect_model(why: str, builder: str | None, timeout: float | None = None) -> Engine:
    """The engine that predicts."""
    from .model import Model

    return Model(why)


def _on_daemon(make: Callable[[Daemon], Engine], timeout: float | None) -> Engine:
    """An engine on the daemon that answers; the connection is closed if it cannot be made."""
    load_sdk()
    from .daemon import connect

    daemon = connect(timeout)
    try:
        return make(daemon)
    except BaseException:
        daemon.close()
        raise


def _best(builder: str | None, timeout: float | None) -> Engine:
    for name, registration in ENGINES.items():
        if registration.preferred:
            return registration.load()(f"{name} is preferred", builder, timeout)
    answer = question().answer(timeout)
    plugin = answer.plugin
    has_buildx = plugin is not None and supported(plugin.version)
    if answer.reached is not None and has_buildx:
        return connect_buildx(_ANSWERS, builder, timeout)
    try:
        return _on_daemon(lambda daemon: _best_of_daemon(daemon, builder, answer), timeout)
    except EngineUnavailable as problem:
        # A refused permission, TLS and ssh mean that there is a daemon, which no prediction may
        # replace.
        if builder is not None or not problem.absent:
            raise
        return connect_model(problem.verdict, None)


def _best_of_daemon(daemon: Daemon, builder: str | None, answer: DockerInstallation) -> Engine:
    plugin = answer.plugin
    if plugin is not None and supported(plugin.version):
        from .buildx import Buildx

        return Buildx.of_daemon(daemon, _ANSWERS, builder, plugin)
    lacking = "no buildx plugin" if plugin is None else f"buildx {plugin.version} is too old"
    if answer.silent:
        lacking = "the docker command has not answered in time"
    if builder is not None:
        raise EngineUnavailable(
            f"--dockercache-builder={builder} needs buildx 0.13 or newer: {lacking}",
            fix="install docker-buildx (docker-buildx-plugin)",
        )
    if daemon.has_buildkit:
        from .buildkit import BuildKit

        return BuildKit(daemon, f"{lacking}; the daemon's own BuildKit over the Engine API")
    from .classic import Classic

    return Classic(daemon, f"{lacking}, and the daemon has no BuildKit")
