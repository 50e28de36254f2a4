"""The properties of an image's build: one module each, in the order in which they are judged.

A check's ``judge`` returns a :class:`Verdict` when the property holds. ``judge`` raises
CacheAssertionError when the property does not hold, Unverifiable when nobody can know, and any
other DockerCacheError when the judging itself went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from .failed_builds import naming_invalid_files
from .judged import Judged
from .predicted import marking_predictions
from .settings import DEFAULTS, CheckSettings
from .verdict import Check, Judge, Verdict

__all__ = ["CHECKS", "Check", "CheckSettings", "Judged", "Verdict"]


def _of(module: str, *, settings: bool = False) -> Judge:
    """The ``judge`` of a module beside this one; the module is imported at the first call.

    So a run that inspects no image does not import the readers of images. With ``settings``, the
    module's ``judge`` takes the user's demands too.
    """

    def judge(subject: Judged, demands: CheckSettings = DEFAULTS, /) -> Verdict:
        judge_subject = import_module(f".{module}", __package__).judge
        arguments = (subject, demands) if settings else (subject,)
        return cast(Verdict, judge_subject(*arguments))

    return judge


CHECKS: Mapping[str, Check] = {
    check.id: marking_predictions(naming_invalid_files(check))
    for check in (
        Check("builds", _of("first_build")),
        Check("env-layer-cached", _of("environment_layers")),
        Check("env-change-rebuilds", _of("environment_changes")),
        Check("build-args-late", _of("late_arguments")),
        Check("dockerignore-effective", _of("dockerignore")),
        Check("no-package-caches", _of("package_caches", settings=True), needs="image"),
        Check("no-bytecode", _of("bytecode", settings=True), needs="image"),
        Check("no-hidden-bytes", _of("hidden_bytes", settings=True), needs="image"),
        Check("python-version", _of("python_version", settings=True), needs="image"),
        Check("environment-matches", _of("environment_packages", settings=True), needs="image"),
        Check(
            "environment-same",
            _of("environment_same", settings=True),
            needs="image",
            applies=lambda settings: settings.compare is not None,
        ),
        Check(
            "image-size",
            _of("image_size", settings=True),
            needs="image",
            applies=lambda settings: settings.max_size is not None,
        ),
        Check(
            "rebuild-saving",
            _of("rebuild_saving", settings=True),
            applies=lambda settings: settings.min_saving is not None,
        ),
        Check(
            "reshipped-bytes",
            _of("reshipped", settings=True),
            applies=lambda settings: settings.max_reship is not None,
        ),
        Check(
            "env-layer-reused",
            _of("environment_reused"),
            needs="log",
            applies=lambda settings: settings.build_log is not None,
        ),
        Check(
            "cache-from",
            _of("imported_cache", settings=True),
            applies=lambda settings: bool(settings.cache_from or settings.cache_to),
        ),
    )
}
"""Every check by its ID, in the order of the report."""
