"""``build-args-late``: another value of an unrelated build argument keeps the environment."""

from __future__ import annotations

import re

from ..cache import is_rebuilt
from ..context import takes
from ..dockerfile import PlannedStep, declared, is_predefined
from ..environments.tools import reads_variable
from ..errors import BuildFailed, Unverifiable
from ..model import Edit
from ..project import Project
from ..stopping import Stop
from ..subject import Subject
from .environment_layers import rebuilt_environment
from .verdict import Verdict, environment_steps, require_known

__all__ = ["judge", "unrelated_arguments"]


def unrelated_arguments(project: Project) -> tuple[str, ...]:
    """The declared build arguments that no environment step refers to, in order of declaration.

    Left out are those that a FROM uses (another value is another base image),
    the predefined ones, and those that an installer reads by itself
    (``PIP_INDEX_URL``). A reference through another ARG or an ENV counts, and
    so does one in the WORKDIR or USER that an environment step runs with, or
    in the COPY that brings its environment file.
    """
    declared: dict[str, None] = {}
    for step in project.steps:
        if step.instruction.keyword == "ARG":
            declared.update(dict.fromkeys(_names(step)))
    used = _used_by_environment(project)
    for stage in {step.stage.index: step.stage for step in project.steps}.values():
        used |= _references(stage.from_.text, _all_definitions(project))
    return tuple(
        name
        for name in declared
        if name not in used and not reads_variable(name) and not is_predefined(name)
    )


def judge(subject: Subject) -> Verdict:
    """Change all such arguments at once; if that rebuilds the environment, find out which did."""
    environment_steps(subject, subject.first().steps)
    names = unrelated_arguments(subject.project)
    if not names:
        return Verdict("no build argument that the environment does not use is declared")
    if len(names) > 1 and _kept(subject, [Edit.build_arg(name) for name in names]):
        return Verdict(f"other values of {', '.join(names)} keep the environment")
    undecided: list[Unverifiable] = []
    for name in names:
        try:
            _kept(subject, [Edit.build_arg(name)], raising=True)
        except Unverifiable as problem:
            undecided.append(problem)
    if undecided:
        raise undecided[0]
    return Verdict(f"another value of {', '.join(names)} keeps the environment")


def _kept(subject: Subject, edits: list[Edit], *, raising: bool = False) -> bool:
    try:
        build = subject.after(edits, Stop("miss"))
    except BuildFailed as problem:
        if raising:
            name = edits[0].path
            raise Unverifiable(
                f"the image does not build with another value of {name}: "
                f"{str(problem).splitlines()[0]}"
            ) from None
        return False
    installed = environment_steps(subject, build.steps)
    rebuilt = [step for step in installed if is_rebuilt(step)]
    if rebuilt and raising:
        raise rebuilt_environment(subject, build, edits, rebuilt[0])
    if not rebuilt:
        require_known(installed)
    return not rebuilt


def _names(step: PlannedStep) -> tuple[str, ...]:
    return tuple(name for name, _ in declared(step.instruction))


def _references(text: str, definitions: dict[str, str]) -> set[str]:
    """The variables that a text refers to, and those that these refer to in turn."""
    found: set[str] = set()
    waiting = list(_variables(text))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_variables(definitions.get(name, "")))
    return found


_REFERENCE = re.compile(r"\$(?:\{(\w+)|(\w+))")


def _variables(text: str) -> set[str]:
    return {name for match in _REFERENCE.findall(text) for name in match if name}


def _all_definitions(project: Project) -> dict[str, str]:
    definitions: dict[str, str] = {}
    for instruction in project.dockerfile.instructions:
        if instruction.keyword in ("ARG", "ENV"):
            for name, value in declared(instruction):
                definitions[name] = f"{definitions.get(name, '')} {value or ''}"
    return definitions


def _used_by_environment(project: Project) -> set[str]:
    definitions = _all_definitions(project)
    lines = {command.line for command in project.commands}
    used: set[str] = set()
    for step in project.steps:
        if step.line in lines:
            bodies = " ".join(heredoc.body for heredoc in step.instruction.heredocs)
            used |= _references(f"{step.instruction.text} {bodies}", definitions)
            for other in _conditions(project, step):
                used |= _references(other.instruction.text, definitions)
            # A tool may read an ENV that passes the argument on.
            for name, value in definitions.items():
                if reads_variable(name):
                    used |= _references(value, definitions)
    return used


def _conditions(project: Project, step: PlannedStep) -> list[PlannedStep]:
    """The steps above an environment step that say where, as whom and from what it installs.

    Another directory, another user or another environment file is another
    environment, and rightly installed anew.
    """
    chain = project.ancestors.get(step.stage.label, frozenset({step.stage.label}))
    above = [
        other for other in project.steps if other.stage.label in chain and other.line < step.line
    ]
    files = [file.path for file in project.environment_files if step.line in file.readers]
    return [
        other
        for other in above
        if other.instruction.keyword in ("WORKDIR", "USER")
        or any(
            transfer.origin == "context" and takes(transfer, path)
            for transfer in other.transfers
            for path in files
        )
    ]
