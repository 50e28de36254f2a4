"""PDM: the files that its commands read, and its caches."""

from __future__ import annotations

from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command, Word
from ..selection import pdm_selection
from .command_lines import Installation, arguments, moved, package_name, read_files
from .table import Tool, known_layouts

__all__ = ["TOOL"]


def _pdm(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:],
        "-p --project -L --lockfile -G --group --with --without --venv -f --format -o --output",
    )
    if not given.words or given.has("--help", "-h", "--dry-run"):
        return None
    action = given.words[0].text
    directory = moved(command.directory, given, "-p", "--project")
    lock = (given.values("-L", "--lockfile") or (Word("pdm.lock"),))[-1]
    manifests, unresolved = read_files(directory, (Word("pyproject.toml"), lock))
    if action in ("install", "sync", "update"):
        without = given.has("--no-self")
        environment = {**dict(step.environment), **dict(command.assignments)}
        return Installation(
            "pdm",
            manifests,
            unresolved,
            with_project=not without,
            without_project=without,
            selects=given.chosen("-G", "--group", "--with", "-d", "--dev"),
            leaves=given.chosen("--without", "--prod", "--production", "--no-default", "--no-dev"),
            selection=pdm_selection(given, environment),
        )
    if action == "export":
        selection = replace(pdm_selection(given, {}), removes="", project=False)
        return Installation("pdm", manifests, unresolved, exports=True, selection=selection)
    if action == "add" and len(given.words) > 1:
        names = tuple(package_name(word.text) for word in given.words[1:])
        return Installation("pdm", named=True, packages=names, changes=manifests)
    return None


TOOL = Tool(
    name="pdm",
    programs=regex(r"pdm"),
    caches=known_layouts("pdm"),
    environments=regex(r".*/\.venv|.*/pdm/venvs/[^/]+|.*/__pypackages__/[^/]+"),
    reads=_pdm,
    conventional=("pdm.lock", "pyproject.toml"),
    manifests=regex(r"\.?pdm\.(lock|toml)|pyproject\.toml|\.(python-version|pdm-python)"),
    comments={r"(^|/)pdm\.lock$": "#"},
    comparable=lambda path: path.name.lower() == "pdm.lock",
    variables=regex(r"PDM(_\w*)?"),
    runner=Runner("-p --project -s --site-packages -e --env"),
)
