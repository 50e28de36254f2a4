"""The role of each file of the build context for the environment: input, needed, or source."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field

from ..context.comments import is_source_code
from ..context.gomatch import has_wildcard
from ..dockerfile.stages import path_below
from ..model import FileRole, top_of
from ..regexes import regex
from ..shell.running import step_commands
from ..values import dataclass
from .flow import StepView, relocated
from .ground import Ground
from .inputs import belongs_to_manager, closure
from .reads import ReadText, Use, uses_of_step
from .steps import EnvironmentCommand
from .tools import is_foreign, is_system, reads_variable, runner_of
from .tools.command_lines import is_archive

__all__ = ["FileRoles", "roles_of_files"]


@dataclass(frozen=True)
class FileRoles:
    """The roles of the files that environment steps stand on.

    Each field maps context paths: ``inputs`` to how the install reads the file, in a few words
    (``line 4 reads it``, ``requirements.txt includes it``); ``needed`` to the command that would
    fail without the file; ``unsettled`` to the reason why nobody can say whether the install needs
    the file. Every other file is source.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    needed: Mapping[str, Use] = field(default_factory=dict)
    unsettled: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: str) -> FileRole:
        """The role of a context file."""
        if path in self.inputs:
            return "input"
        return "needed" if path in self.needed else "source"


def roles_of_files(
    grounds: Sequence[Ground],
    views: Sequence[StepView],
    commands: Sequence[EnvironmentCommand],
    environment_files: Mapping[str, str],
    read_text: ReadText,
) -> FileRoles:
    """Tell the files that environment steps, or the steps below these, need from all other files.

    ``views`` are the views of all steps of the plan; ``environment_files`` maps context paths to
    how they were found. A shell script that a RUN of its own runs is needed, for such a script may
    prepare the system that the install stands on; a program in another language is needed only if
    it has to do with a file that the install reads. A script between two installs is unsettled:
    only its owner knows whether the second install needs it.
    """
    by_line = {view.step.line: view for view in views if view.step.instruction.keyword == "RUN"}
    present = _present(grounds, views)
    told = {command.line: command for command in commands}
    inputs = _inputs(grounds, views, told, present, environment_files, read_text)
    names = frozenset(map(posixpath.basename, inputs))
    needed = {use.path: use for use in _anchors(grounds, views, inputs)}
    unsettled: dict[str, str] = {}
    judged = _present([one for one in grounds if not _is_of_system(told, one)], views)
    for ground in grounds:
        # An install of programs stands low, and what runs above it is not needed further up.
        others = judged if _is_of_system(told, ground) else frozenset()
        for step in ground.steps:
            view = by_line.get(step.line)
            if view is None:
                continue
            last = told.get(step.line) if step is ground.step else None
            installs = len(last.installations) if last is not None else 0
            uses = uses_of_step(view, read_text, inputs, installs)
            if _builds_other_language(told.get(step.line)):
                uses = tuple(use for use in uses if use.runs or not is_source_code(use.path))
            if step.line not in told:
                uses = tuple(_of_the_system(uses, step.instruction.text, names, read_text))
            above = _install_above(ground, step.line, told)
            for use in uses:
                if use.path in inputs or use.path in needed or use.path in others:
                    continue
                if above is None or step.line in told or _stands_above(use.path, above, by_line):
                    needed[use.path] = use
                else:
                    unsettled.setdefault(
                        use.path,
                        f"line {use.line} {'runs' if use.runs else 'reads'} {use.path} between "
                        f"the installs of line {above} and line {ground.step.line}, and whether "
                        "the second needs what it does is not known",
                    )
    for path in needed:
        unsettled.pop(path, None)
    return FileRoles(inputs, needed, unsettled)


def _is_of_system(told: Mapping[int, EnvironmentCommand], ground: Ground) -> bool:
    """Whether an environment step installs only the distribution's packages."""
    command = told.get(ground.step.line)
    found = () if command is None else command.installations
    return bool(found) and all(is_system(item.tool) for item in found)


