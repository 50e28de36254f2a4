"""The commands that a RUN really executes, behind wrappers and shells."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile

from ..dockerfile.instructions import heredoc_mark
from ..dockerfile.syntax import PlannedStep
from ..regexes import regex
from ..values import dataclass
from .makefile import recipe_of, with_included
from .script import Command, Word, commands, joined_path, known_text

__all__ = [
    "SHELLS",
    "ReadFile",
    "Runner",
    "named_environment",
    "option_value",
    "script_commands",
    "script_file",
    "step_commands",
    "without_wrapper",
]


@dataclass(frozen=True)
class Runner:
    """How a program runs another command in an environment of its own (``conda run -n x``).

    ``valued`` lists the options, of the program and of its ``run``, that take a value,
    ``environment`` those that name the environment, blank-separated. ``activates`` is True for a
    program with a subcommand ``activate``, ``installs`` for a program that makes the environment
    before it runs the command (``pixi run``, ``uv run``).
    """

    valued: str
    environment: str = ""
    activates: bool = False
    installs: bool = False


RunnerOf = Callable[[str], Runner | None]
"""The :class:`Runner` of a program's name, None for a program that runs no other."""


def no_runner(program: str) -> Runner | None:
    return None


ReadFile = Callable[[str], "str | None"]
"""The text of a file by its absolute path in the container, None where nobody knows it."""


def no_file(path: str) -> str | None:
    return None


def step_commands(
    step: PlannedStep, runner_of: RunnerOf = no_runner, read: ReadFile = no_file
) -> Iterator[Command]:
    """The commands that a RUN executes, those inside ``sh -c`` and the like included.

    Each command has the environment that is active for it. The commands of a script or a Makefile
    that ``read`` knows follow the command that starts it.
    """
    in_exec_form = step.instruction.exec_form is not None
    active = None if in_exec_form else _of_shell(step.shell, runner_of) or _of_start_file(step)
    for command in _executed(step, _Inside(runner_of, read)):
        if command.active is None:
            command = replace(command, active=active)
        yield command
        if _switches(command, runner_of):
            active = _activated(command)


def script_commands(
    script: str,
    directory: str | None,
    variables: Mapping[str, str],
    runner_of: RunnerOf = no_runner,
    parameters: tuple[Word, ...] | None = None,
) -> Iterator[Command]:
    """The commands that a script file executes, those inside ``sh -c`` and the like included.

    ``directory`` is the working directory at its start, ``variables`` are the variables set then,
    ``parameters`` its ``$0``, ``$1`` and so on, None where they are not known.
    """
    inside = _Inside(runner_of)
    for command in commands(script, directory, variables, (), parameters):
        yield from inside.executed(command, variables)


_LOGIN = regex(r"--login\Z|-[a-zA-Z]*[li]")
"""An option that makes a shell read the user's start files, which may activate anything."""


def _of_shell(shell: Sequence[str], runner_of: RunnerOf) -> Word | None:
    """The environment of a SHELL: ``conda run`` names it, a login shell may have any."""
    words = tuple(Word(text) for text in shell)
    inner = _unwrapped(Command(words, "/"), runner_of)
    if inner.active is not None:
        return inner.active
    plain = inner.name in SHELLS
    login = any(_LOGIN.match(word.text) for word in inner.words[1:])
    return Word("", known=False) if login or not plain else None


def _of_start_file(step: PlannedStep) -> Word | None:
    """The environment whose ``bin/activate`` bash reads before each RUN: BASH_ENV names it."""
    file = dict(step.environment).get("BASH_ENV", "")
    is_bash = bool(step.shell) and posixpath.basename(step.shell[0]) == "bash"
    found = re.fullmatch(r"(/.*)/bin/activate", file)
    return Word(found[1]) if is_bash and found is not None else None


def _switches(command: Command, runner_of: RunnerOf) -> bool:
    second = command.words[1].text if len(command.words) > 1 else ""
    runner = runner_of(command.name)
    if runner is not None and runner.activates:
        return second in ("activate", "deactivate")
    if command.name in (".", "source"):
        return posixpath.basename(second) in ("activate", "deactivate")
    return command.name == "deactivate"


