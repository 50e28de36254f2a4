"""The table of package managers: one :class:`Tool` each, and the questions that the table answers.

Another manager is added by registering its record with :func:`register`;
nothing else in the package asks for a manager by its name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...context.comments import CommentSyntax
from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command
from ...values import dataclass
from .command_lines import Installation, active_environment, module_run, with_fed_files

if TYPE_CHECKING:
    from ...image import CacheKind

__all__ = [
    "Sight",
    "Tool",
    "caches",
    "comment_syntax_of",
    "family_of",
    "forget",
    "is_comparable",
    "is_foreign",
    "is_foreign_file",
    "is_installed_place",
    "is_system",
    "known_layouts",
    "reads_variable",
    "recognised",
    "register",
    "runner_of",
    "tool_of",
    "tools",
]

_NEVER = regex(r"(?!)")


def _reads_nothing(command: Command, step: PlannedStep) -> Installation | None:
    return None


def _sees_nothing(place: str) -> str | None:
    return None


@dataclass(frozen=True)
class Sight:
    """The context files that a RUN finds: their container paths, and how one is read.

    ``read`` gives None for a file that is no text, or does not come from the context.
    """

    places: frozenset[str] = frozenset()
    read: Callable[[str], str | None] = _sees_nothing

    def nearest(self, directory: str, *names: str) -> str | None:
        """The first file of one of these names in a directory or in the directories above it."""
        while True:
            for name in names:
                place = posixpath.join(directory, name)
                if place in self.places:
                    return place
            if directory in ("", "/"):
                return None
            directory = posixpath.dirname(directory)

    def below(self, directory: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """The files at or below a directory whose lower-case base names match as a whole."""
        head = directory.rstrip("/") + "/"
        return tuple(
            place
            for place in sorted(self.places)
            if place.startswith(head) and pattern.fullmatch(posixpath.basename(place).lower())
        )

    def says(self, places: Iterable[str], pattern: str) -> bool:
        """Whether the text of one of these files holds a pattern, over lines."""
        return any(
            re.search(pattern, self.read(place) or "", re.MULTILINE) is not None for place in places
        )


@dataclass(frozen=True)
class Tool:
    """All facts about one package manager.

    ``programs`` matches the whole names of its commands. ``reads`` parses one of its commands; the
    answer is None for a command that installs nothing. ``installs`` are the installing subcommands
    of a tool whose command lines are not parsed (``nix build``); "" is the bare command.

    ``conventional`` are the manifests that the manager looks for by itself, in its order.
    ``manifests`` matches the whole lower-case base names of all its manifests, locks and
    configuration files, ``kept`` the whole lower-case context paths of its other files;
    ``comments`` maps patterns, searched for in a lower-case path, to the beginning of a one-line
    comment in such a file; ``comparable`` says whether the packages of an image can be held against
    a file.

    ``variables`` matches the environment variables that the manager reads; ``foreign`` is True for
    the manager of a language other than Python; ``places`` matches paths into which the manager
    installs, ``environments`` the whole prefixes of the environments that it makes by itself.
    ``caches`` gives the layouts of its caches in an image, and is called only when an image is
    inspected. ``runner`` says how the manager runs a command in an environment of its own (``conda
    run``).

    ``system`` is True for the manager of a distribution's packages. Managers of other languages
    have more: ``stores`` matches the directories in which the manager keeps what it has fetched, so
    that a copy or a cache mount of one brings it; ``split`` is the command that fetches the
    dependencies alone, "" where there is none. ``fetches`` says whether a command that builds the
    project finds anything to fetch: False where nothing is declared, or all lies in the context;
    None where that is not known. ``grows`` says whether the manifests in a directory name further
    projects, whose manifests count too; ``adds`` whether some manifests, which the command that
    fetched the dependencies did not find, may have a build of the project fetch more. ``results``
    matches directories with what was compiled of the dependencies: a copy of one stands for them,
    a cache mount does not, since they are fetched again.
    """

    name: str
    programs: re.Pattern[str]
    reads: Callable[[Command, PlannedStep], Installation | None] = _reads_nothing
    installs: frozenset[str] = frozenset()
    conventional: tuple[str, ...] = ()
    manifests: re.Pattern[str] = _NEVER
    kept: re.Pattern[str] = _NEVER
    comments: Mapping[str, str] = field(default_factory=dict)
    comparable: Callable[[Path], bool] = lambda path: False
    variables: re.Pattern[str] = _NEVER
    foreign: bool = False
    places: re.Pattern[str] = _NEVER
    environments: re.Pattern[str] = _NEVER
    caches: Callable[[], Sequence[CacheKind]] = tuple
    runner: Runner | None = None
    system: bool = False
    stores: re.Pattern[str] = _NEVER
    split: str = ""
    fetches: Callable[[Installation, Sight], bool | None] = lambda installation, sight: None
    grows: Callable[[str, Sight], bool] = lambda directory, sight: False
    adds: Callable[[Sequence[str], Sight], bool] = lambda manifests, sight: False
    results: re.Pattern[str] = _NEVER


_TABLE: dict[str, Tool] = {}


def register(tool: Tool) -> None:
    """Add a package manager to the table; a manager of that name is replaced."""
    _TABLE[tool.name] = tool


def forget(name: str) -> None:
    """Take a package manager out of the table."""
    del _TABLE[name]


def tools() -> tuple[Tool, ...]:
    """All package managers, in the order in which they were registered."""
    return tuple(_TABLE.values())


def tool_of(program: str) -> Tool | None:
    """The package manager that a command of this name belongs to."""
    return next((tool for tool in tools() if tool.programs.fullmatch(program)), None)


def recognised(command: Command, step: PlannedStep) -> Installation | None:
    """The installation that a simple command is, None for any other command."""
    run = module_run(command)
    tool = tool_of(run.name)
    found = None if tool is None else tool.reads(run, step)
    if found is None:
        return None
    return with_fed_files(run, replace(found, active=active_environment(command, run)))


def runner_of(program: str) -> Runner | None:
    """How a command of this name runs another one in an environment, None if it does not."""
    tool = tool_of(program)
    return None if tool is None else tool.runner


def family_of(program: str) -> str:
    """The name of the package manager that an installation's ``tool`` belongs to."""
    word = program.split()[0] if program.split() else program
    tool = tool_of(word)
    return word if tool is None else tool.name


