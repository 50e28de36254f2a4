"""The active plugin: its actions at each point of a pytest session.

Every process of a session has one of two plugins: the controller's plugin starts and finishes the
run, prints and writes the reports; the plugin of a pytest-xdist worker only judges. Without
pytest-xdist the only process is the controller.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ..engines import close_engines
from ..errors import ConfigError, DockerCacheError
from ..presentable import presentable
from ..report import CheckResult, SessionReport, terminal
from ..runs import Leftovers, Run
from .header import header
from .hosting import annotated_by_another, hosted
from .items import CheckItem, DockerfileCollector
from .judging import SessionJudge
from .outcomes import cut_our_frames, place_report, translated
from .refusals import nothing_to_do
from .session_report import INTERRUPTED, Written, session_report, write_reports
from .sharing import WIDTH, tell_result, told_result

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from .relay import Relay

__all__ = ["ControllerPlugin", "SessionPlugin", "WorkerPlugin"]

FIXTURES = ("dockercache", "dockercache_spec", "dockercache_edit", "dockercache_engine")
"""A test that uses one of these, or has the marker, is one of ours."""

_RUN = "dockercache_run"
_COUNT = "dockercache_collected"
_REFUSAL = "dockercache_refusal"


class SessionPlugin:
    """The plugin's work in every process: collect, judge, and shape pytest's reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.judge = SessionJudge(config, self._open_run)
        self._collected = 0
        self._began = False

    def _open_run(self) -> Run:
        """The run of this session. Raises ConfigError."""
        raise NotImplementedError

    def _refuse(self, items: list[pytest.Item], complaint: str) -> None:
        """End a session that cannot be run as it was asked for."""
        raise NotImplementedError

    # -- collection ------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Remember that this session runs tests (not --fixtures, --markers, --collect-only)."""
        self._began = not self.judge.only_lists
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the Dockerfiles to the session's collection, after everything else."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            nodes = [
                DockerfileCollector.of(collector, self.judge, target)
                for target in self.judge.selection.targets
            ]
            report.result = [*(report.result or []), *nodes]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse a session in which there is nothing for us to do."""
        self._collected = sum(map(_is_ours, items))
        if self._collected:
            self._look_for_named_steps(items)
        if not self._collected and self._needs_some:
            self._refuse(items, nothing_to_do(self.judge))

    @property
    def _needs_some(self) -> bool:
        """Whether a session without an item of this plugin is a mistake."""
        return self.judge.options.given and not self._config.getoption("lf", False)

    def _look_for_named_steps(self, items: list[pytest.Item]) -> None:
        judge = self.judge
        targets = (*judge.selection.targets, judge.selection.default)
        files = [t for t in dict.fromkeys(targets) if t is not None and t.image is None]
        own = [target.options for target in files]
        if not any(options.settings.env_step for options in (judge.options.image, *own)):
            return
        from .named_steps import look_for_all, specs_of_marked

        marked, complete = specs_of_marked(items)
        known = [target for target in files if target.problem is None]
        # What cannot be judged may have the step.
        complete = complete and known == files
        looked = [
            *((target.node, target.spec(), target.options) for target in known),
            *((judge.shown(spec.written_in), spec, judge.image_options(spec)) for spec in marked),
        ]
        judge.named_steps = look_for_all(looked, complete=complete)
        for named in judge.named_steps.values():
            refusal = named.refusal()
            if refusal is not None:
                self._refuse(items, str(refusal))

    # -- tests ---------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the live line away before pytest prints; skip what cannot be known."""
        return (yield from self._judging(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Close the live line of the test before pytest prints; skip what cannot be known."""
        return (yield from self._judging(item))

    def _judging(self, item: pytest.Item) -> Generator[None, object, object]:
        if not _is_ours(item):
            return (yield)
        options = self.judge.options
        try:
            with translated(strict=options.strict, auto=options.image.settings.engine == "auto"):
                return (yield)
        finally:
            self.judge.progress.close(item.nodeid)

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

    def pytest_unconfigure(self) -> None:
        """Let go of the daemon."""
        close_engines()


class WorkerPlugin(SessionPlugin):
    """In a worker of pytest-xdist.

    The controller reports the refusal of a worker, because an error in a worker looks like a crash.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._complaint: str | None = None

    def _open_run(self) -> Run:
        record: dict[str, str] = self._config.workerinput[_RUN]  # type: ignore[attr-defined]
        run = Run.from_json(record)
        if not run.directory.is_dir():
            raise ConfigError(
                "--dockercache: this worker cannot see the controller's files; "
                "use workers on the same machine (-n)"
            )
        return run

    def _refuse(self, items: list[pytest.Item], complaint: str) -> None:
        items.clear()
        if self._collected:
            self._complaint = complaint

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the controller whether there was anything to do."""
        self.judge.progress.close()
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        output[_COUNT] = self._collected if self._needs_some else None
        output[_REFUSAL] = self._complaint


class ControllerPlugin(SessionPlugin):
    """In the process that the user started."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._results: dict[str, CheckResult] = {}
        self._finished = False
        self._report: SessionReport | None = None
        self._complaint: str | None = None
        self._written = Written()
        self._relay: Relay | None = None

    def _open_run(self) -> Run:
        return Run.start()

    def _refuse(self, items: list[pytest.Item], complaint: str) -> None:
        raise pytest.UsageError(complaint)

    # -- before the tests ------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """The engine, and for each Dockerfile what will be edited and why."""
        return header(self.judge)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse once, and not in every test, a run that cannot write its files."""
        if self._began and any(map(_is_ours, session.items)):
            _ = self.judge.run

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> str | None:
        """Name the Dockerfiles that marked tests build and the header does not name."""
        marked = [item for item in items if "dockercache" in getattr(item, "fixturenames", ())]
        if not marked or not self._began or self._config.get_verbosity() < 0:
            return None
        from .named_steps import specs_of_marked

        judge = self.judge
        named = {target.path for target in judge.selection.targets if target.image is None}
        specs, _ = specs_of_marked(marked)
        others = dict.fromkeys(
            judge.shown(spec.dockerfile) for spec in specs if spec.dockerfile not in named
        )
        if not others:
            return None
        return presentable(f"dockercache: marked tests build {', '.join(others)}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the run to a worker, and show what workers build."""
        node.workerinput[_RUN] = self.judge.run.to_json()
        node.workerinput[WIDTH] = self.judge.width
        if self._relay is None and self._config.get_verbosity() >= 0:
            from .relay import Relay

            self._relay = Relay(self.judge.run, self.judge.progress)
            self._relay.start()

    # -- the findings ----------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn from a worker whether there was anything to do."""
        output = getattr(node, "workeroutput", None) or {}
        refusal = output.get(_REFUSAL)
        if isinstance(refusal, str):
            self._complaint = refusal
        elif output.get(_COUNT) == 0:
            self._complaint = self._complaint or nothing_to_do(self.judge)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Let pytest write where a line about a worker's build may stand."""
        return (yield from self._undisturbed())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Remember the ending of each check, also of checks that a worker judged."""
        result = told_result(report)
        if result is not None:
            self._results[result.nodeid] = result
        return (yield from self._undisturbed())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logfinish(self) -> Generator[None, object, object]:
        """Let pytest write at the end of a test where a line about a worker's build may stand."""
        return (yield from self._undisturbed())

    def _undisturbed(self) -> Generator[None, object, object]:
        if self._relay is None:
            return (yield)
        with self.judge.progress.paused():
            return (yield)

    # -- the end -----------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Make the reports and clean up; after xdist has ended its workers."""
        self._end_relay()
        self.judge.progress.close()
        if self._complaint is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        self._finish()
        fixes = None if self._report is None else self._report.fixes
        if fixes is not None and fixes.problem == INTERRUPTED:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if (self._written.failed or self._overgrown) and session.exitstatus in passed:
            # A run whose report could not be written must not be green: the file is
            # missing, or an old one.
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        """Clean up if the session never came to its end, and let go of the daemon."""
        self._end_relay()
        self._finish()
        super().pytest_unconfigure()

    @property
    def _overgrown(self) -> tuple[str, ...]:
        """The images that have grown by more than is allowed, a line each."""
        baseline = None if self._report is None else self._report.baseline
        return () if baseline is None else baseline.over

    def _end_relay(self) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.stop()

    def _finish(self) -> None:
        if self._finished or not (self.judge.has_run or self._began):
            return
        self._finished = True
        if self.judge.has_run:
            self._report = self._finished_run()
        # Without a run the report is empty: a report of an earlier session must not be taken for
        # this session's.
        report = self._report or SessionReport(engine=None, images=())
        options = self.judge.options
        annotated = annotated_by_another(self._config, os.environ)
        host = hosted(options, os.environ)
        self._written = write_reports(report, options, host, annotated=annotated)

    def _finished_run(self) -> SessionReport:
        judge = self.judge
        try:
            report = session_report(judge, self._results)
        except BaseException:
            judge.run.finish(keep=judge.options.keep)
            raise
        try:
            leftovers = judge.run.finish(keep=judge.options.keep)
        except DockerCacheError as problem:
            leftovers = Leftovers(stuck=(judge.shortened(problem.verdict),))
        return replace(report, leftovers=leftovers)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the tables, and the objects that could not be removed."""
        for text in (self._complaint, *self._written.failed, *self._overgrown):
            if text is not None:
                terminalreporter.write_line(f"ERROR: {presentable(text)}", red=True)
        for text in self._written.unasked:
            terminalreporter.write_line(presentable(text), yellow=True)
        self._print_tables(terminalreporter)
        if self._written.printed:
            terminalreporter.ensure_newline()
            terminalreporter.write(self._written.printed, flush=True)

    def _print_tables(self, terminalreporter: TerminalReporter) -> None:
        if self._report is None or self._config.get_verbosity() < -1:
            return
        lines = list(terminal.summary(self._report, self._config.get_terminal_writer().fullwidth))
        if not lines:
            return
        terminalreporter.write_sep("=", "Docker build cache")
        for line in lines:
            for text, markup in line:
                terminalreporter.write(text, **markup)
            terminalreporter.line("")


def _is_ours(item: pytest.Item) -> bool:
    if isinstance(item, CheckItem) or item.get_closest_marker("dockercache") is not None:
        return True
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in FIXTURES)