def _activated(command: Command) -> Word | None:
    """The environment after ``conda activate NAME``, ``source activate`` or ``. PREFIX/bin/…``."""
    if any(posixpath.basename(word.text) == "deactivate" for word in command.words[:2]):
        return None
    given = [word for word in command.words[2:] if not word.text.startswith("-")]
    if given:
        return named_environment(command.directory, given[0])
    script = command.words[1]
    if "/" not in script.text:
        return Word("base")
    path = joined_path(command.directory, script)
    return replace(path, text=path.text.removesuffix("/activate").removesuffix("/bin") or "/")


def named_environment(directory: str | None, word: Word) -> Word:
    """An environment as conda names it: a name, or a prefix if the word has a slash."""
    return joined_path(directory, word) if "/" in word.text else word


def _executed(step: PlannedStep, inside: _Inside) -> Iterator[Command]:
    instruction = step.instruction
    variables = dict(step.environment)
    if step.user in ("", "root", "0") and "HOME" not in variables:
        variables["HOME"] = "/root"
    if instruction.exec_form is not None:
        words = tuple(Word(text) for text in instruction.exec_form)
        if words:
            yield from inside.executed(Command(words, step.workdir), variables)
        return
    mark = heredoc_mark(instruction.value)
    if instruction.heredocs and mark:
        body = instruction.heredocs[0].body
        if not _is_for_a_shell(body):
            yield from _interpreted(body, step.workdir)
            return
        ran = commands(body, step.workdir, variables)
    else:
        ran = commands(instruction.value, step.workdir, variables, instruction.heredocs)
    for command in ran:
        yield from inside.executed(command, variables)


def _interpreted(program: str, directory: str | None) -> Iterator[Command]:
    """The interpreter that the first line of a heredoc names, with the heredoc for its input."""
    words = program.partition("\n")[0].removeprefix("#!").split()
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    if words:
        yield Command(tuple(map(Word, words)), directory, document=program)


def _is_for_a_shell(script: str) -> bool:
    first = script.split("\n", 1)[0]
    return not first.startswith("#!") or bool(re.search(r"\b(?:ba|da|z|k|a)?sh\b", first))


_DEEPEST = 10
_LARGEST = 200_000
"""Characters of a script: a longer one is an archive that unpacks itself."""


