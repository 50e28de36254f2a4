"""A Dockerfile that is a text inside a compose or bake file, as a file with the same lines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ..cache_home import cache_home, write_private, writing
from ..disk import read_bytes
from ..regexes import regex
from .places import line_of_text

__all__ = ["inline_dockerfile"]

_DIRECTIVE = regex(r"#\s*[a-zA-Z][a-zA-Z0-9]*\s*=")


def inline_dockerfile(files: Sequence[Path], name: str, text: str) -> tuple[Path, Path] | None:
    """The text as a file in the plugin's directory, and the file of ``files`` that holds it.

    Blank lines stand before the text, which change no cache key, so that its lines have the numbers
    that they have in the file which holds it. None where the text is not found there, line by line.
    Raises ConfigError where no file can be written.
    """
    found = ((file, line_of_text(file, name, text)) for file in reversed(files))
    inside, line = next(((file, line) for file, line in found if line is not None), (None, 0))
    if inside is None:
        return None
    made = hashlib.sha256(f"{files[0]}\0{name}".encode()).hexdigest()[:16]
    path = cache_home() / "inline" / made / inside.name
    lines = text.splitlines()
    # Directives count at the very top alone.
    count = next((number for number, one in enumerate(lines) if not _DIRECTIVE.match(one)), 0)
    shifted = [*lines[:count], *[""] * (line - 1), *lines[count:]]
    content = ("\n".join(shifted) + "\n").encode()
    with writing(path):
        if not path.is_file() or read_bytes(path) != content:
            write_private(path, content)
    return path, inside
