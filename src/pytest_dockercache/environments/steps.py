"""The role of a step: above all, the RUNs that install the environment, and the files they read.

An *environment step* is a RUN that installs dependencies: from a manifest, by name, or from wheels
that another step prepared. A RUN that installs only tools (``pip install -U pip``) is an
environment step of a kind of its own (``tools_only``). A RUN that installs only the project itself
is no environment step: ``pip install --no-deps .``, ``pip install .`` below a step that installed
its dependencies from a manifest, ``uv sync`` after one with ``--no-install-project``,
``poetry install`` after ``--no-root``. Where no step above installed the dependencies,
``pip install .`` brings all of them, and is an environment step. The same goes for other languages:
``go build`` below ``go mod download`` builds the project. Packages of the distribution, and
programs that a manager installs apart (``npm install -g``), make an environment step only below
files of the context, edits of which would install them again, and never in a RUN that installs
something else too. Locking, cleaning, configuring, uninstalling and a dry run are no installations;
``pip wheel`` and ``pip download`` of dependencies count, as the costly half of an installation that
is split over two steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..dockerfile.syntax import PlannedStep
from ..model import Role
from ..patterns import Pattern
from ..shell.running import step_commands
from ..shell.script import Command
from ..values import dataclass
from .above import Above, effect_of, is_tools_only, lacking_of, with_transfers
from .coverage import names_in
from .doubtful import clones, downloads, looks_like_installation, starts_installation
from .fetched import Fetched, added_by, manifests_in
from .flow import ContainerFiles
from .own_project import OwnProject, read_project
from .tools import Installation, Sight, is_foreign, is_system, recognised, runner_of, tool_of
from .tools.command_lines import module_run
from .tools.system import only_updates_lists, removes

__all__ = [
    "EnvironmentCommand",
    "Unrecognised",
    "environment_commands",
    "every_installation",
    "is_named",
    "lists_apart",
    "only_exports",
    "roles_of",
    "unrecognised_installs",
]


@dataclass(frozen=True)
class EnvironmentCommand:
    """The installation that makes a RUN an environment step.

    ``tool`` is the first installer of the RUN (``conda``, ``micromamba``, ``pip``, ``uv``, …), or
    the first command of a step that only the user's pattern names; ``line`` is the first line of
    the instruction, 1-based. ``manifests`` are the absolute container paths of the files that the
    RUN reads: those on its command line, else the candidates that the tool looks for by itself
    (``pyproject.toml`` and ``uv.lock``); the paths may hold wildcards. ``named`` is True when
    packages are given by name only. ``unresolved`` holds manifest arguments whose path only the
    running container knows. ``without_project`` is True for the dependency half of a split
    installation (``uv sync --no-install-project``), and ``tools_only`` for an installation that
    brings nothing that a project depends on. ``installations`` are the commands one by one, with
    the files and the environment of each.
    """

    tool: str
    line: int
    manifests: tuple[str, ...] = ()
    named: bool = False
    unresolved: tuple[str, ...] = ()
    without_project: bool = False
    tools_only: bool = False
    installations: tuple[Installation, ...] = ()


def environment_commands(
    steps: Sequence[PlannedStep],
    pattern: str | None = None,
    files: ContainerFiles | None = None,
) -> tuple[EnvironmentCommand | None, ...]:
    """The installation of each step of a plan, in order; None for one that is no environment step.

    ``pattern`` (``--dockercache-env-step``) is a regular expression; a RUN in whose text it is
    found is an environment step too. With ``files``, the scripts that a RUN starts are read like
    the RUN itself, and the metadata of projects tell which packages their installation brings.
    Raises ConfigError for a pattern that is not a regular expression.
    """
    return tuple(found.command for found in _judged(steps, pattern, files))


def unrecognised_installs(
    steps: Sequence[PlannedStep],
    pattern: str | None = None,
    files: ContainerFiles | None = None,
) -> tuple[Unrecognised, ...]:
    """The RUNs that seem to install something but are no environment steps.

    The packages of such a RUN are not known: the RUN calls another language's manager (``npm ci``),
    a script that cannot be read, or ``pip install .`` of a project whose dependencies may be there
    already, or that needs packages which no manifest above the RUN names. The arguments are those
    of :func:`environment_commands`.
    """
    found = _judged(steps, pattern, files)
    return tuple(
        Unrecognised(step, tuple(sorted(judged.lacking)), judged.tool, tuple(sorted(judged.came)))
        for step, judged in zip(steps, found, strict=True)
        if judged.doubtful
    )


@dataclass(frozen=True)
class Unrecognised:
    """A RUN that may install, and the packages that it needs and no manifest above it names.

    ``tool`` is the installer whose command is recognised, "" where none is: what is unknown is then
    whether it adds packages to those of an install above. ``came`` are the container paths of the
    manifests that it finds and that one did not.
    """

    step: PlannedStep
    lacking: tuple[str, ...] = ()
    tool: str = ""
    came: tuple[str, ...] = ()


def roles_of(
    steps: Sequence[PlannedStep],
    pattern: str | None = None,
    files: ContainerFiles | None = None,
) -> tuple[Role, ...]:
    """The role of each step of a plan: ``base``, ``environment``, ``source`` or ``other``."""
    found = environment_commands(steps, pattern, files)
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


def _compiled(pattern: str | None) -> Pattern | None:
    if pattern is None or pattern == "":
        return None
    return Pattern(pattern, f"--dockercache-env-step={pattern}")


def _parent(step: PlannedStep) -> int:
    return -1 if step.stage.parent is None else step.stage.parent


@dataclass(frozen=True)
class _JudgedStep:
    """The judgement of a step; ``doubtful`` if it installs something that nobody can read."""

    command: EnvironmentCommand | None = None
    doubtful: bool = False
    lacking: frozenset[str] = frozenset()
    tool: str = ""
    came: frozenset[str] = frozenset()


def _judged(
    steps: Sequence[PlannedStep], pattern: str | None, files: ContainerFiles | None
) -> list[_JudgedStep]:
    expression = _compiled(pattern)
    ends: dict[int, Above] = {}
    found = []
    for position, step in enumerate(steps):
        above = ends.setdefault(step.stage.index, ends.get(_parent(step), Above()))
        if step.instruction.keyword != "RUN":
            ends[step.stage.index] = with_transfers(above, step, ends)
            found.append(_JudgedStep())
            continue
        run = _ReadRun(steps, position, files)
        mounted = with_transfers(above, step, ends)
        judged, after = run.judged(expression, mounted)
        ends[step.stage.index] = replace(
            after,
            copied=above.copied if mounted.copied is not above.copied else after.copied,
            wheelhouses=tuple(
                house
                for house in after.wheelhouses
                if house in above.wheelhouses or house not in mounted.wheelhouses
            ),
        )
        found.append(judged)
    return found


@dataclass(frozen=True)
class _ReadRun:
    """One RUN, with the files that it can read."""

    steps: Sequence[PlannedStep]
    position: int
    files: ContainerFiles | None

    @property
    def step(self) -> PlannedStep:
        return self.steps[self.position]

    def read(self, place: str) -> str | None:
        """The text of a file by its path in the container."""
        return None if self.files is None else self.files.read(self.steps, self.position, place)

    def project_at(self, directory: str) -> OwnProject | None:
        return read_project(directory, self.read)

    def own_project(self) -> OwnProject | None:
        """The project of the context, or of the directory that the RUN starts in."""
        project = self.project_at(self.step.workdir)
        if project is None and self.files is not None:
            project = read_project("", self.files.text)
        return project

    def named_by(self, found: Installation) -> frozenset[str] | None:
        """The packages that an installation names; None where its manifests do not say it."""
        if found.wheels or found.unresolved or found.implied:
            return None
        if found.with_project or found.without_project:
            return None
        names = frozenset(found.packages)
        if found.project:
            projects = list(map(self.project_at, found.projects))
            for project in projects:
                if project is None or project.dependencies is None:
                    return None
                names |= project.dependencies | project.needs(found.extras)
            return names
        for path in found.manifests:
            more = frozenset[str]() if path in found.constraints else names_in(path, self.read)
            if more is None:
                return None
            names |= more
        return names

    def sight(self) -> Sight:
        """The context files that the RUN finds."""
        if self.files is None:
            return Sight()
        view = self.files.followed(self.steps)[0][self.position]
        return Sight(frozenset({*view.before.at, *view.own.at}), self.read)

    def with_foreign(self, found: Installation, above: Above) -> tuple[_Added, Above]:
        """What an installation of another language's manager adds, and the state after it."""
        sight = self.sight()
        effect = added_by(found, self.step, above.fetched, sight)
        if effect == "project":
            return _Added(), above
        if is_tools_only(found):
            return _Added(apart=(found,)) if above.on_context else _Added(), above
        tool = tool_of(found.tool)
        saw = frozenset[str]() if tool is None else manifests_in(tool, sight)
        known = [one.saw for one in above.fetched if tool_of(one.installation.tool) is tool]
        above = replace(above, fetched=(*above.fetched, Fetched(found, saw)))
        if effect == "unknown":
            came = saw.difference(*known) if known else frozenset[str]()
            return _Added(doubtful=True, tool=found.tool, came=came), above
        return _Added(installs=(found,)), above

    def judged(self, pattern: Pattern | None, above: Above) -> tuple[_JudgedStep, Above]:
        """The judgement on the RUN, and the installations after it."""
        step = self.step
        ran = tuple(step_commands(step, runner_of, self.read))
        fetched = tuple(name for command in ran for name in downloads(command))
        installs: list[Installation] = []
        apart: list[Installation] = []
        locks: list[Installation] = []
        doubtful = words = False
        lacking: frozenset[str] = frozenset()
        tool, came = "", frozenset[str]()
        for command in ran:
            found = recognised(command, step)
            if found is None:
                words = (
                    words
                    or looks_like_installation(command, fetched)
                    or starts_installation(command, self.read)
                )
                above = replace(
                    above,
                    builds=above.builds or _builds_wheel(command),
                    cloned=(*above.cloned, *clones(command)),
                )
            elif found.exports:
                locks.append(found)
            elif is_foreign(found.tool):
                added, above = self.with_foreign(found, above)
                installs += added.installs
                apart += added.apart
                doubtful = doubtful or added.doubtful
                tool, came = tool or added.tool, came | added.came
            else:
                effect = effect_of(found, above, self.project_at, self.own_project)
                if effect == "dependencies":
                    installs.append(found)
                if effect == "unknown":
                    doubtful, tool = True, tool or found.tool
                    lacking |= lacking_of(found, above, self.project_at, self.own_project)
                if effect == "dependencies" or found.wheels:
                    above = above.after(found, self.named_by(found))
        if words:
            # A command that nobody can read is the greater doubt.
            doubtful, tool = True, ""
        if apart and not installs and not doubtful:
            if any(is_system(item.tool) for item in apart) and any(map(removes, ran)):
                # What is installed for the RUN alone goes with the work that the RUN does.
                doubtful = True
            else:
                installs = apart
        if installs:
            return _JudgedStep(_joined(step, installs, locks)), above
        if _is_found(step, pattern):
            first = next((command.name for command in ran), "")
            return _JudgedStep(EnvironmentCommand(first, step.line)), above
        return _JudgedStep(None, doubtful, lacking, tool, came), above


