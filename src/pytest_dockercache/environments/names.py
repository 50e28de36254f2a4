"""The names of Python distributions."""

from __future__ import annotations

import re

__all__ = ["normalised"]


def normalised(name: str) -> str:
    """The name of a Python distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
