"""Decides which Dockerfiles an invocation judges: defaults, options, command-line arguments.

Arguments that name a Dockerfile (``docker/Dockerfile.gpu``, ``Dockerfile::builds``,
``Dockerfile[runtime]::builds``) are taken out of pytest's own list and collected by the plugin. So
it does not matter which directories pytest would walk (``testpaths``, ``norecursedirs``) or how
pytest reads brackets (it refuses ``path[...]``), and each Dockerfile is collected once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from ..errors import ConfigError, DockerCacheError
from ..model import BuildSpec
from ..regexes import regex
from ..values import dataclass
from .choices import DockerfileChoice
from .contexts import candidates, choose_context
from .discovery import DEFAULT_NAMES, look_below, looks_like_dockerfile
from .image_options import ImageOptions
from .options import Options

__all__ = [
    "Target",
    "TargetSelection",
    "node_path",
    "select",
    "spec_of",
    "target_of",
]

_BRACKETED = regex(r"(?P<path>.+?)\[(?P<label>[^\[\]]+)\]")


@dataclass(frozen=True)
class Target:
    """A Dockerfile and a stage to judge, or an image that is already built.

    ``options`` are those of this image; where they name no context, ``contexts`` are the
    directories to choose from. ``checks`` are the IDs to collect, None for all. ``node`` is the
    first part of the node IDs. ``image`` is the reference of an image to inspect; nothing is built
    then, and ``path`` is where a Dockerfile may lie beside the image, whether or not it exists.
    ``problem`` says why what a file defines cannot be judged.
    """

    path: Path
    node: str
    options: ImageOptions
    contexts: tuple[Path, ...] = ()
    checks: tuple[str, ...] | None = None
    image: str | None = None
    problem: DockerCacheError | None = None

    @property
    def target(self) -> str | None:
        """The stage to build, None for the last."""
        return self.options.target

    def is_about(self, other: Target) -> bool:
        """Whether both targets judge one image, or stages of one Dockerfile."""
        return (self.path, self.image) == (other.path, other.image)

    def judged_by(self, needs: Literal["builds", "image", "log"]) -> bool:
        """Whether checks with these needs judge it: of an image, or a log, nothing is built."""
        if self.image is not None:
            return needs == "image"
        return (needs == "log") == (self.options.check_settings.build_log is not None)

    def spec(self) -> BuildSpec:
        """The build of this target. Raises the problem of one that cannot be judged."""
        if self.problem is not None:
            raise self.problem.with_traceback(None)
        return spec_of(self.path, self._context, self.options)

    @cached_property
    def _context(self) -> Path:
        named = self.options.context
        return named or choose_context(self.path, self.contexts, self.options.build_args)


def spec_of(dockerfile: Path, context: Path, options: ImageOptions) -> BuildSpec:
    """The build of a Dockerfile in a context, as the options of its image say."""
    return BuildSpec(
        dockerfile=options.written or dockerfile,
        context=context,
        target=options.target,
        build_args=options.build_args,
        contexts=options.contexts,
        platform=options.platform,
        secrets=options.secrets,
        ssh=options.ssh,
        run_options=options.run_options,
        uncached=options.uncached,
        uncached_by=options.uncached_by,
        inside=None if options.written is None else dockerfile,
        cache_from=options.check_settings.cache_from,
    )


@dataclass(frozen=True)
class TargetSelection:
    """The targets of an invocation, the arguments left to pytest, and facts for messages.

    ``left_out`` are the node names of Dockerfiles that would have been judged if the command line
    named nothing else, ``others`` these and the judged ones. ``named`` are the targets that marked
    tests may use: where an option or an ini key names Dockerfiles, these and the Dockerfiles among
    the arguments, else none.
    """

    targets: tuple[Target, ...]
    arguments: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    default: Target | None = None
    named: tuple[Target, ...] = ()
    others: tuple[Target, ...] = ()

    @property
    def every(self) -> tuple[Target, ...]:
        """The targets, and those that only marked tests may use."""
        default = () if self.default is None else (self.default,)
        return (*self.targets, *self.named, *default, *self.others)


@dataclass(frozen=True)
class _Argument:
    path: Path
    label: str | None
    check: str | None
    text: str


def select(
    arguments: Sequence[str],
    source: Literal["named", "default"],
    options: Options,
    *,
    directory: Path,
    root: Path,
    checks: Sequence[str],
    image_checks: Sequence[str] = (),
) -> TargetSelection:
    """Sort the command line's arguments into Dockerfiles and the rest, and find the defaults.

    ``source`` is ``"named"`` when the user gave arguments. ``directory`` is
    the invocation directory. ``image_checks`` are the IDs of the checks that
    can judge an image which is already built. Raises ConfigError for an
    unknown check and for a Dockerfile that is named twice.
    """
    known, always = [], []
    for choice in options.dockerfiles:
        found = _targets(choice, directory, root)
        known += found
        always += found if choice.explicit else []
    _refuse_twins(known)
    named = list(known)
    beside = (
        known
        or _defaults((directory, root), options, root)
        or _defined((directory, root), options, directory, root)
    )
    default = next((target for target in beside if target.problem is None), None)
    images = _images(options, default, directory, root)
    if not images:
        known = beside
    elif any(choice.explicit for choice in options.images):
        # A named image is judged and nothing is built; a Dockerfile of the ini file only gives the
        # lines of the image's layers.
        known = always
    known = [*known, *images]
    if source == "default":
        return TargetSelection(tuple(known), tuple(arguments), default=default, named=tuple(named))
    always += [
        image for image, choice in zip(images, options.images, strict=True) if choice.explicit
    ]

    ours: list[Target] = []
    rest: list[str] = []
    for text in arguments:
        image = _read_image(text, images, image_checks)
        argument = _read_argument(text, directory, {target.path for target in known})
        found = _of_definition(text, known, options, directory, root, checks)
        if image is not None:
            ours.append(image)
        elif found:
            ours += found
        elif argument is not None:
            files = [target for target in known if target.image is None]
            ours += _of_argument(argument, files, options, directory, root, checks)
        else:
            rest.append(text)
    chosen = _merge(ours)
    if named:
        named += [target for target in chosen if target.image is None]
    inside = [] if images else _inside(rest, known, options, directory, root)
    asked = list(chosen)
    for target in (*always, *inside):
        nodes = {other.node for other in chosen}
        if target.node not in nodes and not any(target.is_about(other) for other in asked):
            chosen.append(target)
    left_out = [
        target.node for target in known if not any(target.is_about(other) for other in chosen)
    ]
    default = default or (chosen[0] if chosen else None)
    return TargetSelection(
        tuple(chosen), tuple(rest), tuple(left_out), default, tuple(named), tuple(known)
    )


def target_of(
    test: Path, selection: TargetSelection, options: Options, *, directory: Path, root: Path
) -> Target | None:
    """The Dockerfile of a test whose marker names none; None if there is no Dockerfile at all.

    The nearest Dockerfile above the test's file counts; of several in one directory, the judged
    one. Where an option or an ini key names Dockerfiles, only these and the Dockerfiles among the
    arguments count, and the first of the option if none of them lies above the test.
    """
    places = [
        place
        for place in test.parents
        if place.is_relative_to(root) or place.is_relative_to(directory)
    ]
    judged = [target for target in selection.targets if target.image is None]
    for place in places:
        here = [target for target in selection.named or judged if target.path.parent == place]
        if not here and not selection.named:
            here = _defaults((place,), options, root)
            here = [
                other for other in selection.every if here and other.path == here[0].path
            ] or here
        if here:
            return here[0]
    if len(judged) == 1 and not selection.named:
        return judged[0]
    return selection.default


def _images(
    options: Options, beside: Target | None, directory: Path, root: Path
) -> tuple[Target, ...]:
    """The images that are already built, each with the Dockerfile that lies beside it."""
    found = []
    for choice in options.images:
        node = choice.reference if choice.file is None else node_path(choice.file, None, root)
        if beside is not None:
            found.append(replace(beside, node=node, image=choice.reference))
        else:
            path = root / DEFAULT_NAMES[0]
            own = options.image
            own = replace(own, context=own.context or directory)
            found.append(Target(path, node, own, image=choice.reference))
    return tuple(found)


def _read_image(text: str, images: Sequence[Target], checks: Sequence[str]) -> Target | None:
    """The image, or the check of an image, that an argument names by its node ID."""
    for image in images:
        if text == image.node:
            return image
        if text.startswith(f"{image.node}::"):
            check = text.removeprefix(f"{image.node}::")
            if check not in checks:
                raise ConfigError(
                    f"{text}: not a check of an image that is already built; "
                    f"valid: {', '.join(checks)}"
                )
            return replace(image, checks=(check,))
    return None


def node_path(path: Path, label: str | None, root: Path) -> str:
    """The first part of a Dockerfile's node IDs: its path below the root, and a name or stage."""
    try:
        name = path.relative_to(root).as_posix()
    except ValueError:
        name = path.as_posix()
    return name if label is None else f"{name}[{label}]"


