"""The Python that an image runs: the question, the wrapper to ask through, and the answers."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from ..dockerfile.platforms import default_platform
from ..engines import Execution
from ..environments.prefixes import program_prefix
from ..environments.tools import runner_of
from ..errors import Unverifiable
from ..regexes import regex
from ..runs import RUN_LABEL
from ..shell.running import without_wrapper
from ..shell.script import Command, Word
from ..values import dataclass
from .contents import Contents
from .judged import Judged
from .started_by_shell import PYTHON, SHELL, started_by_script, started_by_shell
from .verdict import broken

__all__ = ["ReportedVersion", "Start", "activated", "ask", "start_of", "wrapper"]

_RUNNERS = ("conda", "mamba", "micromamba")
"""Tools whose ``run`` starts a program in an environment."""
_WRAPPERS = (*_RUNNERS, "_entrypoint.sh", "tini", "dumb-init", "catatonit")
_LAUNCHERS = ("eatmydata", "gosu", "ionice", "linux32", "linux64", "nice", "nohup", "setarch",
              "setpriv", "stdbuf", "su-exec", "timeout", "unbuffer", "xvfb-run")  # fmt: skip
"""Programs that start another one as it is: with these limits, as that user."""
_PROJECT_RUNNERS = ("uv", "poetry", "pdm", "pipenv", "pixi", "hatch", "rye")
"""Tools whose ``run`` starts a program in the environment of a project."""


@dataclass(frozen=True)
class Start:
    """How an image starts its program.

    ``through`` are the words of ENTRYPOINT and CMD that only prepare an environment,
    ``application`` are the words behind those, without what only limits the program (``nice``,
    ``gosu app``); ``entrypoint`` is the whole ENTRYPOINT, ``shell`` the SHELL; ``bash_env`` says
    whether a BASH_ENV is set, which bash reads before it starts anything.
    """

    through: tuple[str, ...]
    application: tuple[str, ...]
    entrypoint: tuple[str, ...]
    shell: tuple[str, ...]
    bash_env: bool = False

    @property
    def python(self) -> str:
        """The Python that is named by the image: a path or a name, ``python`` if none is."""
        first = self.application[0] if self.application else ""
        return first if PYTHON.fullmatch(posixpath.basename(first)) else "python"

    @property
    def reader(self) -> str:
        """The shell that is given a script by its path (``bash start.sh``), "" if none is."""
        first, second = (*self.application, "", "")[:2]
        return first if SHELL.fullmatch(first) and second and second[0] not in "-+" else ""

    @property
    def script(self) -> str | None:
        """The path of a program that may be a script, as ENTRYPOINT or CMD names it."""
        if self.reader:
            return self.application[1]
        first = self.application[0] if self.application else ""
        is_path = "/" in first or first.endswith(".sh")
        named = self.python != "python" or SHELL.fullmatch(first)
        return first if is_path and not named else None


def start_of(config: Mapping[str, object]) -> Start:
    """How an image with this configuration starts its program."""
    entrypoint, command = _words(config.get("Entrypoint")), _words(config.get("Cmd"))
    bash_env = any(item.startswith("BASH_ENV=") for item in _words(config.get("Env")))
    words = (*entrypoint, *command)
    rest = words if bash_env else _without_shell(words)
    through: tuple[str, ...] = ()
    while True:
        rest = _without_launchers(rest)
        kept = wrapper(rest)
        if not kept:
            return Start(through, rest, entrypoint, _words(config.get("Shell")), bash_env)
        through, rest = (*through, *kept), rest[len(kept) :]


def _without_launchers(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words behind programs that start another one and leave its environment alone."""
    while words and posixpath.basename(words[0]) in _LAUNCHERS:
        inner = without_wrapper(Command(tuple(map(Word, words)), "/"))
        if inner is None or not inner.words:
            break
        words = words[len(words) - len(inner.words) :]
    return words


