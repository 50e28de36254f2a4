"""Checks under the engine that predicts: every verdict is marked as a prediction, or not given."""

from __future__ import annotations

from dataclasses import replace

from ..errors import Unverifiable
from .judged import Judged
from .settings import DEFAULTS, CheckSettings
from .verdict import Check, Judge, Verdict

__all__ = ["marking_predictions", "no_image"]


def marking_predictions(check: Check) -> Check:
    """The check, with its verdicts marked as predicted where the engine only predicts.

    With such an engine, a check that looks into an image is Unverifiable. A failure carries the
    mark already (:func:`.verdict.broken`).
    """
    return replace(check, judge=_marked(check))


def _marked(check: Check) -> Judge:
    def judge(subject: Judged, settings: CheckSettings = DEFAULTS, /) -> Verdict:
        if not subject.predicts:
            return check.judge(subject, settings)
        if check.needs == "image":
            raise no_image(subject)
        return replace(check.judge(subject, settings), predicted=True)

    return judge


def no_image(subject: Judged) -> Unverifiable:
    """The error where an image is needed and the engine of ``subject`` builds none."""
    why = subject.engine.info.why
    return Unverifiable(f"needs an image, and the model builds none: {why}")
