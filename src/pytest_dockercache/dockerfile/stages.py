"""Stages: their beginnings, their bases, and the stages that a target needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from ..regexes import regex
from .expansion import Lexer, SubstitutionError, expand
from .instructions import WHITESPACE, declared, mounts, onbuild_trigger
from .platforms import platform_arguments
from .syntax import Dockerfile, Instruction, PlannedStep, Stage

__all__ = [
    "contributing_stages",
    "escape_of",
    "global_arguments",
    "paths_in_final_stage",
    "reachable_stages",
    "resolve_stage",
    "resolved_stages",
    "stage_chain",
    "stage_label",
    "stages_of",
]

_STAGE_NAME = regex(r"[a-z][a-z0-9-_.]*\Z")


def group_stages(
    instructions: tuple[Instruction, ...], escape: str, path: Path
) -> tuple[tuple[Instruction, ...], tuple[Stage, ...]]:
    """Give every instruction its stage, and make the stages with the Dockerfile's own defaults.

    Raises ConfigError for a FROM of another form than ``FROM image [AS name]``.
    """
    numbered = []
    index: int | None = None
    for instruction in instructions:
        if instruction.keyword == "FROM":
            index = 0 if index is None else index + 1
        numbered.append(replace(instruction, stage=index))
    bodies: dict[int, list[Instruction]] = {}
    froms = []
    for instruction in numbered:
        if instruction.stage is None:
            continue
        if instruction.keyword == "FROM":
            froms.append(instruction)
            bodies[instruction.stage] = []
        else:
            bodies[instruction.stage].append(instruction)
    stages = []
    for number, from_ in enumerate(froms):
        image, name = _from_words(from_, path)
        stages.append(
            Stage(
                index=number,
                name=name,
                from_=from_,
                base=image,
                parent=None,
                platform=from_.flag("platform"),
                instructions=tuple(bodies[number]),
            )
        )
    draft = Dockerfile(path, "", tuple(numbered), tuple(stages), (("escape", escape),))
    try:
        defaults = global_arguments(draft, {})
    except SubstitutionError:
        defaults = {}
    return tuple(numbered), _connected(draft, defaults, strict=False)


def _from_words(from_: Instruction, path: Path) -> tuple[str, str | None]:
    words = WHITESPACE.split(from_.value) if from_.value else []
    if len(words) == 1:
        return words[0], None
    if len(words) == 3 and words[1].lower() == "as":
        name = words[2].lower()
        if not _STAGE_NAME.match(name):
            raise ConfigError(
                f"{path}:{from_.line}: invalid name for a build stage: {words[2]}",
                fix="start the name with a letter, and use letters, digits, '-', '_' and '.'",
            )
        return words[0], name
    raise ConfigError(
        f"{path}:{from_.line}: FROM needs one or three arguments, not {len(words)}: {from_.text}",
        fix="write FROM image, or FROM image AS name",
    )


def escape_of(dockerfile: Dockerfile) -> str:
    """The Dockerfile's escape character: backslash unless a directive says backtick."""
    return dict(dockerfile.directives).get("escape", "\\")


def global_arguments(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    platform: str | None = None,
    *,
    classic: bool = False,
    target: str | None = None,
) -> dict[str, str]:
    """The values of the ARGs before the first FROM, and of BuildKit's predefined arguments.

    A value from ``build_args`` wins over the default. The classic builder has
    no predefined platform arguments. Raises SubstitutionError for a default
    that cannot be expanded.
    """
    escape = escape_of(dockerfile)
    values: dict[str, str] = {}
    if not classic:
        name_of_last = dockerfile.stages[-1].name if dockerfile.stages else None
        predefined = platform_arguments(platform, target or name_of_last)
        values = {name: build_args.get(name, value) for name, value in predefined.items()}
    for instruction in dockerfile.instructions:
        if instruction.keyword != "ARG" or instruction.stage is not None:
            continue
        for name, default in declared(instruction, escape):
            if name in build_args:
                values[name] = build_args[name]
            elif default is not None:
                values[name] = expand(default, values, escape)
    return values


def resolved_stages(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str] = {},
    platform: str | None = None,
    *,
    classic: bool = False,
    target: str | None = None,
) -> tuple[Stage, ...]:
    """All stages with bases and platforms expanded for these build arguments.

    Raises ConfigError for a base that is empty or cannot be expanded.
    """
    variables = _variables(dockerfile, build_args, platform, classic, target)
    return _connected(dockerfile, variables, strict=True)


