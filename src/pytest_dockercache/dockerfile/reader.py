"""Reading a Dockerfile's text into instructions, as BuildKit's own parser sees them.

This is the one adapter over ``dockerfile-parse``. That library takes every line that starts like an
instruction for an instruction: heredoc bodies, a comment in a continuation's blank line, text after
a byte-order mark. So this module first groups the lines into instructions by BuildKit's rules; the
library then sees each instruction on one line, at its own line number, and blank lines everywhere
else. Flags, words and heredocs, which the library does not know, are read here too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..disk import read_bytes
from ..errors import ConfigError
from ..limits import DOCKERFILE, DOCKERFILE_LINE, STAGES
from ..regexes import regex
from ..values import dataclass
from .expansion import SPACE, Lexer, SubstitutionError
from .instructions import exec_form, heredoc_mark, json_strings, split_flags, split_instruction
from .stages import group_stages
from .syntax import Dockerfile, Heredoc, Instruction

__all__ = ["parse_dockerfile", "read_dockerfile", "reparsed"]

_BOM = "\ufeff"
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_DIRECTIVE = regex(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*\Z")
_SENTINEL = "\ue000"
_BEGIN = "start it with FROM image, or name another file with --dockercache-dockerfile=PATH"
"""The fix for a file that is no Dockerfile yet."""

_FOREIGN_BLANKS = [char for char in (*SPACE, *"\x1c\x1d\x1e\x1f") if char not in "\t\n\v\f\r "]
_HIDE = {ord(char): 0xE001 + index for index, char in enumerate(_FOREIGN_BLANKS)}
_SHOW = {hidden: char for char, hidden in _HIDE.items()}

_HEREDOC_KEYWORDS = frozenset({"ADD", "COPY", "RUN"})


def read_dockerfile(path: Path) -> Dockerfile:
    """Read a Dockerfile from disk.

    The file is read as UTF-8 without a byte-order mark; other bytes become U+FFFD, as in a
    builder's own output. Raises ConfigError when the file cannot be read, is empty, is binary, or
    has no FROM.
    """
    if path.is_dir():
        raise ConfigError(
            f"{path}: is a directory, not a Dockerfile",
            fix=f"name the file in it, for example --dockercache-dockerfile={path / 'Dockerfile'}",
        )
    try:
        content = read_bytes(path, DOCKERFILE)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such Dockerfile",
            fix="name an existing one with --dockercache-dockerfile=PATH",
        ) from None
    except PermissionError:
        raise ConfigError(
            f"{path}: cannot be read: permission denied",
            fix="make the file readable for the user who runs pytest",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror or error}",
            fix="check the path and what is mounted there",
        ) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{path}: is UTF-16, not UTF-8", fix="save the Dockerfile as UTF-8")
    if b"\0" in content:
        raise ConfigError(
            f"{path}: is a binary file, not a Dockerfile",
            fix="name the right file with --dockercache-dockerfile=PATH",
        )
    return parse_dockerfile(content.decode("utf-8", errors="replace"), path)


def parse_dockerfile(text: str, path: Path = Path("Dockerfile")) -> Dockerfile:
    """Read a Dockerfile's text; ``path`` is only its name in errors and in the result.

    Stage bases are expanded with the Dockerfile's own defaults; :func:`plan` expands them again
    with the build's arguments. An unknown instruction is kept: the builder, or the frontend of a
    ``# syntax=`` line, has to judge it. Raises ConfigError for a text without a FROM, and for three
    errors that no builder accepts: a heredoc without its end, a JSON form with values that are not
    strings, and a wrong ``escape`` directive.
    """
    text = text.removeprefix(_BOM)
    if not text.strip():
        raise ConfigError(
            f"{path}: is empty",
            fix=_BEGIN,
        )
    directives, escape = _directives(text, path)
    lines = text.split("\n")
    _refuse_long_lines(lines, path)
    logical = tuple(_logical_lines(lines, escape, path))
    instructions = tuple(_instructions(logical, path))
    instructions, stages = group_stages(instructions, escape, path)
    if not stages:
        raise ConfigError(
            f"{path}: has no FROM instruction",
            fix=_BEGIN,
        )
    if len(stages) > STAGES:
        raise ConfigError(
            f"{path}: has {len(stages)} stages, and at most {STAGES} are compared",
            fix="split it into several Dockerfiles",
        )
    return Dockerfile(path, text, instructions, stages, directives)


def reparsed(dockerfile: Dockerfile, text: str) -> Dockerfile:
    """The Dockerfile with another text, of the same build. Raises ConfigError."""
    return replace(parse_dockerfile(text, dockerfile.path), contexts=dockerfile.contexts)


def _refuse_long_lines(lines: list[str], path: Path) -> None:
    for number, line in enumerate(lines, start=1):
        # A character has at most four bytes: most lines need not be encoded.
        if 4 * len(line) > DOCKERFILE_LINE:
            size = len(line.encode("utf-8", "surrogatepass"))
            if size > DOCKERFILE_LINE:
                raise ConfigError(
                    f"{path}:{number}: the line has {size} bytes, and builders read at most "
                    f"{DOCKERFILE_LINE}",
                    fix="split it, or copy its text from a file",
                )


@dataclass(frozen=True)
class _Logical:
    """One instruction's text, continuations joined, with the lines it takes (1-based)."""

    text: str
    line: int
    end_line: int
    heredocs: tuple[Heredoc, ...] = ()


