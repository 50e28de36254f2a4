"""Julia: the calls of its package manager, and the files that they read."""

from __future__ import annotations

import re

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path, known_text
from .command_lines import Installation, conventional_files, variables_of
from .table import Tool

__all__ = ["TOOL"]

_NAMED = regex(r"Pkg\.(add|develop|dev|update|up)\b|pkg\"\s*(add|dev|develop|up)\b")
_WHOLE = regex(r"(?:Pkg\.)(instantiate|resolve|precompile|build)\b|pkg\"\s*(instantiate|resolve)\b")
_ACTIVATE = regex(r"Pkg\.activate\(\s*(?:[\"']([^\"']*)[\"'])?|pkg\"\s*activate\s+([^\"\s;]*)")


def _julia(command: Command, step: PlannedStep) -> Installation | None:
    texts = [word.text for word in command.words[1:]]
    code = "\n".join((*texts, command.document or ""))
    if not _WHOLE.search(code) and not _NAMED.search(code):
        return None
    project = next((t.partition("=")[2] or "." for t in texts if re.match(r"--project\b", t)), None)
    if project is None:
        project = variables_of(command, step).get("JULIA_PROJECT")
    activated = _ACTIVATE.search(code)
    if activated is not None:
        project = activated[1] or activated[2] or project
    directory = command.directory
    if project is not None:
        place = "." if project.startswith("@") else project
        directory = known_text(joined_path(directory, Word(place, "$" not in place)))
    if _WHOLE.search(code) and (project is not None or not _NAMED.search(code)):
        # The environment of all projects, in the home directory, is no file of the context.
        files = conventional_files(directory, "Project.toml", "Manifest.toml", "JuliaProject.toml")
        return Installation("julia", *files, directory=directory)
    names = tuple(re.findall(r"[\"']([A-Z]\w*)[\"']", code)) or ("Pkg",)
    return Installation("julia", named=True, packages=names, directory=directory)


TOOL = Tool(
    name="julia",
    programs=regex(r"julia(-[0-9.]+)?"),
    reads=_julia,
    conventional=("Project.toml",),
    manifests=regex(r"(julia)?(project|manifest(-v[0-9.]+)?)\.toml|(local)?preferences\.toml"),
    variables=regex(r"JULIA_\w+"),
    foreign=True,
    stores=regex(r"(.*/)?\.julia(/.*)?"),
)
