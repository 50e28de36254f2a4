"""The context paths that ``.dockerignore`` keeps out of a build, each with the deciding line.

The rules are the rules of moby's ``patternmatcher`` as BuildKit's client (``fsutil``) applies them
while it walks the context. ``docker.utils.build``'s matcher, which the Docker SDK uses, is not
used: that matcher folds case, negates ``[!a]``, ignores ``\\`` escapes and reads ``**e`` as a
directory prefix.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property, lru_cache
from pathlib import Path

from ..disk import read_bytes
from ..errors import ConfigError
from ..limits import ALIKE_PATTERNS
from ..model import BuildSpec, top_of
from ..regexes import regex
from ..values import dataclass
from .gomatch import (
    ANY,
    DIRECTORIES,
    STAR,
    BadPatternError,
    Piece,
    check_pattern,
    clean,
    compile_pieces,
)

__all__ = ["IgnoreLine", "IgnoreRules"]

_REGEXP_ONLY = frozenset(".+()|{}$")
_WILDCARDS = frozenset("*[]?^\\")


@dataclass(frozen=True)
class IgnoreLine:
    """One pattern of an ignore file, with its place and text.

    ``number`` is 1-based; ``text`` the line as written without surrounding
    blanks; ``pattern`` the cleaned pattern without ``!``; ``reinclude`` True
    for a ``!`` line.
    """

    file: Path
    number: int
    text: str
    pattern: str
    reinclude: bool = False

    def __str__(self) -> str:
        return f"{self.file.name} line {self.number} ({self.text})"


Matched = frozenset[int]
"""The patterns, by index, that matched a directory, for the paths below the directory."""

_NONE: Matched = frozenset()


@dataclass(frozen=True)
class IgnoreRules:
    """The ignore file of one build: ``source`` is None when there is none.

    ``named`` are the rules of the named contexts, by the first part of their files' paths.
    """

    source: Path | None = None
    lines: tuple[IgnoreLine, ...] = ()
    named: Mapping[str, IgnoreRules] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: BuildSpec) -> IgnoreRules:
        """The rules of a build: those of its context, and those of its named contexts.

        Raises ConfigError as :meth:`load` does.
        """
        main = cls.load(spec.context, spec.dockerfile)
        named = {top: cls.at(directory) for top, directory in spec.directories.items()}
        return replace(main, named=named) if named else main

    @classmethod
    def at(cls, directory: Path) -> IgnoreRules:
        """The rules of a named context: its own ``.dockerignore``, whatever the Dockerfile has.

        Source: BuildKit's ``frontend/dockerui/namedcontext.go``; run with BuildKit 0.13. Raises
        ConfigError as :meth:`load` does.
        """
        return cls._first(directory / ".dockerignore")

    def rules_of(self, path: str) -> tuple[IgnoreRules, str]:
        """The rules of the context that holds a path, and the path in that context."""
        top = top_of(path) if self.named else ""
        return (self.named[top], path[len(top) + 1 :]) if top in self.named else (self, path)

    @classmethod
    def load(cls, context: Path, dockerfile: Path) -> IgnoreRules:
        """Read ``<dockerfile>.dockerignore``, else the context's ``.dockerignore``.

        The first replaces the second entirely, even when empty. Raises
        ConfigError for a file that cannot be read and for a line on which
        Docker refuses to build.
        """
        return cls._first(Path(f"{dockerfile}.dockerignore"), context / ".dockerignore")

    @classmethod
    def _first(cls, *sources: Path) -> IgnoreRules:
        """The rules of the first file that exists."""
        for source in sources:
            try:
                content = read_bytes(source)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
            return cls.parse(content, source)
        return cls()

    @classmethod
    def parse(cls, content: bytes, source: Path) -> IgnoreRules:
        """Read the text of an ignore file; ``source`` is for messages."""
        return _parsed(content, source)

    def says_the_same(self, other: IgnoreRules) -> bool:
        """Whether both files have equal lines in equal order, as those of named contexts."""
        if [line.text for line in self.lines] != [line.text for line in other.lines]:
            return False
        return all(
            rules.says_the_same(other.named.get(top, IgnoreRules()))
            for top, rules in self.named.items()
        )

    def excludes(self, path: str) -> bool:
        """Whether the build cannot see ``path`` (POSIX, relative to the context)."""
        rules, rest = self.rules_of(path)
        return rules._along(rest)[0]

    def deciding_line(self, path: str) -> IgnoreLine | None:
        """The line that keeps ``path`` out or lets it in again; None if none matches it."""
        rules, rest = self.rules_of(path)
        decided = rules._along(rest)[1]
        return None if decided is None else rules.lines[decided]

    def match(self, path: str, parent: Matched | None) -> tuple[bool, Matched, int | None]:
        """One step of the walk: excluded or not, what matched, the deciding line's index.

        ``parent`` is the result of the call for the parent directory, None at the top. The method
        is moby's ``MatchesUsingParentResults``, with its quirk: a pattern that could not change the
        parent's fate was not tried on the parent, and so does not match below it.
        """
        excluded = False
        decided: int | None = None
        inherited = parent or _NONE
        known = self._table.known(path)
        matched: list[int] = []
        table = self._table
        order: Iterable[int] = table.always
        if table.by_text or known or inherited:
            order = sorted({*order, *table.candidates(path), *known, *inherited})
        for index in order:
            reinclude = self.lines[index].reinclude
            if index not in inherited and (
                reinclude != excluded or not (index in known or table.tries(index, path))
            ):
                continue
            matched.append(index)
            excluded = not reinclude
            decided = index
        return excluded, frozenset(matched), decided

    def may_reinclude_below(self, directory: str) -> bool:
        """Whether a ``!`` line can let in something below an excluded directory."""
        prefixes = self._prefix_exceptions
        if prefixes is None:
            return True
        below = directory + "/"
        position = bisect_left(prefixes, below)
        return position < len(prefixes) and prefixes[position].startswith(below)

    def _along(self, path: str) -> tuple[bool, int | None]:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        excluded, matched, decided = False, None, None
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            excluded, matched, decided = self.match(here, matched)
            if excluded and count < len(parts) and not self.may_reinclude_below(here):
                return True, decided
        return excluded, decided

    @cached_property
    def _table(self) -> _Table:
        return _Table(self.lines)

    @cached_property
    def _prefix_exceptions(self) -> tuple[str, ...] | None:
        """Paths that ``!`` lines name, each with a slash; None if one is a real wildcard."""
        prefixes = []
        for line in self.lines:
            if line.reinclude:
                prefix = line.pattern.removesuffix("/**").removesuffix("/*")
                if _WILDCARDS.intersection(prefix):
                    return None
                prefixes.append(prefix + "/")
        return tuple(sorted(prefixes))


@lru_cache(maxsize=2)
def _parsed(content: bytes, source: Path) -> IgnoreRules:
    """The rules of a text; several readers of one file share the tables of its lines."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines: list[IgnoreLine] = []
    for number, written in enumerate(text.split("\n"), 1):
        # A comment is one only in column 1; blanks before it make it a pattern.
        stripped = written.strip()
        if written.startswith("#") or not stripped:
            continue
        reinclude = stripped.startswith("!")
        pattern = stripped[1:].strip() if reinclude else stripped
        if not pattern:
            raise _lone_mark(source, number)
        pattern = clean(pattern)
        if len(pattern) > 1 and pattern.startswith("/"):
            pattern = pattern[1:]
        if not reinclude and pattern.startswith("!"):
            # Docker cleans first and looks for "!" afterwards: "/!a" lets "a" in.
            reinclude, pattern = True, pattern[1:]
        if reinclude and pattern in ("", "/"):  # "!/" is cleaned to "!".
            raise _lone_mark(source, number)
        try:
            check_pattern(pattern)
        except BadPatternError:
            raise ConfigError(
                f"{source}:{number}: syntax error in pattern {stripped!r}: "
                "Docker refuses to build with it"
            ) from None
        lines.append(IgnoreLine(source, number, stripped, pattern, reinclude))
    return IgnoreRules(source, tuple(lines))