def _anchors(
    grounds: Sequence[Ground], views: Sequence[StepView], inputs: Collection[str]
) -> Iterator[Use]:
    """The files that keep a COPY from failing when the wildcard beside them matches nothing.

    ``COPY environment.yml* noop.txt /tmp/`` takes a manifest that may be
    missing; the other file is there so that the COPY takes one at all. The
    wildcard of ``COPY package*.json tsconfig.json ./`` names several files, and
    what stands beside it is there for itself.
    """
    lines = {step.line for ground in grounds for step in ground.chain}
    for view in views:
        for transfer in view.step.transfers:
            wild = [source for source in transfer.sources if has_wildcard(source)]
            plain = [source for source in transfer.sources if not has_wildcard(source)]
            if view.step.line not in lines or len(plain) != 1 or not wild:
                continue
            if not all(map(_MAY_BE_MISSING.fullmatch, wild)):
                continue
            path = plain[0].removeprefix("./").lstrip("/")
            others = view.own.present - {path}
            if path in view.own.present and not is_source_code(path) and others <= set(inputs):
                yield Use(path, view.step.line, program="COPY")


_MAY_BE_MISSING = regex(r"(.*/)?[^/*?\[]*\.[^/*?\[.]+(\*|\[[^]]\])")
"""The whole name of a file and a wildcard: ``environment.yml*``, ``yarn.loc[k]`` is written too."""


def _present(grounds: Sequence[Ground], views: Sequence[StepView]) -> frozenset[str]:
    """The context files that the grounds hold."""
    lines = {step.line for ground in grounds for step in ground.steps}
    return frozenset(path for view in views if view.step.line in lines for path in view.own.present)


def _places(grounds: Sequence[Ground], views: Sequence[StepView]) -> dict[str, str]:
    """The context files of the grounds by their places in the image."""
    lines = {step.line for ground in grounds for step in ground.steps}
    return {
        place: path
        for view in views
        if view.step.line in lines
        for place, path in view.own.at.items()
    }


def _inputs(
    grounds: Sequence[Ground],
    views: Sequence[StepView],
    told: Mapping[int, EnvironmentCommand],
    present: Collection[str],
    environment_files: Mapping[str, str],
    read_text: ReadText,
) -> dict[str, str]:
    builds = any(_builds_project(command) for command in told.values())
    found = {path: why for path, why in environment_files.items() if path in present}
    places = _places(grounds, views) if any(map(top_of, present)) else None
    included = closure(found, present, read_text, builds_project=builds, places=places)
    found.update(
        (path, f"{includer} includes it")
        for path, includer in included.items()
        if includer is not None
    )
    for ground in grounds:
        for path, why in _looked_for(ground, views, told):
            found.setdefault(path, why)
        for step in ground.steps:
            if step.instruction.keyword != "RUN":
                continue
            belongs = belongs_to_manager(step.instruction.text)
            if belongs is None:
                continue
            mine = {
                path: f"line {step.line} runs the package manager that it belongs to"
                for path in present
                if path not in found and belongs(path)
            }
            for path, includer in closure(mine, present, read_text, places=places).items():
                found.setdefault(
                    path, mine[path] if includer is None else f"{includer} includes it"
                )
    return found


def _looked_for(
    ground: Ground, views: Sequence[StepView], told: Mapping[int, EnvironmentCommand]
) -> Iterator[tuple[str, str]]:
    """The files that lie where installers, TLS and git look unasked, each with how they find it.

    Such a place is one of the system or of a home directory, one that a variable of an installer
    names (``PIP_CERT``, ``CONDARC``), or a directory of wheels (``--find-links``).
    """
    houses = [
        (house, step.line)
        for step in ground.steps
        if step.line in told
        for item in told[step.line].installations
        for house in item.wheelhouses
    ]
    lines = {step.line for step in ground.steps}
    named = {value: name for name, value in ground.step.environment if reads_variable(name)}
    for view in views:
        if view.step.line not in lines:
            continue
        yield from _put_in_place(view)
        for place, path in view.own.at.items():
            line = next((line for house, line in houses if path_below(place, house)), None)
            if line is not None and is_archive(place):
                yield path, f"line {line} looks for packages there"
            if _SETTINGS.fullmatch(place):
                yield path, f"installers and the system read {place}"
            elif place in named:
                yield path, f"{named[place]} names it"