def _without_shell(words: tuple[str, ...]) -> tuple[str, ...]:
    """The single command of a shell form (``CMD conda run -n app python main.py``)."""
    is_shell = len(words) == 3 and SHELL.fullmatch(words[0]) and words[1] == "-c"
    if not is_shell or re.search(r"[;&|$<>()`\n*?\\]", words[2]):
        return words
    try:
        inner = shlex.split(words[2])
    except ValueError:
        return words
    return tuple(inner[1:] if inner[:1] == ["exec"] else inner)


def wrapper(entrypoint: Sequence[str]) -> tuple[str, ...]:
    """The part of an entry point that only prepares an environment; empty if it is an application.

    ``["tini", "--"]``, ``["conda", "run", "-n", "app"]`` and ``["/usr/local/bin/_entrypoint.sh"]``
    are wrappers; the words behind the wrapper's own are the application and left out.
    """
    return tuple(entrypoint[: len(entrypoint) + 1 - len(_started(entrypoint).words)])


def activated(through: Sequence[str], env: Mapping[str, str]) -> str | None:
    """The environment that a wrapper puts first on PATH, by name or prefix.

    "" if it leaves PATH alone, None if it does not say which.
    """
    active = _started(through).active
    if active is not None:
        return active.text or None
    names = [posixpath.basename(word) for word in through]
    if "_entrypoint.sh" in names:
        # Of mambaorg/micromamba: activates $ENV_NAME.
        return env.get("ENV_NAME") or None
    return None if any(name in _RUNNERS for name in names) else ""


def _started(entrypoint: Sequence[str]) -> Command:
    """The application of an entry point that is given ``python``, without its wrappers."""
    command = Command((*map(Word, entrypoint), Word("python")), "/")
    while command.name in _WRAPPERS and (inner := without_wrapper(command, runner_of)) is not None:
        command = inner
    return command


# --- asking -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportedVersion:
    """The version that a Python reports.

    ``through`` is the wrapper through which the Python was asked, None where a shell or a script
    ran it, which may set a PATH of its own; ``path`` is the absolute path of the Python, "" for the
    one on PATH. ``doubt`` says why another Python may be the one that the program runs.
    """

    version: str
    through: tuple[str, ...] | None = ()
    path: str = ""
    doubt: str = ""


def ask(subject: Judged, image: str, contents: Callable[[], Contents | None]) -> ReportedVersion:
    """Ask a container of the image for the version of the Python that its program runs.

    ``contents`` gives the contents of the image, to explain why no Python runs. Raises
    CacheAssertionError if there is no Python to run, and Unverifiable if an answer was lost twice
    or two ways give two answers.
    """
    record = subject.engine.image_config(image)
    config = record.get("Config")
    start = start_of(config if isinstance(config, dict) else {})
    script = start.script or _on_path(start, contents) or _in_shell(start, contents)
    program = _content(subject, image, script, start.reader) if script else ""
    python = start.python
    if interpreter := _INTERPRETER.match(program):
        python = interpreter[1]
    tried: list[str] = []
    doubt = ""
    # The first line of a program may name its Python, whatever a shell prepares.
    named = interpreter is not None and python.startswith("/")
    other = None if named else _asked_otherwise(start, program)
    if other is not None:
        python, words, doubt = other.python, other.words, other.doubt
        version = _reported(subject, image, words, tried) if words else None
        if version is not None:
            return ReportedVersion(version, None, doubt=doubt)
        if words and not doubt:
            doubt = f"{' '.join(words[:2])} … did not run python: {tried[-1].strip()}"
    words = (*start.through, python, "--version")
    plain = _reported(subject, image, words, tried)
    path = python if python.startswith("/") else ""
    if _hands_over(program) and start.script in start.entrypoint:
        words = (*start.entrypoint, "python", "--version")
        through = _reported(subject, image, words, tried)
        name = posixpath.basename(start.script or "")
        if plain is None and through is not None:
            return ReportedVersion(through, None)
        if plain is not None and through is None:
            return ReportedVersion(
                plain, start.through, path, f"{name} did not run python: {tried[-1].strip()}"
            )
        if plain != through:
            raise Unverifiable(
                f"python --version reports {plain}, and through the entry point {name} {through}: "
                "which of them the program runs is not known"
            )
    if plain is not None:
        return ReportedVersion(plain, start.through, path, doubt)
    if start.shell:
        version = _reported(subject, image, (*start.shell, "python --version"), tried)
        if version is not None:
            return ReportedVersion(version, wrapper(start.shell) or None, doubt=doubt)
    if doubt:
        raise Unverifiable(f"no python was found on PATH, but {doubt}")
    why, fix = _why_not(contents(), python)
    raise broken("python does not run in the image", subject=subject, rows=tried, why=why, fix=fix)