@dataclass(frozen=True)
class _Inside:
    """Finds the commands inside a command: behind a wrapper, in ``sh -c``, in a script."""

    runner_of: RunnerOf
    read: ReadFile = no_file

    def executed(
        self, command: Command, variables: Mapping[str, str], depth: int = 0
    ) -> Iterator[Command]:
        """A command, or those that a wrapper (``sudo``, ``conda run``, ``sh -c``) runs."""
        if depth > _DEEPEST or not command.words:
            return
        yield from _installing_runners(command, self.runner_of)
        command = _unwrapped(command, self.runner_of)
        if not command.words:
            return
        if command.name == "find":
            yield command
            for inner in _executed_by_find(command):
                yield from self.executed(inner, variables, depth + 1)
            return
        script = _shell_script(command)
        if script is None:
            inside = self._of_file(command, variables, depth)
            yield replace(command, followed=inside is not None)
            yield from inside or ()
            return
        if not script.strip():
            yield command  # its text is the output of another: bash -c "$(curl …)"
        yield from self._of_text(command, script, variables, depth)

    def _of_text(
        self,
        command: Command,
        script: str,
        variables: Mapping[str, str],
        depth: int,
        parameters: tuple[Word, ...] | None = None,
    ) -> Iterator[Command]:
        inner_variables = {**variables, **dict(command.assignments)}
        login = any(_LOGIN.match(word.text) for word in _leading(command.words))
        active = Word("", known=False) if login and command.active is None else command.active
        for inner in commands(script, command.directory, inner_variables, (), parameters):
            feeding = (*command.feeding, *inner.feeding)
            inner = replace(inner, feeding=feeding, active=active)
            yield from self.executed(inner, inner_variables, depth + 1)

    def _of_file(
        self, command: Command, variables: Mapping[str, str], depth: int
    ) -> Iterator[Command] | None:
        """The commands of a script or a Makefile; None if its text is not known."""
        if command.name in ("make", "gmake"):
            command, recipe = self._recipe(command, variables)
            return self._of_text(command, recipe, variables, depth) if recipe else None
        fed = self._fed(command)
        if fed is not None:
            return self._of_text(replace(command, feeding=()), fed, variables, depth)
        started = script_file(command)
        for place in _places(started[0], command.directory, variables) if started else ():
            text = self.read(place)
            if text is not None:
                if len(text) > _LARGEST or not _is_for_a_shell(text):
                    return None
                parameters = (Word(place), *started[1:])
                return self._of_text(command, text, variables, depth, parameters)
        return None

    def _read_at(self, directory: str | None, name: str) -> str | None:
        place = joined_path(directory, Word(name))
        return self.read(place.text) if place.known else None

    def _fed(self, command: Command) -> str | None:
        """The script that a shell reads from its standard input; None for any other command.

        The script is a file behind ``<``, a file that ``cat`` and the like pipe into the shell, or
        the words of an ``echo``.
        """
        if not _reads_its_input(command):
            return None
        if command.stdin is not None and command.stdin.known:
            return self._read_at(command.directory, command.stdin.text)
        texts: list[str] = []
        for feeder in command.feeding:
            words = [word.text for word in feeder.words[1:] if word.known]
            if feeder.name in ("echo", "printf"):
                texts.append(" ".join(word for word in words if not word.startswith("-")))
            elif feeder.name in ("cat", "sed", "tr", "dos2unix", "envsubst", "awk"):
                if feeder.stdin is not None and feeder.stdin.known:
                    words.append(feeder.stdin.text)
                read = [self._read_at(feeder.directory, word) for word in words]
                texts += [text for text in read if text is not None]
        found = "\n".join(texts)
        return found.replace("\r", "") if found and len(found) <= _LARGEST else None

    def _recipe(self, command: Command, variables: Mapping[str, str]) -> tuple[Command, str]:
        """A ``make`` where it works, and the script of its targets; "" if that is not known."""
        moved = option_value(command.words, ("-C", "--directory"))
        if moved is not None:
            directory = known_text(joined_path(command.directory, moved))
            command = replace(command, directory=directory)
        named = option_value(command.words, ("-f", "--file", "--makefile"))
        names = [named] if named is not None else list(map(Word, _MAKEFILES))
        given = [word.text for word in _without_options(command.words[1:], _MAKE_VALUED)]
        values = dict(word.split("=", 1) for word in given if "=" in word)
        targets = [word for word in given if "=" not in word]
        for name in names:
            place = joined_path(command.directory, name)
            text = self.read(place.text) if place.known else None
            if text is not None:
                text = with_included(text, partial(self._read_at, command.directory))
                return command, recipe_of(text, targets, {**variables, **values})
        return command, ""


_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_MAKE_VALUED = ("-C", "--directory", "-f", "--file", "--makefile", "-I", "-o", "-W")
SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")


def _without_options(words: Sequence[Word], valued: Sequence[str]) -> list[Word]:
    """The words that are neither options nor the values of these."""
    found: list[Word] = []
    skipped = False
    for word in words:
        if not skipped and not word.text.startswith("-"):
            found.append(word)
        skipped = word.text in valued
    return found


def script_file(command: Command) -> tuple[Word, ...]:
    """The word that names the script which a command starts, and the script's arguments."""
    words = command.words
    if command.name in (".", "source"):
        return words[1:]
    if command.name not in SHELLS:
        return words
    position = 1
    while position < len(words) and words[position].text.startswith(("-", "+")):
        if re.fullmatch(r"-[a-zA-Z]*s", words[position].text):
            return ()  # The script comes on the standard input; what follows are its arguments.
        position += (
            2 if re.fullmatch(r"[-+][a-zA-Z]*[oO]|--(rc|init-)file", words[position].text) else 1
        )
    return words[position:]


