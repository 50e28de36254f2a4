"""The packages that a manifest's own text names: do they cover a project's needs?"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import ConfigError
from ..regexes import regex
from ..shell.script import Word
from .documents import YAML_SUFFIXES, load_yaml, table
from .requirement_files import joined_lines
from .tools.command_lines import is_local, package_name

__all__ = ["names_in"]

_ReadText = Callable[[str], "str | None"]

_DEEPEST = 20
_PLAIN_LISTS = (".txt", ".in", ".pip")


def names_in(path: str, read: _ReadText) -> frozenset[str] | None:
    """The names of the packages that a manifest asks for, as indexes normalise them.

    ``path`` is an absolute one in the container, and ``read`` gives the text of
    the file there. None for a form other than requirement files and conda's
    environment files, and where something is asked for that is not told by a
    name: a local project, a URL, a file that cannot be read.
    """
    named = _Named(read)
    return frozenset(named.names) if named.by_file(path, 0) else None


_INCLUSION = regex(r"(?:-r[ =]?|--requirements?[ =])\s*(\S+)")
_EGG = regex(r"[#&]egg=([\w.-]+)")


class _Named:
    """The names of one manifest and the files that it includes, each of which is read once.

    The methods return False where something is asked for that is not told by a name.
    """

    def __init__(self, read: _ReadText) -> None:
        self._read = read
        self._done: set[str] = set()
        self.names: set[str] = set()

    def by_file(self, path: str, depth: int) -> bool:
        """Take in a file; ``depth`` is how many files include it."""
        if path in self._done:
            return True
        text = self._read(path) if depth <= _DEEPEST else None
        if text is None:
            return False
        if path.endswith(YAML_SUFFIXES):
            known = self._by_environment(text, path, depth)
        else:
            known = path.endswith(_PLAIN_LISTS) and self._by_lines(text.splitlines(), path, depth)
        self._done.add(path)
        return known

    def _by_environment(self, text: str, path: str, depth: int) -> bool:
        try:
            document = load_yaml(text, Path(path))
        except ConfigError:
            return False
        listed = table(document).get("dependencies")
        if not isinstance(listed, list):
            return False
        self.names.update(package_name(item) for item in listed if isinstance(item, str))
        pips = [item["pip"] for item in listed if isinstance(item, dict) and "pip" in item]
        return all(
            self._by_lines(map(str, pip), path, depth) for pip in pips if isinstance(pip, list)
        )

    def _by_lines(self, lines: Iterable[str], path: str, depth: int) -> bool:
        texts = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in joined_lines(lines))
        return all(self._by_line(text, path, depth) for text in texts if text)

    def _by_line(self, text: str, path: str, depth: int) -> bool:
        if inclusion := _INCLUSION.match(text):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), inclusion[1]))
            return self.by_file(place, depth + 1)
        if egg := _EGG.search(text):
            self.names.add(package_name(egg[1]))
            return True
        if text.startswith("-"):
            return re.match(r"-e|--editable", text) is None
        if "$" in text or text[0] == "@" or is_local(Word(text.split(";")[0].strip())):
            return False
        name = package_name(text)
        if not name or "://" in text.partition("@")[0]:
            return False
        self.names.add(name)
        return True
