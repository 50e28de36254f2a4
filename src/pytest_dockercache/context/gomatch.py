"""Go's ``filepath.Match`` and ``filepath.Clean``, in whose terms Docker speaks about paths."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

__all__ = ["BadPatternError", "clean", "compile_match", "has_wildcard"]


class BadPatternError(ValueError):
    """The pattern is one that Go's ``filepath.Match`` refuses (``ErrBadPattern``)."""


def clean(path: str) -> str:
    """``filepath.Clean``: shortest equivalent path; "" becomes "."."""
    if not path:
        return "."
    cleaned = posixpath.normpath(path)
    # POSIX gives a leading double slash a meaning of its own, Go does not.
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def has_wildcard(pattern: str) -> bool:
    """Whether BuildKit treats a COPY source as a pattern: an unescaped ``*``, ``?`` or ``[``."""
    position = 0
    while position < len(pattern):
        if pattern[position] == "\\":
            position += 1
        elif pattern[position] in "*?[":
            return True
        position += 1
    return False


@lru_cache(maxsize=1024)
def compile_match(pattern: str) -> re.Pattern[str]:
    """Compile a ``filepath.Match`` pattern; use ``fullmatch`` of the result.

    ``*`` and ``?`` do not match ``/``; ``[^a]`` negates and ``[!a]`` does
    not; ``**`` is nothing special. Raises BadPatternError where Go does.
    """
    out: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            text, position = _character_class(pattern, position)
            out.append(text)
        elif char == "\\":
            if position == len(pattern):
                raise BadPatternError(pattern)
            out.append(re.escape(pattern[position]))
            position += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.DOTALL)


def _character_class(pattern: str, position: int) -> tuple[str, int]:
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", position)):
        low, position = _class_member(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_member(pattern, position + 1)
        # A range whose ends are swapped matches nothing in Go and is an error in re.
        ranges.append(f"{_literal(low)}-{_literal(high)}" if low <= high else "")
    inside = "".join(ranges)
    if not inside:
        return (r"[\s\S]" if negated else r"[^\s\S]"), position + 1
    return f"[{'^' if negated else ''}{inside}]", position + 1


def _class_member(pattern: str, position: int) -> tuple[str, int]:
    if position >= len(pattern) or pattern[position] in "-]":
        raise BadPatternError(pattern)
    if pattern[position] == "\\":
        position += 1
    if position + 1 >= len(pattern):
        raise BadPatternError(pattern)
    return pattern[position], position + 1


def _literal(char: str) -> str:
    return f"\\U{ord(char):08x}"
