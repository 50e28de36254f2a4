"""Checks under the engine that predicts: what is said is said as a prediction, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import CacheAssertionError, ConfigError, DockerCacheError, Unverifiable
from ..subject import Subject
from .verdict import Check, Verdict

__all__ = ["PREFIX", "honest"]

PREFIX = "predicted: "
"""What every verdict begins with that no builder gave."""


def honest(check: Check) -> Check:
    """The same check, which marks its verdict as predicted when the engine only predicts.

    One that looks into an image is then Unverifiable.
    """
    return replace(check, judge=_marked(check))


def _marked(check: Check) -> Callable[[Subject], Verdict]:
    def judge(subject: Subject) -> Verdict:
        if not subject.predicts:
            return check.judge(subject)
        if check.needs == "image":
            raise Unverifiable(f"needs an image, and the model builds none: {_why(subject)}")
        try:
            verdict = check.judge(subject)
        except (Unverifiable, ConfigError):
            raise
        except (CacheAssertionError, DockerCacheError) as problem:
            if not str(problem).startswith(PREFIX):
                problem.args = (f"{PREFIX}{problem}", *problem.args[1:])
            raise
        return replace(verdict, message=f"{PREFIX}{verdict.message}")

    return judge


def _why(subject: Subject) -> str:
    return subject.engine.info.why
