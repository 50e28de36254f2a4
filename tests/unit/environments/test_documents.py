"""YAML and TOML files are read as plain values, and refused with the place of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.environments import check_environment_file
from pytest_dockercache.environments.documents import load_toml, load_yaml, yaml_line
from pytest_dockercache.errors import ConfigError


def test_invalid_yaml_is_refused_at_its_position(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("name: app\ndependencies:\n  - python=3.10\n - numpy\n")
    with pytest.raises(ConfigError, match=r"environment\.yml:4:2: invalid YAML"):
        check_environment_file(file)


def test_a_python_tag_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("name: !!python/object/apply:os.system [id]\n")
    with pytest.raises(ConfigError, match=r":1:7: the YAML tag '.*os\.system' is refused"):
        check_environment_file(file)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("name: \u00e9\n- \x07".encode(), "2:3"),
        ("name: a\n\x07", "2:1"),
        (b"name: a\nb: \xff", "2:4"),
        (b"\xff", "1:1"),
    ],
)
def test_what_is_no_character_of_a_text_has_a_position_too(
    content: bytes | str, place: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"^e\.yml:{place}: invalid YAML: .*\n  fix    correct the file"
    ):
        load_yaml(content, Path("e.yml"))


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"a: \x00", b"[" * 3000])
def test_what_is_no_text_at_all_is_refused_without_a_traceback(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "environment.yml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"environment\.yml"):
        check_environment_file(file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        check_environment_file(tmp_path / "environment.yml")


def test_a_requirements_file_need_not_be_yaml(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("a: [\n")
    check_environment_file(tmp_path / "requirements.txt")


def test_the_line_of_a_value_is_known() -> None:
    text = "name: a\ndependencies:\n- x\n- pip:\n  - y\n"
    assert yaml_line(text, ("dependencies", 0)) == 3
    assert yaml_line(text, ("dependencies", 1, "pip", 0)) == 5
    assert yaml_line(text, ("dependencies", 7)) is None
    assert yaml_line(text, ("channels", 0)) is None


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"a = 1\nb =\n", "p.toml:2:4"), (b"a = '\xff'", "p.toml"), (b"a = " + b"[" * 9000, "p.toml")],
)
def test_invalid_toml_is_refused_at_its_position(content: bytes, place: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{place}: invalid TOML: .*\n  fix    correct the file"
    ):
        load_toml(content, Path("p.toml"))


def test_a_toml_file_may_begin_with_a_byte_order_mark_and_end_lines_as_windows_does() -> None:
    assert load_toml(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n", Path("p.toml")) == {"a": 1, "b": 2}


def test_an_inline_table_may_take_several_lines_as_in_toml_1_1() -> None:
    content = b'[[package]]\nname = "six"\nsdist = {\n  url = "https://example.org",\n}\n'
    (package,) = load_toml(content, Path("uv.lock"))["package"]
    assert package["sdist"] == {"url": "https://example.org"}


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_environment_file_says_that_it_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "environment.yml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"environment file .*environment\.yml: is empty"):
        check_environment_file(tmp_path / "environment.yml")
