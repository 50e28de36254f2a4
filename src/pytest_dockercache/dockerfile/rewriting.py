"""A Dockerfile as blocks that can be moved, and the difference as a patch.

A *block* is one instruction with its exact source lines and the comments directly above it. A block
that no edit names keeps its bytes: continuations, heredocs, blank lines, line endings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..values import dataclass
from .reader import parse_dockerfile

__all__ = ["Block", "Sheet", "applied", "patch_of", "sheet_of"]


@dataclass(frozen=True, eq=False)
class Block:
    """One instruction as it is written.

    ``lines`` carry their line ends; ``above`` are the blank lines and the separate comments above
    the block, which stay when the block moves; ``line`` is the 1-based first line of the
    instruction in the Dockerfile that was read, 0 for a new block.
    """

    lines: tuple[str, ...]
    above: tuple[str, ...] = ()
    line: int = 0

    @property
    def text(self) -> str:
        """The instruction with its comments, exactly."""
        return "".join(self.lines)


@dataclass(frozen=True)
class Sheet:
    """A Dockerfile's blocks in order; ``tail`` is what follows the last; ``eol`` its line end."""

    blocks: tuple[Block, ...]
    tail: tuple[str, ...] = ()
    eol: str = "\n"

    @property
    def text(self) -> str:
        """The whole Dockerfile."""
        parts = [line for block in self.blocks for line in (*block.above, *block.lines)]
        parts += self.tail
        return "".join(
            [line if line.endswith("\n") else line + self.eol for line in parts[:-1]]
        ) + (parts[-1] if parts else "")

    @property
    def origins(self) -> Mapping[int, int]:
        """The first line of each instruction in :attr:`text`, and the line it had, 0 if new."""
        found: dict[int, int] = {}
        number = 1
        for block in self.blocks:
            number += len(block.above)
            found[number + _leading(block.lines)] = block.line
            number += len(block.lines)
        return found

    def at(self, line: int) -> Block:
        """The block of the instruction that starts at ``line``. Raises KeyError."""
        for block in self.blocks:
            if block.line == line and line:
                return block
        raise KeyError(line)

    def without(self, lines: Iterable[int]) -> Sheet:
        """The sheet without these blocks; the separate comments above the blocks stay."""
        gone = set(lines)
        kept: list[Block] = []
        above: tuple[str, ...] = ()
        for block in self.blocks:
            if block.line and block.line in gone:
                above += block.above
                continue
            kept.append(replace(block, above=_joined_gap(above, block.above)))
            above = ()
        return replace(self, blocks=tuple(kept), tail=_joined_gap(above, self.tail))

    def moved(self, lines: Iterable[int], *, below: int) -> Sheet:
        """The sheet with these blocks directly below the block at ``below``, in their order."""
        wanted = set(lines)
        moving = [replace(block, above=()) for block in self.blocks if block.line in wanted]
        rest = self.without(wanted)
        return rest._inserted(moving, rest._position(below) + 1)

    def with_text(self, texts: Sequence[str], *, above: int) -> Sheet:
        """The sheet with new instructions directly above the block at ``above``."""
        return self.with_blocks([self.new(text) for text in texts], above=above)

    def with_blocks(self, blocks: Sequence[Block], *, above: int) -> Sheet:
        """The sheet with blocks directly above the block at ``above``, below its gap."""
        position = self._position(above)
        if not blocks:
            return self
        old = self.blocks[position]
        first, *more = blocks
        new = (replace(first, above=old.above), *more, replace(old, above=()))
        return replace(self, blocks=(*self.blocks[:position], *new, *self.blocks[position + 1 :]))

    def replaced(self, line: int, *texts: str) -> Sheet:
        """The sheet with other instructions in place of one; its comments stay above them.

        The first of several keeps the line number.
        """
        position = self._position(line)
        old = self.blocks[position]
        leading = old.lines[: _leading(old.lines)]
        new = [self.new(text) for text in texts]
        if new:
            new[0] = Block((*leading, *new[0].lines), old.above, old.line)
        return replace(self, blocks=(*self.blocks[:position], *new, *self.blocks[position + 1 :]))

    def source(self, line: int) -> str:
        """The instruction at ``line`` as it is written, without the comments above it."""
        block = self.at(line)
        return "".join(block.lines[_leading(block.lines) :]).rstrip("\r\n").replace("\r\n", "\n")

    def new(self, text: str) -> Block:
        """A block of this text (lines parted by ``\\n``) in the sheet's line endings."""
        return Block(tuple(line + self.eol for line in text.rstrip("\n").split("\n")))

    def _inserted(self, blocks: Sequence[Block], position: int) -> Sheet:
        return replace(self, blocks=(*self.blocks[:position], *blocks, *self.blocks[position:]))

    def _position(self, line: int) -> int:
        return self.blocks.index(self.at(line))


