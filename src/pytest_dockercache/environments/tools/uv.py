"""uv: the files that its commands read, and its caches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command
from ..selection import LockSelection, pip_selection, uv_selection
from .command_lines import (
    CommandLine,
    Installation,
    arguments,
    conventional_files,
    is_true,
    moved,
    package_name,
    read_files,
)
from .pip import VALUED, install, interpreter, only, target
from .table import Tool, known_layouts

__all__ = ["TOOL"]

_UV_VALUES = (
    VALUED + " --package --only-group --no-group --no-extra --script --env-file --with "
    "--with-requirements --with-editable --no-install-package "
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
                selection=pip_selection(given, environment, sync=True),
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
        if given.has("--only-dev"):
            without = True
        scripts = given.values("--script")
        if scripts:
            manifests, unresolved = read_files(project, scripts)
        return Installation(
            "uv",
            manifests,
            unresolved,
            with_project=not without,
            without_project=without,
            selects=given.chosen(*_ADDING),
            leaves=given.chosen(*_LEAVING),
            selection=uv_selection(given, environment),
        )
    if action == "run":
        return _run(given, environment, manifests, unresolved)
    if action == "export":
        selection = replace(
            uv_selection(given, environment),
            removes="",
            project=not given.has("--no-emit-project"),
            members=not given.has("--no-emit-workspace"),
            local=not given.has("--no-emit-local"),
        )
        return Installation("uv", manifests, unresolved, exports=True, selection=selection)
    if action == "add":
        files, unknown = read_files(
            directory, given.values("-r", "--requirements", "--requirement")
        )
        names = tuple(package_name(word.text) for word in given.words[1:])
        return Installation(
            "uv", files, unknown, named=bool(names), packages=names, changes=manifests
        )
    if action == "tool" and len(given.words) > 2 and given.words[1].text == "install":
        names = tuple(package_name(word.text) for word in given.words[2:])
        return Installation("uv", named=True, packages=names, apart=True)
    return None


_ADDING = ("--extra", "--all-extras", "--group", "--all-groups", "--all-packages")
_LEAVING = (
    "--no-dev", "--no-group", "--no-extra", "--only-group", "--only-dev", "--no-default-groups",
    "--no-install-package", "--package",
)  # fmt: skip


def _run(
    given: CommandLine,
    environment: Mapping[str, str],
    manifests: tuple[str, ...],
    unresolved: tuple[str, ...],
) -> Installation | None:
    """``uv run``, which syncs the project's environment before it runs the command."""
    apart = given.has("--no-sync", "--no-project", "--isolated", "--script") or (
        is_true(environment.get("UV_NO_SYNC", "")) or is_true(environment.get("UV_NO_PROJECT", ""))
    )
    if not apart:
        return Installation(
            "uv",
            manifests,
            unresolved,
            with_project=True,
            implied=True,
            selects=given.chosen(*_ADDING),
            leaves=given.chosen(*_LEAVING),
            selection=_run_selection(given, environment),
        )
    names = tuple(package_name(word.text) for word in given.values("--with"))
    return Installation("uv", named=True, packages=names, apart=True) if names else None


def _run_selection(given: CommandLine, environment: Mapping[str, str]) -> LockSelection:
    """The selection of ``uv run``, which uninstalls nothing without ``--exact``."""
    selection = uv_selection(given, environment)
    return selection if given.has("--exact") else replace(selection, removes="")


TOOL = Tool(
    name="uv",
    programs=regex(r"uv"),
    caches=known_layouts("uv"),
    environments=regex(r".*/\.venv"),
    reads=_uv,
    conventional=("uv.lock", "requirements.txt", "pyproject.toml"),
    manifests=regex(r"uv\.(lock|toml)|pyproject\.toml|\.python-versions?"),
    comments={r"(^|/)uv\.lock$": "#"},
    comparable=lambda path: path.name.lower() == "uv.lock",
    variables=regex(r"UV(_\w*)?"),
    runner=Runner(
        "--project --directory --extra --group --only-group --with --with-requirements "
        "-p --python --package --env-file --index --default-index --no-group --no-extra",
        installs=True,
    ),
)