def is_foreign(program: str) -> bool:
    """Whether an installation's ``tool`` installs packages of another language or of the system."""
    tool = tool_of(program)
    return tool is not None and tool.foreign


def is_system(program: str) -> bool:
    """Whether an installation's ``tool`` installs packages of the distribution."""
    tool = tool_of(program)
    return tool is not None and tool.system


def is_foreign_file(path: str) -> bool:
    """Whether a file is by its name a manifest of other languages' managers only."""
    name = posixpath.basename(path).lower()
    owners = [tool for tool in tools() if tool.manifests.fullmatch(name)]
    return bool(owners) and all(tool.foreign for tool in owners)


def comment_syntax_of(path: str) -> CommentSyntax | None:
    """The comment syntax of a package manager's own file, None for any other file."""
    for tool in tools():
        for pattern, mark in tool.comments.items():
            if re.search(pattern, path.lower()):
                return CommentSyntax(mark)
    return None


def is_comparable(path: Path) -> bool:
    """Whether the packages of an image can be held against a file."""
    return any(tool.comparable(path) for tool in tools())


_ANY_INSTALLER = regex(
    r"(PYTHON|VIRTUAL_ENV|REQUESTS|SSL|CURL)(_\w*)?"
    r"|PATH|HOME|LANG|LC_\w+|TMPDIR|DEBIAN_FRONTEND|SOURCE_DATE_EPOCH|BUILDKIT_\w+"
    r"|CC|CXX|FC|LD|AR|([CF]|CXX|CPP|LD|MAKE)FLAGS|CPATH|(LD_)?LIBRARY_PATH|PKG_CONFIG_PATH"
    r"|CMAKE_\w+|SKBUILD_\w+|SETUPTOOLS_\w+|CUDA_\w+|CUDACXX|TORCH_CUDA_ARCH_LIST|MAX_JOBS"
    r"|FORCE_CUDA|NETRC|GIT_(SSH|SSH_COMMAND|TERMINAL_PROMPT|ASKPASS|SSL_\w+|CONFIG\w*|LFS_\w+)"
)
"""Variables that no installer has for its own: Python, TLS, git, the builds of packages and the
system read them."""


def reads_variable(name: str, text: str | None = None) -> bool:
    """Whether an installer may read a variable of this name from its environment by itself.

    ``text`` are the commands in question: the variables of another language's manager count only if
    one of these commands is that manager's.
    """
    if _ANY_INSTALLER.fullmatch(name):
        return True
    reading = [tool for tool in tools() if tool.variables.fullmatch(name)]
    words = set(re.findall(r"[\w.-]+", text)) if text is not None and reading else ()
    return any(not tool.foreign or any(map(tool.programs.fullmatch, words)) for tool in reading)


_ANY_PLACE = regex(r"envs?\b|site-packages|/lib/python|\.local\b")


def is_installed_place(path: str) -> bool:
    """Whether a path in a container is plainly a directory into which packages are installed."""
    return _ANY_PLACE.search(path) is not None or any(tool.places.search(path) for tool in tools())


def caches() -> tuple[CacheKind, ...]:
    """The layouts of the caches of all package managers.

    A manager that was registered later comes first: its layout may be that of a manager on which it
    stands (pipenv on pip) with further marks.
    """
    return tuple(kind for tool in reversed(tools()) for kind in tool.caches())


def known_layouts(name: str) -> Callable[[], Sequence[CacheKind]]:
    """The layouts of a manager's caches that :mod:`.cache_layouts` holds, read when asked for."""

    def load() -> Sequence[CacheKind]:
        from .cache_layouts import LAYOUTS

        return [kind for kind in LAYOUTS if kind.tool == name]

    return load
