"""The steps of a build: the state that each instruction starts with, and its transfers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache

from ..errors import ConfigError
from ..values import dataclass
from .expansion import SubstitutionError, expand
from .instructions import (
    WHITESPACE,
    declared,
    heredoc_mark,
    json_strings,
    mounts,
    onbuild_trigger,
)
from .naming import shown_text
from .references import named_context
from .stages import (
    copy_origin,
    escape_of,
    global_arguments,
    reachable_stages,
    resolve_stage,
    resolved_stages,
    stage_label,
)
from .syntax import Dockerfile, Instruction, PlannedStep, Stage, Transfer

__all__ = ["BaseImage", "plan"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH that builders give to a stage whose base sets none."""

DEFAULT_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class BaseImage:
    """The settings of a base image that the first step of a stage starts with.

    ``environment`` is in the image's order; ``workdir`` is absolute; ``shell`` is the image's
    SHELL, empty when it sets none; ``onbuild`` are its trigger instructions.
    """

    environment: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    shell: tuple[str, ...] = ()
    onbuild: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True)
class _StageState:
    """The state of a stage after some of its instructions."""

    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    declared: tuple[str, ...] = ()
    cwd: str = "/"
    shell: tuple[str, ...] = DEFAULT_SHELL
    user: str = ""
    known: bool = True
    triggers: tuple[Instruction, ...] = ()

    @property
    def workdir(self) -> str:
        """The working directory, cleaned."""
        return _absolute("/", self.cwd)


@dataclass(frozen=True)
class _BuildValues:
    """The values that all stages of one build share."""

    dockerfile: Dockerfile
    stages: tuple[Stage, ...]
    build_args: Mapping[str, str]
    globals: Mapping[str, str]
    escape: str
    classic: bool
    bases: Mapping[str, BaseImage] = field(default_factory=dict)


def plan(
    dockerfile: Dockerfile,
    target: str | None = None,
    build_args: Mapping[str, str] = {},
    *,
    all_stages: bool = False,
    classic: bool | None = None,
    platform: str | None = None,
    bases: Mapping[str, BaseImage] = {},
) -> tuple[PlannedStep, ...]:
    """The steps that a build of ``target`` runs, in Dockerfile order, FROM and settings included.

    BuildKit builds the stages that the target reaches; with ``all_stages`` every stage up to the
    target is listed, as the classic builder builds them. ``classic`` (default: the value of
    ``all_stages``) chooses the classic builder's rules for arguments: there are no predefined
    platform arguments, none is handed on to ``FROM stage``, and ENV is stronger than ARG.
    ``platform`` is the requested platform (``linux/arm64``), None for this machine's. ``bases``
    maps a base (:attr:`Stage.base`) to the known settings of that image; any other base is taken
    for an image that sets nothing.

    ONBUILD triggers of a parent stage (and of a base in ``bases``) become
    steps of the stage built from it, at the line of its FROM.

    Raises ConfigError for an unknown target, a base that is empty, and a
    ``${…}`` that builders refuse.
    """
    classic = all_stages if classic is None else classic
    same, arguments, known = _Same(dockerfile), tuple(build_args.items()), tuple(bases.items())
    return _planned(
        same, target, arguments, known, platform, all_stages=all_stages, classic=classic
    )


