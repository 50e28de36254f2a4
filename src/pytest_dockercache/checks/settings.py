"""The demands on an image: the values of the options that only checks read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..values import dataclass

__all__ = ["DEFAULTS", "CheckSettings"]


@dataclass(frozen=True)
class CheckSettings:
    """The values that checks hold an image against.

    ``python`` is the version that must run (``3.10``), None for the pins of
    the environment files. ``base_layers`` says whether the base image's layers
    are judged too. ``max_hidden``, ``max_size`` and ``max_reship`` are in bytes,
    ``min_saving`` is a share between 0 and 1; None means no budget.
    ``compare`` is the image whose environment the judged one must have: a
    daemon's, or the path of an archive or OCI directory. ``cache_from`` and
    ``cache_to`` are the caches that are imported and exported, as buildx takes
    them; ``buildkit_image`` is the image of the empty builder that imports,
    None for buildx's own. ``build_log`` is the log of a build that ran elsewhere, and ``since``
    the commit that was built before it.
    """

    python: str | None = None
    base_layers: Literal["ignore", "check"] = "ignore"
    max_hidden: int = 10_000_000
    max_size: int | None = None
    max_reship: int | None = None
    min_saving: float | None = None
    compare: str | None = None
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    buildkit_image: str | None = None
    build_log: Path | None = None
    since: str | None = None


DEFAULTS = CheckSettings()
"""The settings of a run without options."""
