"""The page: one file that needs no network and no script, for a browser, a phone and a printer."""

from .page import render

__all__ = ["render"]