@dataclass(frozen=True)
class _Added:
    """What one command of another language's manager adds to a RUN.

    ``apart`` are installations of programs and of the distribution's packages; ``doubtful`` is True
    where nobody can tell whether the command installs; ``tool`` and ``came`` then say what is
    known, as of :class:`Unrecognised`.
    """

    installs: tuple[Installation, ...] = ()
    apart: tuple[Installation, ...] = ()
    doubtful: bool = False
    tool: str = ""
    came: frozenset[str] = frozenset()


_BUILDERS = {
    "build": "",
    "pyproject-build": "",
    "poetry": "build",
    "uv": "build",
    "hatch": "build",
    "flit": "build",
    "pdm": "build",
    "setup.py": "bdist_wheel",
}
"""Commands that make a wheel of a project, and nothing else: the program and its action."""


def _builds_wheel(command: Command) -> bool:
    run = module_run(command)
    action = _BUILDERS.get(run.name)
    return action is not None and (not action or action in [word.text for word in run.words[1:2]])


def every_installation(step: PlannedStep) -> tuple[Installation, ...]:
    """All that the words of a RUN install, project halves of split installations too, in order."""
    if step.instruction.keyword != "RUN":
        return ()
    found = (recognised(command, step) for command in step_commands(step, runner_of))
    return tuple(item for item in found if item is not None)


