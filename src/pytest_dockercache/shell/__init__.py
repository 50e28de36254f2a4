"""The commands that a RUN executes: reading shell text, unwrapping commands."""

from __future__ import annotations
