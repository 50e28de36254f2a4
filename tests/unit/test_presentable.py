"""Foreign text is shown without commands that a terminal obeys, and without secrets."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import LINEAR, growth
from pytest_dockercache.errors import BuildFailed, CacheAssertionError, ConfigError
from pytest_dockercache.model import Finding, Fix, Row
from pytest_dockercache.presentable import presentable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain → text\n\tindented", "plain → text\n\tindented"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("50%\r100%\r\ndone", "50%\\x0d100%\ndone"),
        ("\x9b31m \x7f", "\\x9b31m \\x7f"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("name\udcff", "name\\udcff"),
        ("https://me:secret@pypi.test/simple", "https://me:***@pypi.test/simple"),
        ("https://me:s@cr:t@pypi.test/", "https://me:***@pypi.test/"),
        ("git+https://ghp_token@github.test/x.git", "git+https://***@github.test/x.git"),
        ("https://ghp_token@github.test/x.git", "https://***@github.test/x.git"),
        ("postgresql+psycopg://u:p@db/x", "postgresql+psycopg://u:***@db/x"),
        ("ssh://git@github.test/x", "ssh://git@github.test/x"),
        ("https://pypi.test/a@b:c", "https://pypi.test/a@b:c"),
        ("mail a@b.test and https://x.test", "mail a@b.test and https://x.test"),
    ],
)
def test_a_text_is_shown_as_it_may_be(text: str, shown: str) -> None:
    assert presentable(text) == shown


def test_a_long_line_takes_no_more_than_its_length() -> None:
    def present(size: int) -> None:
        assert presentable("https://" + "a" * size) == "https://" + "a" * size

    assert growth(present, 40_000) < LINEAR


@given(st.text())
def test_no_text_can_move_the_cursor(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", presentable(text))


@given(st.text(alphabet="https:/@a.", max_size=200))
def test_what_was_shown_is_shown_the_same_again(text: str) -> None:
    assert presentable(presentable(text)) == presentable(text)


def test_every_error_of_ours_is_shown_so() -> None:
    url = "https://me:secret@host/\x1b[31m"
    finding = Finding("no", rows=(Row(url),), fix=Fix(url))
    for problem in (
        BuildFailed(replace(finding, log=url)),
        ConfigError(url),
        CacheAssertionError(finding),
    ):
        assert "secret" not in str(problem)
        assert "\x1b" not in str(problem)
    assert "secret" not in BuildFailed(Finding("x", log=url)).log
