"""Where a key stands in a compose or bake file, and where the text of a Dockerfile does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..disk import read_text
from ..errors import ConfigError

__all__ = ["line_of_text", "lines_of_target", "place_of"]


def place_of(files: Sequence[Path], name: str, key: str) -> str:
    """The file, with the line where one is found, in which a service or target has a key.

    The last of the files counts that has the key in the block of that name; a key that another
    block hands on (``extends``, ``inherits``) is looked for anywhere.
    """
    key = rf"[\"']?{re.sub('[_-]', '[_-]', key)}[\"']?\s*[:=]"
    texts = [(file, _lines(file)) for file in files]
    for file, lines in reversed(texts):
        first, last = _block(lines, name)
        # The head of the block comes last: a service may be called as its key is.
        for number in (*range(first + 1, last), first):
            if number < last and re.search(rf"(?:^|[\s{{,]){key}", lines[number]):
                return f"{file.name}:{number + 1}"
    for file, lines in reversed(texts):
        for number, line in enumerate(lines):
            if re.match(rf"\s*{key}", line):
                return f"{file.name}:{number + 1}"
    return files[0].name


def line_of_text(file: Path, name: str, text: str) -> int | None:
    """The line (1-based) of a file in which a text of several lines begins; None if unsure.

    Indentation does not count, and what a variable stands for is not compared. Of several places
    the one in the block of the service or target ``name`` counts.
    """
    wanted = [line.strip() for line in text.rstrip().splitlines()]
    lines = _lines(file)
    found = [
        start
        for start in range(len(lines) - len(wanted) + 1)
        if all(map(_same, lines[start : start + len(wanted)], wanted))
    ]
    if not found and len(wanted) == 1:
        found = [start for start, line in enumerate(lines) if wanted[0] in line]
    if len(found) > 1:
        first, last = _block(lines, name)
        found = [start for start in found if first <= start < last]
    return found[0] + 1 if len(found) == 1 and wanted else None


def _same(written: str, read: str) -> bool:
    written = written.strip()
    if "$" not in written:
        return written == read
    # `$$` is a sign, and what a variable stands for may be any text.
    pattern = re.split(r"\$\$|\$\{[^}]*\}|\$\w+", written)
    return re.fullmatch(".*".join(map(re.escape, pattern)), read) is not None


def _lines(file: Path) -> list[str]:
    try:
        return read_text(file, errors="replace").splitlines()
    except (OSError, ConfigError):
        return []


def lines_of_target(file: Path, name: str) -> list[str]:
    """The lines of a bake file in which a target is written, [] where it is not found."""
    lines = _lines(file)
    first, last = _block(lines, name)
    return lines[first:last] if lines and re.match(r"\s*target\b", lines[first]) else []


def _block(lines: Sequence[str], name: str) -> tuple[int, int]:
    """The lines (0-based, the end exclusive) of the service or target of a name; all if unsure."""
    escaped = re.escape(name)
    begins = [
        (number, len(line) - len(line.lstrip()))
        for number, line in enumerate(lines)
        if re.match(rf"\s*(?:target\s+)?[\"']?{escaped}[\"']?\s*[:{{]", line)
    ]
    if not begins:
        return 0, len(lines)
    start, indent = begins[0]
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= indent and line.strip() not in "{":
            return start, number
    return start, len(lines)
