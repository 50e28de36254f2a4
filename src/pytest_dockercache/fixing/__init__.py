"""From a failure to a tried change: the steps that move, the obstacles, and the patch."""

from __future__ import annotations

from .offers import (
    Hidden,
    Waste,
    keeping_the_environment,
    showing_all_bytes,
    without_package_caches,
    without_pyc,
    without_what_changes_by_itself,
)

__all__ = [
    "Hidden",
    "Waste",
    "keeping_the_environment",
    "showing_all_bytes",
    "without_package_caches",
    "without_pyc",
    "without_what_changes_by_itself",
]