def _reads_its_input(command: Command) -> bool:
    """Whether a command is a shell without the name of a script, which reads its standard input."""
    if command.name not in SHELLS or not (command.feeding or command.stdin):
        return False
    started = script_file(command)
    told = any(re.fullmatch(r"-[a-zA-Z]*s", word.text) for word in _leading(command.words))
    return not started or told or started[0].text in ("-", "/dev/stdin", "/dev/fd/0")


def _places(word: Word, directory: str | None, variables: Mapping[str, str]) -> Iterator[str]:
    """The absolute paths at which a script of this name may lie."""
    if word.text and word.known and "/" not in word.text:
        for holder in variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":"):
            yield posixpath.join(holder, word.text)
    place = joined_path(directory, word)
    if place.known and place.text:
        yield place.text


def _installing_runners(command: Command, runner_of: RunnerOf) -> Iterator[Command]:
    """The part of ``uv run x`` and the like that makes the environment, which ``x`` is run in."""
    for _ in range(_DEEPEST):
        inner = without_wrapper(command, runner_of)
        if inner is None:
            return
        runner = runner_of(command.name)
        if runner is not None and runner.installs:
            own = command.words[: len(command.words) - len(inner.words)]
            yield replace(command, words=own)
        command = inner


def _executed_by_find(command: Command) -> Iterator[Command]:
    """The command of ``find … -exec``; a found file has the pattern of ``-name`` as its name."""
    words = command.words
    name = option_value(words, ("-name", "-iname", "-path", "-wholename"))
    found = Word("" if name is None else name.text, known=False)
    position = 1
    while position < len(words):
        text = words[position].text
        position += 1
        if text not in ("-exec", "-execdir", "-ok", "-okdir"):
            continue
        inner: list[Word] = []
        while position < len(words) and words[position].text not in (";", "+"):
            word = words[position]
            inner.append(found if word.text == "{}" else word)
            position += 1
        directory = None if text in ("-execdir", "-okdir") else command.directory
        yield replace(command, words=tuple(inner), directory=directory)


def _leading(words: Sequence[Word]) -> Iterator[Word]:
    """The options before the first other word."""
    return takewhile(lambda word: word.text.startswith("-"), words[1:])


def _shell_script(command: Command) -> str | None:
    """The script text of ``sh -c "…"``, ``eval …``, ``su -c``, or a shell's heredoc."""
    name, words = command.name, command.words
    if name == "eval":
        return " ".join(word.text for word in words[1:])
    if name in ("su", "runuser"):
        for position, word in enumerate(words[:-1]):
            if word.text in ("-c", "--command"):
                return words[position + 1].text
        return None
    if name not in SHELLS:
        return None
    position = 1
    while position < len(words):
        text = words[position].text
        if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", text) and not text.startswith("--"):
            position += 1
            if text.endswith("o"):
                position += 1
            while position < len(words) and words[position].text.startswith("-"):
                position += 1
            return words[position].text if position < len(words) else None
        if re.fullmatch(r"[-+][a-zA-Z]*[oO]", text) or text in ("--rcfile", "--init-file"):
            position += 1
        elif not text.startswith(("-", "+")):
            return None
        position += 1
    return command.document


_WRAPPERS: Mapping[str, str] = {
    # name: its options that take a value, or the words of which one has to follow it
    "arch": "",
    "asdf": "exec",
    "builtin": "",
    "catatonit": "",
    "chroot": "1 --userspec --groups",
    "command": "",
    "doas": "-u -C",
    "dumb-init": "",
    "eatmydata": "",
    "env": "-u --unset -C --chdir -S",
    "env-execute": "",
    "exec": "-a",
    "fakeroot": "",
    "flock": "1 -w --timeout -E",
    "gosu": "1",
    "ionice": "-c --class -n --classdata",
    "linux32": "",
    "linux64": "",
    "nice": "-n --adjustment",
    "mise": "exec x",
    "nohup": "",
    "parallel": "-j --jobs -a --arg-file --colsep -n -N",
    "pyenv": "exec",
    "rbenv": "exec",
    "retry": "1? -t -n -d --tries --delay",
    "setarch": "1",
    "setpriv": "",
    "stdbuf": "-i -o -e",
    "su-exec": "1",
    "sudo": "-u --user -g --group -h -p -C -r -t -D --chdir",
    "time": "-f -o",
    "timeout": "1 -k --kill-after -s --signal",
    "tini": "-p",
    "unbuffer": "",
    "xargs": "-a --arg-file -d --delimiter -E -I -L --max-lines -n --max-args -P -s",
    "xvfb-run": "-n -s --server-args",
    "_entrypoint.sh": "",
}