def _variables(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    platform: str | None,
    classic: bool,
    target: str | None,
) -> dict[str, str]:
    try:
        return global_arguments(dockerfile, build_args, platform, classic=classic, target=target)
    except SubstitutionError as error:
        raise ConfigError(
            f"{dockerfile.path}: an ARG before the first FROM cannot be expanded: {error}",
            fix="correct its default, or give it with --dockercache-build-arg=NAME=VALUE",
        ) from None


def _connected(
    dockerfile: Dockerfile, variables: Mapping[str, str], *, strict: bool
) -> tuple[Stage, ...]:
    """The stages with base, platform and parent; unless ``strict``, what fails stays as written."""
    escape = escape_of(dockerfile)
    names: dict[str, int] = {}
    connected = []
    for stage in dockerfile.stages:
        written, _ = _from_words(stage.from_, dockerfile.path)
        base, asked = written, stage.from_.flag("platform")
        try:
            base = expand(written, variables, escape)
            asked = expand(asked, variables, escape) if asked else None
            problem = "" if base else "it is empty"
        except SubstitutionError as error:
            problem = str(error)
        if strict and problem:
            needed = sorted(Lexer(escape, raw_quotes=True).references(written))
            argument = needed[0] if needed else "NAME"
            raise ConfigError(
                f"{dockerfile.path}:{stage.from_.line}: no base image from {written}: {problem}",
                fix="give the argument a default, or a value with "
                f"--dockercache-build-arg={argument}=IMAGE",
            )
        # Stage names are lower case; a base is compared as it is written.
        parent = names.get(base)
        connected.append(replace(stage, base=base, parent=parent, platform=asked or None))
        if stage.name is not None:
            names[stage.name] = stage.index
    return tuple(connected)


def resolve_stage(dockerfile: Dockerfile, target: str | None) -> Stage:
    """The stage that a build ends with: the one named ``target``, or the last one.

    Names are compared without regard to case; of two equal names the later
    stage counts. An index is no target (Docker Engine 26.1 refuses it).
    Raises ConfigError that lists the valid names.
    """
    if target is None or target == "":
        return dockerfile.stages[-1]
    for stage in reversed(dockerfile.stages):
        if stage.name == target.lower():
            return stage
    names = [stage.name for stage in dockerfile.stages if stage.name is not None]
    valid, fix = ": no stage has a name", f"name one with FROM image AS {target}, or name no target"
    if names:
        valid = f"; valid: {', '.join(dict.fromkeys(names))}"
        fix = "name one of them with --dockercache-target=STAGE"
    raise ConfigError(f"{dockerfile.path}: unknown target stage {target!r}{valid}", fix=fix)


def copy_origin(stages: tuple[Stage, ...], instruction: Instruction, origin: str) -> int | str:
    """The origin in ``--from=origin``: a stage index, or the name of an image or named context."""
    if instruction.keyword == "COPY" and re.fullmatch(r"[+-]?[0-9]+", origin):
        index = int(origin)
        return index if 0 <= index < len(stages) else origin
    for stage in reversed(stages):
        if stage.name is not None and stage.name == origin.lower():
            return stage.index
    return origin


def _needs(stages: tuple[Stage, ...], stage: Stage) -> set[int]:
    """Indexes of the stages that a stage is built from or copies from."""
    needed = set() if stage.parent is None else {stage.parent}
    instructions = list(stage.instructions)
    if stage.parent is not None:
        instructions += _triggers(stages[stage.parent])
    for instruction in instructions:
        origins = [mount.origin for mount in mounts(instruction) if mount.origin]
        if instruction.keyword == "COPY":
            origins += [
                flag.value for flag in instruction.flags if flag.name == "from" and flag.value
            ]
        for origin in origins:
            found = copy_origin(stages, instruction, origin)
            if isinstance(found, int):
                needed.add(found)
    return needed


def _triggers(stage: Stage) -> list[Instruction]:
    return [onbuild_trigger(item) for item in stage.instructions if item.keyword == "ONBUILD"]


def reachable_stages(
    dockerfile: Dockerfile,
    target: str | None = None,
    build_args: Mapping[str, str] = {},
    platform: str | None = None,
) -> tuple[Stage, ...]:
    """The stages that BuildKit builds for a target, in Dockerfile order, bases expanded.

    A stage is reached through FROM, ``COPY --from``, ``RUN --mount=from=`` and
    the ONBUILD triggers of the stage it is built from. Raises ConfigError.
    """
    stages = resolved_stages(dockerfile, build_args, platform, target=target)
    waiting = [resolve_stage(dockerfile, target).index]
    reached: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index not in reached:
            reached.add(index)
            waiting.extend(_needs(stages, stages[index]))
    return tuple(stages[index] for index in sorted(reached))