def _defaults(places: Sequence[Path], options: Options, root: Path) -> list[Target]:
    """The Dockerfile that is judged when nobody names one; none or one."""
    for place in dict.fromkeys(places):
        for name in DEFAULT_NAMES:
            path = place / name
            if path.is_file():
                return _targets(DockerfileChoice(path, options.image), None, root)
    return []


def _targets(choice: DockerfileChoice, directory: Path | None, root: Path) -> list[Target]:
    """The images of a Dockerfile: one for each platform, whose node names it if there are several.

    ``directory`` is where the choice was given, if it was.
    """
    own = choice.options
    several = len(own.platforms) > 1
    contexts = candidates(choice.path, root, directory)
    found = []
    for options in own.each_platform():
        platform = options.platform if several else None
        parts = [choice.name or own.target, platform]
        label = ",".join(filter(None, parts)) or None
        node = node_path(choice.path, label, root)
        if choice.node is not None:
            node = _of_platform(choice.node, platform) if platform else choice.node
        found.append(Target(choice.path, node, options, contexts, problem=choice.problem))
    return found


def _of_platform(node: str, platform: str) -> str:
    """The node of one platform of an image.

    Pytest takes a bracket behind ``::`` for the end of a node ID.
    """
    return f"{node},{platform}" if "::" in node else f"{node}[{platform}]"


