"""Make the locks of this directory anew, and ask the real tools what they would install of them.

    python make.py TOOLS [PROJECT…]

TOOLS is a directory with a virtual environment for each tool: ``uv``, ``poetry``,
``poetry1`` (Poetry 1.8), ``pdm`` and ``pipenv``. uv must find Python 3.10, 3.11 and
3.13. Everything comes from PyPI. Each project gets its lock and ``expected.json``.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path()
PYTHONS = ("3.10", "3.11", "3.13")


def run(directory: Path, *words: str, **variables: str) -> str:
    """What a command prints, run without the caches and settings of this machine."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory.parent / "home"),
        "COLUMNS": "500",
        "NO_COLOR": "1",
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "PIP_CONFIG_FILE": "/dev/null",
        **variables,
    }
    done = subprocess.run(
        words, cwd=directory, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} in {directory.name}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def program(tool: str) -> str:
    return str(TOOLS / tool / "bin" / tool.rstrip("1"))


@cache
def python_of(version: str) -> str:
    """The path of a Python, as uv finds it."""
    return subprocess.run(
        [program("uv"), "python", "find", "--no-project", version],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def venv(directory: Path, version: str) -> Path:
    made = directory / f".venv-{version}"
    run(
        directory, program("uv"), "venv", "-q", "--clear", "--python", python_of(version), str(made)
    )
    run(directory, program("uv"), "pip", "install", "-q", "--python", str(made), "pip")
    return made


def uv(directory: Path, words: str, version: str) -> list[str]:
    text = run(
        directory, program("uv"), *shlex.split(words)[1:], "--frozen", "--dry-run",
        "--python", python_of(version), UV_PROJECT_ENVIRONMENT=".none",
    )  # fmt: skip
    found = re.findall(r"^ \+ (\S+?)(?:==(\S+)| @ \S+)$", text, re.MULTILINE)
    return [f"{name}=={number}" if number else name for name, number in found]


def uv_pip(directory: Path, words: str, version: str) -> list[str]:
    made = directory / f".venv-{version}"
    run(
        directory, program("uv"), "venv", "-q", "--clear", "--python", python_of(version), str(made)
    )
    text = run(
        directory, program("uv"), *shlex.split(words)[1:], "--dry-run", "--python", str(made)
    )
    found = re.findall(r"^ \+ (\S+?)(?:==(\S+)| @ \S+)$", text, re.MULTILINE)
    return [f"{name}=={number}" if number else name for name, number in found]


def poetry(directory: Path, words: str, version: str, tool: str = "poetry") -> list[str]:
    made = venv(directory, version)
    text = run(
        directory, program(tool), *shlex.split(words)[1:], "--dry-run", "-n",
        VIRTUAL_ENV=str(made), PATH=f"{made}/bin:{os.environ['PATH']}",
    )  # fmt: skip
    found = re.findall(r"- Installing (\S+) \(([^ )]+)[^)]*\)(?!.*Skipped)", text)
    own = re.findall(r"Installing the current project: (\S+)", text)
    # A package that is there already, as pip is in a fresh environment, is no package to us.
    return [*(f"{name}=={number}" for name, number in found), *own]


def poetry1(directory: Path, words: str, version: str) -> list[str]:
    return poetry(directory, words, version, "poetry1")


def pdm(directory: Path, words: str, version: str) -> list[str]:
    made = venv(directory, version)
    (directory / ".pdm-python").write_text(str(made / "bin" / "python"))
    text = run(directory, program("pdm"), *shlex.split(words)[1:], "--dry-run")
    return [f"{name}=={number}" for name, number in re.findall(r"^  - (\S+) (\S+)$", text, re.M)]


def pipenv(directory: Path, words: str, version: str) -> list[str]:
    made = venv(directory, version)
    run(directory, program("pipenv"), *shlex.split(words)[1:], VIRTUAL_ENV=str(made),
        PIPENV_IGNORE_VIRTUALENVS="0", PIPENV_VERBOSITY="-1")  # fmt: skip
    text = run(directory, program("uv"), "pip", "freeze", "--python", str(made / "bin" / "python"))
    lines = [line for line in text.splitlines() if "==" in line]
    return [line for line in lines if line.split("==")[0] not in ("pip", "setuptools", "wheel")]


Ask = Callable[[Path, str, str], list[str]]

PROJECTS: dict[str, tuple[str, list[str], Ask, str, list[str]]] = {
    "uv": ("uv.lock", ["uv lock"], uv, "uv", [
        "uv sync", "uv sync --no-dev", "uv sync --no-dev --extra dates",
        "uv sync --no-dev --extra all", "uv sync --all-extras",
        "uv sync --all-extras --no-extra dates", "uv sync --group docs",
        "uv sync --no-group lint", "uv sync --no-default-groups --group lint",
        "uv sync --only-group docs", "uv sync --only-dev", "uv sync --all-groups",
        "uv sync --all-groups --no-group docs", "uv sync --no-dev --no-install-project",
        "uv sync --no-dev --no-install-workspace", "uv sync --no-dev --no-install-local",
        "uv sync --no-dev --no-install-package click --no-install-package six",
        "uv sync --package helper", "uv sync --package helper --extra fast --no-dev",
        "uv sync --all-packages", "uv sync --all-packages --all-extras --no-dev",
    ]),
    "uv-conflicts": ("uv.lock", ["uv lock"], uv, "uv", [
        "uv sync", "uv sync --extra cpu", "uv sync --extra gpu", "uv sync --group dev",
        "uv sync --group new --extra cpu", "uv sync --no-dev --extra gpu --group new",
        "uv sync --only-group new",
    ]),
    "uv-member": ("uv.lock", ["uv lock"], uv, "uv", [
        "uv sync", "uv sync --all-packages", "uv sync --package one", "uv sync --no-default-groups",
        "uv sync --all-packages --all-groups",
    ]),
    "uv-workspace": ("uv.lock", ["uv lock"], uv, "uv", [
        "uv sync", "uv sync --no-default-groups", "uv sync --group dev", "uv sync --package one",
        "uv sync --only-group docs", "uv sync --all-packages --no-default-groups",
        "uv sync --all-packages",
    ]),
    "poetry": ("poetry.lock", ["poetry lock"], poetry, "poetry", [
        "poetry install", "poetry install --no-root", "poetry install --only main",
        "poetry install --only main --no-root", "poetry install --with docs",
        "poetry install --with docs --without dev,lint", "poetry install --only docs",
        "poetry install --only main,docs --no-root", "poetry install -E dates --no-root",
        "poetry install --extras 'dates files'", "poetry install --all-extras --all-groups",
        "poetry install --all-extras --without dev", "poetry sync --only types",
        "poetry sync --without lint",
    ]),
    "poetry-1": ("poetry.lock", ["poetry1 lock --no-update"], poetry1, "poetry1", [
        "poetry install", "poetry install --no-root", "poetry install --only main",
        "poetry install --with docs --without dev", "poetry install --only docs",
        "poetry install -E dates --no-root", "poetry install --extras 'dates files'",
        "poetry install --all-extras", "poetry install --sync -E files",
    ]),
    "pdm": ("pdm.lock", ["pdm lock -G :all"], pdm, "pdm", [
        "pdm sync", "pdm sync --prod", "pdm sync -G dates", "pdm sync -G :all",
        "pdm sync -d -G lint", "pdm sync --no-default -G lint", "pdm sync --prod -G files",
        "pdm sync --without dev", "pdm sync --no-self -G dates,files", "pdm sync -d",
        "pdm sync --prod -G :all", "pdm sync --no-default -d", "pdm sync --prod --no-self",
        "pdm install --frozen-lockfile --prod", "pdm sync --with dates --without lint",
    ]),
    "pdm-graph": ("pdm.lock", ["pdm lock -G :all -S no_inherit_metadata"], pdm, "pdm", [
        "pdm sync", "pdm sync --prod", "pdm sync -G dates", "pdm sync -G :all",
        "pdm sync -d -G lint", "pdm sync --no-default -G lint", "pdm sync --prod -G all",
        "pdm sync --without dev", "pdm sync -d", "pdm sync --no-default -d",
    ]),
    "pdm-targets": ("pdm.lock", [
        "pdm lock -G :all --python >=3.10,<3.12 --platform linux",
        "pdm lock -G :all --python >=3.12 --platform linux --append",
    ], pdm, "pdm", ["pdm sync", "pdm sync --prod", "pdm sync -G dates"]),
    "pylock": ("pylock.toml", [
        "pdm config --local lock.format pylock", "pdm lock -G :all -L pylock.toml",
    ], pdm, "pdm", [
        "pdm sync -L pylock.toml --prod --no-self",
        "pdm sync -L pylock.toml --prod -G :all --no-self",
        "pdm sync -L pylock.toml -d -G lint --no-self",
    ]),
    "pylock-groups": ("pylock.toml", [
        "pdm config --local lock.format pylock", "pdm lock -G :all -L pylock.toml",
    ], uv_pip, "pdm", [
        "uv pip sync pylock.toml", "uv pip sync pylock.toml --group dev",
        "uv pip sync pylock.toml --extra dates", "uv pip install -r pylock.toml --group lint",
    ]),
    "pipenv": ("Pipfile.lock", ["pipenv lock"], pipenv, "pipenv", [
        "pipenv sync", "pipenv sync --dev", "pipenv install --deploy",
        "pipenv sync --categories docs", "pipenv sync --categories 'packages docs'",
        "pipenv install --deploy --dev", "pipenv sync --all",
    ]),
}  # fmt: skip
"""For each project: its lock, the commands that make it, who is asked, his program, and what."""


def shortened(text: str) -> str:
    """A lock with at most two files for each package: what else there is decides nothing."""
    kept, count = [], 0
    for line in text.splitlines(keepends=True):
        is_file = re.match(r"\s+\{ ?(?:url|file|name) = ", line) and "hash" in line
        count = count + 1 if is_file else 0
        if count <= 2:
            kept.append(line)
    return "".join(kept)


def make(project: str) -> None:
    lock, locking, ask, tool, commands = PROJECTS[project]
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, project)
        skipped = shutil.ignore_patterns("expected.json", "*.lock", "pylock.toml")
        shutil.copytree(HERE / project, copy, ignore=skipped)
        for name in ("demo", "src/helper", "libs/helper/src/helper", "one/src/one", "two/src/two"):
            if (copy / name.split("/")[0]).is_dir() or name == "demo":
                (copy / name).mkdir(parents=True, exist_ok=True)
                (copy / name / "__init__.py").touch()
        python = python_of("3.11")
        if tool == "pdm":
            (copy / ".pdm-python").write_text(python)
        more = {}
        if tool.startswith("poetry"):
            made = venv(copy, "3.11")
            more = {"VIRTUAL_ENV": str(made), "PATH": f"{made}/bin:{os.environ['PATH']}"}
        for line in locking:
            run(copy, program(shlex.split(line)[0]), *shlex.split(line)[1:], **more)
        expected = {
            "tool": run(copy, program(tool), "--version").strip().splitlines()[-1],
            "installed": [
                {"command": line, "python": version,
                 "packages": sorted(ask(copy, line, version), key=str.lower)}
                for line in commands
                for version in PYTHONS
            ],
        }  # fmt: skip
        (HERE / project / lock).write_text(shortened((copy / lock).read_text()))
    rows = ",\n".join("  " + json.dumps(row) for row in expected["installed"])
    text = f'{{"tool": {json.dumps(expected["tool"])},\n "installed": [\n{rows}\n]}}\n'
    (HERE / project / "expected.json").write_text(text)


if __name__ == "__main__":
    for name in sys.argv[2:] or PROJECTS:
        make(name)
        print(name, flush=True)