def _directives(text: str, path: Path) -> tuple[tuple[tuple[str, str], ...], str]:
    """The parser directives at the top, and the escape character that they choose."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        match = _DIRECTIVE.match(line.strip(SPACE))
        name = match[1].lower() if match else ""
        if match is None or name not in _DIRECTIVES:
            break
        if name in found:
            raise ConfigError(
                f"{path}:{number}: only one {name} parser directive can be used",
                fix="remove one of them",
            )
        found[name] = match[2]
    escape = found.get("escape", "\\")
    if escape not in ("\\", "`"):
        raise ConfigError(
            f"{path}: invalid escape directive: {escape}", fix="write # escape=\\ or # escape=`"
        )
    return tuple(found.items()), escape


def _logical_lines(lines: list[str], escape: str, path: Path) -> Iterator[_Logical]:
    """Group physical lines into instructions: continuations, comments in them, heredocs."""
    mark = re.escape(escape)
    # Two escape characters at the end of a line are an escaped one, not a continuation.
    continued = re.compile(rf"(?:(?<=[^{mark}])|\A){mark}[ \t]*\Z")
    number = 0
    while number < len(lines):
        text = lines[number].rstrip("\r").lstrip(SPACE)
        number += 1
        first = number
        if text.startswith("#"):
            continue
        open_ended = continued.search(text)
        if not text:
            continue
        if open_ended:
            text = text[: open_ended.start()]
        while open_ended and number < len(lines):
            following = lines[number].rstrip("\r")
            number += 1
            bare = following.lstrip(SPACE)
            if not bare or bare.startswith("#"):
                continue
            open_ended = continued.search(following)
            text += following[: open_ended.start()] if open_ended else following
        # A file that ends in a continuation has no line after its last newline.
        if number == len(lines) and not lines[-1] and number > first:
            number -= 1
        heredocs = []
        for name, expand, chomp in _heredoc_marks(text):
            body, number = _heredoc_body(lines, number, name, chomp)
            if body is None:
                raise ConfigError(
                    f"{path}:{first}: unterminated heredoc: no line holds only {name}",
                    fix=f"end the document that starts with <<{name} by a line {name}",
                )
            heredocs.append(Heredoc(name, body, expand, chomp))
        yield _Logical(text.strip(SPACE), first, number, tuple(heredocs))


def _heredoc_marks(text: str) -> tuple[tuple[str, bool, bool], ...]:
    """Name, expand and chomp of every heredoc that an instruction opens."""
    if "<<" not in text:
        return ()
    keyword, _, value = split_instruction(text)
    if keyword.upper() == "ONBUILD":
        keyword, _, value = split_instruction(value)
    if keyword.upper() not in _HEREDOC_KEYWORDS or json_strings(value) is not None:
        return ()
    raw = Lexer(raw_quotes=True, raw_escapes=True, keep_unset=True)
    try:
        words = raw.words(text, {})
    except SubstitutionError:
        return ()
    found = (heredoc_mark(word) for word in words)
    return tuple(mark for mark in found if mark is not None)


def _heredoc_body(lines: list[str], number: int, name: str, chomp: bool) -> tuple[str | None, int]:
    """The text up to the line that holds only ``name``, and the number of that line."""
    body: list[str] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        end = line.rstrip("\r")
        if (end.lstrip("\t") if chomp else end) == name:
            return "".join(body), number
        body.append(line + "\n")
    return None, number


def _instructions(logical: tuple[_Logical, ...], path: Path) -> Iterator[Instruction]:
    for part, (keyword, rest) in zip(logical, _keywords(logical), strict=True):
        flags, value = split_flags(rest)
        if keyword == "ONBUILD":
            trigger, _, words = split_instruction(value)
            exec_form(trigger.upper(), words, path, part.line)  # refuses a wrong trigger
        yield Instruction(
            keyword=keyword,
            line=part.line,
            end_line=part.end_line,
            text=part.text,
            value=value,
            flags=flags,
            heredocs=part.heredocs,
            exec_form=exec_form(keyword, value, path, part.line),
        )


def _keywords(logical: tuple[_Logical, ...]) -> list[tuple[str, str]]:
    """Keyword and the rest of every instruction, as ``dockerfile-parse`` splits them.

    The library gets each instruction on one line at its own line number. A sentinel closes the
    line, so that an escape character at the end of a value is not taken for a continuation;
    characters that are blanks only for Python are hidden.
    """
    from dockerfile_parse import DockerfileParser

    size = logical[-1].line if logical else 0
    masked = [""] * size
    for part in logical:
        masked[part.line - 1] = f"{part.text.translate(_HIDE)} {_SENTINEL}"
    content = "\n".join(masked) + "\n"
    parser = DockerfileParser(fileobj=io.BytesIO(content.encode("utf-8", "surrogatepass")))
    found = []
    for entry in parser.structure:
        keyword, value = (entry[name].translate(_SHOW) for name in ("instruction", "value"))
        found.append((keyword.upper(), value.removesuffix(_SENTINEL).strip(SPACE)))
    return found
