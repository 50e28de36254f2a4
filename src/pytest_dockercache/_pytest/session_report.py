"""The findings of a session, put together from the checks' results and the run's records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from .. import checks
from ..checks.file_groups import recall_files
from ..checks.layer_summary import recall_layers
from ..disk import read_text
from ..errors import DockerCacheError
from ..model import BuildSpec
from ..report import CheckResult, FixReport, ImageReport, SessionReport
from ..report.writing import append_summary, rendered, write
from ..values import dataclass
from . import sharing
from .hosting import Hosted
from .image_options import ImageOptions
from .judging import SessionJudge
from .options import Options
from .targets import Target

__all__ = ["Written", "session_report", "write_reports"]


INTERRUPTED = "interrupted: no patch is written"
"""The problem of a proof that the user has stopped."""


def session_report(judge: SessionJudge, results: Mapping[str, CheckResult]) -> SessionReport:
    """The report of a session; ``results`` are the results of the checks, by node ID."""
    images = tuple(_images(judge, results))
    fixes = None
    if judge.options.fix is not None:
        fixes, images = _proven(judge, judge.options.fix, images)
    report = SessionReport(sharing.known_engine(judge.run), images, fixes=fixes)
    earlier = judge.options.baseline
    if earlier is None:
        return report
    from ..report.baseline import compared

    path = judge.shown(earlier.path)
    return replace(report, baseline=compared(earlier.document, report, path, earlier.max_growth))


def _proven(
    judge: SessionJudge, path: Path, images: tuple[ImageReport, ...]
) -> tuple[FixReport, tuple[ImageReport, ...]]:
    """Prove the fixes of the Dockerfiles of this session by building."""
    from .proving import prove_session

    specs = {}
    for target in judge.selection.targets:
        with contextlib.suppress(DockerCacheError):
            if target.image is None:
                specs[target.node] = (target.spec(), target.options)
    try:
        return prove_session(judge, path, specs, images)
    except (DockerCacheError, OSError) as problem:
        said = problem.verdict if isinstance(problem, DockerCacheError) else str(problem)
        why = judge.shortened(said)
        return FixReport(problem=f"could not be tried: {why}"), images
    except KeyboardInterrupt:
        # After an interrupt, the images still have to be removed and the results to be told.
        return FixReport(problem=INTERRUPTED), images
    finally:
        judge.progress.close()


@dataclass(frozen=True)
class Written:
    """The outcome of writing a session's reports.

    ``printed`` is for the standard output; ``failed`` names the reports that could not be written,
    ``unasked`` those of them that no option had asked for.
    """

    printed: str = ""
    failed: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


def write_reports(
    report: SessionReport, options: Options, host: Hosted, *, annotated: bool = False
) -> Written:
    """Write the reports of the options, and those for a CI host if anything was judged.

    ``annotated`` says that another plugin annotates the failures (not the errors) already.
    """
    printed, failed, unasked = [], [], []
    for choice in options.reports:
        if choice.path is None:
            printed.append(_printed(choice.kind, report, annotated=annotated))
            continue
        try:
            write(choice.kind, report, choice.path)
        except OSError as problem:
            said = problem.strerror or str(problem)
            where = f"--dockercache-report={choice.kind}:{choice.path}"
            failed.append(f"{where}: the report could not be written: {said}")
    judged = any(image.checks for image in report.images)
    if host.summary is not None and judged:
        try:
            append_summary(report, host.summary)
        except OSError as problem:
            said = problem.strerror or str(problem)
            unasked.append(f"the job's summary could not be written: {said}")
    if host.annotations and judged:
        printed.append(_printed("annotations", report, annotated=annotated))
    return Written("".join(printed), tuple(failed), tuple(unasked))


def _printed(kind: str, report: SessionReport, *, annotated: bool) -> str:
    if kind == "annotations" and annotated:
        from ..report.annotations import render

        return render(report, only_errors=True)
    return rendered(kind, report)


def _images(judge: SessionJudge, results: Mapping[str, CheckResult]) -> Iterator[ImageReport]:
    """The report of every image: first the session's Dockerfiles, then those of marked tests."""
    seen: set[tuple[BuildSpec, str]] = set()
    for target in judge.selection.targets:
        if target.problem is not None:
            checked = _results(results, target.node)
            yield ImageReport(node=target.node, dockerfile=None, context="", checks=checked)
            continue
        with contextlib.suppress(DockerCacheError):
            spec, own = target.spec(), target.options
            checked = _results(results, target.node)
            if target.image is not None:
                yield _inspected(judge, target, spec, checked)
                continue
            seen.add((spec, own.settings.engine))
            if own.check_settings.build_log is not None:
                # Nothing was built here: no engine is asked.
                yield _of_project(judge, target.node, spec, checked)
                continue
            yield _image(judge, target.node, spec, None, checked, own)
    for spec, name in sharing.known_specs(judge.run):
        if (spec, name) not in seen:
            node = judge.shown(spec.written_in)
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
        dockerfile=judge.shown(spec.written_in) if spec.dockerfile.is_file() else None,
        file=_from_repository(judge, spec.written_in) if spec.dockerfile.is_file() else None,
        text=_text_of(spec.written_in),
        context=judge.shown(spec.context),
        target=spec.target,
        platform=spec.platform,
        image=target.node,
        layers=recall_layers(judge.run, spec, target.image),
        checks=results,
    )


def _of_project(
    judge: SessionJudge, node: str, spec: BuildSpec, results: tuple[CheckResult, ...]
) -> ImageReport:
    """The report of a Dockerfile as far as it says nothing of builds."""
    return ImageReport(
        node=node,
        dockerfile=judge.shown(spec.written_in),
        file=_from_repository(judge, spec.written_in),
        text=_text_of(spec.written_in),
        context=judge.shown(spec.context),
        target=spec.target,
        build_args=spec.build_args,
        platform=spec.platform,
        files=recall_files(judge.run, spec),
        layers=recall_layers(judge.run, spec),
        checks=results,
    )


def _image(
    judge: SessionJudge,
    node: str,
    spec: BuildSpec,
    engine: str | None,
    results: tuple[CheckResult, ...] = (),
    own: ImageOptions | None = None,
) -> ImageReport:
    report = _of_project(judge, node, spec, results)
    try:
        subject = judge.subject(spec, engine, own)
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
    again = None
    from ..checks.reshipped import shipped_again

    with contextlib.suppress(DockerCacheError):
        again = shipped_again(subject, report.layers) if report.layers else None
    return replace(report, builds=builds, source=source, seconds=seconds, reshipped=again)


def _from_repository(judge: SessionJudge, path: Path) -> str:
    """A path from the root of the repository on, as code hosts know it; absolute if outside."""
    root = judge.config.rootpath
    repository = next((place for place in (root, *root.parents) if (place / ".git").exists()), root)
    try:
        return path.relative_to(repository).as_posix()
    except ValueError:
        return str(path)


def _text_of(dockerfile: Path) -> str:
    try:
        return read_text(dockerfile, errors="replace")
    except (OSError, DockerCacheError):
        return ""