def stage_label(dockerfile: Dockerfile, stage: Stage) -> str:
    """The stage's label in BuildKit's ``[stage k/n]``; "" when BuildKit leaves the label out.

    The label is the name in lower case, else ``stage-<index>``. BuildKit leaves the name out when
    the whole Dockerfile has a single state: one stage, no ``COPY --from=image``, and no
    ``RUN --mount`` of any type, because a mount without ``from`` counts as one from ``scratch``
    (BuildKit 0.13 to 0.29, ``dockerfile2llb/convert.go``).
    """
    if len(dockerfile.stages) == 1 and not _other_states(dockerfile.stages):
        return ""
    return stage.name if stage.name is not None else f"stage-{stage.index}"


def _other_states(stages: tuple[Stage, ...]) -> bool:
    for stage in stages:
        for instruction in stage.instructions:
            if instruction.keyword == "COPY" and instruction.flag("from"):
                return True
            if mounts(instruction):
                return True
    return False


def stages_of(steps: Iterable[PlannedStep]) -> dict[int, Stage]:
    """The stages that some steps belong to, by their indexes."""
    return {step.stage.index: step.stage for step in steps}


def stage_chain(stages: Mapping[int, Stage], index: int | str) -> tuple[Stage, ...]:
    """A stage and the stages that it is built FROM, one after the other; the stage itself first.

    The chain ends at a stage that stands on an image, or whose parent is not
    among ``stages``. The chain is empty for an ``index`` that ``stages`` does
    not have; the name of an image is never among them.
    """
    chain: list[Stage] = []
    following: int | str | None = index
    while isinstance(following, int) and following in stages:
        chain.append(stages[following])
        following = chain[-1].parent
    return tuple(chain)


def contributing_stages(steps: Sequence[PlannedStep], stages: Iterable[int]) -> frozenset[int]:
    """The given stages and all stages that they are built FROM, copy from or mount, in turn."""
    waiting = list(stages)
    reached: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index in reached:
            continue
        reached.add(index)
        own = [step for step in steps if step.stage.index == index]
        waiting += [step.stage.parent for step in own[:1] if step.stage.parent is not None]
        waiting += [
            transfer.origin
            for step in own
            for transfer in step.transfers
            if isinstance(transfer.origin, int)
        ]
    return frozenset(reached)


def paths_in_final_stage(
    steps: Sequence[PlannedStep], stage: int, final: int
) -> tuple[tuple[str, str], ...]:
    """Where files of ``stage`` end up: pairs (path in ``stage``, path in the final stage).

    The only pair is ``("/", "/")`` where ``stage`` is the final stage, or the final stage is built
    FROM it; else the pairs are those of each COPY ``--from``, also through stages in between. The
    first path is "" where a wildcard leaves it open, the second where a RUN mounts ``stage`` and
    may have taken any file from it.
    """
    held: dict[int, tuple[tuple[str, str], ...]] = {stage: (("/", "/"),)}
    for step in steps:
        index, parent = step.stage.index, step.stage.parent
        if index not in held:
            held[index] = held.get(parent, ()) if parent is not None else ()
        for transfer in step.transfers:
            there = held.get(transfer.origin, ()) if isinstance(transfer.origin, int) else ()
            for source in transfer.sources if there and index != stage else ():
                here = "" if transfer.kind == "bind" else transfer.destination
                if here and transfer.parents:
                    here = path_at(here, path_at(source, ""))
                held[index] += tuple(_taken(there, source, here))
    return tuple(dict.fromkeys(held.get(final, ())))


def _taken(pairs: Sequence[tuple[str, str]], source: str, here: str) -> Iterator[tuple[str, str]]:
    fixed = re.split(r"[^/]*[*?\[]", source)[0]
    for there, middle in pairs:
        above, below = path_below(middle, fixed), path_below(fixed, middle)
        if not middle or not here:
            if above is not None or below is not None or not middle:
                yield there, ""
        elif fixed != source and (above is not None or below is not None):
            yield "", path_at(here, "")
        elif above is not None:
            yield there, path_at(here, above)
        elif below is not None:
            yield there and path_at(there, below), path_at(here, "")


def path_below(path: str, directory: str) -> str | None:
    """The rest of an absolute path below ``directory``: "" if equal, None if not below."""
    path, directory = "/" + path.strip("/"), "/" + directory.strip("/")
    if path == directory:
        return ""
    head = directory.rstrip("/") + "/"
    return "/" + path.removeprefix(head) if path.startswith(head) else None


def path_at(directory: str, rest: str) -> str:
    """The path below ``directory`` that :func:`path_below` gives ``rest`` for."""
    return ("/" + directory.strip("/")).rstrip("/") + rest or "/"