def _leading(lines: Sequence[str]) -> int:
    """How many lines at the start of a block are comments."""
    for count, line in enumerate(lines):
        if not line.lstrip().startswith("#"):
            return count
    return len(lines)


def _joined_gap(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Two gaps in a row; where both are blank lines only, one of them is enough."""
    if first and second and not any(line.strip() for line in (*first, *second)):
        return first if len(first) >= len(second) else second
    return (*first, *second)


def sheet_of(text: str) -> Sheet:
    """The blocks of a Dockerfile's text (as it is on disk, decoded). Raises ConfigError."""
    dockerfile = parse_dockerfile(text)
    lines = _physical(text)
    eol = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    header = _directive_lines(lines)
    blocks: list[Block] = []
    start = 0
    for instruction in dockerfile.instructions:
        first, end = instruction.line - 1, instruction.end_line
        attached = first
        while attached > max(start, header) and lines[attached - 1].lstrip().startswith("#"):
            attached -= 1
        blocks.append(
            Block(tuple(lines[attached:end]), tuple(lines[start:attached]), instruction.line)
        )
        start = end
    return Sheet(tuple(blocks), tuple(lines[start:]), eol)


def _physical(text: str) -> list[str]:
    """Lines as builders count them: parted by ``\\n`` alone, ends kept."""
    parts = text.split("\n")
    lines = [part + "\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _directive_lines(lines: Sequence[str]) -> int:
    """How many lines at the top may be parser directives, which have to stay at the top."""
    count = 0
    for line in lines:
        bare = line.lstrip("\ufeff \t")
        if not bare.startswith("#") or "=" not in bare:
            break
        count += 1
    return count


def patch_of(changes: Mapping[str, tuple[str | None, str]]) -> str:
    """A unified diff for ``patch -p1`` and ``git apply``.

    ``changes`` maps a path (POSIX, from the directory in which the patch is
    applied) to the text before, None for a file that is new, and the text
    after.
    """
    return "".join(_file_patch(path, *texts) for path, texts in sorted(changes.items()))


def _file_patch(path: str, before: str | None, after: str) -> str:
    if before == after:
        return ""
    # GNU patch takes a name with blanks for whole only if a tab ends it.
    end = "\t" if " " in path else ""
    old = "/dev/null" if before is None else f"a/{path}{end}"
    made = difflib.unified_diff(
        _physical(before or ""), _physical(after), old, f"b/{path}{end}", lineterm="\n"
    )
    out = []
    for number, line in enumerate(made):
        text = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        # difflib ends the header lines itself.
        out.append(text if number > 1 else line)
    return "".join(out)


def applied(patch: str, texts: Mapping[str, str | None]) -> dict[str, str]:
    """The new texts of the files that a patch of :func:`patch_of` changes.

    ``texts`` gives the old text of each file, None for a file that does not exist. Raises
    ValueError where a hunk's lines are not found.
    """
    made: dict[str, str] = {}
    for path, hunks in read_patch(patch):
        lines = _physical(made.get(path) or texts.get(path) or "")
        for old, new, near in hunks:
            lines = _with_hunk(lines, old, new, near, path)
        made[path] = "".join(lines)
    return made


Hunk = tuple[list[str], list[str], int]
"""The lines before and after, each with its newline, and the first line (from 1) of the former."""


def read_patch(patch: str) -> list[tuple[str, list[Hunk]]]:
    """The files of a patch of :func:`patch_of`, each with its hunks."""
    files: list[tuple[str, list[Hunk]]] = []
    before = ""
    left = [0, 0]
    for line in _physical(patch):
        if line.startswith("\\"):
            old, new, _ = files[-1][1][-1]
            for side in {" ": (old, new), "-": (old,), "+": (new,)}[before[:1]]:
                side[-1] = side[-1].removesuffix("\n")
        elif any(left):
            old, new, _ = files[-1][1][-1]
            if line[0] != "+":
                old.append(line[1:])
                left[0] -= 1
            if line[0] != "-":
                new.append(line[1:])
                left[1] -= 1
        elif line.startswith("+++ b/"):
            files.append((line[6:].rstrip("\n").removesuffix("\t"), []))
        elif line.startswith("@@"):
            ranges = [part.partition(",") for part in line.split()[1:3]]
            left = [int(count) if comma else 1 for _, comma, count in ranges]
            files[-1][1].append(([], [], int(ranges[0][0][1:])))
        before = line
    return files


def _with_hunk(lines: list[str], old: list[str], new: list[str], near: int, path: str) -> list[str]:
    found = [
        start
        for start in range(len(lines) - len(old) + 1)
        if lines[start : start + len(old)] == old
    ]
    if not old:
        found = [len(lines)] if near else [0]
    if not found:
        raise ValueError(f"a change of {path} near line {near} does not fit any more")
    start = min(found, key=lambda place: abs(place + 1 - near))
    return [*lines[:start], *new, *lines[start + len(old) :]]
