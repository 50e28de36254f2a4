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


def names_in(path: str, read: _ReadText, depth: int = 0) -> frozenset[str] | None:
    """The names of the packages that a manifest asks for, as indexes normalise them.

    ``path`` is an absolute one in the container, and ``read`` gives the text of
    the file there. None for a form other than requirement files and conda's
    environment files, and where something is asked for that is not told by a
    name: a local project, a URL, a file that cannot be read.
    """
    text = read(path) if depth <= _DEEPEST else None
    if text is None:
        return None
    if path.endswith(YAML_SUFFIXES):
        return _of_environment(text, path, read, depth)
    return _of_lines(text.splitlines(), path, read, depth) if path.endswith(_PLAIN_LISTS) else None


def _of_environment(text: str, path: str, read: _ReadText, depth: int) -> frozenset[str] | None:
    try:
        document = load_yaml(text, Path(path))
    except ConfigError:
        return None
    listed = table(document).get("dependencies")
    if not isinstance(listed, list):
        return None
    found: frozenset[str] = frozenset()
    for item in listed:
        if isinstance(item, str):
            found |= {package_name(item)}
        elif isinstance(item, dict) and isinstance(item.get("pip"), list):
            names = _of_lines(map(str, item["pip"]), path, read, depth)
            if names is None:
                return None
            found |= names
    return found


_INCLUSION = regex(r"(?:-r[ =]?|--requirements?[ =])\s*(\S+)")
_EGG = regex(r"[#&]egg=([\w.-]+)")


def _of_lines(
    lines: Iterable[str], path: str, read: _ReadText, depth: int
) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    for line in joined_lines(lines):
        text = re.sub(r"(^|\s+)#.*$", "", line).strip()
        if not text:
            continue
        names: frozenset[str] | None = None
        if inclusion := _INCLUSION.match(text):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), inclusion[1]))
            names = names_in(place, read, depth + 1)
        elif egg := _EGG.search(text):
            names = frozenset({package_name(egg[1])})
        elif text.startswith("-"):
            names = None if re.match(r"-e|--editable", text) else frozenset()
        elif "$" not in text and text[0] != "@" and not is_local(Word(text.split(";")[0].strip())):
            name = package_name(text)
            names = frozenset({name}) if name and "://" not in text.partition("@")[0] else None
        if names is None:
            return None
        found |= names
    return found
