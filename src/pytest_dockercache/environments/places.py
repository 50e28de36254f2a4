"""The places in an image where the Dockerfile's commands have installed a file's packages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..context.entries import ContextEntry
from ..context.ignore import IgnoreRules
from ..dockerfile import PlannedStep, declared, expand, paths_in_final_stage
from ..dockerfile.expansion import with_values
from ..dockerfile.stages import path_at, path_below
from ..errors import Unverifiable
from ..image import View
from ..image.index import display
from ..regexes import regex
from ..shell.script import Word
from ..values import dataclass
from .files import environment_files
from .installed import holds_distributions
from .pip_settings import configured_targets
from .prefixes import every_prefix, find_prefix, program_prefix
from .steps import EnvironmentCommand, every_installation
from .tools import Installation, tool_of

__all__ = ["Reader", "Readers", "find_readers", "named_prefixes", "places"]


@dataclass(frozen=True)
class Reader:
    """A command that installs, and its step."""

    step: PlannedStep
    installation: Installation

    @property
    def line(self) -> int:
        """The first line of the step."""
        return self.step.line

    @property
    def makes_environment(self) -> bool:
        """Whether the step creates the environment, so that the environment was empty before."""
        return re.search(r"\bcreate\b", self.step.instruction.text) is not None


@dataclass(frozen=True)
class Readers:
    """The commands that install from each context file, and the files that only limit versions.

    ``by_name`` is the one command that installs packages by their names
    (``conda install NAME…``); None if there are several such commands, or none.
    """

    steps: tuple[PlannedStep, ...]
    final_stage: int
    manifests: Mapping[str, tuple[Reader, ...]]
    constraints: frozenset[str]
    by_name: Reader | None

    def of(self, path: str) -> Sequence[Reader | None]:
        """The commands that install from a file, directly if any does; None if none does."""
        readers = self.manifests.get(path, ())
        direct = [reader for reader in readers if not _is_indirect(reader.installation)]
        return direct or readers or (None,)


def find_readers(
    steps: Sequence[PlannedStep],
    final_stage: int,
    entries: Iterable[ContextEntry],
    commands: Sequence[EnvironmentCommand],
    *,
    context: Path | None = None,
    ignore: IgnoreRules | None = None,
) -> Readers:
    """The readers of all environment files of a project, from its steps and its context.

    Raises ConfigError for a file that is copied for a command and is not in the context.
    """
    known = tuple(entries)
    runs = {step.line: step for step in steps if step.instruction.keyword == "RUN"}
    manifests: dict[str, tuple[Reader, ...]] = {}
    constraints: set[str] = set()
    by_name: dict[str, Reader] = {}

    def files(command: EnvironmentCommand) -> Iterator[str]:
        if not command.manifests and not command.unresolved:
            return iter(())
        found = environment_files(steps, known, [command], context=context, ignore=ignore)
        return (file.path for file in found)

    configured = configured_targets(steps, known, context)
    for command in _with_project_halves(steps, commands):
        for item in command.installations:
            limiting = item.constraints
            given = replace(
                command,
                named=False,
                manifests=tuple(path for path in item.manifests if path not in limiting),
                unresolved=tuple(text for text in item.unresolved if text not in limiting),
            )
            if item.tool == "pip" and not item.target:
                item = replace(item, target=configured.get(command.line, ""))
            reader = Reader(runs[command.line], item)
            if item.specs and item.named and item.environment is not None:
                by_name[item.environment.text] = reader
            for path in files(given):
                manifests[path] = (*manifests.get(path, ()), reader)
            if limiting:
                constraints.update(files(replace(given, manifests=limiting, unresolved=())))
    only = next(iter(by_name.values())) if len(by_name) == 1 else None
    return Readers(tuple(steps), final_stage, manifests, frozenset(constraints), only)


def _with_project_halves(
    steps: Sequence[PlannedStep], commands: Sequence[EnvironmentCommand]
) -> Iterator[EnvironmentCommand]:
    """Commands in the order of their steps, including those that only add the project.

    ``uv sync`` after ``uv sync --no-install-project`` is no environment step, but decides which
    packages of the lock are installed in the end.
    """
    by_line = {command.line: command for command in commands}
    for step in steps:
        command = by_line.get(step.line)
        found = command.installations if command is not None else ()
        every = tuple(
            item for item in every_installation(step) if item in found or item.with_project
        )
        if command is not None:
            others = tuple(item for item in found if item not in every)
            yield replace(command, installations=others + every)
        elif every:
            yield EnvironmentCommand(every[0].tool, step.line, installations=every)


def named_prefixes(
    readers: Readers, view: View, env: Mapping[str, str], names: Mapping[str, str]
) -> Mapping[str, frozenset[str]]:
    """The prefixes in the image of the environments that files describe, by context path.

    ``names`` maps each file to the environment that it names, "" if it names none. The result has
    only files whose environment a command or the file itself names; its set of prefixes is empty
    where that environment is not in the image.
    """
    found: dict[str, frozenset[str]] = {}
    for path, name in names.items():
        found_places = [
            _named_places(readers, view, env, reader, name) for reader in readers.of(path)
        ]
        said = [place for place in found_places if place is not None]
        if len(said) == len(found_places):
            found[path] = frozenset().union(*said)
    return found


def _named_places(
    readers: Readers, view: View, env: Mapping[str, str], reader: Reader | None, name: str
) -> Sequence[str] | None:
    """The prefixes of :func:`places` for a named environment, None if they are uncertain."""
    if not name and (reader is None or _word(reader.installation, name) is None):
        return None
    try:
        prefixes, certain = places(readers, view, env, reader, name)
    except Unverifiable:
        return None
    return prefixes if certain or not prefixes else None


def _word(installation: Installation, name: str) -> Word | None:
    """The environment that a command installs a file into which names ``name``, "" if none."""
    return installation.environment or (Word(name) if name else installation.active)


def _is_indirect(installation: Installation) -> bool:
    """Whether a command only exports requirements or makes wheels, for another to install."""
    return installation.exports or installation.wheels


def places(
    readers: Readers, view: View, env: Mapping[str, str], reader: Reader | None, name: str
) -> tuple[Sequence[str], bool]:
    """The prefixes in the image that a command has installed into, and whether that is certain.

    ``name`` is the environment that the file names, "" if it names none.
    """
    if reader is None:
        return [find_prefix(view, name or None, env)], True
    item = reader.installation
    pairs = paths_in_final_stage(readers.steps, reader.step.stage.index, readers.final_stage)
    if not pairs:
        return [], True
    if _is_indirect(item):
        return [find_prefix(view, None, env)], False
    word = _word(item, name)
    if ("/", "/") not in pairs:
        return _copied(view, env, reader, word, pairs)
    if item.target:
        place = posixpath.normpath(posixpath.join(reader.step.workdir, item.target))
        if holds_distributions(view, place):
            return [place], True
        raise Unverifiable(
            f"line {reader.line} installs into {item.target}, outside of any environment: "
            "which packages are there is not recorded for one"
        )
    word = _with_values(word, env)
    every = every_prefix(view)
    users = [prefix for prefix in every if prefix.endswith("/.local")]
    if (word is None or word.text == "/usr/local") and users and not item.specs:
        # pip falls back to the user's directory where it may not write to the environment in use.
        raise Unverifiable(f"line {reader.line} may install into {users[0]}, or beside it")
    if word is None:
        return _default_places(readers, view, env, reader)
    if word.known:
        return [find_prefix(view, word.text, env)], True
    if len(every) == 1:
        return every, True
    raise Unverifiable(
        f"line {reader.line} installs into an environment that only the running container knows; "
        f"the image has: {', '.join(every) or 'none'}"
    )


def _default_places(
    readers: Readers, view: View, env: Mapping[str, str], reader: Reader
) -> tuple[Sequence[str], bool]:
    """:func:`places` of a command for which nothing names an environment."""
    tool = reader.installation.tool
    then, certain = _variables_then(readers, reader.step, env)
    made = _made_by_the_tool(reader, view)
    if made is not None:
        return [made], True
    if _uses_python_on_path(readers, reader):
        program = _programs(reader) if tool == "pip" else ()
        prefix = program_prefix(view, then, *program) if program else None
        prefix = prefix or program_prefix(view, then, "python", "python3")
        if prefix is not None:
            return [prefix], certain
        certain = certain and not _SETS_VARIABLES.search(_text(reader))
    if tool.startswith("pip"):
        then = {"PATH": then.get("PATH", "")}
    active = then.get("CONDA_PREFIX") or then.get("CONDA_DEFAULT_ENV")
    # Without an active environment, conda installs into the one that it runs from, whatever is
    # first on PATH.
    default = "base" if tool in ("conda", "mamba") and not active else None
    own = tool_of(tool)
    makes_its_own = own is not None and own.environments.pattern != "(?!)"
    return [find_prefix(view, default, then)], certain and not makes_its_own


_PIP = regex(r"(?<![\w/.-])(pip[\d.]*)\s+(?:-\S+\s+)*install\b")
_PYTHON_PIP = regex(r"(?<![\w/.-])(python[\d.]*)\s+(?:-\w+\s+)*-m\s+pip\b")


def _programs(reader: Reader) -> tuple[str, ...]:
    """The names of the program whose place tells into which Python a step's pip installs.

    ``python3.11 -m pip`` and ``pip3.11`` leave every other Python alone, and ``pip3`` may be
    another's than ``pip``.
    """
    text = _text(reader)
    if "-m pip" in text:
        named = dict.fromkeys(_PYTHON_PIP.findall(text))
        return tuple(named) if len(named) == 1 else ()
    named = dict.fromkeys(_PIP.findall(text))
    return tuple(named) if len(named) == 1 and "pip" not in named else ("pip", "pip3")


def _text(reader: Reader) -> str:
    """The text of a command's step."""
    bodies = (document.body for document in reader.step.instruction.heredocs)
    return "\n".join((reader.step.instruction.text, *bodies))


