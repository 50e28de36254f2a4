"""One target as ``docker buildx bake --print`` writes it, and what a build of it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from ..dockerfile.platforms import default_platform, normal_platform
from ..errors import ConfigError, DockerCacheError, Unverifiable
from ..regexes import regex
from ..values import dataclass
from .inline import inline_dockerfile
from .places import place_of

__all__ = ["BuildDefinition", "defined"]

_REMOTE = regex(r"[a-z][a-z0-9+.-]*://|git@|github\.com/|[^/]+\.git(#|$)")
"""A context that is no directory of this machine (buildx ``IsRemoteURL``)."""

_OF_THE_FILE = regex(r"(target|service):(.+)")
"""A named context that is another target of the file."""

_SPECS = ("cache-from", "secret", "ssh")
"""Keys of a target that are options of the same name, each a list of specs."""


@dataclass(frozen=True)
class BuildDefinition:
    """One image that a file defines.

    ``name`` is that of the service or target, "" in a file of one image. ``options`` has the values
    of options by their names without prefix; paths in them are relative to ``directory``.
    ``problem`` says why the image cannot be judged; ``dockerfile`` is then the file that defines
    it, if no Dockerfile is known. ``run_options``, ``uncached`` and ``uncached_by`` are those of
    :class:`~pytest_dockercache.model.BuildSpec`; ``inside`` is the file that holds the Dockerfile's
    text, None where ``dockerfile`` is people's own.
    """

    file: Path
    name: str
    dockerfile: Path
    directory: Path
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: DockerCacheError | None = None
    run_options: tuple[tuple[str, str], ...] = ()
    uncached: tuple[str, ...] = ()
    uncached_by: str = ""
    inside: Path | None = None


def defined(
    file: Path,
    name: str,
    target: Mapping[str, Any],
    directories: Sequence[Path],
    files: Sequence[Path] = (),
) -> BuildDefinition:
    """The definition of one target, a JSON object of ``bake --print``.

    Its paths are relative to the first of ``directories`` in which its Dockerfile lies. ``files``
    are the file and those that override it, in which the lines of keys are looked for.
    """
    try:
        return _defined(file, name, target, directories, files or (file,))
    except DockerCacheError as problem:
        return BuildDefinition(file, name, file, directories[0], problem=problem)


def _defined(
    file: Path,
    name: str,
    target: Mapping[str, Any],
    directories: Sequence[Path],
    files: Sequence[Path],
) -> BuildDefinition:
    about = f"{file.name}::{name}" if name else file.name
    context = str(target.get("context") or ".").removeprefix("cwd://") or "."
    if _REMOTE.match(context) or context == "-":
        where = "the standard input" if context == "-" else context
        raise Unverifiable(f"{about} is built from {where}, which is not on this machine")
    if str(target.get("call") or "build") != "build":
        raise Unverifiable(f"{about} is checked, and not built (call = {target['call']})")
    directory, dockerfile, inside = _dockerfile(about, name, target, directories, files)
    place = Path(os.path.abspath(directory / context))
    options: dict[str, tuple[str, ...]] = {"context": (str(place),)}
    if target.get("target"):
        options["target"] = (str(target["target"]),)
    arguments = _table(target.get("args"))
    options["build-arg"] = tuple(
        f"{key}={value}" for key, value in arguments.items() if value is not None
    )
    options["platform"] = _own_first([str(one) for one in target.get("platforms") or ()])
    for key in _SPECS:
        options[key] = tuple(_specs(key, target.get(key), directory))
    options["build-context"] = tuple(
        _named(about, key, str(value), directory)
        for key, value in _table(target.get("contexts")).items()
    )
    options = {key: values for key, values in options.items() if values}
    uncached, said = _uncached(target)
    return BuildDefinition(
        file,
        name,
        dockerfile,
        directory,
        options,
        run_options=tuple(_run_options(name, target, files)),
        uncached=uncached,
        uncached_by=f"{place_of(files, name, said)}: {said}" if uncached else "",
        inside=inside,
    )


def _dockerfile(
    about: str,
    name: str,
    target: Mapping[str, Any],
    directories: Sequence[Path],
    files: Sequence[Path],
) -> tuple[Path, Path, Path | None]:
    """The directory of the paths, the Dockerfile, and the file that holds its text, if one does."""
    context = str(target.get("context") or ".").removeprefix("cwd://") or "."
    text = target.get("dockerfile-inline")
    if text:
        there = [place for place in directories if (place / context).is_dir()]
        found = inline_dockerfile(files, name, str(text))
        if found is None:
            raise Unverifiable(
                f"{about} has its Dockerfile inside {files[0].name}, where its lines are not found",
                fix="write it there line by line, as a block, or into a Dockerfile of its own",
            )
        return (there or directories)[0], *found
    written = str(target.get("dockerfile") or "Dockerfile").removeprefix("cwd://")
    if _REMOTE.match(written) or written == "-":
        where = "the standard input" if written == "-" else written
        raise Unverifiable(
            f"{about} takes its Dockerfile from {where}, which is not on this machine "
            f"({place_of(files, name, 'dockerfile')})"
        )
    directory, dockerfile = _place(directories, context, written)
    if dockerfile is None:
        tried = os.path.normpath(directory / context / written)
        raise ConfigError(f"{about}: no file {tried}; name an existing Dockerfile")
    return directory, dockerfile, None


_NETWORKS = ("default", "none", "host")
"""The networks that BuildKit knows."""


def _run_options(
    name: str, target: Mapping[str, Any], files: Sequence[Path]
) -> Iterator[tuple[str, str]]:
    """What is part of the cache key of each RUN, or lets it run at all, as options of a build."""
    network = str(target.get("network") or "default")
    if network not in _NETWORKS:
        raise Unverifiable(
            f"{place_of(files, name, 'network')}: BuildKit knows no network {network}, in which "
            f"{name} is built (it knows {', '.join(_NETWORKS)})"
        )
    if network != "default":
        yield "network", network
    for host, addresses in _table(target.get("extra-hosts")).items():
        for address in addresses if isinstance(addresses, list) else [addresses]:
            yield "add-host", f"{host}={address}"
    if target.get("shm-size"):
        yield "shm-size", str(target["shm-size"])
    for limit in target.get("ulimits") or ():
        yield "ulimit", str(limit)
    for entitlement in target.get("entitlements") or ():
        yield "allow", str(entitlement)


def _uncached(target: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The stages that every build runs anew, and the key that says so."""
    if target.get("no-cache") in (True, "true"):
        return ("*",), "no_cache" if target.get("of-compose") else "no-cache"
    stages = tuple(str(stage) for stage in target.get("no-cache-filter") or ())
    return stages, "no_cache_filter" if target.get("of-compose") else "no-cache-filter"