_INTERPRETER = regex(r"#![ \t]*(?:/usr/bin/env[ \t]+(?:-S[ \t]+)?)?((?:/\S*/)?python[\d.]*)(?=\s)")
"""The first line of a script that a Python runs, with its path or its name."""


@dataclass(frozen=True)
class _Other:
    """Another way to ask: the Python's name, the words ("" where the plain way does), a doubt."""

    python: str
    words: tuple[str, ...] = ()
    doubt: str = ""


def _asked_otherwise(start: Start, program: str) -> _Other | None:
    """How to ask where a shell or a project's ``run`` starts the program; None for others."""
    own, inner = _run_by_another(start.application)
    if own:
        python = inner if PYTHON.fullmatch(posixpath.basename(inner)) else "python"
        return _Other(python, (*start.through, *own, python, "--version"))
    found = started_by_shell(start.application, prepared=start.bash_env)
    if found is None and not _hands_over(program):
        found = started_by_script(program)
    if found is None:
        return None
    words = () if found.is_plain else (*start.through, *found.question)
    return _Other(found.python, words, found.doubt)


def _run_by_another(words: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The words with which ``uv run`` or ``env PATH=…`` start a program, and the program."""
    command = Command(tuple(map(Word, words)), "/") if words else None
    inner = None if command is None else without_wrapper(command, runner_of)
    if command is None or inner is None or not (command.name in _PROJECT_RUNNERS or _is_env(words)):
        return (), ""
    rest = [word.text for word in inner.words]
    while rest and re.match(r"\w+=", rest[0]):
        del rest[0]
    return words[: len(words) - len(rest)], rest[0] if rest else ""


def _is_env(words: Sequence[str]) -> bool:
    return posixpath.basename(words[0]) == "env"


_LONGEST_SCRIPT = 1 << 20
"""The most bytes of a program that is read for its first line: a larger one is no script."""


def _in_shell(start: Start, contents: Callable[[], Contents | None]) -> str | None:
    """The path of the script that a shell is told to start, None for a name or no script."""
    found = started_by_shell(start.application)
    if found is None or not found.program.startswith("/"):
        return None
    held = contents()
    return found.program if held is None or _may_be_script(held, found.program) else None


def _may_be_script(held: Contents, path: str) -> bool:
    found = held.layers.view.resolve(path)
    return found is not None and found.entry.size <= _LONGEST_SCRIPT


def _on_path(start: Start, contents: Callable[[], Contents | None]) -> str | None:
    """The path of a program that CMD or ENTRYPOINT give by name: the program may be a script."""
    name = start.application[0] if start.application and not start.through else ""
    if not re.fullmatch(r"[\w.+-]+", name) or start.python != "python" or name == "python":
        return None
    known = SHELL.fullmatch(name) or name == "env" or runner_of(name) is not None
    held = None if known else contents()
    if held is None:
        return None
    for directory in held.layers.config.env.get("PATH", "").split(":"):
        if directory and held.layers.view.resolve(f"{directory}/{name}") is not None:
            place = f"{directory}/{name}"
            return place if _may_be_script(held, place) else None
    return None


def _reported(subject: Judged, image: str, words: tuple[str, ...], tried: list[str]) -> str | None:
    """The version that a command reports, None if it reports none and is added to ``tried``.

    Success without output is no answer: the command is run again. Raises Unverifiable if the second
    answer is empty too.
    """
    for _ in range(2):
        result = _run(subject, image, words)
        version = _version(result)
        if version is not None:
            return version
        _require_executable(subject, image, result)
        if result.code != 0 or result.stdout.strip() or result.stderr.strip():
            tried.append(f"  tried  {' '.join(words)}: {_complaint(result)}")
            return None
    raise Unverifiable(f"{' '.join(words)} succeeded twice without a word: its output was lost")


def _require_executable(subject: Judged, image: str, result: Execution) -> None:
    """Raise Unverifiable if this machine cannot execute the programs of an image."""
    if "exec format error" not in result.stderr:
        return
    record = subject.engine.image_config(image)
    architecture = str(record.get("Architecture") or "")
    if architecture and architecture != default_platform().split("/")[1]:
        raise Unverifiable(
            "no program of the image can be run here: it is made for "
            f"{record.get('Os') or 'linux'}/{architecture}",
            fix="give this machine an emulator (docker run --privileged --rm tonistiigi/binfmt "
            f"--install {architecture}), or judge the image on such a machine",
        )


def _run(subject: Judged, image: str, words: tuple[str, ...]) -> Execution:
    labels = {RUN_LABEL: subject.run.id}
    return subject.engine.run(image, words[1:], entrypoint=words[:1], labels=labels)


def _content(subject: Judged, image: str, path: str, reader: str = "") -> str:
    """The text of a script in the image, "" for a file that is no script or cannot be read.

    Where a shell is given the file as its argument, ``reader`` is that shell, whatever the first
    line says.
    """
    result = _run(subject, image, ("cat", path))
    if reader and result.code == 0:
        return f"#!{reader}\n{result.stdout}"
    return result.stdout if result.code == 0 and result.stdout.startswith("#!") else ""


def _hands_over(script: str) -> bool:
    """Whether a script ends by running the command in its arguments."""
    lines = [line.strip() for line in script.splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    last = re.fullmatch(r'(?:exec\s+((?:[\w./-]+\s+)*))?"\$@";?', code[-1]) if code else None
    if last is None:
        return False
    # A Python that is given the words as arguments runs a program of its own.
    return not any(PYTHON.fullmatch(posixpath.basename(word)) for word in (last[1] or "").split())


_NONE = (
    "no python was found on PATH, nor through the image's SHELL",
    "put the environment's bin directory on PATH (ENV PATH=/opt/conda/envs/NAME/bin:$PATH)",
)


def _why_not(contents: Contents | None, python: str) -> tuple[str, str]:
    """Why no Python runs, and the fix; a Python that cannot run is told from a missing one."""
    if contents is None:
        return _NONE
    view, env = contents.layers.view, contents.layers.config.env
    places = [python] if "/" in python else [
        f"{directory.rstrip('/')}/{python}"
        for directory in env.get("PATH", "").split(":")
        if directory.startswith("/")
    ]  # fmt: skip
    for place in places:
        if place not in view:
            continue
        if view.resolve(place) is None:
            return (
                f"{place} is there and leads to nothing: the Python that it was made with is not "
                "in the image",
                "make the environment with a Python that lies at the same path in the image, or "
                "copy that too",
            )
        return (
            f"{place} is there but cannot be run",
            "look at its mode and at what it was built for: another architecture or C library",
        )
    if "/" not in python and program_prefix(view, env, "python3"):
        return (
            "no python was found on PATH, nor through the image's SHELL; there is a python3",
            "link python to it, or put an environment that has a python first on PATH",
        )
    return _NONE


def _version(result: Execution) -> str | None:
    found = re.search(r"^Python (\d+(?:\.\w+)+)", f"{result.stdout}\n{result.stderr}", re.MULTILINE)
    return found[1] if result.code == 0 and found else None


def _complaint(result: Execution) -> str:
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {result.code}"


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()
