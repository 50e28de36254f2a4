"""Poetry: the files that its commands read, and its caches."""

from __future__ import annotations

from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command, joined_path
from ..selection import EVERYTHING, poetry_selection
from .command_lines import Installation, arguments, conventional_files, moved, package_name
from .table import Tool, known_layouts

__all__ = ["TOOL"]


def _poetry(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:],
        "-C --directory -P --project --with --without --only -E --extras -G --group "
        "-f --format -o --output --source --python --platform",
    )
    if not given.words or given.has("--help", "-h", "--dry-run"):
        return None
    action = given.words[0].text
    directory = moved(command.directory, given, "-C", "--directory")
    directory = moved(directory, given, "-P", "--project")
    manifests, unresolved = conventional_files(directory, "pyproject.toml", "poetry.lock")
    if action in ("install", "sync", "update"):
        if given.has("--only-root"):
            return Installation("poetry", project=True, without_dependencies=True)
        without = given.has("--no-root")
        environment = {**dict(step.environment), **dict(command.assignments)}
        return Installation(
            "poetry",
            manifests,
            unresolved,
            with_project=not without,
            without_project=without,
            selects=given.chosen(
                "--with", "-E", "--extras", "--all-extras", "--all-groups", "--dev"
            ),
            leaves=given.chosen("--without", "--only", "--no-dev"),
            selection=poetry_selection(given, environment, action),
        )
    if action == "bundle" and len(given.words) > 2 and given.words[1].text == "venv":
        return Installation(
            "poetry",
            manifests,
            unresolved,
            with_project=True,
            environment=joined_path(directory, given.words[2]),
            selects=given.chosen("--with", "--all-extras") | {"bundle venv"},
            leaves=given.chosen("--without", "--only"),
            selection=poetry_selection(given, {}, "install"),
        )
    if action == "self" and len(given.words) > 2 and given.words[1].text == "add":
        names = tuple(package_name(word.text) for word in given.words[2:])
        return Installation("poetry", named=True, packages=names, apart=True)
    if action == "export":
        chosen = poetry_selection(given, {}, action)
        # Poetry's export plugin takes only the group main, unless the command line asks for others.
        if not chosen.only and not chosen.groups:
            chosen = replace(chosen, only=("main",))
        elif not chosen.only and EVERYTHING not in chosen.groups:
            chosen = replace(chosen, only=("main", *chosen.groups), groups=())
        selection = replace(chosen, project=False)
        return Installation("poetry", manifests, unresolved, exports=True, selection=selection)
    if action == "add" and len(given.words) > 1:
        names = tuple(package_name(word.text) for word in given.words[1:])
        return Installation("poetry", named=True, packages=names, changes=manifests)
    return None


TOOL = Tool(
    name="poetry",
    programs=regex(r"poetry"),
    caches=known_layouts("poetry"),
    environments=regex(r".*/\.venv|.*/virtualenvs/[^/]+"),
    reads=_poetry,
    conventional=("poetry.lock", "pyproject.toml"),
    manifests=regex(r"poetry\.(lock|toml)|pyproject\.toml"),
    comments={r"(^|/)poetry\.lock$": "#"},
    comparable=lambda path: path.name.lower() == "poetry.lock",
    variables=regex(r"POETRY(_\w*)?"),
    runner=Runner("-C --directory -P --project"),
)
