"""The findings of a session as text for the terminal and for files; pure functions over values."""

from .findings import CheckResult, Ending, FixReport, ImageReport, SessionReport

__all__ = ["CheckResult", "Ending", "FixReport", "ImageReport", "SessionReport"]
