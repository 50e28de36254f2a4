"""Every error that the product raises.

The first line of a message is the verdict: what happened, to which value,
and what to do next. An error that carries a Finding has its text as message.
"""

from __future__ import annotations

import pytest

from .model import Finding
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
]


class DockerCacheError(Exception):
    """Base of all errors of pytest-dockercache that are not failed assertions.

    ``finding`` has the facts where the error carries them, else None.
    """

    def __init__(self, message: str | Finding = "") -> None:
        super().__init__(presentable(str(message)))
        self.finding = message if isinstance(message, Finding) else None


class ConfigError(DockerCacheError, pytest.UsageError):  # type: ignore[misc]  # final for subclassers only
    """An option, an ini value, a marker or an edit cannot be used as given."""


class EngineUnavailable(DockerCacheError):
    """No engine can build: no daemon, no permission, TLS or ssh trouble, or it went away.

    ``absent`` is True only when no daemon listens (missing socket, refused
    connection); only then may the engine choice fall back to a prediction.
    ``silent`` is True if it is there and did not answer in time: whoever asks
    next would wait as long.
    """

    def __init__(self, message: str, *, absent: bool = False, silent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent
        self.silent = silent


class BuildFailed(DockerCacheError):
    """The image does not build.

    ``line`` is the 1-based Dockerfile line that failed, None if the builder
    did not say; ``log`` the end of that step's output.
    """

    def __init__(self, message: str, *, line: int | None = None, log: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.log = presentable(log)


class BuildTimeout(DockerCacheError):
    """A build ran longer than ``--dockercache-timeout`` and was cancelled."""


class InvalidImage(DockerCacheError):
    """An image or an image archive is damaged, refused as malicious, or of an unknown format."""


class Unverifiable(DockerCacheError):
    """A check cannot be decided on what is known: skipped as "not verified", failed when strict."""


class DoesNotApply(DockerCacheError):
    """There is nothing that a check could judge: skipped as "does not apply", never failed."""


class CacheAssertionError(AssertionError):
    """A check or an assertion of a test does not hold; the first line is the verdict.

    ``finding`` has the facts that the message is made of.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(presentable(str(finding)))
        self.finding = finding

    def __reduce__(self) -> tuple[type[CacheAssertionError], tuple[Finding]]:
        return type(self), (self.finding,)

    @property
    def line(self) -> int | None:
        """The 1-based Dockerfile line that is to blame, None if there is none."""
        return self.finding.line
