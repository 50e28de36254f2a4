"""Rewriting a Dockerfile keeps its lines."""

from __future__ import annotations

import pytest

from pytest_dockercache.dockerfile import parse_dockerfile, with_base, with_instruction
from pytest_dockercache.errors import ConfigError

TEXT = """\
# syntax=docker/dockerfile:1
ARG BASE=debian:12
FROM debian:12 AS other
RUN true
from --platform=linux/amd64 ${BASE} as build
RUN echo \\
  debian:12
FROM build AS final
COPY --from=other /x /x
"""


def test_the_base_of_the_built_stage_changes_and_nothing_else() -> None:
    changed = with_base(parse_dockerfile(TEXT), None, "debian:13").split("\n")
    before = TEXT.split("\n")
    assert changed[4] == "from --platform=linux/amd64 debian:13 as build"
    assert changed[:4] + changed[5:] == before[:4] + before[5:]


def test_the_target_chooses_the_from_that_changes() -> None:
    changed = with_base(parse_dockerfile(TEXT), "Other", "debian:13")
    assert changed == TEXT.replace("FROM debian:12 AS other", "FROM debian:13 AS other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM from\n", "FROM new\n"),
        ("FROM  a   AS  a\n", "FROM  new   AS  a\n"),
        ("FROM \\\n  # a\n  a AS x\nRUN a\n", "FROM \\\n  # a\n  new AS x\nRUN a\n"),
        ("FROM a\r\nRUN x\r\n", "FROM new\r\nRUN x\r\n"),
        ("\\\nFROM a\n", "\\\nFROM new\n"),
        ("FROM --platform=a a\n", "FROM --platform=a new\n"),
        ("FROM deb\\\nian:12 AS x\nRUN y\n", "FROM new AS x\n\nRUN y\n"),
    ],
)
def test_a_from_keeps_its_form_and_its_lines(text: str, expected: str) -> None:
    changed = with_base(parse_dockerfile(text), None, "new")
    assert changed == expected
    after = parse_dockerfile(changed)
    assert [item.line for item in after.instructions] == [
        item.line for item in parse_dockerfile(text).instructions
    ]
    assert after.stages[0].base == "new"


def test_a_shorter_instruction_leaves_blank_lines() -> None:
    dockerfile = parse_dockerfile("FROM a\r\nRUN b \\\r\n  c\r\nRUN d\r\n")
    changed = with_instruction(dockerfile, dockerfile.instructions[1], "RUN e")
    assert changed == "FROM a\r\nRUN e\r\n\r\nRUN d\r\n"


@pytest.mark.parametrize("image", ["", "two words"])
def test_a_base_image_is_one_word(image: str) -> None:
    with pytest.raises(ConfigError, match="is not one word"):
        with_base(parse_dockerfile(TEXT), None, image)
