"""Command lines of installers, taken apart: options, packages, and which files are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import SHELLS, script_file
from ...shell.script import Command, Word, joined_path, known_text
from ...values import dataclass
from ..selection import LockSelection

__all__ = [
    "CommandLine",
    "Installation",
    "Paths",
    "active_environment",
    "arguments",
    "conventional_files",
    "is_archive",
    "is_local",
    "is_true",
    "module_run",
    "moved",
    "package_name",
    "read_files",
    "variables_of",
    "whole_options",
    "with_fed_files",
]

Paths = tuple[tuple[str, ...], tuple[str, ...]]
"""Absolute paths, and the texts of paths that only the running container knows."""


@dataclass(frozen=True)
class Installation:
    """The installation of one command.

    ``manifests`` are the absolute paths of the files that the command reads, ``unresolved`` the
    paths that only the running container knows; ``named`` is True when packages are given by name
    too, and ``packages`` are their names, as indexes normalise them. ``project`` is True when the
    command installs only local projects and archives: ``projects``, by absolute path, or as written
    where only the container knows the path; ``extras`` are the extras of these projects.
    ``with_project`` is True when the command installs the dependencies and the project,
    ``without_project`` when its options leave the project out, ``without_dependencies`` when they
    leave the dependencies out. ``exports`` is True when the command installs nothing but writes a
    list of requirements from a lock file; ``implied`` when the command installs on the way to its
    own work (``pixi run``); ``apart`` when each package gets an environment of its own (``pipx``).

    ``selects`` are the options that add to the default packages (``--extra x``), ``leaves`` those
    that take packages away (``--no-dev``).

    ``changes`` are the absolute paths of the project's manifest and lock where the command reads
    them and writes its packages into them (``poetry add``).

    ``constraints`` are the files, resolved or not, that only limit versions. ``environment`` is the
    environment that the command's own arguments name, by name or absolute prefix; ``active`` the
    environment in which the command runs, as far as the Dockerfile says so (``conda run``,
    ``activate``, the path of ``pip``); either word may be one that only the running container knows
    (not ``known``). ``target`` is the directory of packages that go into no environment
    (``--target``, ``--prefix``, ``--root``, ``--user``). ``wheels`` is True when wheels are only
    made or downloaded, into the directory ``wheel_dir``; ``wheelhouses`` are the directories of
    ``--find-links``; ``specs`` says whether the lines of a plain list are conda's match specs;
    ``selection`` is the part of a lock that is installed.

    Of managers of other languages: ``directory`` is the project's, None where only the running
    container knows it; ``narrows`` are the members of a workspace that alone are meant, none for
    all; ``afresh`` is True where the command throws away what is installed
    (``npm ci``), ``offline`` where its options forbid to fetch anything.
    """

    tool: str
    manifests: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    named: bool = False
    project: bool = False
    with_project: bool = False
    without_project: bool = False
    exports: bool = False
    constraints: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    environment: Word | None = None
    active: Word | None = None
    target: str = ""
    wheels: bool = False
    specs: bool = False
    packages: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    without_dependencies: bool = False
    extras: frozenset[str] = frozenset()
    implied: bool = False
    apart: bool = False
    wheel_dir: str = ""
    wheelhouses: tuple[str, ...] = ()
    selects: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    selection: LockSelection | None = None
    directory: str | None = None
    narrows: frozenset[str] = frozenset()
    afresh: bool = False
    offline: bool = False


@dataclass(frozen=True)
class CommandLine:
    """A command line taken apart: options with values, bare options, positional words."""

    options: tuple[tuple[str, Word], ...]
    flags: frozenset[str]
    words: tuple[Word, ...]

    def values(self, *names: str) -> tuple[Word, ...]:
        return tuple(value for name, value in self.options if name in names)

    def has(self, *names: str) -> bool:
        return not self.flags.isdisjoint(names)

    def chosen(self, *names: str) -> frozenset[str]:
        """The options among ``names`` that are given, each with its value."""
        valued = {name for name, _ in self.options}
        bare = self.flags.intersection(names) - valued
        return bare | {f"{name} {word.text}" for name, word in self.options if name in names}


def arguments(words: Sequence[Word], valued: str) -> CommandLine:
    """``valued`` lists the options that take a value, short and long, blank-separated."""
    names = frozenset(valued.split())
    options: list[tuple[str, Word]] = []
    flags: set[str] = set()
    positional: list[Word] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        text = word.text
        if text == "--":
            positional += queue
            break
        if text.startswith("--"):
            name, equals, value = text.partition("=")
            flags.add(name)
            if equals:
                options.append((name, replace(word, text=value)))
            elif name in names and queue:
                options.append((name, queue.pop(0)))
        elif text.startswith("-") and text != "-":
            for position, letter in enumerate(text[1:], start=2):
                flags.add(f"-{letter}")
                if f"-{letter}" in names:
                    rest = text[position:].removeprefix("=")
                    if rest:
                        options.append((f"-{letter}", replace(word, text=rest)))
                    elif queue:
                        options.append((f"-{letter}", queue.pop(0)))
                    break
        else:
            positional.append(word)
    return CommandLine(tuple(options), frozenset(flags), tuple(positional))


def whole_options(words: Sequence[Word], valued: str) -> CommandLine:
    """Like :func:`arguments` where one dash begins a whole option too: ``-mod=vendor``, ``-o x``.

    Both spellings of an option, ``-o`` and ``--o``, are read as the one with one dash.
    """
    names = frozenset(valued.split())
    options: list[tuple[str, Word]] = []
    flags: set[str] = set()
    positional: list[Word] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.text.startswith("-") or word.text in ("-", "--"):
            positional.append(word)
            continue
        name, equals, value = word.text.partition("=")
        name = "-" + name.lstrip("-")
        flags.add(name)
        if equals:
            options.append((name, replace(word, text=value)))
        elif name in names and queue:
            options.append((name, queue.pop(0)))
    return CommandLine(tuple(options), frozenset(flags), tuple(positional))


def variables_of(command: Command, step: PlannedStep) -> dict[str, str]:
    """The environment variables that a command sees, as far as the Dockerfile says them."""
    return {**dict(step.environment), **dict(command.assignments)}


def read_files(directory: str | None, files: Sequence[Word]) -> Paths:
    """Absolute paths of the local files among ``files``, and the texts of unresolvable paths."""
    manifests, unresolved = [], []
    for word in files:
        if re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", word.text):
            continue
        if word.text in ("-", "/dev/stdin", "/dev/fd/0"):
            continue
        path = joined_path(directory, word)
        if path.known:
            manifests.append(path.text)
        else:
            unresolved.append(word.text or "$(…)")
    return tuple(manifests), tuple(unresolved)


def conventional_files(directory: str | None, *names: str) -> Paths:
    return read_files(directory, [Word(name) for name in names])


def active_environment(command: Command, run: Command) -> Word | None:
    """The environment that a command installs into by where its program lies, or runs in.

    ``run`` is the command without ``python -m``.
    """
    program = command.words[0] if command.words else Word("")
    own = _prefix_of(program, command.directory) if run.name.startswith("pip") else None
    return own or command.active


_NO_PREFIXES = regex(r".*/\.local|.*/shims")


def _prefix_of(program: Word, directory: str | None) -> Word | None:
    """The environment whose ``bin`` holds a program; None for a command that only starts another's.

    Not ``known`` for the system's: Debian's pip installs into /usr/local, others' into /usr.
    """
    prefix, slash, _ = program.text.rpartition("/bin/")
    if not slash or _NO_PREFIXES.fullmatch(prefix):
        return None
    if prefix in ("", "/usr"):
        return Word("", known=False)
    return joined_path(directory, replace(program, text=prefix))


_HOSTS = {"php": r"composer(\.phar)?", "node": r"yarn(-[0-9.]+)?\.c?js|yarn|npm"}
"""Interpreters that people start a manager with, and the file names of these managers."""


def _hosted(command: Command) -> Command:
    """``php -d memory_limit=-1 composer.phar install`` is ``composer.phar install``."""
    for position, word in enumerate(command.words[1:], start=1):
        name = word.text.rpartition("/")[2]
        if re.fullmatch(_HOSTS[command.name], name):
            start = Word(name.removesuffix(".js").removesuffix(".cjs"), word.known)
            return replace(command, words=(start, *command.words[position + 1 :]))
        if not word.text.startswith("-") and command.words[position - 1].text != "-d":
            break
    return command


_PYTHON = regex(r"(python|pypy)[0-9.]*(\.exe)?|py")


def module_run(command: Command) -> Command:
    """``python -m pip install`` is ``pip install``; ``bash install.sh`` is ``install.sh``.

    A program that a variable of the container names is what the name of the variable says, or what
    ``-m`` says: ``$CONDA_EXE install``, ``$PY -m pip install``.
    """
    command = _told_by_variable(command)
    if command.name in SHELLS:
        return replace(command, words=script_file(command))
    if command.name in _HOSTS:
        return _hosted(command)
    if not _PYTHON.fullmatch(command.name):
        return command
    words = command.words
    position = 1
    while position < len(words):
        text = words[position].text
        module = re.fullmatch(r"-[bBdEhiIOPqRsSuvVx]*m(.*)", text)
        if module is not None and module[1]:
            return replace(command, words=(Word(module[1]), *words[position + 1 :]))
        if module is not None:
            rest = words[position + 1 :]
            return replace(command, words=rest) if rest else command
        if text.rpartition("/")[2] == "setup.py":
            return replace(command, words=words[position:])
        if not text.startswith("-") or re.fullmatch(r"-[a-zA-Z]*c", text):
            return command
        position += 2 if text in ("-W", "-X") else 1
    return command


_VARIABLE = regex(r"\$\{?([A-Za-z][A-Za-z0-9]*?)(_(EXE|BIN|CMD|COMMAND|PATH|PROGRAM))?\}?")
_TOLD = regex(r"(python|pip)[0-9.]*|conda|mamba|micromamba|uv|poetry|pdm|pipenv|pixi|npm|yarn|pnpm")


def _told_by_variable(command: Command) -> Command:
    first, *rest = command.words or (Word(""),)
    found = None if first.known else _VARIABLE.fullmatch(first.text)
    if found is None:
        return command
    program = found[1].lower()
    if rest and rest[0].text == "-m":
        program = "python"
    if not _TOLD.fullmatch(program):
        return command
    return replace(command, words=(Word(program), *rest))


def with_fed_files(command: Command, found: Installation) -> Installation:
    """Add the files that reach the installer through a pipe, ``<`` or ``$(cat …)``."""
    if found.project or found.exports:
        fed: list[Word] = []
    else:
        fed = [] if command.stdin is None else [command.stdin]
    directory = command.directory
    manifests, unresolved = read_files(directory, fed)
    for feeder in command.feeding if not found.exports else ():
        if feeder.name in ("cat", "grep", "egrep", "sed", "awk", "head", "tail", "cut", "tr"):
            files = [word for word in feeder.words[1:] if _looks_like_a_file(word)]
            more, unknown = read_files(feeder.directory or directory, files)
            manifests, unresolved = manifests + more, unresolved + unknown
            more, unknown = read_files(
                feeder.directory, [] if feeder.stdin is None else [feeder.stdin]
            )
            manifests, unresolved = manifests + more, unresolved + unknown
    return replace(
        found,
        manifests=tuple(dict.fromkeys(found.manifests + manifests)),
        unresolved=found.unresolved + unresolved,
    )


def _looks_like_a_file(word: Word) -> bool:
    return bool(re.fullmatch(r"[^\s^\\()|]+\.(txt|in|pip|ya?ml|toml|lock|lst|list)", word.text))


def is_local(word: Word) -> bool:
    """Whether a package argument is a directory or file, not a name or a URL."""
    text = word.text
    if re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://|git\+|[A-Za-z0-9._-]+(\[.*\])?\s*@", text):
        return False
    path = re.sub(r"\[[^\]/]*\]\Z", "", text)
    if path.startswith((".", "/", "~", "file:")) or "/" in path:
        return True
    return path.endswith((".whl", ".zip", ".tar.gz", ".tar.bz2", ".conda")) or (
        "*" in path and "==" not in path
    )


def package_name(text: str) -> str:
    """The name in a requirement or match spec, as indexes normalise it; "" if it has none."""
    found = re.match(r"(?:[\w./-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)", text.strip("\"'"))
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


_ARCHIVE = regex(r".*\.(whl|zip|tar\.gz|tar\.bz2|conda)|.*[*?\[].*")


def is_archive(path: str) -> bool:
    """Whether a local path is a built package, or a wildcard for built packages."""
    return _ARCHIVE.fullmatch(path) is not None


def is_true(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on")


def moved(directory: str | None, given: CommandLine, *options: str) -> str | None:
    """The working directory after options such as ``--project``, None if it is not known."""
    for word in given.values(*options):
        directory = known_text(joined_path(directory, word))
    return directory
