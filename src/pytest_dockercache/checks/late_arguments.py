"""``build-args-late``: another value of an unrelated build argument keeps the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..environments import ArgumentUse
from ..errors import Unverifiable
from ..model import Edit
from ..subject import Subject
from .harmless import MOST_BUILDS, Trials, Tried, trials_of, tried_alone, tried_together
from .named_contexts import require_reusable
from .rebuilt import rebuilt_environment, taken_of_server
from .uncached import require_a_cache
from .verdict import Verdict, environment_steps

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """Change the arguments that must not matter; one that may reinstall gets its own build."""
    environment_steps(subject.first().steps)
    project = subject.project
    require_a_cache(subject)
    require_reusable(project, environment=True)
    trials = trials_of(project)
    apart = trials.apart(trials.arguments)
    tried: list[Tried] = []
    if any(edit in trials.together for edit in trials.arguments):
        tried += (one for one in tried_together(subject, trials) if _asks(one, trials))
    for lines, edits in _by_lines(apart[:MOST_BUILDS], trials.arguments).items():
        tried += tried_alone(subject, edits, lines)
    guilty = [one for one in tried if one.rebuilt and one.itself is None]
    if guilty:
        raise rebuilt_environment(subject, guilty, notes=_more(apart))
    for one in tried:
        if one.failed is not None:
            raise Unverifiable(
                f"the image does not build with another value of {one.edits[0].path}: "
                f"{one.failed.verdict}"
            )
        if one.itself is not None:
            raise Unverifiable(
                f"whether a build argument reinstalls is not known: {taken_of_server(one.itself)}"
            )
    if len(apart) > MOST_BUILDS:
        left = ", ".join(str(edit.path) for edit in apart[MOST_BUILDS:])
        raise Unverifiable(
            f"{len(apart)} build arguments may reach the environment, and only {MOST_BUILDS} of "
            f"them were tried; not tried: {left}"
        )
    return Verdict(_said(trials, project.survey.arguments.used))


def _asks(tried: Tried, trials: Trials) -> bool:
    return any(edit in trials.arguments for edit in tried.edits)


def _by_lines(
    edits: Sequence[Edit], arguments: Mapping[Edit, tuple[int, ...]]
) -> dict[tuple[int, ...], list[Edit]]:
    found: dict[tuple[int, ...], list[Edit]] = {}
    for edit in edits:
        found.setdefault(arguments[edit], []).append(edit)
    return found


def _more(apart: Sequence[Edit]) -> list[str]:
    left = [str(edit.path) for edit in apart[MOST_BUILDS:]]
    if not left:
        return []
    return [f"  also   {', '.join(left)} are declared above it too, and were not tried"]


def _said(trials: Trials, used: Mapping[str, ArgumentUse]) -> str:
    names = [str(edit.path) for edit in trials.arguments]
    said = (
        f"another value of {', '.join(names)} keeps the environment"
        if names
        else "no build argument is declared that the environment does not use"
    )
    below = [name for name in trials.unreached if name not in used]
    if below:
        said += f"; no step of the environment sees {', '.join(below)}"
    if used:
        listed = ", ".join(f"{name} ({use})" for name, use in used.items())
        said += f"; not judged, because the environment may depend on it: {listed}"
    return said