def _lone_mark(source: Path, number: int) -> ConfigError:
    return ConfigError(
        f"{source}:{number}: a lone '!' is no pattern: Docker refuses to build with it"
    )


class _Table:
    """The lines of an ignore file, by the way in which they are tried.

    Most lines name one path, one name anywhere, or everything below a directory: such lines are
    looked up in tables. The other lines are tried only on the paths that hold a piece of their
    text, so that a file of 100,000 lines takes little longer than a file of ten.
    """

    def __init__(self, lines: Sequence[IgnoreLine]) -> None:
        self._lines = lines
        self._whole: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}
        self._starts: dict[str, list[int]] = {}
        self._matchers: dict[int, Callable[[str], bool]] = {}
        others = []
        for index, line in enumerate(lines):
            kind = _kind(line.pattern)
            rest = line.pattern
            if kind == "exact":
                self._whole.setdefault(rest, []).append(index)
            elif kind == "prefix" and rest.endswith("/**"):
                self._starts.setdefault(rest[:-2], []).append(index)
            elif kind == "suffix" and rest.startswith("**/"):
                self._ends.setdefault(rest[3:], []).append(index)
            else:
                if _DOUBTFUL.intersection(rest):
                    _require_expression(line)
                others.append(index)
        self.always, self.by_text = _by_text(lines, others)
        self._lengths = sorted({len(text) for text in self.by_text})

    def candidates(self, path: str) -> Iterator[int]:
        """The lines that may match ``path`` besides ``always``, of those that are tried."""
        for length in self._lengths:
            for start in range(len(path) - length + 1):
                found = self.by_text.get(path[start : start + length])
                if found is not None:
                    yield from found

    def tries(self, index: int, path: str) -> bool:
        """Whether a line that is tried matches ``path``."""
        matcher = self._matchers.get(index)
        if matcher is None:
            matcher = self._matchers[index] = _matcher(self._lines[index])
        return matcher(path)

    def known(self, path: str) -> Collection[int]:
        """The lines in the tables that match ``path``."""
        found = [*self._whole.get(path, ())]
        if self._ends:
            found += self._ends.get(path, ())
        position = path.find("/")
        while position >= 0:
            if self._ends:
                found += self._ends.get(path[position + 1 :], ())
            if self._starts:
                found += self._starts.get(path[: position + 1], ())
            position = path.find("/", position + 1)
        return found


