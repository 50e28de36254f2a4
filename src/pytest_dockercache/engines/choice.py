"""Which engine judges: the one that was named, or the best that answers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError, EngineUnavailable
from .base import ENGINES, UNAVAILABLE, Engine
from .docker_command import Plugin, question, supported

if TYPE_CHECKING:
    from .daemon import Daemon

__all__ = ["create_engine"]


def create_engine(name: str = "auto", *, builder: str | None = None) -> Engine:
    """Connect to the daemon and return the engine of that name.

    ``auto`` takes buildx if its plugin answers, else BuildKit over the Engine
    API, else the classic builder; where no daemon listens it is the model,
    which predicts. ``builder`` names a buildx builder instance and therefore
    asks for buildx. The plugin answers without a daemon: it only judges if one
    does.

    Raises ConfigError for an unknown name, and for a builder with an engine
    that has none; EngineUnavailable if no daemon answers (``absent`` only if
    none listens) or the named engine is not there.
    """
    valid = ", ".join(("auto", *ENGINES))
    if name in UNAVAILABLE:
        raise ConfigError(f"--dockercache-engine={name} is not yet available; valid: {valid}")
    if name != "auto" and name not in ENGINES:
        raise ConfigError(f"--dockercache-engine={name} is unknown; valid: {valid}")
    if builder is not None and name not in ("auto", "buildx"):
        raise ConfigError(
            f"--dockercache-builder={builder} needs buildx, not --dockercache-engine={name}"
        )
    if name == "model":
        return _model("--dockercache-engine=model")
    plugin = None
    if name in ("auto", "buildx"):
        answer = question().answer()
        plugin = answer.plugin
        if answer.reached is not None and plugin is not None and supported(plugin.version):
            from .buildx import Buildx

            why = "the buildx plugin answers" if name == "auto" else "--dockercache-engine=buildx"
            return Buildx(answer.reached, why, builder, plugin)
    from .daemon import connect

    try:
        daemon = connect()
    except EngineUnavailable as problem:
        # Refused permission, TLS and ssh mean that there is a daemon: it is
        # not to be replaced by a guess.
        if name != "auto" or builder is not None or not problem.absent:
            raise
        return _model(str(problem).splitlines()[0])
    try:
        if name == "auto":
            return _best(daemon, builder, plugin)
        if name == "buildx":
            return _buildx(daemon, "--dockercache-engine=buildx", builder, plugin)
        return _load(name)(daemon, f"--dockercache-engine={name}", builder)
    except BaseException:
        daemon.close()
        raise


def _model(why: str) -> Engine:
    from .model import Model

    return Model(why)


def _buildx(daemon: Daemon, why: str, builder: str | None, plugin: Plugin | None) -> Engine:
    from .buildx import Buildx

    return Buildx(daemon, why, builder, plugin)


def _best(daemon: Daemon, builder: str | None, plugin: Plugin | None) -> Engine:
    if plugin is not None and supported(plugin.version):
        return _buildx(daemon, "the buildx plugin answers", builder, plugin)
    lacking = "no buildx plugin" if plugin is None else f"buildx {plugin.version} is too old"
    if builder is not None:
        raise EngineUnavailable(
            f"--dockercache-builder={builder} needs buildx 0.13 or newer: {lacking}\n"
            "  fix    install docker-buildx (docker-buildx-plugin)"
        )
    if daemon.has_buildkit:
        why = f"{lacking}; the daemon's own BuildKit over the Engine API"
        return _load("buildkit")(daemon, why, None)
    return _load("classic")(daemon, f"{lacking}, and the daemon has no BuildKit", None)


def _load(name: str) -> Callable[[Daemon, str, str | None], Engine]:
    module, _, attribute = ENGINES[name].partition(":")
    return cast(
        "Callable[[Daemon, str, str | None], Engine]",
        getattr(import_module(f".{module}", __package__), attribute),
    )
