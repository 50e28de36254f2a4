"""One instruction's text: keyword, flags, JSON form, declarations, mounts, heredoc marks."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from ..regexes import regex
from ..values import dataclass
from .expansion import SPACE, Lexer, SubstitutionError, split_words
from .syntax import Flag, Instruction

__all__ = [
    "WHITESPACE",
    "Mount",
    "declared",
    "exec_form",
    "heredoc_mark",
    "is_predefined",
    "json_strings",
    "mounts",
    "onbuild_trigger",
    "split_flags",
    "split_instruction",
]

WHITESPACE = regex(r"[\t\v\f\r ]+")
"""The characters between the words of an instruction."""

_HEREDOC = regex(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)\Z")
_JSON_KEYWORDS = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})


def split_instruction(text: str) -> tuple[str, tuple[Flag, ...], str]:
    """Keyword, flags and value of one instruction's text."""
    keyword, *rest = WHITESPACE.split(text.strip(SPACE), maxsplit=1)
    flags, value = split_flags(rest[0]) if rest else ((), "")
    return keyword, flags, value


def split_flags(text: str) -> tuple[tuple[Flag, ...], str]:
    """Take ``--name=value`` words from the front; quotes and escapes in them are resolved."""
    flags: list[Flag] = []
    position = 0
    while True:
        while position < len(text) and text[position] in SPACE:
            position += 1
        if not text.startswith("--", position):
            return tuple(flags), text[position:].strip(SPACE)
        word, position = _flag_word(text, position)
        if word == "--":
            return tuple(flags), text[position:].strip(SPACE)
        # BuildKit reads flags byte by byte (parser/split_command.go), so that it looks up a
        # different name for a flag beyond ASCII.
        word = word.encode("utf-8", "surrogatepass").decode("latin-1")
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name, value if equals else None))


def _flag_word(text: str, position: int) -> tuple[str, int]:
    word = ""
    quote = ""
    while position < len(text):
        char = text[position]
        if not quote and char in SPACE:
            break
        position += 1
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "\\":  # the escape directive does not count here (extractBuilderFlags)
            word += text[position : position + 1]
            position += 1
        else:
            word += char
    return word, position


def exec_form(keyword: str, value: str, path: Path, line: int) -> tuple[str, ...] | None:
    """The JSON form of an instruction that may have one; None for any other text."""
    if keyword == "HEALTHCHECK":
        value = value[len(value.split(None, 1)[0]) :] if value else ""
    elif keyword not in _JSON_KEYWORDS:
        return None
    strings = json_strings(value)
    if strings is None:
        return None
    if not all(isinstance(item, str) for item in strings):
        raise ConfigError(
            f"{path}:{line}: the JSON form of {keyword} holds other things than strings",
            fix="put every word in double quotes",
        )
    return tuple(strings)


def json_strings(value: str) -> list[str] | None:
    """The strings of a JSON array; None for text that is not JSON, which builders take as text."""
    value = value.lstrip(SPACE)
    if not value.startswith("["):
        return None
    try:
        found = json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def onbuild_trigger(instruction: Instruction) -> Instruction:
    """The instruction that ``ONBUILD`` postpones, with the lines and heredocs of the ONBUILD.

    Raises ConfigError for a trigger that no builder can read.
    """
    keyword, flags, value = split_instruction(instruction.value)
    return replace(
        instruction,
        keyword=keyword.upper(),
        text=instruction.value,
        value=value,
        flags=flags,
        exec_form=exec_form(keyword.upper(), value, Path("Dockerfile"), instruction.line),
    )


def heredoc_mark(word: str) -> tuple[str, bool, bool] | None:
    """Read ``<<NAME``, ``<<-NAME`` or ``<<"NAME"``: name, expand, chomp; None for another word."""
    match = _HEREDOC.match(word)
    if not match or not match[2]:
        return None
    try:
        names = Lexer(keep_unset=True).words(match[2], {})
        quoted = Lexer(keep_unset=True, raw_quotes=True).words(match[2], {})
    except SubstitutionError:
        return None
    if len(names) != 1:
        return None
    expand = _quotes(names[0]) == _quotes(quoted[0])
    return names[0], expand, bool(match[1])


def _quotes(word: str) -> int:
    return word.count("'") + word.count('"')


_PREDEFINED = regex(
    r"(HTTP|HTTPS|FTP|NO|ALL)_PROXY|(TARGET|BUILD)(PLATFORM|OS|ARCH|VARIANT)"
    r"|BUILDKIT_\w+|SOURCE_DATE_EPOCH",
    re.IGNORECASE,
)


def is_predefined(argument: str) -> bool:
    """Whether a build argument is one that the builder knows without an ARG."""
    return _PREDEFINED.fullmatch(argument) is not None


def declared(instruction: Instruction, escape: str = "\\") -> tuple[tuple[str, str | None], ...]:
    """Names and raw values that an ENV, LABEL or ARG declares; None for an ARG without a value.

    ``ENV name the rest`` (the old form) gives the rest of the line as the value.
    """
    words = split_words(instruction.value, escape)
    if instruction.keyword == "ARG":
        parted = (word.partition("=") for word in words)
        return tuple((name, value if equals else None) for name, equals, value in parted)
    if words and "=" not in words[0]:
        name, *rest = WHITESPACE.split(instruction.value, maxsplit=1)
        return ((name, rest[0] if rest else ""),)
    pairs = (word.partition("=") for word in words)
    return tuple((name, value) for name, _, value in pairs)


@dataclass(frozen=True)
class Mount:
    """One ``RUN --mount``: its options in lower case, values as written.

    ``type`` is ``bind`` when not given; ``origin`` is the value of ``from``,
    "" when not given; ``source`` and ``target`` as written, "" when not given.
    """

    type: str
    origin: str
    source: str
    target: str
    options: tuple[tuple[str, str], ...]


def mounts(instruction: Instruction) -> tuple[Mount, ...]:
    """The ``--mount`` flags of a RUN, in order. Fields are comma-separated, CSV quotes allowed."""
    found = []
    for flag in instruction.flags:
        if flag.name != "mount" or instruction.keyword != "RUN":
            continue
        options: dict[str, str] = {}
        for part in _csv_fields(flag.value or ""):
            name, _, value = part.partition("=")
            name = name.lower()
            options[{"src": "source", "dst": "target", "destination": "target"}.get(name, name)] = (
                value
            )
        found.append(
            Mount(
                type=options.get("type", "bind").lower(),
                origin=options.get("from", ""),
                source=options.get("source", ""),
                target=options.get("target", ""),
                options=tuple(options.items()),
            )
        )
    return tuple(found)


def _csv_fields(text: str) -> list[str]:
    return next(csv.reader([text.strip(SPACE)]), [])