def _put_in_place(view: StepView) -> Iterator[tuple[str, str]]:
    """The files that a RUN itself puts where installers look, or tells them of by a variable."""
    if view.step.instruction.keyword != "RUN":
        return
    at = {**view.before.at, **view.own.at}
    line = view.step.line
    for command in step_commands(view.step, runner_of) if at else ():
        placed = relocated(command, at)
        at.update(placed)
        for place, path in placed.items():
            if _SETTINGS.fullmatch(place):
                yield path, f"line {line} makes it {place}, which installers and the system read"
        for name, value in command.assignments if command.directory is not None else ():
            if reads_variable(name):
                for word in value.split():
                    named = posixpath.join(command.directory or "", word)
                    origin = at.get(posixpath.normpath(named))
                    if origin is not None:
                        yield origin, f"{name} in line {line} names it"


_SETTINGS = regex(
    r"/etc/(apt|apk|yum|yum\.repos\.d|dnf|zypp|pki|ca-certificates|conda|pip|uv)/.*"
    r"|/etc/ssl/(certs/.*|[^/]*)|/etc/(pip\.conf|gitconfig|netrc|wgetrc|ca-certificates\.conf)"
    r"|/usr/(local/)?share/(ca-certificates|keyrings)/.*|/opt/conda/\.?(condarc|mambarc)"
    r"|(/root|/home/[^/]+)/(\.(netrc|curlrc|wgetrc|gitconfig|git-credentials|npmrc|condarc|mambarc"
    r"|pydistutils\.cfg)|\.(ssh|pip|conda|gnupg)/.*"
    r"|\.config/(pip|uv|pypoetry|pdm|git|conda|pixi|composer)/.*|\.(m2|conan2?|cargo|gradle|nuget"
    r"|bundle|composer)/.*|\.(Rprofile|Renviron|gemrc|yarnrc(\.yml)?))"
    r"|.*/R/etc/(Rprofile\.site|Renviron(\.site)?)"
)
"""Where installers and the system look for their settings, certificates and keys."""


def _builds_project(command: EnvironmentCommand) -> bool:
    """Whether an environment step builds the project, and so reads the files of its metadata."""
    return any(
        (item.project or item.with_project) and not item.without_project
        for item in command.installations
    )


def _builds_other_language(command: EnvironmentCommand | None) -> bool:
    """Whether a step compiles a project of another language: ``go build main.go`` is its source."""
    found = () if command is None else command.installations
    return any(item.with_project and is_foreign(item.tool) for item in found)


_SYSTEM = regex(
    r"\b(apt|apt-get|apk|dnf|yum|microdnf|zypper|pacman|pip3?|conda|mamba|micromamba|uv|poetry|"
    r"subprocess|os\.system|os\.exec|certifi|urlretrieve|requests|urllib)\b|/etc/|/usr/"
)
"""Words of a program that may prepare the system for an install."""

_PROGRAMS = regex(r"python[0-9.]*|pypy[0-9.]*|node|nodejs|ruby|perl|php|Rscript|julia|lua")


def _of_the_system(
    uses: Sequence[Use], text: str, inputs: Collection[str], read_text: ReadText
) -> Iterator[Use]:
    """The uses of a RUN that installs nothing, without programs that do not prepare an install.

    A program is a script in a language other than the shell's. Its use counts if the program or the
    RUN names a file that the install reads, or a command that prepares a system. Code that a
    command only reads is compiled there, and is source.
    """
    for use in uses:
        if not use.runs and is_source_code(use.path):
            continue
        if _PROGRAMS.fullmatch(use.program):
            texts = [text, *(read_text(one.path) or "" for one in uses if one.runs)]
            related = any(name in said for name in inputs for said in texts)
            if not related and not any(_SYSTEM.search(said) for said in texts[1:]):
                continue
        yield use


def _install_above(ground: Ground, line: int, told: Mapping[int, EnvironmentCommand]) -> int | None:
    """The last install above ``line`` in a chain, None if there is none or only of tools."""
    lines = [
        step.line
        for step in ground.chain
        if step.line < line and step.line in told and not told[step.line].tools_only
    ]
    return lines[-1] if line in {step.line for step in ground.chain} and lines else None


def _stands_above(path: str, line: int, by_line: Mapping[int, StepView]) -> bool:
    """Whether the file is already there when the install at ``line`` starts."""
    view = by_line.get(line)
    return view is not None and path in view.before.present
