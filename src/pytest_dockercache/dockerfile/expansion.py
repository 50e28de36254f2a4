"""Variable expansion and word splitting with the quoting rules of BuildKit's own shell lexer.

A Dockerfile is not expanded by a shell: BuildKit has a small lexer of its own
(``frontend/dockerfile/shell``), whose rules are close to ``sh`` and differ in
details that decide file names and vertex names. This module reproduces them,
oddities included. The forms are documented at
https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from ..limits import EXPANSION, NESTED_SUBSTITUTIONS
from ..regexes import regex
from ..values import dataclass

__all__ = [
    "SPACE",
    "Lexer",
    "SubstitutionError",
    "expand",
    "split_words",
    "variables_in",
    "with_values",
]

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The spaces of Go's ``unicode.IsSpace``; ``str.isspace`` adds four control characters."""

_SPECIAL_PARAMETERS = frozenset("@*#?-$!0")


class SubstitutionError(ValueError):
    """A ``${…}`` that BuildKit refuses: a bad form, or a ``:?`` whose variable is missing."""


@dataclass(frozen=True)
class Lexer:
    """One set of rules for reading a word or a line.

    ``escape`` is the Dockerfile's escape character. ``raw_quotes`` and ``raw_escapes`` keep quotes
    and escapes in the result; ``quotes`` False treats quotes as ordinary characters (heredoc
    bodies); ``keep_unset`` leaves a reference to an unset variable as it was written (the names of
    RUN steps), instead of replacing it by nothing. ``unknown`` replaces every reference to a
    variable that is not given, for a text whose variables are not all known.
    """

    escape: str = "\\"
    raw_quotes: bool = False
    raw_escapes: bool = False
    quotes: bool = True
    keep_unset: bool = False
    unknown: str | None = None

    def expand(self, text: str, variables: Mapping[str, str]) -> str:
        """Replace variables and remove quotes; blanks stay as they are.

        Raises SubstitutionError.
        """
        return _Expansion(self, text, variables).until(None, self.raw_escapes)[0]

    def words(self, text: str, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Expand, then split at unquoted blanks; blanks that a variable brings in split too.

        Raises SubstitutionError.
        """
        return _Expansion(self, text, variables).until(None, self.raw_escapes)[1]

    def references(self, text: str) -> frozenset[str]:
        """Names of the variables that ``text`` refers to, whatever they are set to.

        For a text that cannot be lexed to its end, the names before the error are returned.
        """
        reading = _Expansion(self, text, _Everything())
        with contextlib.suppress(SubstitutionError):
            reading.until(None, self.raw_escapes)
        return frozenset(reading.seen)


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Expand one word as BuildKit does for every instruction that expands variables.

    All forms are known: ``$v`` ``${v}`` ``${v-x}`` ``${v:-x}`` ``${v+x}``
    ``${v:+x}`` ``${v?x}`` ``${v:?x}`` ``${v#p}`` ``${v##p}`` ``${v%p}``
    ``${v%%p}`` ``${v/p/r}`` ``${v//p/r}``. Unset variables become nothing.
    Raises SubstitutionError.
    """
    return Lexer(escape).expand(text, variables)


def split_words(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Split ``name=value`` words at blanks outside quotes, quotes and escapes kept.

    BuildKit reads ENV, ARG and LABEL in this way before it expands variables. An escape at the end
    is dropped.
    """
    words: list[str] = []
    word = ""
    begun = False
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if not quote and char in SPACE:
            if word or begun:
                words.append(word)
            word, begun = "", False
            continue
        if char == escape and quote != "'":
            if position == len(text):
                break
            word += char + text[position]
            position += 1
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote, begun = char, True
        word += char
    if word or begun:
        words.append(word)
    return tuple(words)


def variables_in(text: str, escape: str = "\\") -> frozenset[str]:
    """Names of the variables a shell word refers to, in any ``$`` form."""
    return Lexer(escape, raw_quotes=True).references(text)


_PLAIN_REFERENCE = regex(r"\$(?:\{(\w+)\}|(\w+))")


def with_values(text: str, values: Mapping[str, str]) -> str:
    """A text with the plain references (``$NAME``, ``${NAME}``) replaced by known values.

    Other references stay as they are written: a shell may know more.
    """
    return _PLAIN_REFERENCE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


class _Everything(Mapping[str, str]):
    """A mapping in which every name is set, so that no ``:?`` fails."""

    def __getitem__(self, key: str) -> str:
        return "x"

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass
class _SplitWords:
    """Collects words: unquoted blanks end one, quoted characters never do."""

    done: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def unquoted(self, text: str) -> None:
        for char in text:
            if char not in SPACE:
                self.open.append(char)
            elif self.open:
                self.end()

    def quoted(self, text: str) -> None:
        if text:
            self.open.append(text)

    def end(self) -> None:
        self.done.append("".join(self.open))
        self.open.clear()

    def close(self) -> tuple[str, ...]:
        if self.open:
            self.end()
        return tuple(self.done)


class _Expansion:
    """One pass over one text; the position is shared by the nested ``${…}`` readers."""

    def __init__(self, rules: Lexer, text: str, variables: Mapping[str, str]) -> None:
        self.rules = rules
        self.text = text
        self.variables = variables
        self.position = 0
        self.depth = 0
        self.replacing = 0
        self.seen: set[str] = set()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def next(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def until(self, stop: str | None, raw_escapes: bool) -> tuple[str, tuple[str, ...]]:
        """Read to an unquoted ``stop`` (None: to the end); return the text and its words."""
        result: list[str] = []
        words = _SplitWords()
        rules = self.rules
        while char := self.peek():
            if char == stop:
                self.position += 1
                return "".join(result), words.close()
            if char == "$":
                piece = self.variable()
                words.unquoted(piece)
            elif char == "<":
                piece = self.heredoc_mark()
                words.quoted(piece)
            elif char == "'" and rules.quotes:
                piece = self.single_quoted()
                words.quoted(piece)
            elif char == '"' and rules.quotes:
                piece = self.double_quoted(raw_escapes)
                words.quoted(piece)
            elif char == rules.escape:
                self.position += 1
                piece = (char if raw_escapes else "") + self.next()
                words.quoted(piece)
            else:
                piece = self.next()
                words.unquoted(piece)
            result.append(piece)
        if stop is not None:
            raise SubstitutionError(f"unexpected end of statement while looking for {stop}")
        return "".join(result), words.close()

    def heredoc_mark(self) -> str:
        """``<<`` keeps the blanks after it, so that ``<< EOF`` is one word (BuildKit ≥ 0.22)."""
        self.position += 1
        if self.peek() != "<":
            return "<"
        self.position += 1
        start = self.position
        while self.peek() and self.peek() in "\t\r ":
            self.position += 1
        return "<<" + self.text[start : self.position]

    def single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            self.position = len(self.text)
            raise SubstitutionError("a single quote is not closed")
        start, self.position = self.position, end + 1
        return self.text[start : end + 1] if self.rules.raw_quotes else self.text[start + 1 : end]

    def double_quoted(self, raw_escapes: bool) -> str:
        rules = self.rules
        mark = '"' if rules.raw_quotes else ""
        self.position += 1
        result = [mark]
        while char := self.peek():
            if char == '"':
                self.position += 1
                return "".join(result) + mark
            if char == "$":
                result.append(self.variable())
                continue
            self.position += 1
            if char == rules.escape:
                if raw_escapes:
                    result.append(char)
                following = self.peek()
                if not following:
                    continue
                if following in ('"', "$", rules.escape):
                    char = self.next()
            result.append(char)
        raise SubstitutionError("a double quote is not closed")

    def variable(self) -> str:
        """Read from ``$`` on; return the text there afterwards."""
        value = self.value()
        self.replacing += len(value)
        if self.replacing > EXPANSION:
            raise SubstitutionError(f"its variables stand for more than {EXPANSION:,} characters")
        return value

    def value(self) -> str:
        self.position += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.lookup(name)
            return self.unset(f"${name}") if value is None else value
        self.position += 1
        if not self.peek():
            raise SubstitutionError("missing '}'")
        if self.peek() in "{}:":
            raise SubstitutionError("bad substitution")
        name = self.name()
        operator = self.next()
        if operator == "}":
            value = self.lookup(name)
            return self.unset(f"${{{name}}}") if value is None else value
        if operator == "/":
            return self.replaced(name)
        empty_is_unset = operator == ":"
        if empty_is_unset:
            operator = self.next()
        if not operator or operator not in ("-+?" if empty_is_unset else "-+?#%"):
            shown = (":" if empty_is_unset else "") + operator
            raise SubstitutionError(f"unsupported modifier ({shown}) in substitution")
        word = self.operand("}", operator in "#%")
        value = self.lookup(name)
        if value is None and self.leaves_unset:
            return self.unset(f"${{{name}{':' if empty_is_unset else ''}{operator}{word}}}")
        missing = value is None or (empty_is_unset and not value)
        if operator == "-":
            return word if missing else value or ""
        if operator == "+":
            return "" if missing else word
        if operator == "?":
            if missing:
                state = "unset" if value is None else "empty"
                raise SubstitutionError(f"{name}: {word or f'is not allowed to be {state}'}")
            return value or ""
        return _trimmed(value or "", word, operator)

    def replaced(self, name: str) -> str:
        every = self.peek() == "/"
        if every:
            self.position += 1
        pattern = self.operand("/", True)
        replacement = self.operand("}", True)
        value = self.lookup(name)
        if value is None and self.leaves_unset:
            return self.unset(f"${{{name}/{pattern}/{replacement}}}")
        expression = _shell_pattern(pattern, greedy=True)
        if every:
            return expression.sub(lambda match: _go_template(replacement, match), value or "")
        return expression.sub(lambda _: replacement, value or "", count=1)

    def operand(self, stop: str, raw_escapes: bool) -> str:
        self.depth += 1
        if self.depth > NESTED_SUBSTITUTIONS:
            raise SubstitutionError(
                f"more than {NESTED_SUBSTITUTIONS} substitutions ${{…}} in each other"
            )
        try:
            return self.until(stop, raw_escapes)[0]
        except SubstitutionError:
            if self.position >= len(self.text):
                raise SubstitutionError(f"missing '{stop}' in ${{…}}") from None
            raise
        finally:
            self.depth -= 1

    @property
    def leaves_unset(self) -> bool:
        return self.rules.keep_unset or self.rules.unknown is not None

    def unset(self, written: str) -> str:
        """The text in place of a reference to a variable that is not set."""
        if self.rules.unknown is not None:
            return self.rules.unknown
        return written if self.rules.keep_unset else ""

    def lookup(self, name: str) -> str | None:
        self.seen.add(name)
        return self.variables.get(name)

    def name(self) -> str:
        start = self.position
        first = self.peek()
        if first.isdigit():
            while self.peek().isdigit():
                self.position += 1
        elif first and first in _SPECIAL_PARAMETERS:
            self.position += 1
        else:
            while (char := self.peek()) and (char.isalnum() or char == "_"):
                self.position += 1
        return self.text[start : self.position]


def _trimmed(value: str, pattern: str, operator: str) -> str:
    """The value without a match: ``#`` and ``%`` remove the shortest, doubled ones the longest."""
    greedy = pattern.startswith(operator)
    if greedy:
        pattern = pattern[1:]
    if operator == "#":
        found = _shell_pattern(pattern, greedy=greedy).match(value)
        return value[found.end() :] if found else value
    # The shortest suffix cannot be asked of a regular expression directly:
    # turn text and pattern round and take the shortest prefix.
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    found = _shell_pattern("".join(reversed(tokens)), greedy=greedy).match(value[::-1])
    return value[: len(value) - found.end()] if found else value


def _shell_pattern(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    """``*`` and ``?`` as in a shell, without bracket expressions."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            parts.append(".*" if greedy else ".*?")
        elif char == "?":
            parts.append(".")
        elif char == "\\":
            following = pattern[position : position + 1]
            position += 1
            if following not in ("}", "/", "*", "?", "\\"):
                raise SubstitutionError(
                    f"invalid pattern ({pattern}) in substitution: invalid escape '\\{following}'"
                )
            parts.append(re.escape(following))
        else:
            parts.append(re.escape(char))
    return re.compile("".join(parts))


def _go_template(replacement: str, match: re.Match[str]) -> str:
    """Go's ``ReplaceAllString`` reads ``$0`` and ``${name}`` in the replacement itself."""

    def group(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return "$" if found[0] == "$$" else match[0] if name == "0" else ""

    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", group, replacement)