def _variable(reader: Reader, name: str) -> str:
    return dict(reader.step.environment).get(name, "")


def _made_by_the_tool(reader: Reader, view: View) -> str | None:
    """The prefix of the environment that a tool makes for a project, None if it is not known.

    uv takes the directory ``.venv`` whatever is active. Poetry, PDM and Pipenv
    take an environment that is active (``VIRTUAL_ENV``) before their own.
    """
    item = reader.installation
    tool = tool_of(item.tool)
    if tool is None or re.search(r"--active|--system|UV_PROJECT_ENVIRONMENT=", _text(reader)):
        return None
    syncs = item.with_project or item.without_project
    chooses = ("UV_PYTHON", "UV_SYSTEM_PYTHON", "CONDA_PREFIX")
    if (
        tool.name == "uv"
        and not syncs
        and (
            any(_variable(reader, name) for name in chooses)
            or re.search(r"UV_PYTHON|UV_SYSTEM|\s(--python|-p)\b", _text(reader))
        )
    ):
        return None  # uv pip looks there first
    active = _variable(reader, "VIRTUAL_ENV")
    named = _variable(reader, "UV_PROJECT_ENVIRONMENT") if tool.name == "uv" and syncs else ""
    project = posixpath.dirname(item.manifests[0]) if item.manifests else reader.step.workdir
    if named:
        place = posixpath.normpath(posixpath.join(project, named))
        return place if _is_environment(view, place) else None
    if active and tool.environments.pattern != "(?!)" and not (tool.name == "uv" and syncs):
        return active if _is_environment(view, active) else None
    places = [prefix for prefix in _environments(view) if tool.environments.fullmatch(prefix)]
    near = [prefix for prefix in places if path_below(prefix, project) is not None]
    # A member of a workspace has the environment of the workspace, above it.
    above = [prefix for prefix in places if path_below(project, posixpath.dirname(prefix))]
    for candidates in (near, above, places):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _environments(view: View) -> Sequence[str]:
    """The prefixes of all environments, empty environments included."""
    configured = (display(path) for path, _ in view.codes() if path.endswith(b"/pyvenv.cfg"))
    return sorted({*every_prefix(view), *map(posixpath.dirname, configured)})