def _all_targets(choices: Iterable[DockerfileChoice], directory: Path, root: Path) -> list[Target]:
    return [target for choice in choices for target in _targets(choice, directory, root)]


def _defined(places: Sequence[Path], options: Options, directory: Path, root: Path) -> list[Target]:
    """The images of the files that define builds, in the first place that has such a file."""
    for place in dict.fromkeys(places):
        found = options.defined.in_directory(place)
        if found:
            return _all_targets(found, directory, root)
    return []


def _of_definition(
    text: str,
    known: Sequence[Target],
    options: Options,
    directory: Path,
    root: Path,
    checks: Sequence[str],
) -> list[Target]:
    """The images of an argument that names a file which defines builds, or one of its images.

    Raises ConfigError for an image that the file does not define, and an unknown check.
    """
    where, _, rest = text.partition("::")
    path = _absolute(where, directory)
    if not path.is_file():
        return []
    shown = node_path(path, None, root)
    images = [target for target in known if target.node.partition("::")[0] == shown]
    if not images or any(target.path == path and target.problem is None for target in images):
        images = _all_targets(options.defined.of_file(path), directory, root)
    if not images or not rest:
        return images
    exact = _of_node(f"{shown}::{rest}", images)
    if exact:
        return exact
    name, _, check = rest.rpartition("::")
    node = f"{shown}::{name}" if name else shown
    exact = _of_node(node, images)
    if not exact:
        names = [target.node.partition("::")[2] or "itself" for target in images]
        raise ConfigError(
            f"{text}: {path.name} builds no {name or rest}; it builds: {', '.join(names)}"
        )
    if check not in checks:
        raise ConfigError(f"{text}: unknown check {check}; valid: {', '.join(checks)}")
    return [replace(target, checks=(check,)) for target in exact]


def _of_node(node: str, images: Sequence[Target]) -> list[Target]:
    """The image of a node, or those of all platforms where the node names none."""
    exact = [target for target in images if target.node == node]
    return exact or [
        target
        for target in images
        if target.node == _of_platform(node, target.options.platform or "")
    ]


def _refuse_twins(targets: Sequence[Target]) -> None:
    seen: dict[str, Target] = {}
    for target in targets:
        if target.node in seen:
            raise ConfigError(
                f"--dockercache-dockerfile: {target.node} is named twice; "
                "give each Dockerfile and target once, or give each a name"
            )
        seen[target.node] = target


