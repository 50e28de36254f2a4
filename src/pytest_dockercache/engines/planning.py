"""The steps that a request will run, planned with the daemon's facts about their base images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import DockerCacheError

if TYPE_CHECKING:
    from ..dockerfile import BaseImage, PlannedStep
    from .base import BuildRequest
    from .daemon import Daemon

__all__ = ["planned_steps"]


def planned_steps(request: BuildRequest, daemon: Daemon) -> tuple[PlannedStep, ...]:
    """Every step of every stage that the target reaches, FROM and settings included.

    A base's variables, directory and ONBUILD triggers show in the names and
    the ordinals of the builder's vertices. A base that the daemon does not
    hold (yet) is taken for an image that sets nothing; where that leads to
    names that do not fit, the steps are doubted later.
    """
    from ..dockerfile import plan

    spec = request.spec
    arguments = dict(spec.build_args)
    platform = spec.platform if spec.platform and "," not in spec.platform else None
    planned = plan(request.dockerfile, spec.target, arguments, platform=platform)
    names = {step.stage.base for step in planned if step.stage.parent is None} - {"scratch"}
    bases = {name: base for name in names if (base := _base_image(name, daemon)) is not None}
    if not bases:
        return planned
    return plan(request.dockerfile, spec.target, arguments, platform=platform, bases=bases)


def _base_image(name: str, daemon: Daemon) -> BaseImage | None:
    from ..dockerfile import BaseImage

    try:
        record = daemon.image_config(name)
    except DockerCacheError:
        return None
    config: Mapping[str, Any] = record.get("Config") or {}  # type: ignore[assignment]
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    return BaseImage(
        environment=tuple((variable, value) for variable, _, value in pairs),
        workdir=config.get("WorkingDir") or "/",
        shell=tuple(config.get("Shell") or ()),
        onbuild=tuple(config.get("OnBuild") or ()),
        user=config.get("User") or "",
    )
