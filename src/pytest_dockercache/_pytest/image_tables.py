"""The images that ``[[tool.dockercache.image]]`` in ``pyproject.toml`` describes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..regexes import regex
from ..values import dataclass
from .given import GivenValue
from .image_options import IMAGE_KEYS

__all__ = ["NAME", "ImageTable", "read_tables"]

NAME = regex(r"\w[\w.-]*")
"""What an image may be called: the name stands in brackets in its node IDs."""

_FILE = "pyproject.toml"
_TABLE = "[[tool.dockercache.image]]"
_OWN_KEYS = ("name", "dockerfile")
_SEVERAL = (
    "build-arg",
    "build-context",
    "secret",
    "ssh",
    "cache-from",
    "cache-to",
    "environment",
    "platform",
    "skip",
)
"""Keys that take one value or a list."""
_NAMED = ("build-arg", "build-context")
"""Keys that take a table of names and values as well."""


@dataclass(frozen=True)
class ImageTable:
    """One table: the Dockerfile and the name, if given, and the values of options by their names.

    ``place`` is the file, with the line of the table where it is known.
    """

    place: str
    base: Path
    dockerfile: GivenValue | None
    name: GivenValue | None
    own: Mapping[str, tuple[GivenValue, ...]]


def read_tables(root: Path) -> tuple[ImageTable, ...]:
    """The tables of the ``pyproject.toml`` in a directory; none if there is no such file.

    Raises ConfigError with file, line and key for a file that is no TOML or not as described.
    """
    path = root / _FILE
    if not path.is_file():
        return ()
    from ..disk import read_text

    try:
        text = read_text(path, errors="replace")
    except OSError as problem:
        raise ConfigError(f"{_FILE}: {problem.strerror or problem}") from None
    if "dockercache" not in text:
        return ()
    from ..environments.documents import load_toml

    # 3.10 is a version, and not the number 3.1.
    document = load_toml(text, path, parse_float=str)
    ours = _table(_table(document.get("tool")).get("dockercache"))
    for key in ours:
        if key != "image":
            line = _line_of(text, rf"{re.escape(key)}\s*=") or _line_of(text, _OURS)
            raise ConfigError(
                f"{_at(line)}: unknown key {key} of [tool.dockercache]; valid: image, an array of "
                f"tables {_TABLE}; options for all images are keys of pytest's own configuration"
            )
    return tuple(_read(text, root, ours.get("image", [])))


def _read(text: str, root: Path, tables: object) -> Iterator[ImageTable]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        line = _line_of(text, r"\[\s*tool\s*\.\s*dockercache\s*\.\s*image\b|image\s*=")
        raise ConfigError(
            f"{_at(line)}: image of [tool.dockercache] is an array of tables {_TABLE}"
        )
    sections = _sections(text)
    if len(sections) != len(tables):
        sections = [(0, "")] * len(tables)  # written in another way: the lines are not known
    for (first, section), table in zip(sections, tables, strict=True):
        yield _Reading(first, section, root).table(table)


@dataclass(frozen=True)
class _Reading:
    """Reads one table; ``section`` is its text, ``first`` its first line (1-based, 0: unknown)."""

    first: int
    section: str
    root: Path

    def table(self, table: Mapping[str, Any]) -> ImageTable:
        valid = (*_OWN_KEYS, *IMAGE_KEYS)
        for key in table:
            if key not in valid:
                said = f"unknown key {key} of {_TABLE}; valid: {', '.join(valid)}"
                raise ConfigError(f"{self.at(key)}: {said}")
        own = {key: tuple(self.values(key, table[key])) for key in table}
        dockerfile, name = (own.pop(key, ()) for key in _OWN_KEYS[::-1])
        if name and not NAME.fullmatch(name[0].text):
            raise name[0].wrong("not a name", "use letters, digits, '.', '_' and '-'")
        return ImageTable(
            _at(self.first or None),
            self.root,
            dockerfile[0] if dockerfile else None,
            name[0] if name else None,
            own,
        )

    def values(self, key: str, value: object) -> Iterator[GivenValue]:
        if key in _NAMED and isinstance(value, dict):
            for name, content in value.items():
                yield self.value(key, f"{name}={self.text(key, content)}")
        elif key in _SEVERAL and isinstance(value, list):
            for item in value:
                yield self.value(key, self.text(key, item))
        else:
            yield self.value(key, self.text(key, value))

    def value(self, key: str, text: str) -> GivenValue:
        place = f"{self.at(key)}: {key} = {text}"
        return GivenValue(text, key, self.root, False, place)

    def text(self, key: str, value: object) -> str:
        if isinstance(value, bool) and key in _NAMED:
            return str(value).lower()
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        wanted = "a text"
        if key in _SEVERAL:
            wanted = "a text or a list of texts"
        if key in _NAMED:
            wanted += ", or a table of names and values"
        raise ConfigError(f"{self.at(key)}: {key} of {_TABLE} is {wanted}")

    def at(self, key: str) -> str:
        """The file and the line of a key."""
        if not self.first:
            return _FILE
        name = rf"[\"']?{re.escape(key)}[\"']?"
        found = _line_of(self.section, rf"{name}\s*[.=]|\[.*\.\s*{name}\s*\]")
        return _at(self.first + (found or 1) - 1)


_HEADER = regex(r"\s*\[\[\s*tool\s*\.\s*dockercache\s*\.\s*image\s*\]\]")
_OURS = r"\[+\s*tool\s*\.\s*dockercache\b"
_ANY_HEADER = regex(r"\s*\[\[?\s*[\w\"']")
_INSIDE = regex(r"\s*\[\s*tool\s*\.\s*dockercache\s*\.\s*image\s*\.")


def _sections(text: str) -> list[tuple[int, str]]:
    """The first line (1-based) and the text of each table."""
    found: list[tuple[int, list[str]]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if _HEADER.match(line):
            found.append((number, []))
            inside = True
        elif _ANY_HEADER.match(line) and not _INSIDE.match(line):
            inside = False
        if inside:
            found[-1][1].append(line)
    return [(number, "\n".join(lines)) for number, lines in found]


def _line_of(text: str, pattern: str) -> int | None:
    """The first line (1-based) of a text that begins with a pattern."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(?:{pattern})", line):
            return number
    return None


def _at(line: int | None) -> str:
    return _FILE if line is None else f"{_FILE}:{line}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
