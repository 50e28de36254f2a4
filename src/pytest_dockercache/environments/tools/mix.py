"""Mix: the tasks that fetch and compile dependencies, and the files that they read."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command
from .command_lines import Installation, arguments, conventional_files, variables_of
from .table import Tool

__all__ = ["TOOL"]


def _mix(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], "--only --exclude --sparse")
    tasks = [word.text.strip(",") for word in given.words]
    if tasks[:1] == ["do"]:
        tasks = tasks[1:]
    found = {"deps.get", "deps.compile", "deps.update"}.intersection(tasks)
    first = tasks[0] if tasks else ""
    if not found and first in ("local.hex", "local.rebar", "archive.install", "escript.install"):
        names = tuple(tasks[1:]) or (first.partition(".")[2],)
        return Installation("mix", named=True, packages=names, apart=True)
    if not found:
        return None
    environment = variables_of(command, step).get("MIX_ENV", "dev")
    compiles = {f"compile {environment}"} if "deps.compile" in found else set()
    return Installation(
        "mix",
        *conventional_files(command.directory, "mix.exs", "mix.lock"),
        without_project=True,
        selects=frozenset(compiles),
        leaves=given.chosen("--only"),
        directory=command.directory,
    )


TOOL = Tool(
    name="mix",
    programs=regex(r"mix"),
    reads=_mix,
    conventional=("mix.exs",),
    manifests=regex(r"mix\.(exs|lock)|\.tool-versions"),
    kept=regex(r"(.*/)?config/(?!runtime\.)[^/]*\.exs"),
    comments={r"(^|/)mix\.lock$": "#"},
    variables=regex(r"(MIX|HEX|ELIXIR|ERL)_\w+"),
    foreign=True,
    stores=regex(r"(.*/)?(deps|_build|\.mix|\.hex)(/.*)?"),
)
