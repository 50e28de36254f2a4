"""``builds``: the image builds."""

from __future__ import annotations

from ..errors import Unverifiable
from ..subject import Subject
from .verdict import Verdict

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """Hold when the first build ends with an image. Raises BuildFailed when it does not.

    Unverifiable if nothing was built.
    """
    build = subject.first()
    if build.outcome == "predicted":
        raise Unverifiable(f"nothing was built: {subject.engine.info.why}")
    hits = len(build.with_status("hit"))
    return Verdict(f"built in {build.seconds:.1f} s, {hits} of {len(build.steps)} steps hit")