def _unwrapped(command: Command, runner_of: RunnerOf) -> Command:
    """Strip the words before the command that is really run."""
    for _ in range(20):
        inner = without_wrapper(command, runner_of)
        if inner is None:
            return command
        command = inner
        while command.words and re.match(r"[A-Za-z_]\w*=", command.words[0].text):
            name, _, value = command.words[0].text.partition("=")
            assignments = (*command.assignments, (name, value))
            command = replace(command, words=command.words[1:], assignments=assignments)
    return command


def without_wrapper(command: Command, runner_of: RunnerOf = no_runner) -> Command | None:
    """The command that a wrapper (``tini --``, ``conda run``, ``env``) runs; else None."""
    name, words = command.name, command.words
    if name in _WRAPPERS:
        options = _WRAPPERS[name].split()
        if options and options[0].isalpha():
            if len(words) < 2 or words[1].text not in options:
                return None
            inner = [word.text for word in words]
            first = inner.index("--") + 1 if name == "mise" and "--" in inner else 2
            return replace(command, words=_after_options(words[first:], ()))
        rest = _after_options(words[1:], options)
        if name == "xargs":
            command = replace(command, feeding=(*command.feeding, *_arg_file(command)))
            rest = (*rest, Word("", known=False)) if rest else rest
        if "1" in options or ("1?" in options and rest and rest[0].text.isdigit()):
            rest = rest[1:]
        if name in ("setarch", "arch") and not rest:
            return None
        directory = option_value(words, ("-C", "--chdir") if name == "env" else ("-D", "--chdir"))
        if name in ("env", "sudo") and directory is not None:
            command = replace(
                command, directory=known_text(joined_path(command.directory, directory))
            )
        return replace(command, words=rest)
    if name == "runuser" and option_value(words, ("-u", "--user")) is not None:
        return replace(command, words=_after_options(words[1:], ("-u", "--user", "-g", "-G")))
    runner = runner_of(name)
    return None if runner is None else _run_by(runner, command)


def _run_by(runner: Runner, command: Command) -> Command | None:
    """The command that ``conda run`` and the like run; None for another subcommand."""
    options = runner.valued.split()
    rest = _after_options(command.words[1:], options)
    if not rest or rest[0].text != "run":
        return None
    inner = _after_options(rest[1:], options)
    if not inner:
        return None
    own = command.words[: len(command.words) - len(inner)]
    directory = option_value(own, ("--cwd", "--directory"))
    if directory is not None:
        command = replace(command, directory=known_text(joined_path(command.directory, directory)))
    given = option_value(own, runner.environment.split())
    if given is not None:
        command = replace(command, active=named_environment(command.directory, given))
    return replace(command, words=inner)


def _after_options(words: tuple[Word, ...], valued: Sequence[str]) -> tuple[Word, ...]:
    position = 0
    while position < len(words):
        text = words[position].text
        if text == "--":
            position += 1
            break
        if not text.startswith("-") or text == "-":
            break
        position += 2 if text in valued else 1
    return words[position:]


def option_value(words: Sequence[Word], names: Sequence[str]) -> Word | None:
    """The value of the first option of these names; None without one."""
    for position, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if name in names:
            if equals:
                return replace(word, text=value)
            return words[position + 1] if position + 1 < len(words) else None
    return None


def _arg_file(command: Command) -> tuple[Command, ...]:
    """``xargs -a FILE`` reads like ``cat FILE |``."""
    name = option_value(command.words, ("-a", "--arg-file"))
    return () if name is None else (Command((Word("cat"), name), command.directory),)
