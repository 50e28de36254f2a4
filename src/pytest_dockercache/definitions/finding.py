"""Finds the files that define builds, and reads the builds of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError, Unverifiable
from ..regexes import regex
from .bake import (
    BakeRefusedError,
    has_buildx,
    printed,
    read_json_targets,
    unprinted,
    written_names,
)
from .compose import compose_services, named_files
from .development import development_target
from .targets import BuildDefinition, defined

__all__ = [
    "BAKE_FILES",
    "COMPOSE_FILES",
    "DEVELOPMENT_FILES",
    "KINDS",
    "Kind",
    "definition_files",
    "kind_of",
    "read_definitions",
]

Kind = Literal["compose", "bake", "development"]

Evaluate = Callable[[Sequence[Path], Sequence[str], Path], Mapping[str, Mapping[str, Any]]]
"""Who says what targets a file has: files, names and the directory of the paths."""

KINDS: tuple[Kind, ...] = ("compose", "bake", "development")
"""The kinds of files, in the order in which they are looked for."""

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that compose looks for, the first that exists counts."""

BAKE_FILES = ("docker-bake.hcl", "docker-bake.json")
_BAKE_ORDER = tuple(
    name
    for file in reversed(BAKE_FILES)
    for name in (file, file.replace("bake.", "bake.override."))
)
DEVELOPMENT_FILES = (".devcontainer/devcontainer.json", ".devcontainer.json")

_NAMES = {"compose": COMPOSE_FILES, "bake": BAKE_FILES, "development": DEVELOPMENT_FILES}
_COMPOSE = regex(r"(docker-)?compose([._-].*)?\.ya?ml")
_DEVELOPMENT = regex(r"\.?devcontainer\.json")


def kind_of(file: Path) -> Kind | None:
    """The kind of file that a name stands for, None for other names."""
    if _COMPOSE.fullmatch(file.name):
        return "compose"
    if _DEVELOPMENT.fullmatch(file.name):
        return "development"
    if file.suffix == ".hcl" or (file.suffix == ".json" and "bake" in file.name):
        return "bake"
    return None


def definition_files(directory: Path, kind: Kind) -> tuple[Path, ...]:
    """The file of a kind in a directory, and the one that overrides it; () without a file."""
    if kind == "compose" and (named := named_files(directory)):
        return named
    if kind == "bake":
        main = [directory / name for name in BAKE_FILES if (directory / name).is_file()]
        there = [directory / name for name in _BAKE_ORDER if (directory / name).is_file()]
        return tuple(dict.fromkeys((*main, *there))) if main else ()
    for name in _NAMES[kind]:
        file = directory / name
        if file.is_file():
            return (file, *_overriding(file, kind))
    return ()


def _overriding(file: Path, kind: Kind) -> tuple[Path, ...]:
    """``compose.override.yaml``, where it is there."""
    if kind != "compose":
        return ()
    stem = file.name.rpartition(".")[0]
    names = [f"{stem}.override.{suffix}" for suffix in ("yaml", "yml")]
    there = [file.with_name(name) for name in names if file.with_name(name).is_file()]
    return tuple(there[:1])


def read_definitions(
    kind: Kind, files: Sequence[Path], names: Sequence[str], directories: Sequence[Path]
) -> tuple[BuildDefinition, ...]:
    """The builds that files define, those in ``names`` alone if there are any.

    ``files`` are one file and what overrides it. ``directories`` are where a bake file may have
    been meant to be run; its paths are relative to the first in which they lead to a Dockerfile.
    Raises ConfigError for a file that cannot be read, and for a name that is none of its builds.
    """
    if kind == "compose":
        found = _compose(files)
    elif kind == "bake":
        return _bake(files, names, directories)
    else:
        found = _development(files[0])
    wanted = [one for one in found if not names or one.name in names]
    missing = [name for name in names if all(name != one.name for one in found)]
    if missing:
        known = ", ".join(one.name for one in found if one.name) or "none"
        raise ConfigError(f"{files[0]}: builds no service {missing[0]}; it builds: {known}")
    return tuple(wanted)


