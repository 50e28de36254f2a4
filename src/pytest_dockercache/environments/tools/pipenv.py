"""Pipenv: which files its commands read, and what it keeps."""

from __future__ import annotations

import re

from ...dockerfile.syntax import PlannedStep
from ...shell.running import Runner
from ...shell.script import Command
from .command_lines import Installation, arguments, conventional_files, package_name, read_files
from .table import Tool, known_layouts

__all__ = ["TOOL"]


def _pipenv(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:], "-r --requirements --python --categories -i --index --extra-pip-args"
    )
    if not given.words or given.has("--help", "-h"):
        return None
    action, *packages = given.words
    manifests, unresolved = conventional_files(command.directory, "Pipfile", "Pipfile.lock")
    if action.text in ("install", "sync", "update"):
        files = given.values("-r", "--requirements")
        if files:
            manifests, unresolved = read_files(command.directory, files)
        elif packages and action.text == "install":
            names = tuple(package_name(word.text) for word in packages)
            return Installation("pipenv", named=True, packages=names)
        return Installation("pipenv", manifests, unresolved)
    if action.text == "requirements":
        return Installation("pipenv", manifests, unresolved, exports=True)
    return None


TOOL = Tool(
    name="pipenv",
    programs=re.compile(r"pipenv"),
    caches=known_layouts("pipenv"),
    environments=re.compile(r".*/\.venv|.*/virtualenvs/[^/]+"),
    reads=_pipenv,
    conventional=("Pipfile", "Pipfile.lock"),
    manifests=re.compile(r"pipfile(\.lock)?"),
    comments={r"(^|/)pipfile$": "#"},
    variables=re.compile(r"PIPENV(_\w*)?"),
    runner=Runner(""),
)
