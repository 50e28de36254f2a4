"""What a step is for: above all, which RUNs install the environment and what they read.

An *environment step* is a RUN that installs dependencies from a manifest or
by name. One that installs only the project itself is not: ``pip install .``,
``pip install -e .[dev]``, ``uv sync`` after a step that ran it with
``--no-install-project``, ``poetry install`` after ``--no-root``. Installing
``pip`` or ``setuptools`` by name counts, for it is an installation by name.
Downloading, locking, cleaning, configuring, uninstalling and a dry run are no
installations; ``pip wheel`` of dependencies counts, as it is the costly half
of one that is split over two stages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..dockerfile.syntax import PlannedStep
from ..errors import ConfigError
from ..model import Role
from ..shell.running import step_commands
from .tools import Installation, recognised, runner_of, tool_of

__all__ = [
    "EnvironmentCommand",
    "environment_commands",
    "is_named",
    "roles_of",
    "unrecognised_installs",
]


@dataclass(frozen=True)
class EnvironmentCommand:
    """The installation that makes a RUN an environment step.

    ``tool`` is the first installer in it (``conda``, ``micromamba``, ``pip``,
    ``uv``, …), or the first command of a step that only the user's pattern
    names; ``line`` the first line of the instruction, 1-based. ``manifests``
    are absolute paths in the container that it reads: those it is given, else
    the candidates that the tool looks for by itself (``pyproject.toml`` and
    ``uv.lock``); they may hold wildcards. ``named`` is True when packages are
    given by name only. ``unresolved`` holds manifest arguments whose path only
    the running container knows. ``without_project`` is True for the dependency
    half of a split installation (``uv sync --no-install-project``).
    ``installations`` are the commands one by one, with the files and the
    environment of each.
    """

    tool: str
    line: int
    manifests: tuple[str, ...] = ()
    named: bool = False
    unresolved: tuple[str, ...] = ()
    without_project: bool = False
    installations: tuple[Installation, ...] = ()


def environment_commands(
    steps: Sequence[PlannedStep], pattern: str | None = None
) -> tuple[EnvironmentCommand | None, ...]:
    """The installation of each step of a plan, in its order; None for other than environment steps.

    ``pattern`` (``--dockercache-env-step``) is a regular expression; a RUN
    whose text it finds is an environment step besides those recognised.
    Raises ConfigError for a pattern that is not a regular expression.
    """
    expression = _compiled(pattern)
    done: dict[int, set[str]] = {}
    found = []
    for step in steps:
        tools = done.setdefault(step.stage.index, set(done.get(_parent(step), set())))
        command = _environment_command(step, expression, frozenset(tools))
        if command is not None and command.without_project:
            tools.add(command.tool)
        found.append(command)
    return tuple(found)


def unrecognised_installs(
    steps: Sequence[PlannedStep], pattern: str | None = None
) -> tuple[PlannedStep, ...]:
    """The RUNs that look like installations, and are no environment steps."""
    found = environment_commands(steps, pattern)
    return tuple(
        step
        for step, command in zip(steps, found, strict=True)
        if command is None and step.instruction.keyword == "RUN" and _looks_like_one(step)
    )


def _looks_like_one(step: PlannedStep) -> bool:
    for command in step_commands(step, runner_of):
        tool = tool_of(command.name)
        words = [word.text for word in command.words[1:] if not word.text.startswith("-")]
        if tool is not None and (words[0] if words else "") in tool.installs:
            return True
    return False


def roles_of(steps: Sequence[PlannedStep], pattern: str | None = None) -> tuple[Role, ...]:
    """What each step of a plan is for: ``base``, ``environment``, ``source`` or ``other``."""
    found = environment_commands(steps, pattern)
    return tuple(_role(step, command) for step, command in zip(steps, found, strict=True))


def _role(step: PlannedStep, command: EnvironmentCommand | None) -> Role:
    if step.instruction.keyword == "FROM":
        return "base"
    if command is not None:
        return "environment"
    copies = step.instruction.keyword in ("COPY", "ADD")
    if copies and any(item.origin == "context" and item.sources for item in step.transfers):
        return "source"
    return "other"


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None or pattern == "":
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"--dockercache-env-step={pattern}: not a regular expression: {error}\n"
            "  fix    escape characters such as ( + * with a backslash"
        ) from None


def _parent(step: PlannedStep) -> int:
    return -1 if step.stage.parent is None else step.stage.parent


def _environment_command(
    step: PlannedStep, pattern: re.Pattern[str] | None, done: frozenset[str]
) -> EnvironmentCommand | None:
    if step.instruction.keyword != "RUN":
        return None
    ran = tuple(step_commands(step, runner_of))
    installs: list[Installation] = []
    locks: list[Installation] = []
    split = set(done)
    for command in ran:
        found = recognised(command, step)
        if found is None:
            continue
        if found.exports:
            locks.append(found)
        elif not found.project and not (found.with_project and found.tool in split):
            installs.append(found)
            if found.without_project:
                split.add(found.tool)
    if installs:
        return _joined(step, installs, locks)
    if _is_found(step, pattern):
        tool = next((command.name for command in ran), "")
        return EnvironmentCommand(tool, step.line)
    return None


def is_named(step: PlannedStep, pattern: str | None) -> bool:
    """Whether ``--dockercache-env-step`` finds something in a step: a RUN, or its heredocs.

    So is a step that would be recognised without it.
    """
    return step.instruction.keyword == "RUN" and _is_found(step, _compiled(pattern))


def _is_found(step: PlannedStep, pattern: re.Pattern[str] | None) -> bool:
    if pattern is None:
        return False
    texts = [step.instruction.text, step.expanded]
    texts += [document.body for document in step.instruction.heredocs]
    return any(pattern.search(text) for text in texts)


def _joined(
    step: PlannedStep, installs: list[Installation], locks: list[Installation]
) -> EnvironmentCommand:
    every = installs + locks
    manifests = tuple(dict.fromkeys(path for item in every for path in item.manifests))
    unresolved = tuple(dict.fromkeys(text for item in every for text in item.unresolved))
    return EnvironmentCommand(
        tool=installs[0].tool,
        line=step.line,
        manifests=manifests,
        named=not manifests and not unresolved and any(item.named for item in installs),
        unresolved=unresolved,
        without_project=any(item.without_project for item in installs),
        installations=tuple(every),
    )