def only_exports(step: PlannedStep) -> bool:
    """Whether all that a RUN does is to list dependencies from manifests (``cargo chef prepare``).

    What such a RUN writes is the same after an edit of any other file.
    """
    if step.instruction.keyword != "RUN":
        return False
    ran = tuple(step_commands(step, runner_of))
    found = [recognised(command, step) for command in ran]
    return bool(ran) and all(item is not None and item.exports for item in found)


def lists_apart(steps: Sequence[PlannedStep]) -> tuple[tuple[int, int], ...]:
    """RUNs that only fetch apt's lists, each with the install below it that counts on them.

    The pairs are the first lines of both. The cache keeps the lists for as long as the steps above
    stay the same, and the install, once it is changed, asks for packages that are gone.
    """
    found: list[tuple[int, int]] = []
    waiting: dict[int, int] = {}
    for step in steps:
        if step.instruction.keyword != "RUN":
            continue
        ran = tuple(step_commands(step, runner_of))
        updates = any(map(only_updates_lists, ran))
        installs = any(
            command.name in ("apt", "apt-get") and recognised(command, step) is not None
            for command in ran
        )
        if installs and not updates and step.stage.index in waiting:
            found.append((waiting.pop(step.stage.index), step.line))
        elif updates and not installs:
            waiting[step.stage.index] = step.line
    return tuple(found)


