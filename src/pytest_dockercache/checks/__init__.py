"""The properties of an image's build: one module each, in the order in which they are judged.

A check's ``judge`` returns a :class:`Verdict` when the property holds. It
raises CacheAssertionError when it does not, Unverifiable when that cannot be
known, and any other DockerCacheError when the judging itself went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    bytecode,
    dockerignore,
    environment_changes,
    environment_layers,
    environment_packages,
    environment_same,
    first_build,
    hidden_bytes,
    image_size,
    late_arguments,
    package_caches,
    python_version,
    rebuild_saving,
)
from .predicted import honest
from .verdict import Check, Verdict

__all__ = ["CHECKS", "Check", "Verdict"]

CHECKS: Mapping[str, Check] = {
    check.id: honest(check)
    for check in (
        first_build.CHECK,
        environment_layers.CHECK,
        environment_changes.CHECK,
        late_arguments.CHECK,
        dockerignore.CHECK,
        package_caches.CHECK,
        bytecode.CHECK,
        hidden_bytes.CHECK,
        python_version.CHECK,
        environment_packages.CHECK,
        environment_same.CHECK,
        image_size.CHECK,
        rebuild_saving.CHECK,
    )
}
"""Every check by its ID, in the order of the report."""
