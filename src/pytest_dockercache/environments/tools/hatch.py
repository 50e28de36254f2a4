"""Hatch: the files that its commands read."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command
from .command_lines import Installation, arguments, conventional_files
from .table import Tool

__all__ = ["TOOL"]


def _hatch(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], "-e --env -p --project --data-dir --cache-dir --config")
    texts = [word.text for word in given.words[:2]]
    if texts[:1] in (["run"], ["shell"]):
        files = conventional_files(command.directory, "pyproject.toml", "hatch.toml")
        return Installation("hatch", *files, implied=True, selects=given.chosen("-e", "--env"))
    if texts == ["env", "create"]:
        return Installation(
            "hatch",
            *conventional_files(command.directory, "pyproject.toml", "hatch.toml"),
            with_project=True,
            selects=frozenset(f"-e {word.text}" for word in given.words[2:]),
        )
    if texts == ["dep", "show"]:
        manifests, unresolved = conventional_files(
            command.directory, "pyproject.toml", "hatch.toml"
        )
        return Installation("hatch", manifests, unresolved, exports=True)
    return None


TOOL = Tool(
    name="hatch",
    programs=regex(r"hatch"),
    environments=regex(r".*/hatch/env/virtual/.+"),
    reads=_hatch,
    conventional=("pyproject.toml", "hatch.toml"),
    manifests=regex(r"hatch\.toml|pyproject\.toml"),
    variables=regex(r"HATCH(_\w*)?"),
    runner=Runner("-e --env -p --project", installs=True),
)
