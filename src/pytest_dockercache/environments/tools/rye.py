"""Rye: the files that its commands read."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command
from .command_lines import Installation, arguments, conventional_files, package_name
from .table import Tool

__all__ = ["TOOL"]


def _rye(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], "--pyproject --features")
    if not given.words:
        return None
    action = given.words[0].text
    if action == "sync":
        names = ("pyproject.toml", "requirements.lock", "requirements-dev.lock")
        return Installation("rye", *conventional_files(command.directory, *names))
    if action in ("add", "install") and len(given.words) > 1:
        packages = tuple(package_name(word.text) for word in given.words[1:])
        changes, _ = conventional_files(command.directory, "pyproject.toml", "requirements.lock")
        if action == "install":
            return Installation("rye", named=True, packages=packages, apart=True)
        return Installation("rye", named=True, packages=packages, changes=changes)
    return None


TOOL = Tool(
    name="rye",
    programs=regex(r"rye"),
    environments=regex(r".*/\.venv"),
    reads=_rye,
    conventional=("requirements.lock", "pyproject.toml"),
    manifests=regex(r"requirements(-dev)?\.lock|pyproject\.toml|\.python-version"),
    variables=regex(r"RYE(_\w*)?"),
)