def _is_environment(view: View, prefix: str) -> bool:
    return f"{prefix}/pyvenv.cfg" in view or prefix in every_prefix(view)


_WITHOUT_ENVIRONMENT = regex(
    r"virtualenvs\.create\s+false|python\.use_venv\s+(?:false|0)|--system\b"
)
_WITHOUT_ENVIRONMENT_IF = {
    "POETRY_VIRTUALENVS_CREATE": ("false", "0"),
    "PDM_USE_VENV": ("false", "0"),
    "PIPENV_SYSTEM": ("true", "1"),
    "UV_SYSTEM_PYTHON": ("true", "1"),
}


def _uses_python_on_path(readers: Readers, reader: Reader) -> bool:
    """Whether a command installs into the Python that is first on PATH, and no environment."""
    if reader.installation.tool == "pip":
        return True
    before = (
        step.instruction.text
        for step in readers.steps
        if step.stage.index == reader.step.stage.index and step.line <= reader.line
    )
    return any(
        _variable(reader, name).lower() in values
        for name, values in _WITHOUT_ENVIRONMENT_IF.items()
    ) or bool(_WITHOUT_ENVIRONMENT.search("\n".join(before)))


def _with_values(word: Word | None, env: Mapping[str, str]) -> Word | None:
    """The word with the image's own variables, which a base image may have set."""
    if word is None or word.known or "$" not in word.text:
        return word
    text = with_values(word.text, env)
    return Word(text) if "$" not in text else word


_SETS_VARIABLES = regex(
    r"\b(?:PATH|CONDA_PREFIX|CONDA_DEFAULT_ENV)=|(?:^|RUN|[;&(])\s*(?:source|\.)\s", re.MULTILINE
)
_PUTS_ON_PATH = regex(
    r"""\bPATH=(?P<quote>["']?)(?P<first>/[^\s"'$:]*(?::/[^\s"'$:]*)*):\$\{?PATH\}?(?P=quote)
    (?=\s+(?:pip[\d.]*|python[\d.]*\s+-m\s+pip)\s|\s*(?:&&|;|\n|$))""",
    re.VERBOSE,
)
"""Directories that a command puts before the PATH, for itself or for what follows."""


