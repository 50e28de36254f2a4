"""Every error that the product raises.

Each carries a :class:`.Finding`: the verdict names the event, the value in question, and the valid
values; the why and the fix are fields of their own. The finding's text is the message of the error.
"""

from __future__ import annotations

import pytest

from .model import Finding, Fix
from .presentable import presentable

__all__ = [
    "BuildFailed",
    "BuildTimeout",
    "CacheAssertionError",
    "ConfigError",
    "DockerCacheError",
    "DoesNotApply",
    "EngineUnavailable",
    "InvalidImage",
    "Unverifiable",
    "missing_image",
]


class _CarriesFinding(Exception):
    """An error whose message is the text of its finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding

    def __str__(self) -> str:
        return presentable(str(self.finding))

    @property
    def verdict(self) -> str:
        """What happened, in one line: the message without rows, why and fix."""
        return presentable(self.finding.said)

    @property
    def line(self) -> int | None:
        """The 1-based Dockerfile line that is to blame, None if there is none."""
        return self.finding.line


class DockerCacheError(_CarriesFinding):
    """Base of all errors of pytest-dockercache that are not failed assertions.

    Made of a verdict with an optional ``why`` and ``fix``, or of a whole
    Finding. ``finding`` has the facts.
    """

    def __init__(
        self, verdict: str | Finding = "", *, why: str | None = None, fix: str | None = None
    ) -> None:
        if isinstance(verdict, str):
            verdict = Finding(verdict, why=why, fix=None if fix is None else Fix(fix))
        super().__init__(verdict)


class ConfigError(DockerCacheError, pytest.UsageError):  # type: ignore[misc]  # final for subclassers only
    """An option, an ini value, a marker or an edit cannot be used as given."""


class EngineUnavailable(DockerCacheError):
    """No engine can build: no daemon, no permission, TLS or ssh trouble, or the daemon went away.

    ``absent`` is True only when no daemon listens (missing socket, refused connection); only then
    may the engine choice fall back to a prediction. ``silent`` is True if a daemon listens but did
    not answer in time: the next question to it would wait as long.
    """

    def __init__(
        self,
        verdict: str | Finding,
        *,
        fix: str | None = None,
        absent: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(verdict, fix=fix)
        self.absent = absent
        self.silent = silent


class BuildFailed(DockerCacheError):
    """The image does not build; ``line`` is the Dockerfile line that failed.

    ``line`` is None if the builder did not name it.
    """

    @property
    def log(self) -> str:
        """The end of the output of the failed step, "" if there is none."""
        return presentable(self.finding.log)


class BuildTimeout(DockerCacheError):
    """A build ran longer than ``--dockercache-timeout`` and was cancelled."""


class InvalidImage(DockerCacheError):
    """An image or an image archive is damaged, refused as malicious, or of an unknown format."""


def missing_image(reference: str) -> InvalidImage:
    """The error for an image that the daemon does not hold; ``reference`` is its name or ID."""
    return InvalidImage(f"the daemon has no image {reference}")


class Unverifiable(DockerCacheError):
    """The known facts do not decide a check: skipped as "not verified", failed when strict."""


class DoesNotApply(DockerCacheError):
    """There is nothing that a check could judge: skipped as "does not apply", never failed."""


class CacheAssertionError(_CarriesFinding, AssertionError):
    """A check or an assertion of a test does not hold; the message begins with the verdict.

    ``finding`` has the facts that the message is made of.
    """