_FEW = 50
"""So many lines are tried faster than the texts of a path are looked up."""

_TEXT = 16
"""Characters of a line's text that are looked for."""

_NO_TEXT = regex(r"\*\*/?|[*?^\]]|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]?", re.DOTALL)
"""What is not in a path as it stands in a pattern. The slash of ``**/`` may be in none."""


def _by_text(
    lines: Sequence[IgnoreLine], tried: Sequence[int]
) -> tuple[Sequence[int], Mapping[str, Sequence[int]]]:
    """The lines to try on every path, and those for paths with a text: each by its rarest.

    Raises ConfigError for too many lines with no text, or the same.
    """
    if len(tried) <= _FEW:
        return tried, {}
    texts = {
        index: {text for run in _NO_TEXT.split(lines[index].pattern) if run
                for text in (run[:_TEXT], run[-_TEXT:])}
        for index in tried
    }  # fmt: skip
    often = Counter(text for found in texts.values() for text in found)
    always: list[int] = []
    by_text: dict[str, list[int]] = {}
    for index, found in texts.items():
        rarest = min(found, key=lambda text: (often[text], -len(text)), default=None)
        alike = always if rarest is None else by_text.setdefault(rarest, [])
        alike.append(index)
        if len(alike) > ALIKE_PATTERNS:
            line = lines[index]
            raise ConfigError(
                f"{line.file}:{line.number}: more than {ALIKE_PATTERNS:,} lines differ "
                f"only in their wildcards, as {line.text[:40]!r} does",
                fix="say it with fewer lines",
            )
    return always, by_text


