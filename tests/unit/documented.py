"""What README and pages print for readers to use: blocks of code, and the command lines in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *ROOT.glob("docs/**/*.md"),
        *(ROOT / name / "README.md" for name in ("benchmarks", "fixtures", "changelog.d")),
    ]
)

_BLOCK = re.compile(r"(?ms)^```(?P<language>\w*)\n(?P<text>.*?)^```$")
_COMMENT = re.compile(r"(?m)(?:^|\s+)#(?!\w).*$")


@dataclass(frozen=True)
class Block:
    """One block of code of a page; ``number`` counts the page's blocks from 1."""

    page: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{named(self.page)}-{self.number}"

    @property
    def file(self) -> str | None:
        """The path that the first line names as the file to write, if it names one."""
        found = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return None if found is None else found[1]

    @property
    def lines(self) -> Iterator[str]:
        """The command lines of a shell block, each with its continuations, without comments."""
        text = self.text.replace("\\\n", " ")
        if "'\n" in text:  # a program between quotes
            yield text.strip()
            return
        for line in _COMMENT.sub("", text).splitlines():
            if line.strip():
                yield " ".join(line.split())


def named(page: Path) -> str:
    """The page's path from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Block]:
    """The blocks of every page in one of these languages ("" is one without a name)."""
    return [
        Block(page, number, found["language"], found["text"])
        for page in PAGES
        for number, found in enumerate(_BLOCK.finditer(page.read_text(encoding="utf-8")), 1)
        if found["language"] in languages
    ]


def commands_of(document: Any) -> Iterator[str]:
    """The command lines in a workflow or pipeline: of ``run`` and ``script``."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("run", "script"):
                texts = value if isinstance(value, list) else [value]
                yield from (line for text in texts for line in text.splitlines() if line)
            else:
                yield from commands_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from commands_of(value)


def pytest_runs() -> list[tuple[Block, str]]:
    """Every command line that starts pytest with the plugin, and the block that has it first."""
    found = [(block, line) for block in blocks("sh") for line in block.lines]
    for block in blocks("yaml"):
        found += ((block, line) for line in commands_of(yaml.safe_load(block.text)))
    first: dict[str, Block] = {}
    for block, line in found:
        if line.startswith("pytest --dockercache"):
            first.setdefault(line, block)
    return [(block, line) for line, block in first.items()]


def arguments(line: str) -> list[str]:
    """The arguments of a command line after the program."""
    return shlex.split(line)[1:]
