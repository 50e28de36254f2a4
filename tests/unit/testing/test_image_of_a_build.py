"""The questions of a test about an image reach the engine unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockercache import ConfigError, Execution, Image


def ran(command: str | Sequence[str], **options: Any) -> tuple[list[str], object]:
    """The words and the entry point that an engine gets."""
    seen: list[tuple[list[str], object]] = []

    class Engine:
        def run(self, image: str, words: Sequence[str], **given: Any) -> Execution:
            seen.append((list(words), given["entrypoint"]))
            return Execution(0, "", "")

    subject: Any = SimpleNamespace(engine=Engine(), run=SimpleNamespace(id="run"))
    Image(subject, "sha256:0").run(command, **options)
    return seen[0]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["python", "--version"], ["python", "--version"]),
        ("python --version", ["python", "--version"]),
        ("sh -c 'echo a b'", ["sh", "-c", "echo a b"]),
        ("", []),
    ],
)
def test_a_command_is_words_and_never_letters(
    command: str | Sequence[str], words: list[str]
) -> None:
    assert ran(command) == (words, None)


def test_an_entry_point_is_words_as_well() -> None:
    assert ran("x", entrypoint="python -m") == (["x"], ["python", "-m"])


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'image.run\("echo \'"\): No closing quotation'):
        ran("echo '")
