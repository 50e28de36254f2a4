"""Writing a Dockerfile anew with one instruction changed and every line number kept."""

from __future__ import annotations

import re

from ..errors import ConfigError
from .instructions import WHITESPACE
from .stages import resolve_stage, stage_chain
from .syntax import Dockerfile, Instruction

__all__ = ["with_base", "with_instruction"]


def with_base(dockerfile: Dockerfile, target: str | None, image: str) -> str:
    """The Dockerfile's text with the target's base image replaced by ``image``.

    When the target is built FROM another stage, the FROM at the end of that
    chain is the one that changes. Its flags, its alias, comments and all line
    numbers stay; other stages keep their bases even when they name the same
    image. Raises ConfigError for an unknown target and an image that is no
    single word.
    """
    if not image or WHITESPACE.search(image):
        raise ConfigError(
            f"the base image {image!r} is not one word", fix="give an image reference, as in FROM"
        )
    from_ = stage_chain(
        dict(enumerate(dockerfile.stages)), resolve_stage(dockerfile, target).index
    )[-1].from_
    written = WHITESPACE.split(from_.value)[0]
    lines = dockerfile.text.split("\n")
    word = re.compile(rf"(?<!\S){re.escape(written)}(?!\S)")
    keyword = re.compile(r"\s*from(?=\s|\\|`|\Z)", re.IGNORECASE)
    start = keyword.match(lines[from_.line - 1])
    for number in range(from_.line - 1, from_.end_line):
        line = lines[number]
        if line.lstrip().startswith("#"):
            continue
        found = word.search(line, start.end() if start and number == from_.line - 1 else 0)
        if found:
            lines[number] = line[: found.start()] + image + line[found.end() :]
            return "\n".join(lines)
    flags = from_.text[: len(from_.text) - len(from_.value)].rstrip()
    return with_instruction(dockerfile, from_, f"{flags} {image}{from_.value[len(written) :]}")


def with_instruction(dockerfile: Dockerfile, instruction: Instruction, text: str) -> str:
    """The Dockerfile's text with ``text`` in place of one instruction.

    ``text`` starts at the instruction's first line, and the rest of the old lines becomes blank, so
    that every other instruction keeps its line unless ``text`` has more lines than the old
    instruction.
    """
    lines = dockerfile.text.split("\n")
    end = "\r" if lines[instruction.line - 1].endswith("\r") else ""
    new = [line + end for line in text.split("\n")]
    room = instruction.end_line - instruction.line + 1
    new += [end] * (room - len(new))
    lines[instruction.line - 1 : instruction.end_line] = new
    return "\n".join(lines)
