"""One target as ``docker buildx bake --print`` writes it, and what a build of it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from ..dockerfile.platforms import default_platform
from ..errors import ConfigError, DockerCacheError, Unverifiable
from ..regexes import regex
from ..values import dataclass

__all__ = ["BuildDefinition", "defined"]

_REMOTE = regex(r"[a-z][a-z0-9+.-]*://|git@|github\.com/|[^/]+\.git(#|$)")
"""A context that is no directory of this machine (buildx ``IsRemoteURL``)."""

_OF_THE_FILE = regex(r"(target|service):(.+)")
"""A named context that is another target of the file."""

_SPECS = ("cache-from", "cache-to", "secret", "ssh")
"""Keys of a target that are options of the same name, each a list of specs."""


@dataclass(frozen=True)
class BuildDefinition:
    """One image that a file defines.

    ``name`` is that of the service or target, "" in a file of one image. ``options`` has the values
    of options by their names without prefix; paths in them are relative to ``directory``.
    ``problem`` says why the image cannot be judged; ``dockerfile`` is then the file that defines
    it, if no Dockerfile is known.
    """

    file: Path
    name: str
    dockerfile: Path
    directory: Path
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: DockerCacheError | None = None


def defined(
    file: Path, name: str, target: Mapping[str, Any], directories: Sequence[Path]
) -> BuildDefinition:
    """The definition of one target, a JSON object of ``bake --print``.

    Its paths are relative to the first of ``directories`` in which its Dockerfile lies.
    """
    try:
        return _defined(file, name, target, directories)
    except DockerCacheError as problem:
        return BuildDefinition(file, name, file, directories[0], problem=problem)


def _defined(
    file: Path, name: str, target: Mapping[str, Any], directories: Sequence[Path]
) -> BuildDefinition:
    about = f"{file.name}::{name}" if name else file.name
    context = str(target.get("context") or ".").removeprefix("cwd://") or "."
    if _REMOTE.match(context):
        raise Unverifiable(f"{about} is built from {context}, which is not on this machine")
    if target.get("dockerfile-inline"):
        raise Unverifiable(
            f"{about} has its Dockerfile inside {file.name}",
            fix="put the instructions into a Dockerfile of their own",
        )
    written = str(target.get("dockerfile") or "Dockerfile").removeprefix("cwd://")
    directory, dockerfile = _place(directories, context, written)
    if dockerfile is None:
        tried = os.path.normpath(directory / context / written)
        raise ConfigError(f"{about}: no file {tried}; name an existing Dockerfile")
    place = Path(os.path.abspath(directory / context))
    options: dict[str, tuple[str, ...]] = {"context": (str(place),)}
    if target.get("target"):
        options["target"] = (str(target["target"]),)
    arguments = _table(target.get("args"))
    options["build-arg"] = tuple(
        f"{key}={value}" for key, value in arguments.items() if value is not None
    )
    platforms = target.get("platforms") or ()
    options["platform"] = (_own_platform([str(one) for one in platforms]),) if platforms else ()
    for key in _SPECS:
        options[key] = tuple(_specs(key, target.get(key), directory))
    options["build-context"] = tuple(
        _named(about, key, str(value), directory)
        for key, value in _table(target.get("contexts")).items()
    )
    options = {key: values for key, values in options.items() if values}
    return BuildDefinition(file, name, dockerfile, directory, options)


def _own_platform(platforms: Sequence[str]) -> str:
    """Of several platforms this machine's, which needs no emulation, else the first."""
    here = default_platform().split("/")[:2]
    own = [one for one in platforms if one.split("/")[:2] == here]
    return (own or platforms)[0]


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
