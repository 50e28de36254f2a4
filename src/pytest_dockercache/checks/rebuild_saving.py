"""``rebuild-saving``: a source edit avoids a share of the cold build; only when configured."""

from __future__ import annotations

from ..errors import Unverifiable
from ..rebuild import Settings, Subject, named_step
from .verdict import Check, Verdict, broken, require_known, step_row

__all__ = ["CHECK", "judge"]


def judge(subject: Subject) -> Verdict:
    """Hold the seconds of the steps that a source edit rebuilds against those of all steps.

    A step's seconds are those of its last completed execution; one that was
    never seen to execute makes the check unverifiable.
    """
    wanted = subject.settings.min_saving or 0.0
    subject.first()
    edit = subject.project.source_edit
    build = subject.after([edit])
    require_known(build.steps)
    unseen = [step for step in build.steps if subject.seconds(step) is None]
    if unseen:
        listed = ", ".join(f"line {step.line}" for step in unseen)
        raise Unverifiable(
            f"the seconds of {listed} are unknown: no build that we watched executed them; "
            "build once without the cache (docker builder prune) and run again"
        )
    total = sum(subject.seconds(step) or 0.0 for step in build.steps)
    again = sum(subject.seconds(step) or 0.0 for step in build.steps if step.status == "miss")
    if total <= 0:
        raise Unverifiable("the steps of the cold build took no measurable time")
    saving = 1 - again / total
    if saving >= wanted:
        return Verdict(f"a source edit saves {saving:.0%} of {total:.1f} s, {wanted:.0%} wanted")
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


def _configured(settings: Settings) -> bool:
    return settings.min_saving is not None


CHECK = Check("rebuild-saving", judge, applies=_configured)
