"""Build arguments without a value that name the source of a step: the build cannot go well."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..regexes import regex
from ..values import dataclass
from .instructions import declared, json_strings
from .syntax import Dockerfile, PlannedStep

__all__ = ["ValuelessSource", "valueless_source"]


_ONLY_IF_SET = regex(r"\$\{\w+:?\+[^}]*\}")
"""``${NAME:+…}``, which stands for nothing where the argument has no value."""


@dataclass(frozen=True)
class ValuelessSource:
    """A COPY or ADD in ``line`` whose source names an argument without a value.

    ``declared`` is the line of the argument's ARG. A base image that sets a variable of this name
    still gives the argument a value.
    """

    name: str
    declared: int
    line: int

    def __str__(self) -> str:
        return (
            f"build argument {self.name} (line {self.declared}) has no value, "
            f"and names what line {self.line} copies"
        )

    @property
    def fix(self) -> str:
        """The text of the fix for the missing value."""
        return f"give it a value: --dockercache-build-arg={self.name}=VALUE"


def valueless_source(
    dockerfile: Dockerfile, steps: Iterable[PlannedStep]
) -> ValuelessSource | None:
    """The first source of these steps that an argument without a value names."""
    for step in steps:
        if step.instruction.keyword not in ("COPY", "ADD"):
            continue
        words = json_strings(step.instruction.value) or step.instruction.value.split()
        words = [_ONLY_IF_SET.sub("", word) for word in words]
        values = dict(step.environment)
        for name in step.declared_args:
            plain = re.compile(rf"\$(?:{re.escape(name)}(?!\w)|\{{{re.escape(name)}\}})")
            if name not in values and any(map(plain.search, words[:-1])):
                line = _declaration(dockerfile, name, step)
                return ValuelessSource(name, line, step.line)
    return None


def _declaration(dockerfile: Dockerfile, name: str, step: PlannedStep) -> int:
    """The line of the last ARG of that name above a step."""
    lines = [
        instruction.line
        for instruction in dockerfile.instructions
        if instruction.keyword == "ARG"
        and instruction.line < step.line
        and any(other == name for other, _ in declared(instruction))
    ]
    return lines[-1] if lines else step.line
