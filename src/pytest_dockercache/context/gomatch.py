"""Go's ``filepath.Match`` and ``filepath.Clean``, in whose terms Docker speaks about paths.

Patterns are matched in time that grows with the length of path and pattern,
as Go's are: a regular expression of Python tries every way to share a name
among several stars.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from ..values import dataclass

__all__ = [
    "ANY",
    "DIRECTORIES",
    "STAR",
    "BadPatternError",
    "Piece",
    "check_pattern",
    "clean",
    "compile_match",
    "compile_pieces",
    "has_wildcard",
    "literal",
]


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


@dataclass(frozen=True)
class Piece:
    """One element of a pattern.

    ``one`` matches one character that the regular expression ``test`` matches, ``many`` any number
    of such characters, ``directories`` nothing or a text that ends in a slash (without a line
    break, as in Go's regular expressions).
    """

    kind: Literal["one", "many", "directories"]
    test: str

    @property
    def expression(self) -> str:
        """The piece as a regular expression."""
        return f"{self.test}*" if self.kind == "many" else self.test


STAR = Piece("many", "[^/]")
ANY = Piece("one", "[^/]")
DIRECTORIES = Piece("directories", "(?:.*/)?")


def literal(char: str) -> Piece:
    """The piece that matches one character and no other."""
    return Piece("one", re.escape(char))


def compile_pieces(pieces: Sequence[Piece], flags: re.RegexFlag) -> Callable[[str], bool]:
    """A function that says whether a whole text matches the pieces.

    Raises re.error for a ``test`` that is no regular expression.
    """
    if not _is_easy(pieces):
        return _Automaton(pieces, flags).matches
    match = re.compile("".join(piece.expression for piece in pieces), flags).fullmatch
    return lambda path: match(path) is not None


def _is_easy(pieces: Sequence[Piece]) -> bool:
    """Whether a regular expression needs no more than two nested loops.

    A name has at most 255 bytes, which two stars can share in few ways; so can two ``**`` the
    directories of a path. Each further star multiplies the number of ways.
    """
    if sum(piece.kind == "directories" for piece in pieces) > 2:
        return False
    stars = 0
    for piece in pieces:
        if piece.kind == "directories" or piece.test == "/":
            stars = 0
        elif piece.kind == "many":
            stars += 1
        if stars > 2:
            return False
    return True


class _Automaton:
    """A pattern as the set of places in it that a text may have reached, one bit each."""

    def __init__(self, pieces: Sequence[Piece], flags: re.RegexFlag) -> None:
        self._tests = [re.compile(piece.test, flags) for piece in pieces]
        self._kinds = [piece.kind for piece in pieces]
        self._skippable = sum(1 << place for place, kind in enumerate(self._kinds) if kind != "one")
        self._steps: dict[str, tuple[int, int]] = {}

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        reached = self._entered(1)
        for char in text:
            stays, goes = self._steps.get(char) or self._step(char)
            reached = reached & stays | self._entered((reached & goes) << 1)
            if not reached:
                return False
        return bool(reached >> len(self._kinds) & 1)

    def _entered(self, reached: int) -> int:
        """These places, and the places behind pieces that may match nothing."""
        while True:
            more = reached | (reached & self._skippable) << 1
            if more == reached:
                return reached
            reached = more

    def _step(self, char: str) -> tuple[int, int]:
        """The places at which a character stays, and the places that it leads on from."""
        stays = goes = 0
        for place, kind in enumerate(self._kinds):
            if kind == "directories":
                stays |= (char != "\n") << place
                goes |= (char == "/") << place
            elif self._tests[place].fullmatch(char):
                stays |= (kind == "many") << place
                goes |= 1 << place
        self._steps[char] = stays, goes
        return stays, goes


@lru_cache(maxsize=1024)
def compile_match(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a path matches a ``filepath.Match`` pattern.

    ``*`` and ``?`` do not match ``/``; ``[^a]`` negates and ``[!a]`` does not; ``**`` has no
    special meaning. Raises BadPatternError where Go does.
    """
    return compile_pieces(tuple(_pieces(pattern)), re.DOTALL)


def check_pattern(pattern: str) -> None:
    """Raise BadPatternError for a pattern that ``filepath.Match`` refuses."""
    if "[" in pattern or "\\" in pattern:
        for _ in _pieces(pattern):
            pass


def _pieces(pattern: str) -> Iterator[Piece]:
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            if not pattern.startswith("*", position):
                yield STAR
        elif char == "?":
            yield ANY
        elif char == "[":
            text, position = _character_class(pattern, position)
            yield Piece("one", text)
        elif char == "\\":
            if position == len(pattern):
                raise BadPatternError(pattern)
            yield literal(pattern[position])
            position += 1
        else:
            yield literal(char)


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
