"""``rebuild-saving``: a source edit avoids a share of the cold build; only when configured."""

from __future__ import annotations

from ..errors import Unverifiable
from ..model import named_step
from ..subject import Subject
from .settings import CheckSettings
from .uncached import require_cached
from .verdict import Verdict, broken, require_known, require_reached, step_row

__all__ = ["judge"]


def judge(subject: Subject, settings: CheckSettings) -> Verdict:
    """Hold the seconds of the steps that a source edit rebuilds against those of all steps.

    A step's seconds are those of its last completed execution. A step that
    hit and was never seen to execute counts as nothing, which can only make
    the saving look smaller: the check holds in spite of it, or is unverifiable.
    """
    wanted = settings.min_saving or 0.0
    subject.first()
    require_cached(subject)
    edit = subject.project.source_edit
    build = subject.after([edit])
    require_reached(build, edit)
    require_known(build.steps)
    # Not by their lines: the triggers of a base image share the line of its FROM.
    seconds = [(step, subject.seconds(step)) for step in build.steps]
    total = sum(value or 0.0 for _, value in seconds)
    again = sum(value or 0.0 for step, value in seconds if step.status == "miss")
    saving = 1 - again / total if total > 0 else 0.0
    if saving >= wanted:
        return Verdict(f"a source edit saves {saving:.0%} of {total:.1f} s, {wanted:.0%} wanted")
    unseen = [step.line for step, value in seconds if value is None]
    if unseen:
        listed = ", ".join(f"line {line}" for line in unseen)
        raise Unverifiable(
            f"the seconds of {listed} are unknown: no build that we watched executed them",
            fix="build once without the cache (docker builder prune) and run again",
        )
    missed = sorted(
        (step for step in build.steps if step.status == "miss"),
        key=lambda step: -(subject.seconds(step) or 0.0),
    )
    raise broken(
        f"a source edit saves {saving:.0%} of the cold build, not {wanted:.0%}",
        subject=subject,
        edits=[edit],
        rows=[step_row(step, f"{subject.seconds(step):.1f} s again") for step in missed],
        why=f"{again:.1f} of {total:.1f} step-seconds are spent again (--dockercache-min-saving)",
        fix=f"begin with line {missed[0].line} ({named_step(missed[0])})",
        line=missed[0].line,
    )