def _variables_then(
    readers: Readers, step: PlannedStep, env: Mapping[str, str]
) -> tuple[Mapping[str, str], bool]:
    """The variables that name an environment, as they were in a step, and whether that is certain.

    The values are uncertain where PATH was written anew since the step, or in it.
    """
    texts = [step.instruction.text, *(document.body for document in step.instruction.heredocs)]
    setting = [found[0] for text in texts for found in _SETS_VARIABLES.finditer(text)]
    put = [found for text in texts for found in _PUTS_ON_PATH.finditer(text)]
    if len(setting) != len(put) or len(put) > 1:
        return env, False
    then, certain = _variables_before(readers, step, env)
    if put:
        then = {**then, "PATH": f"{put[0]['first']}:{then.get('PATH', '')}"}
    return then, certain


def _variables_before(
    readers: Readers, step: PlannedStep, env: Mapping[str, str]
) -> tuple[Mapping[str, str], bool]:
    """The variables that name an environment, as a step finds them, and whether that is certain."""
    last = [later for later in readers.steps if later.stage.index == readers.final_stage][-1]
    before, after = dict(step.environment), dict(last.environment)
    if last.instruction.keyword == "ENV":
        for name, value in declared(last.instruction, last.escape):
            after[name] = expand(value or "", after, last.escape)
    changed = {
        name: before.get(name, "")
        for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV")
        if before.get(name) != after.get(name)
    }
    # The plan does not have the base image's PATH: an empty item stands for it.
    now, old, new = (found.get("PATH", "").split(":") for found in (env, before, after))
    for start in range(len(new) - len(old) + 1):
        if new[start : start + len(old)] == old:
            path = now[start : len(now) - (len(new) - len(old) - start)]
            return {**env, **changed, "PATH": ":".join(path)}, True
    return {**env, **changed}, False


def _copied(
    view: View,
    env: Mapping[str, str],
    reader: Reader,
    word: Word | None,
    pairs: Sequence[tuple[str, str]],
) -> tuple[Sequence[str], bool]:
    """:func:`places` of a command in a stage that the image only copies from."""
    wanted = _installed_prefix(reader, word)
    unknown = word is not None and not word.known
    target = reader.installation.target
    certain: list[str] = []
    possible: dict[str, str] = {}
    for there, here in pairs:
        if not here:
            possible[find_prefix(view, None, env)] = ""
            continue
        rest = path_below(target, there) if target.startswith("/") and there else None
        if rest is not None and holds_distributions(view, path_at(here, rest)):
            return [path_at(here, rest)], True
        for prefix in every_prefix(view):
            source = _source(prefix, there, here)
            if source is None:
                continue
            if wanted and (source == wanted or source.endswith(f"/envs/{wanted}")):
                certain.append(prefix)
            elif unknown or not posixpath.dirname(source).endswith("/envs"):
                possible[prefix] = source
    if not certain and not possible and any(_holds(there, wanted, target) for there, _ in pairs):
        raise Unverifiable(
            f"line {reader.line} installs into {wanted}, which the image has a copy of: "
            "which packages are there is not recorded for an environment"
        )
    if word is None and not wanted and list(possible.values()) == ["/usr/local"]:
        certain = list(possible)  # where pip installs that no environment is active for
    return list(dict.fromkeys(certain or possible)), bool(certain) and not target


def _installed_prefix(reader: Reader, word: Word | None) -> str:
    """Where a command installs in its own stage: a prefix, a name, or "" if that is not known."""
    if target := reader.installation.target:
        return target if target.startswith("/") else ""
    if word is not None:
        return word.text if word.known and word.text not in ("base", "root") else ""
    if reader.installation.specs:
        return ""
    path = dict(reader.step.environment).get("PATH", "")
    directories = (directory.rstrip("/") for directory in path.split(":"))
    prefixes = [item.removesuffix("/bin") for item in directories if item.endswith("/bin")]
    return next((item for item in prefixes if item not in ("", "/usr", "/usr/local")), "")


def _source(prefix: str, there: str, here: str) -> str | None:
    """The path in the other stage of a prefix that the copy of ``there`` to ``here`` made.

    "" if the path is not known, None if the copy did not make the prefix.
    """
    rest = path_below(prefix, here)
    if rest is not None:
        return path_at(there, rest) if there else ""
    rest = path_below(here, prefix)
    if rest is None or not rest.startswith("/lib"):
        return None
    return there.removesuffix(rest) if there.endswith(rest) else ""


def _holds(there: str, wanted: str, target: str) -> bool:
    """Whether a copied path holds a whole environment, or a part of a directory of packages."""
    if not wanted.startswith("/"):
        return False
    whole = bool(there) and path_below(wanted, there) is not None
    return whole or bool(target and (not there or path_below(there, wanted) is not None))
