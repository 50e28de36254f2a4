"""What a session found out about each image: the values that every kind of report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..checks.layer_summary import LayerSummary
from ..model import Build, EngineInfo, FileGroup, Finding, Fix, SkipKind
from ..presentable import presentable
from ..runs import Leftovers

__all__ = [
    "CheckOutcome",
    "CheckResult",
    "Comparison",
    "Ending",
    "FixReport",
    "ImageComparison",
    "ImageReport",
    "SessionReport",
    "TriedFix",
]

CheckOutcome = Literal["passed", "failed", "skipped", "error"]

_SKIPS: Mapping[SkipKind, str] = {
    "does-not-apply": "does not apply",
    "not-verified": "not verified",
}


@dataclass(frozen=True)
class Ending:
    """How a judgement ended: the outcome, and what was found.

    ``skip`` is the kind of a skip, and of the failure that strict makes of a skip.
    ``same_as`` is the node ID of the check that has told the same problem before.
    """

    outcome: CheckOutcome
    finding: Finding
    skip: SkipKind | None = None
    same_as: str | None = None

    @property
    def message(self) -> str:
        """The whole text of what was found."""
        return presentable(str(self.finding))

    @property
    def line(self) -> int | None:
        """The 1-based Dockerfile line to blame, None if there is none."""
        return self.finding.line

    @property
    def why(self) -> str | None:
        """Why that was found, None where nothing more is to be said."""
        return self.finding.why

    @property
    def fix(self) -> Fix | None:
        """What to change, None where nothing is to be changed or nobody knows what."""
        return self.finding.fix

    @property
    def shown(self) -> Finding:
        """The finding as pytest shows it: the verdict of a skip begins with the kind."""
        if self.skip is None:
            return self.finding
        note = " (--dockercache-strict)" if self.outcome == "failed" else ""
        verdict = f"{_SKIPS[self.skip]}: {self.finding.said}{note}"
        return replace(self.finding, verdict=verdict, predicted=False)

    @property
    def verdict(self) -> str:
        """What was found, in one line, as pytest shows it."""
        return presentable(self.shown.said).partition("\n")[0].rstrip()

    @property
    def reason(self) -> str:
        """The reason of a skip, on the one line that pytest has for it: verdict and fix."""
        return self.verdict if self.fix is None else f"{self.verdict}: {presentable(str(self.fix))}"

    @property
    def said(self) -> str:
        """The whole text as pytest shows it."""
        return presentable(str(self.shown))


@dataclass(frozen=True)
class CheckResult:
    """How one check of one Dockerfile or image ended."""

    id: str
    nodeid: str
    ending: Ending


@dataclass(frozen=True)
class ImageReport:
    """One Dockerfile and target, or an image that was already built: builds, layers and checks.

    Paths are as reports show them: relative to the root where they can be.
    ``file`` is the Dockerfile from the root of the repository on (POSIX), as
    code hosts name it; ``text`` what stands in it.
    ``image`` is the reference of an image that was looked into and not built;
    ``dockerfile`` is then None where none lies beside it. ``source`` is the
    context path that the source edit changes; ``seconds`` how long a step's
    last completed execution took, by line, as far as known.
    """

    node: str
    dockerfile: str | None
    context: str
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    platform: str | None = None
    image: str | None = None
    builds: tuple[Build, ...] = ()
    files: tuple[FileGroup, ...] = ()
    layers: tuple[LayerSummary, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    source: str | None = None
    seconds: Mapping[int, float] = field(default_factory=dict)
    file: str | None = None
    text: str = ""


@dataclass(frozen=True)
class TriedFix:
    """What building has shown of the fix of one check.

    ``saves`` says what a proven fix saves; ``why`` why another is not proven.
    """

    nodeid: str
    proven: bool
    saves: str = ""
    why: str = ""


@dataclass(frozen=True)
class FixReport:
    """The fixes that were tried by building, and the file (as it is shown) with the proven ones.

    ``path`` is None where nothing is proven and nothing was written;
    ``problem`` says why nothing could be tried.
    """

    path: str | None = None
    tried: tuple[TriedFix, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class ImageComparison:
    """One image, then and now.

    ``grown`` are bytes by which the image is larger, negative if it is
    smaller, None where one of both runs did not look into it. ``lines`` say
    what has changed for the worse, one thing each.
    """

    node: str
    grown: int | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What has become worse since the run of ``path`` (as it is shown).

    ``over`` names the images that have grown by more than they may.
    """

    path: str
    images: tuple[ImageComparison, ...] = ()
    missing: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a line each; empty if nothing has become worse."""
        several = len(self.images) > 1
        found = [
            f"{image.node}: {line}" if several else line
            for image in self.images
            for line in image.lines
        ]
        return (*found, *(f"{node} is not in {self.path}" for node in self.missing))


@dataclass(frozen=True)
class SessionReport:
    """Everything that a session found, and what it left behind."""

    engine: EngineInfo | None = None
    images: tuple[ImageReport, ...] = ()
    leftovers: Leftovers = field(default_factory=Leftovers)
    fixes: FixReport | None = None
    baseline: Comparison | None = None
