"""``builds``: the image builds."""

from __future__ import annotations

from ..rebuild import Subject
from .verdict import Check, Verdict

__all__ = ["CHECK", "judge"]


def judge(subject: Subject) -> Verdict:
    """Hold when the first build ends with an image. Raises BuildFailed when it does not."""
    build = subject.first()
    hits = len(build.with_status("hit"))
    return Verdict(f"built in {build.seconds:.1f} s, {hits} of {len(build.steps)} steps hit")


CHECK = Check("builds", judge)
