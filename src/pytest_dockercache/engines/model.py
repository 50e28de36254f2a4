"""The engine that builds nothing, and predicts the steps that BuildKit would reuse."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import DockerCacheError, Unverifiable
from ..model import Build, EngineInfo, Step, Watch
from .base import BuildRequest, Execution
from .vertices import planned_step

if TYPE_CHECKING:
    from ..cache import Dialect

__all__ = ["Model"]


class Model:
    """Answers from the Dockerfile, its context and the edit alone; needs no daemon.

    The build before the edit is assumed: its steps are shown as hits, because a builder that has
    made them reuses them. The outcome of the build is ``predicted``, and there is no image.
    """

    def __init__(self, why: str) -> None:
        from importlib.metadata import version

        own = version("pytest-dockercache")
        self._info = EngineInfo("model", own, "", why, "model", predicts=True)

    @property
    def info(self) -> EngineInfo:
        """The engine's name, the package's version, and the reason for the choice; no server."""
        return self._info

    @property
    def dialect(self) -> Dialect:
        """BuildKit's: the model predicts the steps that BuildKit would reuse."""
        from ..cache import BUILDKIT

        return BUILDKIT

    @property
    def builds_every_stage(self) -> bool:
        """As BuildKit, it looks at the stages that the target needs."""
        return False

    @property
    def client(self) -> Any:
        """There is none: raises Unverifiable."""
        raise self._refusal()

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Predict one build; nothing runs, so there is nothing to ``watch``.

        Raises BuildFailed if a COPY names a file that is not in the context, ConfigError for a
        Dockerfile that builders refuse, and Unverifiable if the source of a COPY is not known.
        """
        from ..cache import predict
        from ..dockerfile import plan, valueless_source

        if request.snapshots is None:
            raise DockerCacheError("a prediction needs the project before and after the edit")
        started = time.monotonic()
        spec = request.spec
        arguments = dict(spec.build_args)
        planned = plan(request.dockerfile, spec.target, arguments, platform=spec.platform)
        valueless = valueless_source(request.dockerfile, planned)
        if valueless is not None:
            raise Unverifiable(f"{valueless}; {valueless.fix}")
        steps = []
        for forecast in predict(*request.snapshots):
            step = planned_step(forecast.step, request.roles)
            if not request.edits:
                steps.append(replace(step, status="hit"))
                continue
            steps.append(
                replace(
                    step,
                    status=forecast.status,
                    reason=forecast.reason,
                    note=forecast.note or step.note,
                )
            )
        ordered = tuple(sorted(steps, key=_line))
        return Build(request.edits, "predicted", time.monotonic() - started, ordered)

    def run(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        timeout: float = 60.0,
        labels: Mapping[str, str] = {},
    ) -> Execution:
        """Nothing can run: raises Unverifiable."""
        raise self._refusal()

    def image_config(self, image: str) -> Mapping[str, object]:
        """There is no image: raises Unverifiable."""
        raise self._refusal()

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Nothing was made, nothing stays."""
        return ()

    def traces(self) -> tuple[Any, ...]:
        """A prediction leaves nothing in a cache."""
        return ()

    def remove_traces(self, traces: Sequence[Any]) -> int:
        """There is nothing to remove."""
        return 0

    def remove_soon(self, traces: Sequence[Any]) -> None:
        """There is nothing to remove."""

    def close(self) -> None:
        """There is nothing to close."""

    def _refusal(self) -> Unverifiable:
        return Unverifiable(f"the model builds no image ({self._info.why})")


def _line(step: Step) -> int:
    return step.line
