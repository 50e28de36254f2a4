"""The model's answer for a whole build: every step's verdict with its reason."""

from __future__ import annotations

from typing import Literal

from ..dockerfile import PlannedStep
from ..model import Reason
from ..values import dataclass
from .causes import cause, doubt
from .prediction import Comparison
from .snapshot import BUILDKIT, Dialect, Snapshot

__all__ = ["Forecast", "predict"]


@dataclass(frozen=True)
class Forecast:
    """The model's prediction for one step.

    A miss has a ``reason``; ``note`` says what an unknown step depends on.
    """

    step: PlannedStep
    status: Literal["hit", "miss", "unknown"]
    reason: Reason | None = None
    note: str | None = None


def predict(before: Snapshot, after: Snapshot, dialect: Dialect = BUILDKIT) -> tuple[Forecast, ...]:
    """Say of every step of ``after`` whether a builder that has built ``before`` reuses it.

    In Dockerfile order; only the steps that the builder can hit or miss (with BuildKit RUN, COPY,
    ADD and WORKDIR, on the classic builder every instruction but FROM). Raises ConfigError for a
    Dockerfile that builders refuse, and BuildFailed if a COPY names a file that is not in the
    context.
    """
    comparison = Comparison(before, after, dialect).run()
    return tuple(
        Forecast(item.step, item.status, cause(comparison, item), doubt(comparison, item))
        for item in comparison.predictions
        if item.runs
    )
