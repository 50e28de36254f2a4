""".NET and NuGet: the commands that restore packages, and the files that they read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path
from .command_lines import CommandLine, Installation, conventional_files, read_files, whole_options
from .table import Sight, Tool

__all__ = ["TOOL"]

_VALUED = (
    "-r -runtime -c -configuration -o -output -f -framework -s -source -v -verbosity -p "
    "-property -a -arch -os -version-suffix -packages -configfile -lock-file-path -logger -l "
    "-results-directory -project -version -tool-path -add-source -t -target -PackagesDirectory "
    "-SolutionDirectory"
)
_BUILDS = frozenset({"build", "publish", "run", "test", "pack", "msbuild", "watch"})
_PROJECT = regex(r".*\.((cs|fs|vb|sql|db|dcs|cx|wap)?proj|slnx?|slnf)", 2)


def _dotnet(command: Command, step: PlannedStep) -> Installation | None:
    given = whole_options(command.words[1:], _VALUED)
    # A switch of MSBuild may begin with a slash: /p:PublishAot=true.
    words = tuple(word for word in given.words if not re.match(r"/\w+(:|\Z)", word.text))
    if not words or given.has("-h", "-help", "-info", "-list-sdks"):
        return None
    action = words[0].text
    if command.name == "nuget":
        return _restored(command, given, words[1:], build=False) if action == "restore" else None
    if action in ("tool", "workload"):
        return _tool(command, [word.text for word in words[1:]])
    if action == "add" and "package" in [word.text for word in words]:
        return Installation(
            "dotnet", named=True, packages=tuple(w.text for w in words[-1:]),
            directory=command.directory,
        )  # fmt: skip
    if action == "restore":
        return _restored(command, given, words[1:], build=False)
    if action not in _BUILDS or given.has("-no-restore") or given.has("-no-build"):
        return None
    return _restored(command, given, [*given.values("-project"), *words[1:]], build=True)


def _restored(
    command: Command, given: CommandLine, words: Sequence[Word], *, build: bool
) -> Installation | None:
    named = [word for word in words if not word.known or _PROJECT.fullmatch(word.text)]
    places = [word for word in words if word not in named and not word.text.endswith(".dll")]
    if build and not named and words and words[0].text.endswith(".dll"):
        return None
    directory = command.directory
    if named:
        manifests, unresolved = read_files(directory, named[:1])
        place = joined_path(directory, named[0])
        inside = posixpath.dirname(place.text) if place.known else None
    else:
        place = joined_path(directory, places[0]) if places else Word(directory or "")
        inside = place.text if place.known and directory is not None else None
        manifests, unresolved = conventional_files(inside, "*.csproj", "*.sln", "*.fsproj")
    return Installation(
        "dotnet",
        manifests,
        unresolved,
        with_project=build,
        without_project=not build,
        directory=inside,
    )


def _tool(command: Command, words: Sequence[str]) -> Installation | None:
    """``dotnet tool install`` and ``dotnet workload install``: programs, and no dependencies."""
    if words[:1] == ["restore"]:
        files = conventional_files(command.directory, ".config/dotnet-tools.json")
        return Installation("dotnet", *files, directory=command.directory, afresh=True)
    if not words or words[0] not in ("install", "update"):
        return None
    return Installation("dotnet", named=True, packages=tuple(words[1:]) or ("dotnet",), apart=True)


def _fetches(installation: Installation, sight: Sight) -> bool | None:
    """Whether one of the projects at hand references packages."""
    directory = installation.directory
    if directory is None:
        return None
    projects = sight.below("/", regex(r".*\.(cs|fs|vb)proj|directory\..*\.(props|targets)"))
    if not projects:
        return None
    packaged = sight.below("/", regex(r"packages\.config"))
    return bool(packaged) or sight.says(projects, r"<PackageReference\b|<PackageVersion\b")


TOOL = Tool(
    name="dotnet",
    programs=regex(r"dotnet|nuget(\.exe)?"),
    reads=_dotnet,
    manifests=regex(
        r".*\.(cs|fs|vb|sql|db|dcs)proj|.*\.sln[xf]?|nuget\.config|packages\.(lock\.json|config)"
        r"|global\.json|directory\.(build|packages|solution)\.(props|targets|rsp)"
        r"|dotnet-tools\.json|.*\.(props|targets)|paket\.(dependencies|lock|references)"
    ),
    kept=regex(r"(.*/)?\.paket/.*"),
    variables=regex(r"(NUGET|DOTNET|VSS_NUGET|MSBUILD)_\w+|NuGetPackageSourceCredentials_\w+"),
    foreign=True,
    stores=regex(r"(.*/)?\.nuget(/.*)?|(.*/)?obj(/.*)?"),
    split="dotnet restore",
    fetches=_fetches,
    grows=lambda directory, sight: True,
)
