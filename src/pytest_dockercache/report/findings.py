"""The findings of a session about each image: the values that every kind of report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from ..checks.layer_summary import LayerSummary, Reshipped
from ..model import Build, EngineInfo, FileGroup, Finding, Fix, SkipKind
from ..presentable import presentable
from ..runs import Leftovers
from ..values import dataclass

__all__ = [
    "CheckOutcome",
    "CheckResult",
    "Ending",
    "FixReport",
    "ImageComparison",
    "ImageReport",
    "SessionComparison",
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
    """The end of a judgement: the outcome, and the finding.

    ``skip`` is the kind of a skip, or of a skip that strict mode turned into a failure. ``same_as``
    is the node ID of the check that has told this problem before.
    """

    outcome: CheckOutcome
    finding: Finding
    skip: SkipKind | None = None
    same_as: str | None = None

    @property
    def message(self) -> str:
        """The whole text of the finding."""
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
        """The change to make, None where there is none or it is not known."""
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
        """The finding in one line, as pytest shows it."""
        return presentable(self.shown.said).partition("\n")[0].rstrip()

    @property
    def reason(self) -> str:
        """The reason of a skip, verdict and fix on the one line that pytest shows."""
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

    Paths are as reports show them: relative to the root where possible. ``file`` is the
    Dockerfile's path from the root of the repository on (POSIX), as code hosts name it; ``text`` is
    its text. ``image`` is the reference of an image that was inspected and not built;
    ``dockerfile`` is then None if no Dockerfile lies beside it. ``source`` is the context path that
    the source edit changes; ``reshipped`` is what that edit makes anew although the environment is
    a hit, None where that is little; ``seconds`` are the seconds of a step's last completed
    execution, by line, as far as they are known.
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
    reshipped: Reshipped | None = None


@dataclass(frozen=True)
class TriedFix:
    """The result of building with the fix of one check.

    ``saves`` says what a proven fix saves; ``why`` says why an unproven fix is not proven.
    """

    nodeid: str
    proven: bool
    saves: str = ""
    why: str = ""


@dataclass(frozen=True)
class FixReport:
    """The fixes that were tried by building, and the file with the proven fixes.

    ``path`` is the file's path for display, None where no fix is proven and no file was written;
    ``problem`` says why no fix could be tried. ``apply`` is the command that applies the file in
    the directory in which pytest was started.
    """

    path: str | None = None
    tried: tuple[TriedFix, ...] = ()
    problem: str = ""
    apply: str = ""


@dataclass(frozen=True)
class ImageComparison:
    """One image in an earlier run and now.

    ``grown`` is the number of bytes by which the image has grown, negative if it has shrunk, None
    where one of the two runs did not inspect the image. Each of ``lines`` names one change for the
    worse.
    """

    node: str
    grown: int | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class SessionComparison:
    """The changes for the worse since the run whose report is ``path`` (as displayed).

    ``over`` names the images that have grown by more than is allowed.
    """

    path: str
    images: tuple[ImageComparison, ...] = ()
    missing: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All changes for the worse, one line each; empty if there are none."""
        several = len(self.images) > 1
        found = [
            f"{image.node}: {line}" if several else line
            for image in self.images
            for line in image.lines
        ]
        return (*found, *(f"{node} is not in {self.path}" for node in self.missing))


@dataclass(frozen=True)
class SessionReport:
    """All findings of a session, and the objects that the session could not remove."""

    engine: EngineInfo | None = None
    images: tuple[ImageReport, ...] = ()
    leftovers: Leftovers = field(default_factory=Leftovers)
    fixes: FixReport | None = None
    baseline: SessionComparison | None = None
