"""Builds that use no cache, because what defines them says so (``no_cache: true``)."""

from __future__ import annotations

from ..dockerfile import contributing_stages
from ..errors import CacheAssertionError, DoesNotApply, Unverifiable
from ..project import Project
from ..subject import Subject
from .verdict import broken

__all__ = ["require_a_cache", "require_cached"]


def require_cached(subject: Subject) -> None:
    """Raise the failure of an environment that every build installs anew.

    Unverifiable, where an environment step takes files of a stage that every build runs anew: it is
    a hit only where that stage comes out as before.
    """
    found = _guilty(subject.project)
    if found is not None:
        raise _never_cached(subject, *found)


def require_a_cache(subject: Subject) -> None:
    """Raise DoesNotApply where every build installs the environment anew: nothing is reused."""
    if _guilty(subject.project) is not None:
        raise DoesNotApply(f"no build reuses the environment ({subject.spec.uncached_by})")


def _guilty(project: Project) -> tuple[int, str] | None:
    """The line of the first environment step without a cache, and the stage that has none."""
    spec = project.spec
    if not spec.uncached:
        return None
    for step in project.steps:
        if project.roles.get(step.line) != "environment":
            continue
        if "*" in spec.uncached:
            return step.line, ""
        wanted = {name.lower() for name in spec.uncached}
        stages = {each.stage.index: each.stage for each in project.steps}
        names = {index: (stage.name or "").lower() for index, stage in stages.items()}
        chain = project.ancestors[step.stage.label]
        for index, stage in stages.items():
            if stage.label in chain and names[index] in wanted:
                return step.line, names[index]
        for index in contributing_stages(project.steps, [step.stage.index]):
            if names.get(index) in wanted:
                raise Unverifiable(
                    f"line {step.line} stands on what the stage {names[index]} makes, which every "
                    f"build runs anew ({spec.uncached_by}); whether it comes out as before is not "
                    "known"
                )
    return None


def _never_cached(subject: Subject, line: int, stage: str) -> CacheAssertionError:
    by = subject.spec.uncached_by
    what = f"the stage {stage}" if stage else "every step"
    return broken(
        f"env layer is rebuilt by every build: {by}",
        subject=subject,
        why=f"a build that is defined so runs {what} again, line {line} too, whatever was edited",
        fix=f"take {by.rpartition(' ')[2]} out of the definition; --no-cache builds once without",
        line=line,
    )
