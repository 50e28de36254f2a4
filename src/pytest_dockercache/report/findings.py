"""What a session found out about each image: the values that every kind of report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..checks.layer_summary import LayerSummary
from ..model import Build, EngineInfo
from ..runs import Leftovers

__all__ = ["CheckOutcome", "CheckResult", "ImageReport", "SessionReport"]

CheckOutcome = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True)
class CheckResult:
    """How one check ended. ``line`` is the Dockerfile line to blame (1-based), if there is one."""

    id: str
    nodeid: str
    outcome: CheckOutcome
    line: int | None
    message: str


@dataclass(frozen=True)
class ImageReport:
    """One Dockerfile and target, or an image that was already built: builds, layers and checks.

    Paths are as reports show them: relative to the root where they can be.
    ``image`` is the reference of an image that was looked into and not built;
    ``dockerfile`` is then None where none lies beside it. ``source`` is the
    context path that the source edit changes; ``seconds`` how long a step's
    last completed execution took, by line, as far as known.
    """

    node: str
    dockerfile: str | None
    context: str
    target: str | None = None
    image: str | None = None
    builds: tuple[Build, ...] = ()
    layers: tuple[LayerSummary, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    source: str | None = None
    seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionReport:
    """Everything that a session found, and what it left behind."""

    engine: EngineInfo | None = None
    images: tuple[ImageReport, ...] = ()
    leftovers: Leftovers = field(default_factory=Leftovers)
