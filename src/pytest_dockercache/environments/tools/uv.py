"""uv: which files its commands read, and what it keeps."""

from __future__ import annotations

import re
from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...shell.running import Runner
from ...shell.script import Command
from .command_lines import Installation, arguments, conventional_files, is_true, moved, read_files
from .pip import VALUED, install, interpreter, only, target
from .table import Tool, known_layouts

__all__ = ["TOOL"]

_UV_VALUES = (
    VALUED + " --package --only-group --no-group --no-extra --script --no-install-package "
    "--only-install-package --python-preference --python-fetch --cache-dir -q"
).replace(" -q", "")


def _uv(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], _UV_VALUES)
    if not given.words or given.has("--help", "-h", "--dry-run", "--check"):
        return None
    action = given.words[0].text
    environment = {**dict(step.environment), **dict(command.assignments)}
    directory = moved(command.directory, given, "--directory")
    project = moved(directory, given, "--project")
    if action == "pip" and len(given.words) > 1:
        rest = replace(given, words=given.words[1:])
        if given.words[1].text == "install":
            return install("uv", directory, rest, environment)
        if given.words[1].text == "sync":
            constraints = given.values("-c", "--constraint", "--constraints")
            manifests, unresolved = read_files(directory, (*given.words[2:], *constraints))
            return Installation(
                "uv",
                manifests,
                unresolved,
                constraints=only(constraints, given.words[2:], directory),
                environment=interpreter("uv", directory, given, environment),
                target=target(given, {}),
            )
        if given.words[1].text == "compile":
            manifests, unresolved = read_files(directory, given.words[2:])
            return Installation("uv", manifests, unresolved, exports=True)
        return None
    manifests, unresolved = conventional_files(project, "pyproject.toml", "uv.lock")
    if action == "sync":
        without = given.has("--no-install-project", "--no-install-workspace", "--only-group") or (
            is_true(environment.get("UV_NO_INSTALL_PROJECT", ""))
        )
        scripts = given.values("--script")
        if scripts:
            manifests, unresolved = read_files(project, scripts)
        return Installation(
            "uv", manifests, unresolved, with_project=not without, without_project=without
        )
    if action == "export":
        return Installation("uv", manifests, unresolved, exports=True)
    if action == "add":
        files, unknown = read_files(
            directory, given.values("-r", "--requirements", "--requirement")
        )
        return Installation("uv", files, unknown, named=len(given.words) > 1)
    if action == "tool" and len(given.words) > 2 and given.words[1].text == "install":
        return Installation("uv", named=True)
    return None


TOOL = Tool(
    name="uv",
    programs=re.compile(r"uv"),
    caches=known_layouts("uv"),
    reads=_uv,
    conventional=("uv.lock", "requirements.txt", "pyproject.toml"),
    manifests=re.compile(r"uv\.(lock|toml)|pyproject\.toml"),
    comments={r"(^|/)uv\.lock$": "#"},
    variables=re.compile(r"UV(_\w*)?"),
    runner=Runner(
        "--project --directory --extra --group --only-group --with --with-requirements "
        "-p --python --package --env-file --index --default-index"
    ),
)
