"""Files that an installation reads besides its manifest: includes, locks, settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..environments.documents import load_toml, load_yaml
from ..errors import ConfigError, DockerCacheError
from ..regexes import regex

__all__ = ["Inputs", "inputs_of"]

Read = Callable[[str], "str | None"]
"""The text of a file by its container path; None where no context file is known to lie there."""

_BESIDE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("uv.lock", ("pyproject.toml", "uv.toml", ".python-version")),
    ("poetry.lock", ("pyproject.toml", "poetry.toml")),
    ("pdm.lock", ("pyproject.toml", "pdm.toml")),
    ("pixi.lock", ("pixi.toml", "pyproject.toml")),
    ("Pipfile.lock", ("Pipfile",)),
)
"""Files that a tool reads beside its lock if they exist."""


@dataclass
class Inputs:
    """The files behind some manifests.

    ``files`` are container paths; ``projects`` are pairs of a manifest and its words that install a
    directory of the project (``-e .``); ``unknown`` says what could not be read; ``workspace`` is
    the manifest at the root of a workspace, whose members are projects of their own.
    """

    files: frozenset[str] = frozenset()
    projects: list[tuple[str, str]] = field(default_factory=list)
    unknown: str = ""
    workspace: str = ""


def inputs_of(manifests: tuple[str, ...], read: Read, present: Callable[[str], bool]) -> Inputs:
    """Follow manifests through all files that they include.

    ``present`` says whether a context file is known to lie at a container path. A missing manifest
    is left out, since a tool looks for several candidates.
    """
    found = Inputs()
    waiting = list(manifests)
    for path in manifests:
        name, directory = posixpath.basename(path), posixpath.dirname(path)
        for lock, beside in _BESIDE:
            if name == lock:
                waiting += [posixpath.join(directory, other) for other in beside]
    while waiting:
        path = waiting.pop()
        if path in found.files or not present(path):
            continue
        found.files |= {path}
        text = read(path)
        if text is None:
            found.unknown = found.unknown or f"{path} cannot be read"
            continue
        for include in _includes(path, text, found):
            waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), include)))
    return found


def _includes(path: str, text: str, found: Inputs) -> Iterator[str]:
    name = posixpath.basename(path)
    if name.endswith((".yml", ".yaml")) and not name.startswith("conda-lock"):
        yield from _of_environment(path, text, found)
    elif name.endswith((".txt", ".in", ".pip")) or _is_bare(name):
        yield from _of_requirements(path, text.splitlines(), found)
    elif name.endswith(".toml"):
        yield from _of_toml(path, text, found)


def _is_bare(name: str) -> bool:
    return "." not in name.lstrip(".") and name != "Pipfile"


_OPTION = regex(r"\s*(-r|--requirement|-c|--constraint|-e|--editable)[ =]?\s*(\S+)")


def _of_requirements(path: str, lines: list[str], found: Inputs) -> Iterator[str]:
    for line in lines:
        bare = line.partition(" #")[0].strip()
        option = _OPTION.match(bare)
        links = re.match(r"(-f|--find-links)[ =]\s*(\S+)", bare)
        if links and "://" not in links[2]:
            found.unknown = found.unknown or f"{path} looks for packages in {links[2]}"
        elif option and option[1] in ("-r", "--requirement", "-c", "--constraint"):
            if "://" not in option[2]:
                yield option[2]
        elif option:
            if "://" not in option[2] and not option[2].startswith("git+"):
                found.projects.append((path, bare))
        elif (
            re.match(r"(\.{1,2}(/|\[|\Z)|file:|[^\s#;@]+/[^\s#;@]*\Z)", bare) and "://" not in bare
        ):
            if bare.partition(";")[0].rstrip().endswith((".whl", ".tar.gz", ".zip")):
                yield bare.partition(";")[0].strip().removeprefix("file:")
            else:
                found.projects.append((path, bare))


def _of_environment(path: str, text: str, found: Inputs) -> Iterator[str]:
    try:
        document = load_yaml(text, Path(path))
    except (DockerCacheError, ValueError):
        found.unknown = found.unknown or f"{path} cannot be read"
        return
    dependencies = document.get("dependencies") if isinstance(document, dict) else None
    for item in dependencies if isinstance(dependencies, list) else ():
        if isinstance(item, dict) and isinstance(item.get("pip"), list):
            yield from _of_requirements(path, [str(line) for line in item["pip"]], found)


def _of_toml(path: str, text: str, found: Inputs) -> Iterator[str]:
    try:
        document = load_toml(text, Path(path))
    except ConfigError:
        found.unknown = found.unknown or f"{path} cannot be read"
        return
    if posixpath.basename(path) == "pyproject.toml":
        dynamic = document.get("project", {}).get("dynamic", [])
        if set(dynamic) & {"dependencies", "optional-dependencies"}:
            found.unknown = found.unknown or (
                f"{path} leaves its dependencies to the build of the project (dynamic)"
            )
        if _table(document, "tool", "uv", "workspace"):
            found.workspace = path
    for place in _DEPENDENCIES:
        for value in _local_paths(_table(document, *place)):
            found.projects.append((path, f'path = "{value}"'))
    yield from ()


_DEPENDENCIES = (
    ("tool", "uv", "sources"),
    ("tool", "poetry", "dependencies"),
    ("tool", "poetry", "dev-dependencies"),
    ("tool", "poetry", "group"),
    ("tool", "pdm", "dev-dependencies"),
    ("tool", "pixi"),
    ("dependencies",),
    ("pypi-dependencies",),
    ("feature",),
    ("packages",),
    ("dev-packages",),
)
"""Tables whose ``path = "…"`` is a dependency; elsewhere it names a file of the project."""


def _table(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _local_paths(value: Any) -> Iterator[str]:
    """Every relative ``path = "…"`` in a table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "path" and isinstance(inner, str) and not inner.startswith("/"):
                if len(value) <= 4:
                    yield inner
            else:
                yield from _local_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _local_paths(inner)
