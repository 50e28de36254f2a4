"""Locks: the packages that each tool itself would install of them, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments.comparison import matches
from pytest_dockercache.environments.installed import Environment
from pytest_dockercache.environments.markers import Machine
from pytest_dockercache.environments.names import normalised
from pytest_dockercache.environments.requirements import Requirements, read_requirements
from pytest_dockercache.environments.tools import recognised, runner_of
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.shell.running import step_commands

LOCKS = Path(__file__).parent / "locks"


def machine(python: str, platform: str = "linux/amd64") -> Machine:
    """An image's Python of which only the two first numbers are known, as site-packages tells."""
    return Machine.of(Environment("/v", (), {}, (), (f"python{python}",)), platform)


def rows() -> Iterator[object]:
    for file in sorted(LOCKS.glob("*/expected.json")):
        for row in json.loads(file.read_text())["installed"]:
            name = f"{file.parent.name}: {row['command']} ({row['python']})"
            yield pytest.param(file.parent, row, id=name)


def installed_by(
    lock: Path, command: str, python: str, platform: str = "linux/amd64"
) -> Requirements:
    """The packages that a command line installs from a lock into an image with this Python."""
    steps = plan(parse_dockerfile(f"FROM base\nWORKDIR /app\nRUN {command}\n"))
    (words,) = step_commands(steps[-1], runner_of)
    installation = recognised(words, steps[-1])
    assert installation is not None
    wanted = read_requirements(lock, platform=platform, selection=installation.selection)
    return wanted.on(machine(python, platform))


@pytest.mark.parametrize(("project", "row"), [*rows()])
def test_a_lock_is_read_as_its_own_tool_reads_it(project: Path, row: dict[str, Any]) -> None:
    lock = next(file for file in project.iterdir() if file.name in LOCK_NAMES)
    found = installed_by(lock, row["command"], row["python"])
    assert packages(found.pip, project) == packages(row["packages"], project)


def packages(lines: Iterable[str], project: Path) -> list[str]:
    """Names and versions; of projects, which have no place on an index, the names alone.

    So of colorama in Pipfile.lock, which has it without a version. ``pdm sync
    --dry-run`` does not name the project that it installs too.
    """
    local = {"demo", "helper", "one", "two"} | ({"colorama"} if project.name == "pipenv" else set())
    found = [
        line.partition("==")[0] if line.partition("==")[0] in local else line for line in lines
    ]
    silent = {"demo"} if project.name.startswith(("pdm", "pylock")) else set()
    return sorted(
        normalised(line) if "==" not in line else line for line in found if line not in silent
    )


LOCK_NAMES = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml")


DAMAGED_LOCKS = [
    ("Pipfile.lock", '{"default": {"click": "a b"}}', r"Pipfile.lock has 'click==a b'"),
    ("poetry.lock", '[[package]]\nname = "a b"\nversion = "1"\n', "which is no requirement"),
    ("pdm.lock", '[[package]]\nname = ""\nversion = "1"\ngroups = ["default", []]\n', "no requ"),
    (
        "conda-lock.yml",
        "package: [{name: a, version: b c, manager: pip, platform: linux-64},"
        " {name: b, version: 1, platform: []}]",
        "has 'a==b c', which is no requirement",
    ),
]


@pytest.mark.parametrize(("name", "text", "said"), DAMAGED_LOCKS)
def test_a_damaged_lock_is_named_with_what_it_says(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "pyproject.toml").write_text("[tool.poetry.dependencies]\n'a b' = '*'\n")
    with pytest.raises(ConfigError, match=said):
        matches(read_requirements(tmp_path / name), Environment("/v", (), {}, (), ("python3.10",)))