def is_named(step: PlannedStep, pattern: str | None) -> bool:
    """Whether ``--dockercache-env-step`` finds something in a step: a RUN, or its heredocs.

    A step that would be recognised anyway counts too.
    """
    return step.instruction.keyword == "RUN" and _is_found(step, _compiled(pattern))


def _is_found(step: PlannedStep, pattern: Pattern | None) -> bool:
    if pattern is None:
        return False
    texts = [step.instruction.text, step.expanded]
    texts += [document.body for document in step.instruction.heredocs]
    return any(pattern.found_in(text) for text in texts)


def _joined(
    step: PlannedStep, installs: list[Installation], locks: list[Installation]
) -> EnvironmentCommand:
    every = installs + locks
    manifests = tuple(dict.fromkeys(path for item in every for path in item.manifests))
    unresolved = tuple(dict.fromkeys(text for item in every for text in item.unresolved))
    # Whether a manifest and what is installed drift apart is asked of each language by itself.
    main = [item for item in every if not is_foreign(item.tool)] or every
    reads = any(item.manifests or item.unresolved for item in main)
    return EnvironmentCommand(
        tool=main[0].tool,
        line=step.line,
        manifests=manifests,
        named=not reads and any(item.named for item in main),
        unresolved=unresolved,
        without_project=any(item.without_project for item in installs),
        tools_only=all(map(is_tools_only, installs)),
        installations=tuple(every),
    )
