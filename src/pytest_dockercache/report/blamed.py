"""The checks that failed or could not be judged, each with its place, for code hosts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ..presentable import presentable
from ..values import dataclass
from .findings import CheckResult, Ending, ImageReport, SessionReport
from .pages import page_of

__all__ = ["Blamed", "blamed"]


@dataclass(frozen=True)
class Blamed:
    """A check that failed or ended in an error, with the file and line to blame.

    ``path`` is the Dockerfile from the repository's root on, or the reference of an image without
    one; ``line`` counts from 1, and is 1 where no line is to blame. All texts are presentable.
    """

    image: ImageReport
    check: CheckResult
    path: str
    line: int

    @property
    def id(self) -> str:
        """The ID of the check."""
        return self.check.id

    @property
    def page(self) -> str:
        """The address of the check's page."""
        return page_of(self.check.id)

    @property
    def verdict(self) -> str:
        """The first line of the check's message."""
        return presentable(self.check.ending.verdict)

    @property
    def text(self) -> str:
        """The verdict, why, and the fix, a line each."""
        ending = self.check.ending
        lines = [self.verdict]
        if ending.why:
            lines.append(f"why: {presentable(ending.why)}")
        if ending.fix is not None:
            lines.append(f"fix: {presentable(str(ending.fix))}")
        return "\n".join(lines)

    @property
    def fingerprint(self) -> str:
        """An identity that stays when the line moves or the seconds change."""
        parts = (self.id, self.path, self.image.target or "", self.image.platform or "")
        arguments = (f"{name}={value}" for name, value in self.image.build_args)
        return hashlib.sha256("\0".join((*parts, *arguments)).encode()).hexdigest()


def blamed(session: SessionReport) -> Iterator[Blamed]:
    """Every check of a session that failed or ended in an error, in the report's order.

    A problem that stops many checks is told once.
    """
    for image in session.images:
        for check in image.checks:
            ending = check.ending
            if ending.outcome in ("failed", "error") and ending.same_as is None:
                path = presentable(image.file or image.dockerfile or image.node)
                yield Blamed(image, check, path, _line(image, ending))


def _line(image: ImageReport, ending: Ending) -> int:
    return ending.line if ending.line and image.dockerfile is not None else 1
