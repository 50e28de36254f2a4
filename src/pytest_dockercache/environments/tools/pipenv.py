"""Pipenv: the files that its commands read, and its caches."""

from __future__ import annotations

from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command
from ..selection import pipenv_selection
from .command_lines import Installation, arguments, conventional_files, package_name, read_files
from .table import Tool, known_layouts

__all__ = ["TOOL"]


def _pipenv(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:],
        "-r --requirements --python --categories --extras -i --index --extra-pip-args "
        "--pypi-mirror --resolver -e --editable --config-settings",
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
            return Installation("pipenv", named=True, packages=names, changes=manifests)
        environment = {**dict(step.environment), **dict(command.assignments)}
        selection = pipenv_selection(given, environment)
        return Installation("pipenv", manifests, unresolved, selection=selection)
    if action.text == "requirements":
        selection = pipenv_selection(given, {})
        if given.has("--dev-only"):
            selection = replace(selection, only=("dev-packages",))
        return Installation("pipenv", manifests, unresolved, exports=True, selection=selection)
    return None


TOOL = Tool(
    name="pipenv",
    programs=regex(r"pipenv"),
    caches=known_layouts("pipenv"),
    environments=regex(r".*/\.venv|.*/virtualenvs/[^/]+"),
    reads=_pipenv,
    conventional=("Pipfile", "Pipfile.lock"),
    manifests=regex(r"pipfile(\.lock)?"),
    comments={r"(^|/)pipfile$": "#"},
    comparable=lambda path: path.name.lower() == "pipfile.lock",
    variables=regex(r"PIPENV(_\w*)?"),
    runner=Runner(""),
)