def _compose(files: Sequence[Path]) -> tuple[BuildDefinition, ...]:
    """The services of compose files, evaluated by buildx where it is there and can."""
    directory = files[0].parent
    services = compose_services(files)
    targets = None
    if has_buildx():
        try:
            targets = printed(files, (), directory)
        except BakeRefusedError:
            # One service, a secret that is not there, a key without an agent stops buildx for all.
            targets = None
    found = []
    names = [_target_name(service.name) for service in services]
    for service in services:
        name = _target_name(service.name)
        # Of `a.b` and `a_b` bake keeps one.
        evaluated = None if targets is None or names.count(name) > 1 else targets.get(name)
        if service.problem is not None and evaluated is None:
            found.append(
                BuildDefinition(
                    files[0], service.name, files[0], directory, problem=service.problem
                )
            )
            continue
        # Buildx before 0.17 does not print platforms, ssh and empty arguments of services.
        target = {**service.target, **(evaluated or {})}
        if service.target.get("ulimits"):
            # Buildx 0.13 reads a limit that is one number as 0.
            target["ulimits"] = service.target["ulimits"]
        places = (service.directory, directory)
        found.append(defined(files[0], service.name, target, places, files))
    return tuple(found)


def _target_name(service: str) -> str:
    """A service as bake names its target: without dots."""
    return service.replace(".", "_")


def _bake(
    files: Sequence[Path], names: Sequence[str], directories: Sequence[Path]
) -> tuple[BuildDefinition, ...]:
    file, files = files[0], _as_bake_reads(files)
    evaluate: Evaluate = printed
    if not has_buildx():
        plain = all(one.suffix == ".json" for one in files)
        if not plain:
            raise _needs_buildx(file)
        evaluate = _plain_targets
    places = tuple(dict.fromkeys((*directories, file.parent)))
    beside = _services_beside(files)
    if beside and evaluate is printed:
        return _over_services(file, beside, files, names, places)
    try:
        targets = evaluate(files, names, places[0])
    except BakeRefusedError as refused:
        written = written_names(files)
        if names or "default" not in str(refused) or not written:
            known = f"; it has: {', '.join(written)}" if names and written else ""
            raise ConfigError(f"{file}: docker buildx bake refuses it: {refused}{known}") from None
        try:
            targets = evaluate(files, written, places[0])
        except BakeRefusedError as again:
            raise ConfigError(f"{file}: docker buildx bake refuses it: {again}") from None
    return tuple(
        defined(file, name, {**unprinted(files, name), **target}, places, files)
        for name, target in targets.items()
    )


def _services_beside(files: Sequence[Path]) -> tuple[Path, ...]:
    """The compose files that bake reads before these, where they define a target of these too."""
    if files[0].name not in _BAKE_ORDER:
        return ()
    compose = definition_files(files[0].parent, "compose")
    try:
        services = (
            {_target_name(one.name) for one in compose_services(compose)} if compose else set()
        )
    except ConfigError:
        return ()
    return compose if services.intersection(written_names(files)) else ()


def _as_bake_reads(files: Sequence[Path]) -> tuple[Path, ...]:
    """Bake files in the order in which bake reads those of its own names, later over earlier."""
    if any(file.name not in _BAKE_ORDER for file in files):
        return tuple(files)
    return tuple(sorted(files, key=lambda file: _BAKE_ORDER.index(file.name)))


def _over_services(
    file: Path,
    compose: Sequence[Path],
    files: Sequence[Path],
    names: Sequence[str],
    places: Sequence[Path],
) -> tuple[BuildDefinition, ...]:
    """The targets of bake files that stand over services of the same names."""
    written = written_names(files)
    every = (*compose, *files)
    try:
        targets = printed(every, names, places[0])
    except BakeRefusedError as refused:
        raise ConfigError(f"{file}: docker buildx bake refuses it: {refused}") from None
    return tuple(
        defined(file, name, {**unprinted(files, name), **target}, places, every)
        for name, target in targets.items()
        if name in written or names
    )


def _plain_targets(
    files: Sequence[Path], names: Sequence[str], _directory: Path
) -> Mapping[str, Mapping[str, Any]]:
    try:
        return read_json_targets(files, names)
    except BakeRefusedError as refused:
        if "failed to find" in str(refused):
            raise
        raise _needs_buildx(files[0], f" ({refused})") from None


def _needs_buildx(file: Path, why: str = "") -> Unverifiable:
    return Unverifiable(
        f"{file.name}: what a bake file builds is known to docker buildx alone, "
        f"which is not installed{why}",
        fix="install docker-buildx, or name the Dockerfiles",
    )


def _development(file: Path) -> tuple[BuildDefinition, ...]:
    target, composed, service = development_target(file)
    if composed:
        found = [one for one in _compose(composed) if not service or one.name == service]
        return tuple(found)
    if target is None:
        return ()
    return (defined(file, "", target, (file.parent,)),)
