"""Names the error in an environment file that made a build fail."""

from __future__ import annotations

from dataclasses import replace

from ..environments import check_environment_file
from ..errors import BuildFailed, ConfigError
from .judged import Judged
from .settings import DEFAULTS, CheckSettings
from .verdict import Check, Judge, Verdict

__all__ = ["naming_invalid_files"]


def naming_invalid_files(check: Check) -> Check:
    """The check, with a failed build told from the environment file that cannot be read."""
    return replace(check, judge=_named(check))


def _named(check: Check) -> Judge:
    def judge(subject: Judged, settings: CheckSettings = DEFAULTS, /) -> Verdict:
        try:
            return check.judge(subject, settings)
        except BuildFailed as problem:
            raise _over_a_file(subject, problem) from None

    return judge


def _over_a_file(subject: Judged, problem: BuildFailed) -> BuildFailed:
    """The failure, told from an environment file of the failed step that no tool can read.

    The log of an installer that meets such a file is long, and seldom names the place.
    """
    project = subject.project
    try:
        files = project.environment_files
    except ConfigError:
        # The build failed because the file is missing, and its own message says so.
        return problem
    for file in files:
        if problem.line not in file.readers:
            continue
        try:
            check_environment_file(project.spec.place(file.path))
        except ConfigError as invalid:
            failed = problem.finding
            whys = (failed.verdict, failed.why)
            return BuildFailed(
                replace(
                    failed,
                    verdict=invalid.verdict,
                    why="; ".join(why for why in whys if why),
                    fix=invalid.finding.fix,
                )
            )
    return problem
