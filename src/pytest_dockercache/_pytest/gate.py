"""The plugin while it is active: what it does at each point of a pytest session.

One gate lives in every process of a session: the controller's starts and
finishes the run, prints and writes the reports; a worker's only judges.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .. import checks
from ..checks.file_groups import recall_files
from ..checks.layer_summary import recall_layers
from ..engines import close_engines
from ..errors import ConfigError, DockerCacheError
from ..inspection import Inspection
from ..model import BuildSpec, EngineInfo
from ..presentable import presentable
from ..project import Settings
from ..report import CheckResult, Ending, FixReport, ImageReport, SessionReport, terminal
from ..report import json as json_report
from ..runs import Leftovers, Run
from ..subject import Subject
from . import sharing
from .items import CheckItem, DockerfileCollector
from .options import Options, read_options
from .outcomes import cut_our_frames, first_line, place_report, translated
from .progress import Progress, progress_for
from .sharing import tell_result, told_result
from .targets import DEFAULT_NAMES, Selection, Target, select, target_of

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from .named_steps import NamedSteps

__all__ = ["Gate"]

FIXTURES = ("dockercache", "dockercache_spec", "dockercache_edit", "dockercache_engine")
"""A test that uses one of these, or has the marker, is one of ours."""

_RUN = "dockercache_run"
_COUNT = "dockercache_collected"
_REFUSAL = "dockercache_refusal"


MOST_SOURCES = 3
"""How many groups of source files the header names for each Dockerfile."""


class Gate:
    """The plugin's hooks and its state in one process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        ids = tuple(checks.CHECKS)
        self.options: Options = read_options(config, ids)
        named = config.args_source is config.ArgsSource.ARGS
        self.selection: Selection = select(
            config.args,
            "named" if named else "default",
            self.options,
            directory=config.invocation_params.dir,
            root=config.rootpath,
            checks=ids,
            image_checks=[check.id for check in checks.CHECKS.values() if check.needs == "image"],
        )
        config.args[:] = self.selection.arguments
        self._subjects: dict[tuple[BuildSpec, Settings], Subject] = {}
        self._inspections: dict[str, Inspection] = {}
        self._run: Run | None = None
        self._finished: Leftovers | None = None
        self._session_report: SessionReport | None = None
        self._results_heard: dict[str, CheckResult] = {}
        self._told: dict[str, str] = {}
        self._unwritten: list[str] = []
        self._collected = 0
        self._complaint: str | None = None
        self._began = False
        self.named_steps: NamedSteps | None = None

    # -- what items and fixtures ask for ------------------------------------

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker of pytest-xdist."""
        return hasattr(self._config, "workerinput")

    @property
    def _only_lists(self) -> bool:
        """Whether this session only says what it would do."""
        option = self._config.option
        return bool(option.collectonly or getattr(option, "setuponly", False))

    def told_once(self, ending: Ending, nodeid: str) -> Ending:
        """The ending of a check; a problem that another check has told already is only named.

        What stops one check often stops all: an engine that does not answer, a
        file that cannot be read.
        """
        if ending.outcome != "error" and ending.skip != "not-verified":
            return ending
        if ending.outcome == "skipped":
            return ending  # pytest itself folds skips of one reason
        first = self._told.setdefault(ending.message, nodeid)
        if first == nodeid:
            return ending
        told = f"{first_line(ending.message)} (see {first})"
        return replace(ending, message=told, why=None, fix=None)

    @property
    def run(self) -> Run:
        """The run: started by the controller, joined by a worker. Raises ConfigError."""
        if self._run is None:
            if self.is_worker:
                self._run = self._join()
            else:
                self._run = Run.start()
        return self._run

    def subject(self, spec: BuildSpec, engine: str | None = None) -> Subject:
        """What judges a spec; one in each process for each spec and engine."""
        settings = self.options.settings
        if engine is not None:
            settings = replace(settings, engine=engine)
        found = self._subjects.get((spec, settings))
        if found is None:
            sharing.tell_spec(self.run, spec, settings.engine)
            found = Subject(spec, settings, self.run, self.progress)
            self._subjects[spec, settings] = found
        return found

    def subject_of(self, target: Target) -> Subject:
        """What judges a target. Raises ConfigError."""
        spec = target.spec(self.options)
        if target.image is None:
            return self.subject(spec)
        found = self._inspections.get(target.image)
        if found is None:
            found = Inspection(
                spec,
                self.options.settings,
                self.run,
                self.progress,
                reference=target.image,
                base_image=self.options.base_image,
            )
            self._inspections[target.image] = found
        return found

    def target_of_test(self, test: Path) -> Target | None:
        """The Dockerfile that a test in this file is about whose marker names none."""
        return target_of(
            test,
            self.selection,
            self.options,
            directory=self._config.invocation_params.dir,
            root=self._config.rootpath,
        )

    def engine_of(self, subject: Subject | None) -> EngineInfo | None:
        """The engine that judged, None if there is none."""
        if subject is None or _is_file(subject):
            return None
        try:
            engine = subject.engine.info
        except DockerCacheError:
            return None
        sharing.tell_engine(self.run, engine)
        return engine

    def shown(self, path: Path) -> str:
        """A path as reports show it: relative to the root where it can be."""
        try:
            return path.relative_to(self._config.rootpath).as_posix()
        except ValueError:
            return str(path)

    def shortened(self, text: str) -> str:
        """A message with the paths below the root made relative: they fit in a line then."""
        return text.replace(f"{self._config.rootpath}{os.sep}", "")

    @cached_property
    def progress(self) -> Progress:
        """Where news of running builds goes."""
        return progress_for(self._config)

    @property
    def _reporter(self) -> TerminalReporter | None:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _join(self) -> Run:
        record: dict[str, str] = self._config.workerinput[_RUN]  # type: ignore[attr-defined]
        run = Run.from_json(record)
        if not run.directory.is_dir():
            raise ConfigError(
                "--dockercache: this worker cannot see the controller's files; "
                "use workers on the same machine (-n)"
            )
        return run

    # -- header --------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """The engine, and for each Dockerfile what will be edited and why."""
        lines: list[str] = []
        targets = self.selection.targets
        if self._only_lists or not self._can_run():
            return []
        engine = self._engine_header(targets)
        if engine is not None:
            lines.append(f"dockercache: {engine}")
        for target in targets:
            lines += self._target_header(target)
        for node in self.selection.left_out:
            lines.append(f"dockercache: {node} is not among the arguments, so it is not checked")
        return [presentable(line) for line in lines]

    def _can_run(self) -> bool:
        """Whether there is a run, or can be one; if not, the end of the collection says why."""
        try:
            return not self.selection.targets or self.run is not None
        except ConfigError:
            return False

    def _engine_header(self, targets: Sequence[Target]) -> str | None:
        """The engine's line; None if no target needs one."""
        try:
            subjects = [self.subject_of(target) for target in targets]
            wanting = [subject for subject in subjects if not _is_file(subject)]
            if not wanting:
                return None
            engine = wanting[0].engine.info
        except DockerCacheError as problem:
            return f"no engine: {first_line(self.shortened(str(problem)))}"
        sharing.tell_engine(self.run, engine)
        return terminal.engine_line(engine)

    def _target_header(self, target: Target) -> Iterator[str]:
        try:
            subject = self.subject_of(target)
            if isinstance(subject, Inspection):
                yield f"dockercache: {self._image_header(target, subject)}"
                return
            project = subject.project
            yield f"dockercache: {target.node} (context {self.shown(subject.spec.context)})"
            for file in project.environment_files:
                yield f"  environment file {file.path}: {file.why}"
            for source in project.sources[:MOST_SOURCES]:
                yield f"  source edit {source.path}: {source.why}"
            if len(project.sources) > MOST_SOURCES:
                yield f"  and {len(project.sources) - MOST_SOURCES} more groups of source files"
            if self.options.settings.env_step:
                from .named_steps import named_lines

                if not named_lines(project):
                    yield f"  {self.options.env_step_given}: matches no RUN instruction here"
        except DockerCacheError as problem:
            said = first_line(self.shortened(str(problem)))
            about = "" if said.startswith(target.node) else f"{target.node}: "
            yield f"  {about}{said}"

    def _image_header(self, target: Target, subject: Inspection) -> str:
        known = [] if subject.base_image is None else [f"base {self.shortened(subject.base_image)}"]
        if subject.has_dockerfile:
            known.append(f"lines and environment files of {self.shown(target.path)}")
        return f"image {target.node}, not built here" + "".join(f"; {item}" for item in known)

    # -- collection ------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Know that tests are wanted, and no list of fixtures or the like."""
        self._began = not self._only_lists
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add our Dockerfiles to what the session collects, after everything else."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            nodes = [
                DockerfileCollector.of(collector, self, target) for target in self.selection.targets
            ]
            report.result = [*(report.result or []), *nodes]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse a session in which there is nothing for us to do."""
        self._collected = sum(_is_ours(item) for item in items)
        if self._collected and self.options.settings.env_step:
            self._look_for_named_steps(items)
        if self._collected or self._config.getoption("lf", False) or not self.options.given:
            return
        if self.is_worker:
            # An error in a worker reads like a crash; the controller says it.
            items.clear()
            return
        raise pytest.UsageError(self._nothing_to_do())

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse once, and not in every test, a run that cannot write its files."""
        if self._began and not self.is_worker and any(map(_is_ours, session.items)):
            _ = self.run

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> str | None:
        """Name the Dockerfiles that marked tests build and the header does not name."""
        marked = [item for item in items if "dockercache" in getattr(item, "fixturenames", ())]
        if not marked or not self._began or self._config.get_verbosity() < 0:
            return None
        from .named_steps import specs_of_marked

        named = {target.path for target in self.selection.targets if target.image is None}
        specs, _ = specs_of_marked(marked)
        others = dict.fromkeys(
            self.shown(spec.dockerfile) for spec in specs if spec.dockerfile not in named
        )
        return f"dockercache: marked tests build {', '.join(others)}" if others else None

    def _look_for_named_steps(self, items: list[pytest.Item]) -> None:
        from .named_steps import NamedSteps, specs_of_marked

        marked, complete = specs_of_marked(items)
        targets = dict.fromkeys((*self.selection.targets, self.selection.default))
        specs = [
            (target.node, target.spec(self.options))
            for target in targets
            if target is not None and target.image is None
        ]
        specs += [(self.shown(spec.dockerfile), spec) for spec in marked]
        self.named_steps = NamedSteps.look(self.options, specs, complete=complete)
        refusal = self.named_steps.refusal()
        if refusal is None:
            return
        if self.is_worker:
            items.clear()
            self._complaint = str(refusal)
            return
        raise refusal

    def _nothing_to_do(self) -> str:
        if self.selection.targets:
            return self._no_check(self.selection.targets[0])
        if self.selection.arguments and self.selection.left_out:
            node = self.selection.left_out[0]
            return (
                "--dockercache: nothing to check among the arguments; "
                f"add {node}, or mark tests with @pytest.mark.dockercache"
            )
        places = dict.fromkeys((self._config.invocation_params.dir, self._config.rootpath))
        for path in (place / name for place in places for name in DEFAULT_NAMES):
            if os.path.lexists(path) and not path.is_file():
                what = "a directory" if path.is_dir() else "no file that can be read"
                return (
                    f"--dockercache: {path} is {what}; "
                    "name a Dockerfile with --dockercache-dockerfile=PATH"
                )
        return (
            "--dockercache: no Dockerfile or Containerfile in "
            f"{' or '.join(map(str, places))}, and no marked test; "
            "name one with --dockercache-dockerfile=PATH"
        )

    def _no_check(self, target: Target) -> str:
        """Why a Dockerfile or image that is judged has no check, and there is no marked test."""
        every = [
            check.id
            for check in checks.CHECKS.values()
            if check.applies(self.options.settings)
            and (target.image is None or check.needs == "image")
        ]
        wanted = every if target.checks is None else target.checks
        left_out = [check for check in wanted if check in self.options.skip]
        if left_out:
            what = f"every check of {target.node}"
            if target.checks is not None:
                what = ", ".join(f"{target.node}::{check}" for check in left_out)
            return (
                f"--dockercache: --dockercache-skip leaves out {what}, and there is no marked "
                "test; leave out fewer checks"
            )
        named = ", ".join(f"{target.node}::{check}" for check in wanted)
        return f"--dockercache: {named} is judged only where its own option is given"

    # -- pytest-xdist ------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the run to a worker."""
        node.workerinput[_RUN] = self.run.to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn from a worker whether there was anything to do."""
        output = getattr(node, "workeroutput", None) or {}
        if output.get(_COUNT) == 0:
            self._complaint = self._nothing_to_do()
        self._complaint = output.get(_REFUSAL) or self._complaint

    # -- tests ---------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the live line away before pytest prints; skip what cannot be known."""
        return (yield from self._judging(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """The same for the test itself."""
        return (yield from self._judging(item))

    def _judging(self, item: pytest.Item) -> Generator[None, object, object]:
        if not _is_ours(item):
            return (yield)
        auto = self.options.settings.engine == "auto"
        try:
            with translated(strict=self.options.strict, auto=auto):
                return (yield)
        finally:
            self.progress.close(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Make reports point at the Dockerfile, and leave our frames out of tracebacks."""
        if call.excinfo is not None:
            cut_our_frames(call.excinfo)
        report = yield
        if isinstance(item, CheckItem):
            place_report(report, call.excinfo, item.place, item.line)
            result = item.result(report, call.excinfo.value if call.excinfo else None)
            if result is not None:
                tell_result(report, result)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how each check ended; on the controller also those of workers."""
        result = told_result(report)
        if result is not None:
            self._results_heard[result.nodeid] = result

    # -- the end ---------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make the reports and clean up; after xdist has ended its workers."""
        self.progress.close()
        if self.is_worker:
            output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            output[_COUNT] = self._counted()
            output[_REFUSAL] = self._complaint
            return
        if self._complaint is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        self._finish()
        passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self._unwritten and session.exitstatus in passed:
            # Who asked for a report and finds none, or an old one, must not see a green run.
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _counted(self) -> int | None:
        needs_some = self.options.given and not self._config.getoption("lf", False)
        return self._collected if needs_some else None

    def pytest_unconfigure(self) -> None:
        """Clean up if the session never came to its end, and let go of the daemon."""
        if not self.is_worker:
            self._finish()
        close_engines()

    def _finish(self) -> None:
        if self._finished is not None:
            return
        if self._run is None:
            if self._began:
                # The report of an earlier session must not be taken for one of this.
                self._finished = Leftovers()
                self._write_reports(SessionReport(engine=None, images=()))
            return
        self._finished = Leftovers()
        images = self._images()
        fixes = None
        if self.options.fix is not None:
            fixes, images = self._proven(self.options.fix, images)
        report = SessionReport(sharing.known_engine(self._run), images, fixes=fixes)
        try:
            self._finished = self._run.finish(keep=self.options.keep)
        except DockerCacheError as problem:
            self._finished = Leftovers(stuck=(first_line(self.shortened(str(problem))),))
        self._session_report = replace(report, leftovers=self._finished)
        self._write_reports(self._session_report)

    def _proven(
        self, path: Path, images: tuple[ImageReport, ...]
    ) -> tuple[FixReport, tuple[ImageReport, ...]]:
        """Prove the fixes of the Dockerfiles of this session by building."""
        from .proving import prove_session

        specs = {}
        for target in self.selection.targets:
            with contextlib.suppress(DockerCacheError):
                if target.image is None:
                    specs[target.node] = target.spec(self.options)
        try:
            return prove_session(self, path, specs, images)
        except (DockerCacheError, OSError) as problem:
            why = first_line(self.shortened(str(problem)))
            return FixReport(problem=f"could not be tried: {why}"), images
        finally:
            self.progress.close()

    def _write_reports(self, report: SessionReport) -> None:
        for choice in self.options.reports:
            try:
                json_report.write(report, choice.path)
            except OSError as problem:
                said = problem.strerror or str(problem)
                where = f"--dockercache-report={choice.kind}:{choice.path}"
                self._unwritten.append(f"{where}: the report could not be written: {said}")

    def _images(self) -> tuple[ImageReport, ...]:
        """What is known of every Dockerfile: those of the session, then those of marked tests."""
        images: list[ImageReport] = []
        seen: set[tuple[BuildSpec, str]] = set()
        engine = self.options.settings.engine
        for target in self.selection.targets:
            with contextlib.suppress(DockerCacheError):
                spec = target.spec(self.options)
                if target.image is not None:
                    images.append(self._inspected(target, spec))
                    continue
                seen.add((spec, engine))
                images.append(self._image(target.node, spec, engine, self._results(target.node)))
        for spec, name in sharing.known_specs(self.run):
            if (spec, name) not in seen:
                node = self.shown(spec.dockerfile)
                node = node if spec.target is None else f"{node}[{spec.target}]"
                images.append(self._image(node, spec, name))
        return tuple(images)

    def _inspected(self, target: Target, spec: BuildSpec) -> ImageReport:
        subject = self.subject_of(target)
        self.engine_of(subject)
        return ImageReport(
            node=target.node,
            dockerfile=self.shown(spec.dockerfile) if spec.dockerfile.is_file() else None,
            context=self.shown(spec.context),
            target=spec.target,
            platform=spec.platform,
            image=target.node,
            layers=recall_layers(self.run, spec, target.image),
            checks=self._results(target.node),
        )

    def _image(
        self, node: str, spec: BuildSpec, engine: str, results: tuple[CheckResult, ...] = ()
    ) -> ImageReport:
        report = ImageReport(
            node=node,
            dockerfile=self.shown(spec.dockerfile),
            context=self.shown(spec.context),
            target=spec.target,
            build_args=spec.build_args,
            platform=spec.platform,
            files=recall_files(self.run, spec),
            layers=recall_layers(self.run, spec),
            checks=results,
        )
        try:
            subject = self.subject(spec, engine)
            builds = subject.builds()
        except DockerCacheError:
            return report
        self.engine_of(subject)
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

    def _results(self, node: str) -> tuple[CheckResult, ...]:
        nodes = (f"{node}::{check}" for check in checks.CHECKS)
        return tuple(self._results_heard[name] for name in nodes if name in self._results_heard)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the tables, and what was left behind."""
        if self._complaint is not None:
            terminalreporter.write_line(f"ERROR: {self._complaint}", red=True)
        for text in self._unwritten:
            terminalreporter.write_line(f"ERROR: {presentable(text)}", red=True)
        report = self._session_report
        if report is None or self._config.get_verbosity() < -1:
            return
        lines = list(terminal.summary(report, self._config.get_terminal_writer().fullwidth))
        if not lines:
            return
        terminalreporter.write_sep("=", "Docker build cache")
        for line in lines:
            for text, markup in line:
                terminalreporter.write(text, **markup)
            terminalreporter.line("")


def _is_file(subject: Subject) -> bool:
    """Whether a subject is a file with an image, which no engine has to read."""
    return isinstance(subject, Inspection) and subject.is_file


def _is_ours(item: pytest.Item) -> bool:
    if isinstance(item, CheckItem) or item.get_closest_marker("dockercache") is not None:
        return True
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in FIXTURES)
