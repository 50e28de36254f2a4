"""How many checks ended how, and that in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..presentable import presentable
from ..values import dataclass
from .findings import CheckResult, SessionReport

__all__ = ["Said", "Tally", "headline", "said_once", "tally"]

Grade = Literal["good", "bad", "doubtful"]


@dataclass(frozen=True)
class Tally:
    """The checks of an image or a session, counted by outcome."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    unverified: int = 0
    inapplicable: int = 0

    @property
    def judged(self) -> int:
        """The checks that apply."""
        return self.passed + self.failed + self.errors + self.unverified

    @property
    def grade(self) -> Grade:
        """``bad`` if a check fails, ``doubtful`` if one is not verified, or none holds."""
        if self.failed or self.errors:
            return "bad"
        return "doubtful" if self.unverified or not self.passed else "good"

    def __str__(self) -> str:
        if not self.judged:
            return "no check applies" if self.inapplicable else "no check ran"
        parts = []
        if self.failed:
            fails = "fails" if self.failed == 1 else "fail"
            of = "" if self.failed == self.judged == 1 else f" of {self.judged}"
            parts.append(f"{_count(self.failed, of)} {fails}")
        if self.errors:
            parts.append(f"{_count(self.errors)} ended in an error")
        if self.unverified:
            are = "is" if self.unverified == 1 else "are"
            parts.append(f"{_count(self.unverified)} {are} not verified")
        if self.passed:
            holds = "holds" if self.passed == 1 else "hold"
            parts.append(f"{_count(self.passed)} {holds}")
        return ", ".join([parts[0], *(part.replace("check ", "").replace("checks ", "")
                                      for part in parts[1:])])  # fmt: skip


def _count(number: int, of: str = "") -> str:
    return f"{number}{of} check{'' if number == 1 and not of else 's'}"


def tally(checks: Iterable[CheckResult]) -> Tally:
    """Count some checks."""
    counts = {"passed": 0, "failed": 0, "errors": 0, "unverified": 0, "inapplicable": 0}
    for check in checks:
        ending = check.ending
        if ending.outcome == "skipped":
            applies = ending.skip != "does-not-apply"
            counts["unverified" if applies else "inapplicable"] += 1
        else:
            counts[{"passed": "passed", "failed": "failed", "error": "errors"}[ending.outcome]] += 1
    return Tally(**counts)


def headline(session: SessionReport) -> tuple[Grade, str]:
    """The grade of a session, and what it comes to in a few words.

    An image that has grown by more than it may fails a run whose checks all hold.
    """
    total = tally(check for image in session.images for check in image.checks)
    many = len([image for image in session.images if image.checks])
    words = f"{total}" + (f", in {many} images" if many > 1 else "")
    over = 0 if session.baseline is None else len(session.baseline.over)
    if not over:
        return total.grade, words
    return "bad", f"{words}; {over} image{'s have' if over > 1 else ' has'} grown too much"


@dataclass(frozen=True)
class Said:
    """One text, and the checks that ended with this text."""

    text: str
    checks: tuple[CheckResult, ...]


def said_once(checks: Iterable[CheckResult]) -> tuple[Said, ...]:
    """The first lines of some checks, each once, with the checks that say so."""
    found: dict[str, list[CheckResult]] = {}
    for check in checks:
        found.setdefault(presentable(check.ending.finding.said), []).append(check)
    return tuple(Said(text, tuple(same)) for text, same in found.items())