def _own_first(platforms: Sequence[str]) -> tuple[str, ...]:
    """Platforms with this machine's first, which a marked test builds; () for that alone.

    ``local`` is the builder's own.
    """
    if list(platforms) == ["local"]:
        return ()
    here = default_platform().split("/")[:2]
    named = dict.fromkeys(default_platform() if one == "local" else one for one in platforms)
    return tuple(sorted(named, key=lambda one: normal_platform(one).split("/")[:2] != here))


def _place(directories: Sequence[Path], context: str, written: str) -> tuple[Path, Path | None]:
    """The directory that paths are relative to, and the Dockerfile (buildx: in the context)."""
    for directory in directories:
        path = Path(os.path.abspath(directory / context / written))
        if path.is_file():
            return directory, path
    return directories[0], None


def _specs(key: str, value: object, directory: Path) -> Iterator[str]:
    """Specs as buildx takes them on the command line; newer buildx prints them as objects."""
    for item in value if isinstance(value, list) else ():
        if not isinstance(item, dict):
            yield _absolute(str(item), directory) if key in ("secret", "ssh") else str(item)
        elif key == "ssh":
            paths = item.get("paths") or ()
            name = str(item.get("id", "default"))
            text = f"{name}={','.join(map(str, paths))}" if paths else name
            yield _absolute(text, directory)
        else:
            text = ",".join(f"{name}={content}" for name, content in item.items())
            yield _absolute(text, directory) if key == "secret" else text


def _absolute(text: str, directory: Path) -> str:
    """A secret or ssh spec with absolute paths: buildx is run in another directory."""
    fields = []
    for part in text.split(","):
        name, equals, content = part.partition("=")
        if equals and content and name not in ("id", "type", "env"):
            part = f"{name}={os.path.abspath(directory / os.path.expanduser(content))}"
        fields.append(part)
    return ",".join(fields)


def _named(about: str, name: str, value: str, directory: Path) -> str:
    """A named context as ``NAME=VALUE``, a directory of this machine with its absolute path."""
    found = _OF_THE_FILE.fullmatch(value)
    if found is not None:
        raise Unverifiable(
            f"{about} is built on {found[2]}, another image of the same file, which a build of "
            "its own cannot take",
            fix=f"judge {found[2]}, or write what it adds as a stage of one Dockerfile",
        )
    if "://" in value or _REMOTE.match(value):
        return f"{name}={value}"
    return f"{name}={os.path.abspath(directory / value)}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
