"""Compose's interpolation: ``$NAME``, ``${NAME}`` and its forms with a default or an error."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from ..regexes import regex

__all__ = ["environment_file", "interpolated"]

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """A text with its variables replaced; a variable that is not set stands for nothing.

    Raises ConfigError for ``${NAME:?why}`` without a value, and for a text that is not complete.
    """
    try:
        return _interpolated(text, variables)
    except RecursionError:
        raise ConfigError(f"{text[:40]}…: its defaults stand in each other too deeply") from None


def _interpolated(text: str, variables: Mapping[str, str]) -> str:
    if "$" not in text:
        return text
    made: list[str] = []
    position = 0
    while position < len(text):
        if text[position] != "$":
            end = text.find("$", position)
            end = len(text) if end < 0 else end
            made.append(text[position:end])
            position = end
        elif text[position + 1 : position + 2] == "$":
            made.append("$")
            position += 2
        elif text[position + 1 : position + 2] == "{":
            end = _closing(text, position + 1)
            made.append(_value(text[position + 2 : end], variables))
            position = end + 1
        else:
            found = _NAME.match(text, position + 1)
            if found is None:
                raise ConfigError(f"{text}: '$' stands before no name; write '$$' for the sign")
            made.append(variables.get(found[0], ""))
            position = found.end()
    return "".join(made)


def _closing(text: str, start: int) -> int:
    """The position of the brace that closes the one at ``start``."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] == "{" and (position == start or text[position - 1] == "$"):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if not depth:
                return position
    raise ConfigError(f"{text}: a '${{' is not closed; add '}}'")


def _value(inner: str, variables: Mapping[str, str]) -> str:
    found = _NAME.match(inner)
    if found is None:
        raise ConfigError(f"${{{inner}}}: there is no name of a variable")
    name, rest = found[0], inner[found.end() :]
    value = variables.get(name)
    if not rest:
        return value or ""
    operator = rest[:2] if rest[:2] in (":-", ":+", ":?") else rest[:1]
    if operator not in (":-", ":+", ":?", "-", "+", "?"):
        raise ConfigError(f"${{{inner}}}: {rest[:1]!r} after the name is not understood")
    other = rest[len(operator) :]
    given = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return _interpolated(other, variables) if given else ""
    if given:
        return value or ""
    if operator.endswith("?"):
        why = _interpolated(other, variables) or "it is not set"
        raise ConfigError(f"the variable {name} is required: {why}")
    return _interpolated(other, variables)


_LINE = regex(r"\s*(?:export\s+)?([\w.-]+)\s*=\s*(.*?)\s*", re.ASCII)


def environment_file(path: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of an ``.env`` file; ``variables`` may be used in its values. {} without one.

    A value in single quotes stays as it is; in double quotes, and without quotes up to `` #``,
    variables are replaced.
    """
    from ..disk import read_text

    try:
        text = read_text(path, errors="replace")
    except (OSError, ConfigError):
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if parts is None or line.lstrip().startswith("#"):
            continue
        name, value = parts[1], parts[2]
        quoted = re.match(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", value)
        if quoted is not None and quoted[1] is not None:
            found[name] = quoted[1]
            continue
        raw = quoted[2] if quoted is not None else re.split(r"\s+#", value)[0]
        if quoted is not None:
            raw = re.sub(r"\\([nrt\"\\])", lambda it: _ESCAPED[it[1]], raw)
        found[name] = interpolated(raw, {**found, **variables})
    return found


_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def process_variables() -> Mapping[str, str]:
    """The environment of this process."""
    return dict(os.environ)
