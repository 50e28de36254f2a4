"""The header of a session: the engine, and for each Dockerfile what will be edited and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ConfigError, DockerCacheError
from ..inspection import Inspection
from ..presentable import presentable
from ..report import terminal
from .judging import SessionJudge, is_file
from .targets import Target

__all__ = ["header"]


_MOST_SOURCES = 3
"""How many groups of source files the header names for each Dockerfile."""


def header(judge: SessionJudge) -> list[str]:
    """The lines below pytest's own; none where nothing is judged, or no run can be started."""
    if judge.only_lists or not _can_run(judge):
        return []
    lines: list[str] = []
    engine = _engine(judge, judge.selection.targets)
    if engine is not None:
        lines.append(f"dockercache: {engine}")
    for target in judge.selection.targets:
        lines += _target(judge, target)
    for node in judge.selection.left_out:
        lines.append(f"dockercache: {node} is not among the arguments, so it is not checked")
    return [presentable(line) for line in lines]


def _can_run(judge: SessionJudge) -> bool:
    """Whether a run exists or can start; if not, the end of the collection says why."""
    try:
        return not judge.selection.targets or judge.run is not None
    except ConfigError:
        return False


def _engine(judge: SessionJudge, targets: Sequence[Target]) -> str | None:
    """The engine's line; None if no target needs one."""
    try:
        known = [target for target in targets if target.problem is None]
        subjects = [judge.subject_of(target) for target in known]
        wanting = [subject for subject in subjects if not is_file(subject)]
        if not wanting:
            return None
        _ = wanting[0].engine
    except DockerCacheError as problem:
        return f"no engine: {judge.shortened(problem.verdict)}"
    engine = judge.tell_engine(wanting[0])
    return None if engine is None else terminal.engine_line(engine)


def _target(judge: SessionJudge, target: Target) -> Iterator[str]:
    try:
        subject = judge.subject_of(target)
        if isinstance(subject, Inspection):
            yield f"dockercache: {_image(judge, target, subject)}"
            return
        project = subject.project
        yield f"dockercache: {target.node} (context {judge.shown(subject.spec.context)})"
        for file in project.environment_files:
            yield f"  environment file {file.path}: {file.why}"
        for source in project.sources[:_MOST_SOURCES]:
            yield f"  source edit {source.path}: {source.why}"
        if len(project.sources) > _MOST_SOURCES:
            yield f"  and {len(project.sources) - _MOST_SOURCES} more groups of source files"
        if target.options.settings.env_step:
            from .named_steps import named_lines

            if not named_lines(project):
                yield f"  {target.options.env_step_given}: matches no RUN instruction here"
    except DockerCacheError as problem:
        said = judge.shortened(problem.verdict)
        about = "" if said.startswith(target.node) else f"{target.node}: "
        yield f"  {about}{said}"


def _image(judge: SessionJudge, target: Target, subject: Inspection) -> str:
    known = [] if subject.base_image is None else [f"base {judge.shortened(subject.base_image)}"]
    if subject.has_dockerfile:
        known.append(f"lines and environment files of {judge.shown(target.path)}")
    return f"image {target.node}, not built here" + "".join(f"; {item}" for item in known)