def _read_argument(text: str, directory: Path, known: set[Path]) -> _Argument | None:
    """The argument, if it names a Dockerfile."""
    where, _, check = text.partition("::")
    path, label = _absolute(where, directory), None
    if not path.exists():
        bracketed = _BRACKETED.fullmatch(where)
        if bracketed is None:
            return None
        path, label = _absolute(bracketed["path"], directory), bracketed["label"]
    if not path.is_file():
        return None
    if path not in known and not looks_like_dockerfile(path):
        return None
    return _Argument(path, label, check or None, text)


def _absolute(text: str, directory: Path) -> Path:
    return Path(os.path.abspath(directory / text))


def _of_argument(
    argument: _Argument,
    known: Sequence[Target],
    options: Options,
    directory: Path,
    root: Path,
    checks: Sequence[str],
) -> list[Target]:
    if argument.check is not None and argument.check not in checks:
        raise ConfigError(
            f"{argument.text}: unknown check {argument.check}; valid: {', '.join(checks)}"
        )
    wanted = None if argument.check is None else (argument.check,)
    same = [target for target in known if target.path == argument.path]
    if argument.label is not None:
        node = node_path(argument.path, argument.label, root)
        exact = [
            target
            for target in same
            # One of several platforms stands behind the name or the stage.
            if target.node == node or target.node.startswith(f"{node.removesuffix(']')},")
        ]
        exact = exact or [
            target for target in same if argument.label in (target.target, target.options.platform)
        ]
        if not exact and same:
            # A stage that nothing names is built as the Dockerfile's first image is.
            exact = [
                replace(found, contexts=same[0].contexts)
                for found in _labelled(argument, _first_of(same), directory, root)
            ]
        same = exact
    if not same:
        same = _labelled(argument, options.image, directory, root)
    return [replace(target, checks=wanted) for target in same]


def _first_of(targets: Sequence[Target]) -> ImageOptions:
    """The options of a Dockerfile's first image, for all of its platforms."""
    first = targets[0]
    platforms = [
        platform
        for target in targets
        if target.target == first.target
        for platform in target.options.platforms
    ]
    return replace(first.options, platforms=tuple(dict.fromkeys(platforms)))


def _labelled(argument: _Argument, own: ImageOptions, directory: Path, root: Path) -> list[Target]:
    """The images that an argument names, with the options ``own`` and its stage or platform."""
    label = argument.label
    if label is None:
        return _targets(DockerfileChoice(argument.path, own), directory, root)
    if "/" in label:
        (target,) = _targets(
            DockerfileChoice(argument.path, replace(own, platforms=(label,))), directory, root
        )
        return [replace(target, node=node_path(argument.path, label, root))]
    return _targets(DockerfileChoice(argument.path, replace(own, target=label)), directory, root)


def _merge(targets: Sequence[Target]) -> list[Target]:
    """One target for each node; several arguments may each name a check of one node."""
    merged: dict[str, Target] = {}
    for target in targets:
        before = merged.get(target.node)
        if before is not None:
            both = None
            if before.checks is not None and target.checks is not None:
                both = tuple(dict.fromkeys((*before.checks, *target.checks)))
            target = replace(target, checks=both)
        merged[target.node] = target
    return list(merged.values())


def _inside(
    arguments: Sequence[str],
    known: Sequence[Target],
    options: Options,
    directory: Path,
    root: Path,
) -> list[Target]:
    """The Dockerfiles in directories among the arguments.

    These are the known ones, or the one at the directory's top. Where no Dockerfile is known at
    all, all below the directory count, those of tests left out.
    """
    found: list[Target] = []
    for text in arguments:
        place = _absolute(text, directory)
        if not place.is_dir():
            continue
        inside = [target for target in known if target.path.is_relative_to(place)]
        if not inside:
            inside = _defaults((place,), options, root)
        if not inside:
            inside = _defined((place,), options, directory, root)
        if not inside and not known:
            inside = [
                target
                for path in look_below(place, root).dockerfiles
                for target in _targets(DockerfileChoice(path, options.image), directory, root)
            ]
        found += inside
    return _merge(found)