class _Same:
    """A Dockerfile as a key: equal only to itself, for comparing two texts costs more."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self.dockerfile = dockerfile

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.dockerfile is self.dockerfile

    def __hash__(self) -> int:
        return id(self.dockerfile)


@lru_cache(maxsize=16)  # Every build of a run asks for the plan of the same Dockerfile.
def _planned(
    same: _Same,
    target: str | None,
    arguments: tuple[tuple[str, str], ...],
    known: tuple[tuple[str, BaseImage], ...],
    platform: str | None,
    *,
    all_stages: bool,
    classic: bool,
) -> tuple[PlannedStep, ...]:
    dockerfile, build_args, bases = same.dockerfile, dict(arguments), dict(known)
    stages = resolved_stages(dockerfile, build_args, platform, classic=classic, target=target)
    if all_stages:
        last = resolve_stage(dockerfile, target).index
        chosen = stages[: last + 1]
    else:
        chosen = reachable_stages(dockerfile, target, build_args, platform)
    build = _BuildValues(
        dockerfile=dockerfile,
        stages=stages,
        build_args=build_args,
        globals=global_arguments(dockerfile, build_args, platform, classic=classic, target=target),
        escape=escape_of(dockerfile),
        classic=classic,
        bases=bases,
    )
    ends: dict[int, _StageState] = {}
    steps: list[PlannedStep] = []
    for stage in chosen:
        made, ends[stage.index] = _stage_steps(build, stage, ends)
        steps.extend(made)
    return tuple(steps)


def _stage_steps(
    build: _BuildValues, stage: Stage, ends: Mapping[int, _StageState]
) -> tuple[list[PlannedStep], _StageState]:
    state = _starting_state(build, stage, ends)
    from_image = stage.parent is None and stage.base != "scratch"
    named = _named_base(build, stage)
    triggers, state = state.triggers, replace(state, triggers=())
    total = int(from_image) + sum(_makes_vertex(item) for item in stage.instructions)
    label = stage_label(build.dockerfile, stage)
    # A FROM of a named context counts in n, and has no number itself (run with BuildKit 0.13).
    first = PlannedStep(
        instruction=stage.from_,
        stage=stage,
        ordinal=1 if from_image and named is None else None,
        expanded=f"FROM {stage.base}",
        workdir=state.workdir,
        environment=_variables(build, state),
        declared_args=state.declared,
        total=total,
        label=label,
        shell=state.shell,
        known_base=state.known,
        escape=build.escape,
        cwd=state.cwd,
        transfers=(Transfer("copy", (f"{named}/",), "/", context=named),) if named else (),
    )
    steps = [first]
    ordinal = 1 if from_image and named is None else 0
    queue = [(item, True) for item in triggers] + [(item, False) for item in stage.instructions]
    for instruction, triggered in queue:
        if triggered:
            from_ = stage.from_
            instruction = replace(
                instruction, line=from_.line, end_line=from_.end_line, stage=stage.index
            )
        try:
            step, state = _step(build, stage, instruction, state)
        except SubstitutionError as error:
            raise ConfigError(
                f"{build.dockerfile.path}:{instruction.line}: {instruction.keyword} cannot be "
                f"expanded: {error}",
                fix="correct the substitution, or set the variable before it",
            ) from None
        vertex = _makes_vertex(instruction)
        if instruction.keyword == "WORKDIR" and state.cwd == "/":
            vertex = False
        ordinal += vertex
        steps.append(
            replace(
                step,
                ordinal=ordinal if vertex else None,
                total=total,
                label=label,
                triggered=triggered,
            )
        )
    return steps, state


def _named_base(build: _BuildValues, stage: Stage) -> str | None:
    """The named context that a stage starts from; see :func:`named_context`."""
    if stage.parent is not None or build.classic:
        return None
    return named_context(build.dockerfile, stage.base)


def _makes_vertex(instruction: Instruction) -> bool:
    return instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR")


def _starting_state(
    build: _BuildValues, stage: Stage, ends: Mapping[int, _StageState]
) -> _StageState:
    if stage.parent is not None:
        end = ends[stage.parent]
        if build.classic:
            return replace(end, arguments=(), declared=())
        return end
    path = (("PATH", DEFAULT_PATH),)
    if stage.base == "scratch" or _named_base(build, stage):
        return _StageState(environment=path)
    base = build.bases.get(stage.base)
    if base is None:
        return _StageState(known=False)
    environment = base.environment
    if "PATH" not in dict(environment):
        environment += path
    triggers = tuple(_parsed_trigger(stage, text) for text in base.onbuild)
    return _StageState(
        environment=environment,
        cwd=base.workdir or "/",
        shell=base.shell or DEFAULT_SHELL,
        user=base.user,
        triggers=triggers,
    )


def _parsed_trigger(stage: Stage, text: str) -> Instruction:
    postponed = replace(stage.from_, keyword="ONBUILD", text=f"ONBUILD {text}", value=text)
    return onbuild_trigger(postponed)


def _variables(build: _BuildValues, state: _StageState) -> tuple[tuple[str, str], ...]:
    """ENV and ARG values that a step sees, in order.

    BuildKit keeps both in one list, in which the later declaration wins;
    for the classic builder an ENV is always stronger.
    """
    if not build.classic:
        return state.environment
    names = {name for name, _ in state.environment}
    arguments = tuple(pair for pair in state.arguments if pair[0] not in names)
    return (*arguments, *state.environment)


def _with(pairs: tuple[tuple[str, str], ...], name: str, value: str) -> tuple[tuple[str, str], ...]:
    return (*(pair for pair in pairs if pair[0] != name), (name, value))


def _step(
    build: _BuildValues, stage: Stage, instruction: Instruction, state: _StageState
) -> tuple[PlannedStep, _StageState]:
    pairs = _variables(build, state)
    variables = dict(pairs)
    after = _after(build, instruction, state, variables)
    step = PlannedStep(
        instruction=instruction,
        stage=stage,
        ordinal=None,
        expanded=shown_text(instruction, variables, build.escape),
        workdir=state.workdir,
        environment=pairs,
        transfers=_transfers(build, instruction, state, variables),
        declared_args=state.declared,
        shell=state.shell,
        known_base=state.known,
        user=state.user,
        escape=build.escape,
        cwd=state.cwd,
    )
    return step, after


def _after(
    build: _BuildValues, instruction: Instruction, state: _StageState, variables: Mapping[str, str]
) -> _StageState:
    """The state that the next instruction starts with."""
    keyword, escape = instruction.keyword, build.escape
    if keyword == "ENV":
        environment, arguments = state.environment, state.arguments
        for name, value in declared(instruction, escape):
            name = expand(name, variables, escape)
            environment = _with(environment, name, expand(value or "", variables, escape))
        return replace(state, environment=environment, arguments=arguments)
    if keyword == "ARG":
        return _after_arg(build, instruction, state)
    if keyword == "WORKDIR":
        path = expand(instruction.value, variables, escape)
        if path and not path.startswith("/"):
            path = _absolute(state.cwd, path)
        # An absolute path is not cleaned: as written, the path is the current directory of later
        # RUNs and part of their cache keys.
        return replace(state, cwd=path or state.cwd)
    if keyword == "SHELL" and instruction.exec_form:
        return replace(state, shell=instruction.exec_form)
    if keyword == "USER":
        return replace(state, user=expand(instruction.value, variables, escape))
    if keyword == "ONBUILD" and instruction.value:
        trigger = onbuild_trigger(instruction)
        return replace(state, triggers=(*state.triggers, trigger))
    return state


def _after_arg(build: _BuildValues, instruction: Instruction, state: _StageState) -> _StageState:
    for name, default in declared(instruction, build.escape):
        variables = dict(_variables(build, state))
        value: str | None
        if name in build.build_args:
            value = build.build_args[name]
        elif default is not None:
            value = expand(default, variables, build.escape)
        else:
            value = build.globals.get(name)
        names = tuple(known for known in state.declared if known != name)
        state = replace(state, declared=(*names, name))
        if value is None:
            continue
        if build.classic:
            state = replace(state, arguments=_with(state.arguments, name, value))
        else:
            state = replace(state, environment=_with(state.environment, name, value))
    return state


def _absolute(workdir: str, path: str) -> str:
    """A path as builders clean it, below ``workdir`` when relative."""
    return re.sub(r"\A/+", "/", posixpath.normpath(posixpath.join("/", workdir, path)))


def _transfers(
    build: _BuildValues, instruction: Instruction, state: _StageState, variables: Mapping[str, str]
) -> tuple[Transfer, ...]:
    if instruction.keyword in ("COPY", "ADD"):
        return _copied(build, instruction, state, variables)
    if instruction.keyword == "RUN":
        return _mounted(build, instruction, state, variables)
    return ()


def _copied(
    build: _BuildValues, instruction: Instruction, state: _StageState, variables: Mapping[str, str]
) -> tuple[Transfer, ...]:
    words = json_strings(instruction.value)
    if words is None:
        words = WHITESPACE.split(instruction.value)
    if len(words) < 2:
        return ()
    *written, destination = words
    documents = {mark[0] for word in written if (mark := heredoc_mark(word))}
    sources = [
        expand(word, variables, build.escape)
        for word in written
        if not (mark := heredoc_mark(word)) or mark[0] not in documents
    ]
    where = expand(destination, variables, build.escape)
    directory = len(written) > 1 or where.endswith("/") or posixpath.basename(where) in ("", ".")
    path = _absolute(state.workdir, where)
    if directory and path != "/":
        path += "/"
    written_origin = instruction.flag("from") if instruction.keyword == "COPY" else None
    origin, context = _origin(build, instruction, written_origin)
    parents = _is_on(instruction, "parents")
    if context:
        sources = [_in_context(context, source, parents=parents) for source in sources]
    return (
        Transfer(
            kind="copy" if instruction.keyword == "COPY" else "add",
            sources=tuple(sources),
            destination=path,
            origin=origin,
            exclude=tuple(
                flag.value for flag in instruction.flags if flag.name == "exclude" and flag.value
            ),
            parents=parents,
            context=context,
        ),
    )


def _origin(
    build: _BuildValues, instruction: Instruction, written: str | None
) -> tuple[int | str, str]:
    """The origin of a transfer, and the named context if it is a directory of this machine."""
    if not written:
        return "context", ""
    origin = copy_origin(build.stages, instruction, written)
    if isinstance(origin, str):
        top = named_context(build.dockerfile, origin)
        if top:
            return "context", top
    return origin, ""


def _in_context(context: str, source: str, *, parents: bool = False) -> str:
    """A source of a named context as a path that begins with it; ``..`` stays inside."""
    pivot, found, rest = source.partition("/./")
    if parents:
        # The part that is not kept ends at "/./": the context itself, where nothing says more.
        above = _rooted(pivot) if found else ""
        return f"{context}{above.rstrip('/')}/./{(rest if found else source).lstrip('/')}"
    return context + _rooted(source)


def _rooted(source: str) -> str:
    return "/" + posixpath.normpath(f"/{source}").lstrip("/")


def _is_on(instruction: Instruction, name: str) -> bool:
    value = instruction.flag(name)
    return value is not None and value.lower() != "false"


def _mounted(
    build: _BuildValues, instruction: Instruction, state: _StageState, variables: Mapping[str, str]
) -> tuple[Transfer, ...]:
    found = []
    for mount in mounts(instruction):
        options = {name: expand(value, variables, build.escape) for name, value in mount.options}
        if options.get("type", "bind").lower() != "bind":
            continue
        written = options.get("from", "")
        origin, context = _origin(build, instruction, written)
        source = options.get("source", "") or ("/" if written else ".")
        found.append(
            Transfer(
                kind="bind",
                sources=(_in_context(context, source) if context else source,),
                destination=_absolute(state.workdir, options.get("target", "")),
                origin=origin,
                context=context,
            )
        )
    return tuple(found)
