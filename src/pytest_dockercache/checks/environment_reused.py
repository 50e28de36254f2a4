"""``env-layer-reused``: a build that ran elsewhere reused the environment, as its log tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..cache import is_rebuilt
from ..errors import CacheAssertionError, Unverifiable
from ..model import Build, CacheImport, Reason, Row, Step, named_step
from ..recording import Recording
from .rebuilt import named_together
from .verdict import Verdict, broken, environment_steps, require_known, root_of, step_row

if TYPE_CHECKING:
    from ..cache import Forecast

__all__ = ["judge"]


def judge(recording: Recording) -> Verdict:
    """Look whether the environment steps hit; where they ran, whether the change asked for it."""
    environment_steps(tuple(_planned(recording)))
    builds = [build for _, build in recording.builds()]
    for build in builds:
        ran = [step for step in environment_steps(build.steps) if is_rebuilt(step)]
        if ran:
            return _ran(recording, build, ran)
    for build in builds:
        require_known(environment_steps(build.steps))
    lines = sorted({step.line for step in environment_steps(builds[0].steps)})
    return Verdict(f"{_lines(lines)} reused in the build that {recording.log.name} tells of",
                   lines[0])  # fmt: skip


def _planned(recording: Recording) -> Sequence[Step]:
    """The steps of the Dockerfile: a project without an environment step has nothing to judge."""
    roles = recording.project.roles
    return [
        Step(step.line, step.stage.label, step.instruction.keyword, step.instruction.text,
             roles.get(step.line, "other"))
        for step in recording.project.all_steps
    ]  # fmt: skip


def _ran(recording: Recording, build: Build, ran: Sequence[Step]) -> Verdict:
    """The verdict that the change has asked for what ran; raises what else it is."""
    if recording.since is None:
        raise _unasked(recording, build, ran)
    asked: dict[int, Reason] = {}
    forecast = {item.step.line: item for item in recording.forecast(recording.since)}
    for step in ran:
        asked[step.line] = _asked(recording, forecast, step, build, ran)
    reasons = "; ".join(dict.fromkeys(reason.message for reason in asked.values()))
    return Verdict(
        f"{_lines(sorted(asked))} run in the build that {recording.log.name} tells of, as "
        f"the change since {recording.since} asks for: {reasons}",
        min(asked),
    )


def _asked(
    recording: Recording,
    forecast: Mapping[int, Forecast],
    step: Step,
    build: Build,
    ran: Sequence[Step],
) -> Reason:
    """Why the change since the last build makes a step run; raises where it should not have."""
    told = forecast.get(step.line)
    if told is None or told.status == "unknown":
        note = (told and told.note) or "the model has no such step"
        raise Unverifiable(
            f"whether the change since {recording.since} makes line {step.line} "
            f"({named_step(step)}) run again is not known: {note}"
        )
    if told.status == "hit" or told.reason is None:
        raise _unasked(recording, build, ran)
    reason = told.reason
    root = forecast.get(reason.line) if reason.kind == "parent" and reason.line else None
    cause = root.reason if root is not None and root.reason is not None else reason
    roles = recording.project.survey.roles
    sources = [path for path in cause.paths if roles.of(path) == "source"]
    if cause.kind == "content" and cause.paths and len(sources) == len(cause.paths):
        raise _by_source(recording, build, ran, sources, cause)
    return cause


def _by_source(
    recording: Recording, build: Build, ran: Sequence[Step], sources: Sequence[str], cause: Reason
) -> CacheAssertionError:
    """Only source files have changed, and the environment was installed again."""
    what = named_together(sources, frozenset(), sources)
    line = cause.line if cause.line is not None else ran[0].line
    return broken(
        f"env layer was rebuilt: {what} copied before it",
        subject=recording,
        rows=_rows(build, ran),
        why=f"since {recording.since} only source files have changed that line {line} takes, and "
        f"line {ran[0].line} runs on top of it",
        fix="pytest --dockercache says how to part them, and proves it",
        line=line,
        cause=cause,
    )


def _unasked(recording: Recording, build: Build, ran: Sequence[Step]) -> CacheAssertionError:
    """The environment was installed again, and nothing that is known has asked for it."""
    step = ran[0]
    since = recording.since
    root = root_of(build, step)
    unread = [found for found in build.imports if found.error]
    verdict = f"env layer was rebuilt: line {step.line} ran in the build that {recording.log.name}"
    verdict += " tells of"
    if since is not None:
        verdict += f", although nothing that it stands on has changed since {since}"
    if unread and len(unread) == len(build.imports):
        why = f"nothing was imported: {_shown(unread[0])}"
        fix = "the check cache-from (--dockercache-cache-from=SPEC) says why, and what to do"
    elif build.imports:
        why = "a cache was imported, and the step is not in it"
        fix = "the check cache-from (--dockercache-cache-from=SPEC) says why, and what to do"
    else:
        lost = "it" if root.line == step.line else f"line {root.line} and what stands on it"
        why = f"the builder had no record of {lost}, and imported no cache"
        why += "; a base image that has moved does that too"
        fix = "give the build a cache (--cache-from), or keep the builder between the jobs"
    if since is None:
        fix += "; name with --dockercache-since=REF what was built before, where a change of the "
        fix += "environment is meant to install it again"
    return broken(
        verdict,
        subject=recording,
        rows=_rows(build, ran),
        why=why,
        fix=fix,
        line=root.line,
    )


def _shown(found: CacheImport) -> str:
    return f"{found.source}: {found.error}"


def _rows(build: Build, ran: Sequence[Step]) -> list[Row]:
    """The steps that ran, and those at their roots."""
    shown: dict[int, Row] = {}
    for step in ran:
        root = root_of(build, step)
        shown.setdefault(root.line, step_row(root))
        cost = "" if step.seconds is None else f"{step.seconds:.1f} s"
        shown[step.line] = step_row(step, cost)
    return [shown[line] for line in sorted(shown)]


def _lines(lines: Sequence[int]) -> str:
    named = ", ".join(map(str, lines))
    return f"line {named} was" if len(lines) == 1 else f"lines {named} were"
