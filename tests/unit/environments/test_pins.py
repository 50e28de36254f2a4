"""Environment files: the pin of Python, and the errors of a file that no tool could read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.environments import check_environment_file, load_yaml, python_pin
from pytest_dockercache.errors import ConfigError


@pytest.mark.parametrize(
    ("spec", "pin"),
    [
        ("python=3.10", "3.10"),
        ("python==3.10.4", "==3.10.4"),
        ("python>=3.10,<3.11", ">=3.10,<3.11"),
        ("python >=3.10, <3.11", ">=3.10,<3.11"),
        ("python 3.10.*", "3.10.*"),
        ("python=3.10.*", "3.10.*"),
        ("python 3.10", "3.10"),
        ("conda-forge::python=3.10", "3.10"),
        ("conda-forge/linux-64::python=3.10", "3.10"),
        ("python=3.10.4=h12debd9_0", "3.10.4"),
        ("python==3.10.4=h12debd9_0", "==3.10.4"),
        ("python 3.10.4 h12debd9_0", "3.10.4"),
        ("python[version='>=3.10']", ">=3.10"),
        ("Python=3.10", "3.10"),
        ("python~=3.10.0", "~=3.10.0"),
        ("python!=3.9", "!=3.9"),
        ("python", None),
        ("python=*", None),
        ("python-dateutil=2.8", None),
        ("pythonnet=3.0", None),
    ],
)
def test_a_match_spec_of_python_gives_its_version(
    tmp_path: Path, spec: str, pin: str | None
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(f'name: a\ndependencies:\n  - numpy\n  - "{spec}"\n  - pip:\n      - x\n')
    assert python_pin(file) == pin


@pytest.mark.parametrize(
    ("name", "text", "pin"),
    [
        (".python-version", "3.10.4\n", "3.10.4"),
        (".python-version", "# ours\ncpython-3.11\n", "3.11"),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.10, <3.12"\n', ">=3.10,<3.12"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.10"\n', ">=3.10,<4"),
        ("pyproject.toml", '[project]\nrequires-python = ">= 3.10"\n', ">=3.10"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3.10"\n', ">=3.10,<3.11"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3.10.2"\n', ">=3.10.2,<3.11"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3"\n', ">=3,<4"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~=3.10"\n', "~=3.10"),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.10 || ^3.11"\n',
            ">=3.10,<4|>=3.11,<4",
        ),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = ">=3.10 <3.12"\n', ">=3.10,<3.12"),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.10,!=3.11.1"\n',
            ">=3.10,<4,!=3.11.1",
        ),
        ("pixi.toml", '[dependencies]\npython = "3.10.*"\n', "3.10.*"),
        ("pixi.toml", '[dependencies]\npython = "3.10.* *_cpython"\n', "3.10.*"),
        ("pixi.toml", '[dependencies]\npython = { version = ">=3.10" }\n', ">=3.10"),
        ("Pipfile", '[requires]\npython_version = "3.10"\n', "3.10"),
        ("requirements.txt", "python-dateutil==2.8\n", None),
        ("environment.yml", "- a\n", None),
        ("environment.yml", "", None),
        ("conda-lock.yml", "package:\n- name: python\n  version: 3.10.4\n", "==3.10.4"),
    ],
)
def test_other_manifests_pin_python_too(
    tmp_path: Path, name: str, text: str, pin: str | None
) -> None:
    (tmp_path / name).write_text(text)
    assert python_pin(tmp_path / name) == pin


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
    with pytest.raises(ConfigError, match=rf"^e\.yml:{place}: invalid YAML: .*; correct the file"):
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
