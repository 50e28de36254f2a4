"""pipx and easy_install, which install by name."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word
from .command_lines import Installation, arguments, is_local, package_name, read_files
from .pip import VALUED, project_files
from .table import Tool

__all__ = ["TOOL"]


def _named_install(command: Command, step: PlannedStep) -> Installation | None:
    """``pipx install NAME``, ``easy_install NAME``."""
    given = arguments(command.words[1:], VALUED + " --suffix --index-url --pip-args --spec")
    words = list(given.words) or [Word("")]
    if command.name == "pipx" and words.pop(0).text not in ("install", "inject"):
        return None
    if not words or given.has("--help", "-h"):
        return None
    if all(is_local(word) for word in words):
        projects = sum(read_files(command.directory, words), ())
        manifests, unresolved = read_files(command.directory, tuple(project_files(projects)))
        return Installation(
            "pip",
            manifests,
            unresolved,
            project=True,
            projects=projects,
            apart=command.name == "pipx",
        )
    names = tuple(package_name(word.text) for word in words)
    return Installation(command.name, named=True, packages=names, apart=command.name == "pipx")


TOOL = Tool(
    name="pipx",
    programs=regex(r"pipx|easy_install"),
    reads=_named_install,
    variables=regex(r"PIPX(_\w*)?"),
)
