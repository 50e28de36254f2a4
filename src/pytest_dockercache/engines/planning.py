"""The steps that a request will run, planned with the daemon's facts about their base images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import DockerCacheError

if TYPE_CHECKING:
    from ..dockerfile import BaseImage, PlannedStep
    from ..model import BuildSpec
    from .base import BuildRequest

__all__ = ["planned_steps"]

_Inspect = Callable[[str], Mapping[str, object]]


def planned_steps(request: BuildRequest, inspect: _Inspect) -> tuple[PlannedStep, ...]:
    """Every step of every stage that the target reaches, FROM and settings included.

    ``inspect`` gives the daemon's record of an image, and raises DockerCacheError
    if there is none.

    A base's variables, directory and ONBUILD triggers show in the names and
    the ordinals of the builder's vertices. A base that the daemon does not
    hold (yet) is taken for an image that sets nothing; where that leads to
    names that do not fit, the steps are doubted later.
    """
    from ..dockerfile import plan
    from ..dockerfile.references import canonical_image

    spec = request.spec
    arguments = dict(spec.build_args)
    platform = spec.platform
    planned = plan(request.dockerfile, spec.target, arguments, platform=platform)
    names = {step.stage.base for step in planned if step.stage.parent is None} - {"scratch"}
    named = _named_images(spec)
    bases = {
        name: base
        for name in names
        if (base := _base_image(named.get(canonical_image(name), name), inspect)) is not None
    }
    if not bases:
        return planned
    return plan(request.dockerfile, spec.target, arguments, platform=platform, bases=bases)


def _named_images(spec: BuildSpec) -> Mapping[str, str]:
    """The images that named contexts put in the place of others, by the names of those."""
    from ..dockerfile.references import canonical_image

    marker = "docker-image://"
    return {
        canonical_image(name): value.removeprefix(marker)
        for name, value in spec.contexts
        if value.startswith(marker)
    }


def _base_image(name: str, inspect: _Inspect) -> BaseImage | None:
    from ..dockerfile import BaseImage

    try:
        record = inspect(name)
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
