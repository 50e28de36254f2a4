"""What a session found: put together from the results of the checks and the records of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from .. import checks
from ..checks.file_groups import recall_files
from ..checks.layer_summary import recall_layers
from ..errors import DockerCacheError
from ..model import BuildSpec
from ..report import CheckResult, FixReport, ImageReport, SessionReport
from ..report import json as json_report
from . import sharing
from .judging import SessionJudge
from .options import ReportChoice
from .outcomes import first_line
from .targets import Target

__all__ = ["session_report", "write_reports"]


def session_report(judge: SessionJudge, results: Mapping[str, CheckResult]) -> SessionReport:
    """The report of a session; ``results`` are those of the checks, by node ID."""
    images = tuple(_images(judge, results))
    fixes = None
    if judge.options.fix is not None:
        fixes, images = _proven(judge, judge.options.fix, images)
    return SessionReport(sharing.known_engine(judge.run), images, fixes=fixes)


def _proven(
    judge: SessionJudge, path: Path, images: tuple[ImageReport, ...]
) -> tuple[FixReport, tuple[ImageReport, ...]]:
    """Prove the fixes of the Dockerfiles of this session by building."""
    from .proving import prove_session

    specs = {}
    for target in judge.selection.targets:
        with contextlib.suppress(DockerCacheError):
            if target.image is None:
                specs[target.node] = target.spec(judge.options)
    try:
        return prove_session(judge, path, specs, images)
    except (DockerCacheError, OSError) as problem:
        why = first_line(judge.shortened(str(problem)))
        return FixReport(problem=f"could not be tried: {why}"), images
    finally:
        judge.progress.close()


def write_reports(report: SessionReport, choices: tuple[ReportChoice, ...]) -> tuple[str, ...]:
    """Write what was asked for, and return what could not be written, a line each."""
    unwritten = []
    for choice in choices:
        try:
            json_report.write(report, choice.path)
        except OSError as problem:
            said = problem.strerror or str(problem)
            where = f"--dockercache-report={choice.kind}:{choice.path}"
            unwritten.append(f"{where}: the report could not be written: {said}")
    return tuple(unwritten)


def _images(judge: SessionJudge, results: Mapping[str, CheckResult]) -> Iterator[ImageReport]:
    """What is known of every Dockerfile: those of the session, then those of marked tests."""
    seen: set[tuple[BuildSpec, str]] = set()
    engine = judge.options.settings.engine
    for target in judge.selection.targets:
        with contextlib.suppress(DockerCacheError):
            spec = target.spec(judge.options)
            checked = _results(results, target.node)
            if target.image is not None:
                yield _inspected(judge, target, spec, checked)
                continue
            seen.add((spec, engine))
            yield _image(judge, target.node, spec, engine, checked)
    for spec, name in sharing.known_specs(judge.run):
        if (spec, name) not in seen:
            node = judge.shown(spec.dockerfile)
            node = node if spec.target is None else f"{node}[{spec.target}]"
            yield _image(judge, node, spec, name)


def _results(results: Mapping[str, CheckResult], node: str) -> tuple[CheckResult, ...]:
    nodes = (f"{node}::{check}" for check in checks.CHECKS)
    return tuple(results[name] for name in nodes if name in results)


def _inspected(
    judge: SessionJudge, target: Target, spec: BuildSpec, results: tuple[CheckResult, ...]
) -> ImageReport:
    judge.tell_engine(judge.subject_of(target))
    return ImageReport(
        node=target.node,
        dockerfile=judge.shown(spec.dockerfile) if spec.dockerfile.is_file() else None,
        context=judge.shown(spec.context),
        target=spec.target,
        platform=spec.platform,
        image=target.node,
        layers=recall_layers(judge.run, spec, target.image),
        checks=results,
    )


def _image(
    judge: SessionJudge,
    node: str,
    spec: BuildSpec,
    engine: str,
    results: tuple[CheckResult, ...] = (),
) -> ImageReport:
    report = ImageReport(
        node=node,
        dockerfile=judge.shown(spec.dockerfile),
        context=judge.shown(spec.context),
        target=spec.target,
        build_args=spec.build_args,
        platform=spec.platform,
        files=recall_files(judge.run, spec),
        layers=recall_layers(judge.run, spec),
        checks=results,
    )
    try:
        subject = judge.subject(spec, engine)
        builds = subject.builds()
    except DockerCacheError:
        return report
    judge.tell_engine(subject)
    source: str | None = None
    with contextlib.suppress(DockerCacheError):
        source = subject.project.source.path
    seconds = {
        step.line: took
        for build in builds
        for step in build.steps
        if (took := subject.seconds(step)) is not None
    }
    return replace(report, builds=builds, source=source, seconds=seconds)
