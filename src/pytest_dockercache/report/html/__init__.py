"""The HTML page: one file without network or scripts, for a browser, a phone and a printer."""

from .page import render

__all__ = ["render"]
