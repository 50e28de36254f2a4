"""Which context paths ``.dockerignore`` keeps out of a build, and by which line.

The semantics are those of moby's ``patternmatcher`` as BuildKit's client
(``fsutil``) applies it while it walks the context. ``docker.utils.build``'s
matcher, which the Docker SDK uses, is not used: it folds case, negates
``[!a]``, ignores ``\\`` escapes and reads ``**e`` as a directory prefix.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import ConfigError
from .gomatch import BadPatternError, clean, compile_match

__all__ = ["IgnoreLine", "IgnoreRules"]

_REGEXP_ONLY = frozenset(".+()|{}$")
_WILDCARDS = frozenset("*[]?^\\")


@dataclass(frozen=True)
class IgnoreLine:
    """One pattern of an ignore file: where it stands and what it says.

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


Matched = int
"""One bit per pattern: whether it matched a directory, for the benefit of what is below it."""


@dataclass(frozen=True)
class IgnoreRules:
    """The ignore file of one build: ``source`` is None when there is none."""

    source: Path | None = None
    lines: tuple[IgnoreLine, ...] = ()

    @classmethod
    def load(cls, context: Path, dockerfile: Path) -> IgnoreRules:
        """Read ``<dockerfile>.dockerignore``, else the context's ``.dockerignore``.

        The first replaces the second entirely, even when empty. Raises
        ConfigError for a file that cannot be read and for a line on which
        Docker refuses to build.
        """
        for source in (Path(f"{dockerfile}.dockerignore"), context / ".dockerignore"):
            try:
                content = source.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
            return cls.parse(content, source)
        return cls()

    @classmethod
    def parse(cls, content: bytes, source: Path) -> IgnoreRules:
        """Read the text of an ignore file; ``source`` is for messages."""
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
                compile_match(pattern)
            except BadPatternError:
                raise ConfigError(
                    f"{source}:{number}: syntax error in pattern {stripped!r}: "
                    "Docker refuses to build with it"
                ) from None
            lines.append(IgnoreLine(source, number, stripped, pattern, reinclude))
        return cls(source, tuple(lines))

    def says_the_same(self, other: IgnoreRules) -> bool:
        """Whether both have the same lines, wherever they stand."""
        return [line.text for line in self.lines] == [line.text for line in other.lines]

    def excludes(self, path: str) -> bool:
        """Whether the build cannot see ``path`` (POSIX, relative to the context)."""
        return self._along(path)[0]

    def deciding_line(self, path: str) -> IgnoreLine | None:
        """The line that keeps ``path`` out or lets it in again; None if no line speaks of it."""
        decided = self._along(path)[1]
        return None if decided is None else self.lines[decided]

    def match(self, path: str, parent: Matched | None) -> tuple[bool, Matched, int | None]:
        """One step of the walk: excluded or not, the bits for children, the deciding line's index.

        ``parent`` is what the call for the parent directory returned, None at
        the top. This is ``MatchesUsingParentResults``, with its quirk: a
        pattern that could not change the parent's fate was not tried on it,
        so it does not reach down from there.
        """
        excluded = False
        decided: int | None = None
        bits = 0
        inherited = parent or 0
        for index, (reinclude, matches) in enumerate(self._patterns):
            if inherited >> index & 1:
                hit = True
            elif reinclude != excluded:
                continue
            else:
                hit = matches(path)
            if hit:
                bits |= 1 << index
                excluded = not reinclude
                decided = index
        return excluded, bits, decided

    def may_reinclude_below(self, directory: str) -> bool:
        """Whether a ``!`` line can let in something below an excluded directory."""
        if self._prefix_exceptions is None:
            return True
        below = directory + "/"
        return any(prefix.startswith(below) for prefix in self._prefix_exceptions)

    def _along(self, path: str) -> tuple[bool, int | None]:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        excluded, bits, decided = False, None, None
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            excluded, bits, decided = self.match(here, bits)
            if excluded and count < len(parts) and not self.may_reinclude_below(here):
                return True, decided
        return excluded, decided

    @cached_property
    def _patterns(self) -> tuple[tuple[bool, Callable[[str], bool]], ...]:
        return tuple((line.reinclude, _matcher(line)) for line in self.lines)

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
        return tuple(prefixes)


def _lone_mark(source: Path, number: int) -> ConfigError:
    return ConfigError(
        f"{source}:{number}: a lone '!' is no pattern: Docker refuses to build with it"
    )


def _matcher(line: IgnoreLine) -> Callable[[str], bool]:
    """Compile one pattern the way ``patternmatcher.Pattern.compile`` does."""
    pattern = line.pattern
    kind = "exact"
    out: list[str] = []
    position = 0
    first = True
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*" and pattern.startswith("*", position):
            position += 1
            if pattern.startswith("/", position):
                position += 1
            if position == len(pattern):
                if kind == "exact":
                    kind = "prefix"
                else:
                    out.append(".*")
                    kind = "regexp"
            else:
                out.append("(.*/)?")
                kind = "regexp"
            if first:
                kind = "suffix"
        elif char == "*":
            out.append("[^/]*")
            kind = "regexp"
        elif char == "?":
            out.append("[^/]")
            kind = "regexp"
        elif char in _REGEXP_ONLY:
            out.append("\\" + char)
        elif char == "\\":
            # The syntax check has already refused a backslash at the end.
            out.append("\\" + pattern[position])
            position += 1
            kind = "regexp"
        else:
            if char in "[]":
                kind = "regexp"
            out.append(char)
        first = False
    if kind == "exact":
        return pattern.__eq__
    if kind == "prefix":
        return _starts_with(pattern[:-2])
    if kind == "suffix":
        return _ends_with(pattern[2:])
    with warnings.catch_warnings():
        # Python warns that "[[" may mean something else one day; Go's meaning is today's.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            compiled = re.compile("^" + "".join(out) + r"\Z", re.ASCII)
        except re.error as error:
            raise ConfigError(
                f"{line.file}:{line.number}: pattern {line.text!r} is not understood: {error}"
            ) from error
    return lambda path: compiled.match(path) is not None


def _starts_with(prefix: str) -> Callable[[str], bool]:
    return lambda path: path.startswith(prefix)


def _ends_with(suffix: str) -> Callable[[str], bool]:
    bare = suffix[1:] if suffix.startswith("/") else None
    return lambda path: path.endswith(suffix) or path == bare