def _matcher(line: IgnoreLine) -> Callable[[str], bool]:
    kind = _kind(line.pattern)
    if kind == "prefix":
        return _starts_with(line.pattern[:-2])
    if kind == "suffix":
        return _ends_with(line.pattern[2:])
    return _in_one_name(line.pattern) or _expression(line, _pieces(line.pattern))


_KINDS = regex(
    r"(?P<exact>[^*?\\\[\]]*)|(?P<suffix>\*\*/?[^*?\\\[\]]*)|(?P<prefix>[^*?\\\[\]]+\*\*/?)"
)


def _kind(pattern: str) -> str:
    """The kind of a pattern, in the words of ``patternmatcher.Pattern.compile``."""
    found = _KINDS.fullmatch(pattern)
    return (found and found.lastgroup) or "regexp"


def _pieces(pattern: str) -> list[Piece]:
    """The pieces of a pattern, as ``patternmatcher.Pattern.compile`` reads the pattern."""
    pieces: list[Piece] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*" and pattern.startswith("*", position):
            position += 1
            if pattern.startswith("/", position):
                position += 1
            pieces.append(DIRECTORIES if position < len(pattern) else Piece("many", "."))
        elif char == "*":
            pieces.append(STAR)
        elif char == "?":
            pieces.append(ANY)
        elif char == "\\":
            # The syntax check has already refused a backslash at the end.
            pieces.append(Piece("one", "\\" + pattern[position]))
            position += 1
        else:
            pieces.append(Piece("one", "\\" + char if char in _REGEXP_ONLY else char))
    return pieces


_DOUBTFUL = frozenset("[]\\^")
"""With one of these a pattern may be no regular expression."""


def _require_expression(line: IgnoreLine) -> None:
    """Raise ConfigError for a pattern that Docker refuses when it first tries it."""
    pieces = _pieces(line.pattern)
    if not all(map(_is_expression, {piece.test for piece in _with_classes(pieces)})):
        # Only together they may mean something: "\\x" and two digits.
        _expression(line, pieces)


@lru_cache(maxsize=1024)
def _is_expression(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            re.compile(text, re.ASCII)
        except re.error:
            return False
    return True


def _expression(line: IgnoreLine, pieces: Sequence[Piece]) -> Callable[[str], bool]:
    with warnings.catch_warnings():
        # Python warns that "[[" may mean something else one day; Go's meaning is today's.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return compile_pieces(_with_classes(pieces), re.ASCII)
        except re.error as error:
            raise ConfigError(
                f"{line.file}:{line.number}: pattern {line.text!r} is not understood: {error}"
            ) from error


def _with_classes(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, with each ``[…]`` joined; it ends where a regular expression ends it."""
    joined: list[Piece] = []
    inside = ""
    for piece in pieces:
        text = piece.expression if piece.kind != "directories" else piece.test
        if not inside and text != "[":
            joined.append(piece)
            continue
        inside += text
        if text == "]" and inside not in ("[]", "[^]"):
            joined.append(Piece("one", inside))
            inside = ""
    return [*joined, Piece("one", inside)] if inside else joined


def _in_one_name(pattern: str) -> Callable[[str], bool] | None:
    """A pattern whose only wildcard is one ``*``, in its only name, below any directory or none."""
    anywhere = pattern.startswith("**/")
    name = pattern.removeprefix("**/")
    if name.count("*") != 1 or _WILDCARDS.intersection(name) != {"*"} or "/" in name:
        return None
    before, _, after = name.partition("*")

    def matches(path: str) -> bool:
        directory, slash, last = path.rpartition("/")
        if slash and (not anywhere or "\n" in directory):
            return False
        return (
            len(last) >= len(before) + len(after)
            and last.startswith(before)
            and last.endswith(after)
        )

    return matches


def _starts_with(prefix: str) -> Callable[[str], bool]:
    return lambda path: path.startswith(prefix)


def _ends_with(suffix: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(suffix)
