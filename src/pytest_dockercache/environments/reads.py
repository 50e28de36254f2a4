"""The context files that the commands of a RUN run or read, also through scripts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, replace
from fnmatch import fnmatchcase

from ..regexes import regex
from ..shell.running import option_value, script_commands, step_commands
from ..shell.script import Command, Word, joined_path, known_text
from ..values import dataclass
from .flow import StepView, relocated
from .tools import recognised, runner_of

__all__ = ["ReadText", "Use", "uses_of_step"]

ReadText = Callable[[str], "str | None"]
"""Gives the text of a context file by its context path; None where it cannot be read as text."""


@dataclass(frozen=True)
class Use:
    """A context file that a RUN would not work without.

    ``path`` is the context path; ``line`` the first line of the RUN;
    ``script`` the context path of the script that names the file, None where
    the RUN itself does; ``runs`` says whether the file is run, not only read;
    ``program`` is the name of the command of the RUN that needs it.
    """

    path: str
    line: int
    script: str | None = None
    runs: bool = False
    program: str = ""


_MENTIONING = """
: [ [[ adduser addgroup alias basename case cd chgrp chmod chown command cp dirname dos2unix du
echo exit export false file find groupadd hash install ln ls mkdir mktemp mv popd printf pushd
pwd readlink realpath rm rmdir rsync set shift sleep stat test touch trap true type umask unset
useradd usermod which
"""
_DOES_NOT_READ = frozenset(_MENTIONING.split())
"""Commands that mention a path without reading the file."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", ".", "source"})
_INTERPRETERS = regex(r"python[0-9.]*|pypy[0-9.]*|perl|ruby|node|nodejs|Rscript|php|julia|lua")
_WALKS = frozenset({"cmake", "grep", "make", "run-parts", "tar"})
"""Commands that look for files below the directory of their argument."""

_LOOKED_FOR: Mapping[str, tuple[str, ...]] = {
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "gmake": ("GNUmakefile", "makefile", "Makefile"),
    "cmake": ("CMakeLists.txt",),
    "invoke": ("tasks.py",),
    "inv": ("tasks.py",),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "rake": ("Rakefile", "rakefile"),
    "nox": ("noxfile.py",),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
    "doit": ("dodo.py",),
    "pyenv": (".python-version",),
    "asdf": (".tool-versions",),
    "mise": ("mise.toml", ".mise.toml", ".tool-versions", ".python-version"),
    "bazel": ("WORKSPACE", "MODULE.bazel", "BUILD", "BUILD.bazel"),
}
"""Files that a command looks for in its directory without being told."""

_DEEPEST = 8
_LONGEST = 2000
"""More uses than this of one RUN are no list of needs: a command walks over the whole source."""


def uses_of_step(
    view: StepView, read_text: ReadText, inputs: Collection[str] = (), installs: int = 0
) -> tuple[Use, ...]:
    """The context files that the commands of a RUN run or read, in the order of the commands.

    Scripts of the context that a command runs are read like the RUN itself: files that a script
    runs or sources count too. A path that only the running container knows is taken for the file of
    that base name beside the script (``. "$(dirname "$0")/lib.sh"``). A command that walks over a
    directory (``tar``, ``make -C``) needs all its files, but for a directory with one of the
    ``inputs`` in it: that is the project, and the command does not fail for the want of its source.

    With ``installs``, the number of its installations, only the commands up to the last of them
    count, if the RUN itself says them all: what stands behind can be a RUN of its own.
    """
    at = {**view.before.at, **view.own.at}
    if not at:
        return ()
    found: dict[Use, None] = {}
    reader = _UseReader(at, read_text, dict(view.step.environment), inputs)
    shell = Command(tuple(map(Word, view.step.shell[:1])), "/")
    ran = tuple(step_commands(view.step, runner_of))
    said = [at for at, command in enumerate(ran) if installs and recognised(command, view.step)]
    if said and len(said) == installs:
        ran = ran[: said[-1] + 1]
    for command in (shell, *ran):
        for path, script, runs in reader.of_command(command, None, 0):
            found[Use(path, view.step.line, script, runs, command.name)] = None
            if len(found) > _LONGEST:
                return tuple(found)
    return tuple(found)


_Found = Iterator[tuple[str, "str | None", bool]]
"""Context path of a file, context path of the script that names it, and whether the file is run."""


@dataclass
class _UseReader:
    """Reads the commands of one RUN; ``at`` grows by the files that ``cp`` and ``mv`` place."""

    at: dict[str, str]
    read_text: ReadText
    environment: Mapping[str, str]
    inputs: Collection[str] = ()
    followed: set[str] = field(default_factory=set)

    def of_command(self, command: Command, script: str | None, depth: int) -> _Found:
        """The files that a command needs; files that it copies or moves are followed afterwards."""
        for feeder in command.feeding:
            yield from self.of_command(feeder, script, depth)
        if command.words:
            if command.stdin is not None:
                yield from self._word(command, command.stdin, script, depth)
            for program in self._program(command, script):
                yield from self._run(program, command, script, depth, shell=True)
            if command.name not in _DOES_NOT_READ and not _edits_in_place(command):
                yield from self._looked_for(command, script, depth)
                yield from self._module(command, script, depth)
                yield from self._arguments(command, script, depth)
        self.at.update(relocated(command, self.at))

    def _program(self, command: Command, script: str | None) -> tuple[str, ...]:
        """The context files that are the command itself."""
        word = command.words[0]
        if "/" in word.text:
            return self._files(command, word) or self._beside(word, script)
        places = self.environment.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
        named = (self.at.get(posixpath.join(place, word.text)) for place in places)
        return tuple(filter(None, named))[:1]

    def _looked_for(self, command: Command, script: str | None, depth: int) -> _Found:
        moved = option_value(command.words, ("-C", "--directory"))
        if moved is not None and command.name in ("make", "gmake"):
            directory = known_text(joined_path(command.directory, moved))
            command = replace(command, directory=directory)
        for name in _LOOKED_FOR.get(command.name, ()):
            for path in self._files(command, Word(name)):
                yield path, script, False
                if command.name in ("make", "gmake") and depth < _DEEPEST:
                    text = self.read_text(path) or ""
                    yield from self._included(text, command, script)
                    yield from self._script(path, _recipes(text), command, depth)

    def _included(self, makefile: str, command: Command, script: str | None) -> _Found:
        """Files that a Makefile includes: without them make stops before any recipe."""
        for found in _INCLUDE.finditer(makefile):
            for word in found[1].split():
                for path in self._files(command, Word(word)):
                    yield path, script, False

    def _module(self, command: Command, script: str | None, depth: int) -> _Found:
        """``python -m package.module`` reads that module of the working directory."""
        words = [word.text for word in command.words]
        if not _INTERPRETERS.fullmatch(command.name) or "-m" not in words[:-1]:
            return
        base = words[words.index("-m") + 1].replace(".", "/")
        for ending in (f"{base}.py", f"{base}/__main__.py", f"{base}/__init__.py"):
            for path in self._files(command, Word(ending)):
                yield from self._run(path, command, script, depth, shell=False)

    def _arguments(self, command: Command, script: str | None, depth: int) -> _Found:
        shell = command.name in _SHELLS
        runs = shell or _INTERPRETERS.fullmatch(command.name) is not None
        for word in command.words[1:]:
            if word.text.startswith("-"):
                _, equals, value = word.text.partition("=")
                # No shell expands ``--strip=*``: the program itself reads the pattern.
                if equals and not _WILDCARD.search(value):
                    yield from self._word(command, Word(value, word.known), script, depth)
            else:
                yield from self._word(command, word, script, depth, runs=runs, shell=shell)
                runs = False

    def _word(
        self,
        command: Command,
        word: Word,
        script: str | None,
        depth: int,
        *,
        runs: bool = False,
        shell: bool = False,
    ) -> _Found:
        for path in self._files(command, word) or self._beside(word, script):
            if runs:
                yield from self._run(path, command, script, depth, shell=shell)
            else:
                yield path, script, False

    def _files(self, command: Command, word: Word) -> tuple[str, ...]:
        """The context files at the container path of a word, which may be a wildcard."""
        place = joined_path(command.directory, word)
        if not place.known or not word.text:
            return ()
        exact = self.at.get(place.text)
        if exact is not None:
            return (exact,)
        if _WILDCARD.search(place.text):
            inside = command.name in _WALKS
            return tuple(
                path for there, path in self.at.items() if _expands(place.text, there, inside)
            )
        if command.name in _WALKS:
            head = place.text.rstrip("/") + "/"
            walked = tuple(path for there, path in self.at.items() if there.startswith(head))
            return () if any(path in self.inputs for path in walked) else walked
        return ()

    def _beside(self, word: Word, script: str | None) -> tuple[str, ...]:
        """The file of a word's name at or below the directory of the script that says it."""
        name = posixpath.basename(word.text)
        if script is None or word.known or not name:
            return ()
        directory = posixpath.dirname(script)
        head = f"{directory}/" if directory else ""
        paths = dict.fromkeys(self.at.values())
        return tuple(
            path for path in paths if path.startswith(head) and posixpath.basename(path) == name
        )

    def _run(
        self, path: str, command: Command, script: str | None, depth: int, *, shell: bool
    ) -> _Found:
        yield path, script, True
        text = self.read_text(path) or ""
        first = text.partition("\n")[0]
        if first.startswith("#!"):
            shell = re.search(r"\b(ba|da|z|k|a)?sh\b", first) is not None
        if depth >= _DEEPEST or path in self.followed:
            return
        self.followed.add(path)
        if path.endswith(".py"):
            yield from self._imports(path, text, command, depth)
        elif shell:
            yield from self._script(path, text, command, depth)

    def _script(self, path: str, text: str, command: Command, depth: int) -> _Found:
        for inner in script_commands(text, command.directory, self.environment, runner_of):
            yield from self.of_command(inner, path, depth + 1)

    def _imports(self, path: str, text: str, command: Command, depth: int) -> _Found:
        """Modules beside a Python script that the script imports."""
        known = set(self.at.values())
        directory = posixpath.dirname(path)
        for match in _IMPORT.finditer(text):
            base = posixpath.join(directory, (match[1] or match[2]).lstrip(".").replace(".", "/"))
            for ending in (f"{base}.py", f"{base}/__init__.py"):
                if ending in known and ending != path:
                    yield from self._run(ending, command, path, depth + 1, shell=False)


_WILDCARD = regex(r"[*?\[]")


def _expands(pattern: str, place: str, inside: bool) -> bool:
    """Whether a shell's wildcard matches a file, or with ``inside`` a directory above the file.

    ``*`` matches no slash, and no dot at the beginning of a name; ``**`` means what it means to
    bash with ``globstar``.
    """
    if "**" in pattern:
        return fnmatchcase(place, pattern)
    wanted, there = pattern.split("/"), place.split("/")
    if len(there) < len(wanted) or (len(there) > len(wanted) and not inside):
        return False
    return all(
        fnmatchcase(name, part) and not (name.startswith(".") and part[:1] in ("*", "?", "["))
        for name, part in zip(there, wanted, strict=False)
    )


_IMPORT = regex(r"^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))", re.MULTILINE)


_INCLUDE = regex(r"^[ ]*[-s]?include[ \t]+([^#\n]*)", re.MULTILINE)


def _edits_in_place(command: Command) -> bool:
    return command.name == "sed" and any(
        re.match(r"-[a-zA-Z]*i|--in-place", word.text) for word in command.words[1:]
    )


def _recipes(makefile: str) -> str:
    """The shell lines of a Makefile, without the marks that make itself reads."""
    lines = (line for line in makefile.splitlines() if line.startswith("\t"))
    return "\n".join(line.strip().lstrip("@-+") for line in lines)
