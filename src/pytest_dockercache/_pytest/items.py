"""A Dockerfile, or an image, as a pytest collector, and each check of it as an item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from .. import checks
from ..errors import BuildFailed, BuildTimeout, CacheAssertionError, DockerCacheError
from ..model import Build, EngineInfo, Finding
from ..presentable import presentable
from ..report import CheckResult, Ending
from ..report.findings import CheckOutcome
from ..subject import Subject
from .outcomes import decide, message_repr, passed

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from ..checks import Check
    from ..inspection import Inspection
    from ..recording import Recording
    from .options import Options
    from .targets import Target

__all__ = ["CheckItem", "DockerfileCollector", "Judging"]

_REPORTED: Mapping[CheckOutcome, str] = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "error": "failed",
}
"""Pytest's name for the outcome of an item's phase."""


class Judging(Protocol):
    """The session as items need it: subjects, and the display of their findings."""

    options: Options

    @property
    def width(self) -> int:
        """Columns of the terminal that shows what is judged."""

    def subject_of(self, target: Target) -> Subject | Inspection | Recording:
        """The subject of a target. Raises ConfigError."""

    def tell_engine(self, subject: Subject | Inspection | Recording | None) -> EngineInfo | None:
        """The engine that judged, None without one; the engine is noted for the reports."""

    def told_once(self, ending: Ending, nodeid: str) -> Ending:
        """The ending of a check; a problem that another check has told already is only named."""

    def shown(self, path: Path) -> str:
        """A path as reports show it."""

    def shortened(self, text: str) -> str:
        """A message with the paths below the root made relative."""


class DockerfileCollector(pytest.Collector):
    """One Dockerfile and target, or an image that is already built; its children are the checks.

    The collector is no ``pytest.File``: ``--lf`` looks files up by the first part of their node ID,
    and ``Dockerfile[runtime]`` is not a path.
    """

    judging: Judging
    target: Target

    @classmethod
    def of(cls, session: pytest.Session, judging: Judging, target: Target) -> DockerfileCollector:
        """The collector of a target, a child of the session."""
        path = target.path if target.image is None else session.path / target.node
        node = cls.from_parent(session, name=target.node, nodeid=target.node, path=path)
        assert isinstance(node, DockerfileCollector)
        node.judging = judging
        node.target = target
        return node

    def collect(self) -> Iterator[CheckItem]:
        """One item a check; nothing is read or built."""
        options = self.target.options
        for check in checks.CHECKS.values():
            wanted = self.target.checks is None or check.id in self.target.checks
            if not self.target.judged_by(check.needs):
                continue
            if wanted and check.id not in options.skip and check.applies(options.check_settings):
                yield CheckItem.of(self, check)


class CheckItem(pytest.Item):
    """One check of one Dockerfile.

    The check is judged in the set-up phase: a check that could not be judged is then pytest's own
    *error*, a check that does not hold a *failure*, in the terminal, in JUnit XML and across xdist
    alike.
    """

    check: Check
    ending: Ending | None

    @classmethod
    def of(cls, parent: DockerfileCollector, check: Check) -> CheckItem:
        """The item of a check."""
        item = cls.from_parent(parent, name=check.id)
        assert isinstance(item, CheckItem)
        item.check = check
        item.ending = None
        return item

    @property
    def dockerfile(self) -> DockerfileCollector:
        """The collector that this item belongs to."""
        assert isinstance(self.parent, DockerfileCollector)
        return self.parent

    def setup(self) -> None:
        """Judge the check; raises what becomes a skip or an error.

        Nothing is judged with ``--setup-plan`` and ``--setup-only``.
        """
        if self.config.getoption("setuponly", False):
            return
        judging = self.dockerfile.judging
        target = self.dockerfile.target
        self._note("check", self.check.id)
        if target.image is None:
            self._note("dockerfile", judging.shown(target.path))
        else:
            self._note("image", target.node)
        if target.target is not None:
            self._note("target", target.target)
        subject: Subject | Inspection | Recording | None = None
        try:
            subject = judging.subject_of(target)
            verdict = self.check.judge(subject, target.options.check_settings)
        except (DockerCacheError, CacheAssertionError) as problem:
            ending = decide(
                problem,
                check=self.check.id,
                strict=judging.options.strict,
                auto=target.options.settings.engine == "auto",
                first_build_failed=_first_build_failed(subject, problem),
                node=self._sibling("builds"),
            )
            self._describe(subject)
            finding = ending.finding.with_texts(judging.shortened)
            ending = replace(ending, finding=finding)
            self._end(judging.told_once(ending, self.nodeid))
        else:
            self._describe(subject)
            for name, value in verdict.properties:
                self._note(name, value)
            self._end(passed(verdict))

    def runtest(self) -> None:
        """Raise the failure that the set-up phase found, if it found one."""
        ending = self.ending
        if ending is not None and ending.outcome == "failed":
            raise CacheAssertionError(ending.shown.within(self.dockerfile.judging.width))

    @property
    def line(self) -> int | None:
        """The Dockerfile line to blame, once the check is judged."""
        return None if self.ending is None else self.ending.line

    def result(
        self, report: pytest.TestReport, problem: BaseException | None
    ) -> CheckResult | None:
        """The result of the check in a report of this item; None in the report of another phase.

        A hook or a fixture of the user may skip the item or fail, before or
        after the check is judged.
        """
        ending = self.ending
        phase = "setup" if ending and ending.outcome in ("skipped", "error") else "call"
        if ending is None or (report.when, report.outcome) != (phase, _REPORTED[ending.outcome]):
            if report.passed:
                return None
            text = str(problem) if report.skipped else str(report.longrepr)
            failed: CheckOutcome = "failed" if report.when == "call" else "error"
            ending = Ending("skipped" if report.skipped else failed, Finding(text, line=self.line))
        return CheckResult(self.check.id, self.nodeid, ending)

    @property
    def place(self) -> Path:
        """The file to blame: the Dockerfile if one of its lines is to blame."""
        return self.path if self.line is None else self.dockerfile.target.path

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """The message of a failed check; anything else as pytest shows it.

        Pytest reads the source of every frame on the way here, half the CPU time
        of a run with failures, for a traceback that nobody is shown.
        """
        if isinstance(excinfo.value, CacheAssertionError):
            text: TerminalRepr = message_repr(excinfo, self.place, self.line)
            return text
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The place of the item: the Dockerfile, at the line to blame if it is known (from 0).

        Pytest's own skips need a line: the first one until another is known.
        """
        # The name is the headline of a failure. Where it ends as the node ID does, pytest takes
        # its dots for those of a Python name (terminal.py `_locationline`).
        node, _, check = self.nodeid.rpartition("::")
        name = f"{node}: {check}" if "." in node else self.nodeid
        return self.place, (self.line or 1) - 1, name

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self._note("verdict", presentable(ending.finding.said))
        if ending.line is not None and ending.outcome != "passed":
            self._note("line", str(ending.line))
        if ending.outcome == "skipped":
            raise pytest.skip.Exception(ending.reason)
        if ending.outcome == "error":
            raise pytest.fail.Exception(ending.message, pytrace=False) from None

    def _describe(self, subject: Subject | Inspection | Recording | None) -> None:
        """Add what the builds showed to the item's properties (JUnit XML has them)."""
        engine = self.dockerfile.judging.tell_engine(subject)
        if engine is None:
            return
        self._note("engine", str(engine))
        builds = subject.builds() if isinstance(subject, Subject) else ()
        if builds:
            self._note("steps", _compact(builds))

    def _note(self, name: str, value: str) -> None:
        self.user_properties.append((f"dockercache.{name}", value))

    def _sibling(self, check: str) -> str | None:
        """The node ID of another check of this Dockerfile, None if the session does not run it."""
        for item in self.session.items:
            if item.parent is self.parent and item.name == check:
                return item.nodeid
        return None


def _first_build_failed(
    subject: Subject | Inspection | Recording | None, problem: BaseException
) -> bool:
    if not isinstance(subject, Subject) or not isinstance(problem, (BuildFailed, BuildTimeout)):
        return False
    try:
        subject.first()
    except (BuildFailed, BuildTimeout):
        return True
    except DockerCacheError:
        return False
    return False


def _compact(builds: tuple[Build, ...]) -> str:
    """The status of each step in each build: ``[[edits, outcome, {line: status}], …]``."""
    table = [
        [
            ", ".join(str(edit) for edit in build.edits),
            build.outcome,
            {str(step.line): step.status for step in build.steps},
        ]
        for build in builds
    ]
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))
