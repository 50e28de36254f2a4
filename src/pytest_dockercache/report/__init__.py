"""What a session found, as the terminal and files show it; pure functions over values."""

from .findings import CheckResult, Ending, FixReport, ImageReport, SessionReport

__all__ = ["CheckResult", "Ending", "FixReport", "ImageReport", "SessionReport"]
