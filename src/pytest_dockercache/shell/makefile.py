"""The shell lines that ``make TARGET`` runs, as far as a Makefile says them plainly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..regexes import regex

__all__ = ["recipe_of", "with_included"]

_VARIABLE = regex(r"(?:export\s+|override\s+)?([\w.-]+)\s*(?:[:?+]{0,2}=)\s*(.*)")
_RULE = regex(r"([^\s:=#][^:=#]*?)\s*::?(?!=)\s*([^;#]*)(?:;(.*))?")
_REFERENCE = regex(r"\$\(([\w.-]+)\)|\$\{([\w.-]+)\}|\$\$")


_INCLUDE = regex(r"(?m)^(?:-|s)?include[ \t]+([^#\n]+)")
_DEEPEST = 5


def with_included(makefile: str, read: Callable[[str], str | None], depth: int = 0) -> str:
    """The text of a Makefile, with included files in place of the ``include`` lines.

    ``read`` gives the text of a file by the name in the Makefile, None where it is not known: a
    line with only unknown files stays.
    """

    def included(line: re.Match[str]) -> str:
        texts = [text for name in line[1].split() if (text := read(name)) is not None]
        return "\n".join(with_included(text, read, depth + 1) for text in texts) or line[0]

    return makefile if depth > _DEEPEST else _INCLUDE.sub(included, makefile)


def recipe_of(makefile: str, targets: Sequence[str], variables: Mapping[str, str] = {}) -> str:
    """The recipes of some targets and of their prerequisites, as one shell script.

    No target means the first one. ``variables`` are the variables of the command line and the
    environment. Pattern rules, conditions and functions are not followed: an unresolved reference
    stays as ``$NAME``.
    """
    values: dict[str, str] = {}
    rules: dict[str, tuple[tuple[str, ...], list[str]]] = {}
    current: list[list[str]] = []
    first = ""
    for line in makefile.replace("\\\n", " ").splitlines():
        if line.startswith("\t"):
            for recipe in current:
                recipe.append(line.strip().lstrip("@-+"))
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _RULE.fullmatch(line.partition("#")[0].rstrip())
        variable = _VARIABLE.fullmatch(line.strip())
        if variable is not None:
            values[variable[1]] = variable[2].partition(" #")[0].strip()
        elif found is not None:
            current = []
            for name in found[1].split():
                if not first and not name.startswith("."):
                    first = name
                needed, recipe = rules.get(name, ((), []))
                more = tuple(word for word in found[2].split() if word != "|")
                rules[name] = ((*needed, *more), recipe)
                if found[3]:
                    recipe.append(found[3].strip())
                current.append(recipe)
    known = {**values, **variables}
    done: dict[str, None] = {}
    lines: list[str] = []
    for target in targets or [first]:
        _follow(target, rules, done, lines)
    return "\n".join(f"({_expanded(line, known)})" for line in lines)


def _follow(
    target: str,
    rules: Mapping[str, tuple[tuple[str, ...], list[str]]],
    done: dict[str, None],
    lines: list[str],
) -> None:
    if target in done or target not in rules:
        return
    done[target] = None
    needed, recipe = rules[target]
    for name in needed:
        _follow(name, rules, done, lines)
    lines += recipe


def _expanded(text: str, values: Mapping[str, str], depth: int = 0) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not name:
            return "$$" if depth else "$"
        if name in values and depth < 10:
            return _expanded(values[name], values, depth + 1)
        return {"MAKE": "make", "PIP": "pip", "PYTHON": "python"}.get(name, f"${name}")

    return _REFERENCE.sub(value, text)
