"""Turns the errors of a judgement into pytest's outcomes, and shortens tracebacks in reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from ..checks import Verdict
from ..errors import (
    BuildFailed,
    BuildTimeout,
    CacheAssertionError,
    DockerCacheError,
    DoesNotApply,
    EngineUnavailable,
    Unverifiable,
)
from ..model import Finding
from ..report import Ending

__all__ = [
    "cut_our_frames",
    "decide",
    "first_line",
    "message_repr",
    "passed",
    "place_report",
    "reported",
    "translated",
]

_PACKAGE = __name__.partition(".")[0]


def decide(
    problem: DockerCacheError | CacheAssertionError,
    *,
    check: str,
    strict: bool,
    auto: bool,
    first_build_failed: bool = False,
    node: str | None = None,
) -> Ending:
    """The outcome of a check that raised ``problem``.

    ``auto`` says that nobody chose the engine: only then does the absence of
    a daemon mean "cannot be verified"; a chosen engine that is not there is
    an error. ``first_build_failed`` says that the first build already ended
    in this problem, and ``node`` names the item ``builds`` that reports it,
    None if that item is not part of this session (then the problem must be
    reported here).
    """
    ending = Ending("error", problem.finding)
    if isinstance(problem, CacheAssertionError):
        return replace(ending, outcome="failed")
    if isinstance(problem, DoesNotApply):
        return replace(ending, outcome="skipped", skip="does-not-apply")
    unverified = replace(ending, outcome="failed" if strict else "skipped", skip="not-verified")
    if isinstance(problem, Unverifiable):
        return unverified
    if isinstance(problem, EngineUnavailable) and problem.absent and auto:
        return unverified
    if isinstance(problem, (BuildFailed, BuildTimeout)):
        if check == "builds":
            return replace(ending, outcome="failed")
        if first_build_failed and node is not None:
            told = f"the image does not build: see {node}"
            return replace(unverified, finding=Finding(told, line=ending.line))
    return ending


def passed(verdict: Verdict) -> Ending:
    """The outcome of a check that holds."""
    return Ending(
        "passed", Finding(verdict.message, line=verdict.line, predicted=verdict.predicted)
    )


@contextmanager
def reported() -> Iterator[None]:
    """Let an error of ours end the set-up of a test with its message and no traceback."""
    try:
        yield
    except (DoesNotApply, Unverifiable):
        raise
    except DockerCacheError as problem:
        raise pytest.fail.Exception(str(problem), pytrace=False) from None


@contextmanager
def translated(*, strict: bool, auto: bool) -> Iterator[None]:
    """Let a test that asserts what cannot be known be skipped, or fail when strict."""
    try:
        yield
    except (DoesNotApply, Unverifiable, EngineUnavailable) as problem:
        ending = decide(problem, check="", strict=strict, auto=auto)
        if ending.outcome == "skipped":
            raise pytest.skip.Exception(ending.reason) from None
        if isinstance(problem, Unverifiable):
            raise pytest.fail.Exception(ending.said, pytrace=False) from None
        raise


def place_report(
    report: pytest.TestReport,
    excinfo: pytest.ExceptionInfo[BaseException] | None,
    path: Path,
    line: int | None,
) -> None:
    """Make a report point at the Dockerfile, and say our message and nothing else.

    Annotations in CI read ``report.location``; the short summary reads the
    crash location's message.
    """
    file, _, name = report.location
    report.location = (file, (line or 1) - 1, name)
    if excinfo is None:
        return
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(path), line or 1, report.longrepr[2])
    elif isinstance(excinfo.value, (CacheAssertionError, pytest.fail.Exception)):
        report.longrepr = message_repr(excinfo, path, line)


def message_repr(excinfo: pytest.ExceptionInfo[BaseException], path: Path, line: int | None) -> Any:
    """The text of an exception as pytest prints it: the message alone, located in a Dockerfile.

    A plain string would do for the terminal, but loses its first line in the
    short summary when it crosses from an xdist worker.
    """
    text = excinfo.getrepr(style="value", tbfilter=False)
    crash = text.reprcrash
    if crash is not None:
        crash.path = str(path)
        crash.lineno = line or 1
        crash.message = first_line(str(excinfo.value))
    return text


def cut_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """End the traceback of an error that this package raised on purpose at the user's own line.

    How we found out is of no use to the reader of a failed test. An exception
    of another kind is a bug of ours and keeps every frame.
    """
    problem = excinfo.value
    if not isinstance(problem, (DockerCacheError, CacheAssertionError)):
        return
    problem.__cause__ = None
    problem.__suppress_context__ = True
    last: TracebackType | None = None
    frame: TracebackType | None = excinfo.tb
    while frame is not None:
        if _is_inside(str(frame.tb_frame.f_globals.get("__name__"))) and last is not None:
            last.tb_next = None
            return
        last, frame = frame, frame.tb_next


def _is_inside(module: str) -> bool:
    """Whether tests call a module; pytest itself calls all others, around the test."""
    package, _, room = module.partition(".")
    return package == _PACKAGE and room.partition(".")[0] not in ("_pytest", "plugin")


def first_line(text: str) -> str:
    """The verdict of a message."""
    return text.partition("\n")[0].rstrip()
