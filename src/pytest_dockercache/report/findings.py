"""What a session found out about each image: the values that every kind of report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..model import Build, EngineInfo
from ..runs import Leftovers

__all__ = ["CheckOutcome", "CheckResult", "ImageReport", "LayerReport", "SessionReport"]

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
class LayerReport:
    """One layer of an image: sizes in bytes, ``line`` the step that made it."""

    line: int | None
    created_by: str
    size: int
    base: bool
    package_cache_bytes: int
    bytecode_bytes: int
    hidden_bytes: int
    hidden_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageReport:
    """One Dockerfile and target: its builds, layers and checks.

    Paths are as reports show them: relative to the root where they can be.
    ``source`` is the context path that the source edit changes; ``seconds``
    how long a step's last completed execution took, by line, as far as known.
    """

    node: str
    dockerfile: str
    context: str
    target: str | None = None
    builds: tuple[Build, ...] = ()
    layers: tuple[LayerReport, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    source: str | None = None
    seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionReport:
    """Everything that a session found, and what it left behind."""

    engine: EngineInfo | None = None
    images: tuple[ImageReport, ...] = ()
    leftovers: Leftovers = field(default_factory=Leftovers)
