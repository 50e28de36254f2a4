"""Files that an installation reads besides its manifest: includes, locks, settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from ..environments.documents import load_toml, load_yaml
from ..errors import ConfigError, DockerCacheError
from ..regexes import regex
from ..values import dataclass

__all__ = ["SETTINGS", "Inputs", "inputs_of", "local_source"]

SETTINGS = frozenset({"pip.conf", "pip.ini", ".condarc", "condarc", ".mambarc", ".pydistutils.cfg"})
"""Names of files in which installers look for settings, wherever they lie."""

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
        for address in _file_addresses(path, text):
            found.projects.append((path, address))
        for include in _includes(path, text, found):
            waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), include)))
    return found


_LOCAL_SOURCE = regex(
    r"find[-_]links[\"']?\s*[=:]\s*\[?\s*[\"']?(?!https?:)([^\s\"',\]]+)"
    r"|(?:channels?|index[-_]url|url|default[-_]index|subdir)\b[^\n#]*?[\"'\s\[](file:[^\s\"',\]]+|\.{0,2}/[^\s\"',\]]*)"
    r"|^\s*-\s*[\"']?(file:[^\s\"']+|\.{1,2}/[^\s\"']*|/[^\s\"']+)[\"']?\s*$",
    re.MULTILINE,
)


def local_source(text: str) -> str:
    """The place in the image where settings make an installer look for packages, "" for none."""
    found = _LOCAL_SOURCE.search(text)
    return next(filter(None, found.groups()), "") if found is not None else ""


_FILE_ADDRESS = regex(r"(?<!-r )(?<!-c )(?<![\w/.-])file:[^\s\"',;)\]]+")


_NAMES_PACKAGE = regex(r"@|-e\s|\.(conda|tar\.bz2|whl|tar\.gz|zip)\b")


def _file_addresses(path: str, text: str) -> Iterator[str]:
    """The packages that a manifest names by the address of a file (``a @ file:///app/a.whl``)."""
    is_lock = path.endswith((".lock", ".json")) or "-lock." in path
    if is_lock or posixpath.basename(path) in SETTINGS:
        return
    # A channel of an environment file is a directory of packages, which is named without more.
    has_channels = path.endswith((".yml", ".yaml"))
    for line in text.splitlines():
        if "file:" not in line or line.lstrip().startswith("#"):
            continue
        if not has_channels or _NAMES_PACKAGE.search(line):
            yield from _FILE_ADDRESS.findall(line.partition(" #")[0])


def _includes(path: str, text: str, found: Inputs) -> Iterator[str]:
    name = posixpath.basename(path)
    if name in SETTINGS and local_source(text):
        found.unknown = found.unknown or f"{path} looks for packages in {local_source(text)}"
    if name.endswith((".yml", ".yaml")) and not name.startswith("conda-lock"):
        yield from _of_environment(path, text, found)
    elif name.endswith((".txt", ".in", ".pip")) or _is_bare(name):
        yield from _of_requirements(path, text.splitlines(), found)
    elif name.endswith(".toml") or name == "Pipfile":
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
                yield option[2].removeprefix("file:")
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
    channels = document.get("channels") if isinstance(document, dict) else None
    for channel in channels if isinstance(channels, list) else ():
        if re.match(r"file:|\.{0,2}/", str(channel)):
            found.unknown = found.unknown or f"{path} looks for packages in {channel}"
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
    local = _local_index(document)
    if local:
        found.unknown = found.unknown or f"{path} looks for packages in {local}"
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


def _local_index(document: Any) -> str:
    """The directory that a table of settings names as a source of packages, "" for none."""
    tables = (document, _table(document, "tool", "uv"), _table(document, "pip"))
    values: list[Any] = []
    for table in (*tables, _table(document, "tool", "uv", "pip")):
        values += [_table(table, "find-links"), _table(table, "index-url")]
        values += [_table(table, "extra-index-url"), _table(table, "index")]
    values += [
        _table(document, "tool", "pdm", "source"),
        _table(document, "tool", "poetry", "source"),
    ]
    values += [_table(document, "tool", "pixi", "workspace", "channels")]
    values += [_table(document, "tool", "pixi", "project", "channels"), _table(document, "source")]
    values += [_table(document, "workspace", "channels"), _table(document, "project", "channels")]
    return next(filter(None, (_local_address(value) for value in values)), "")


def _local_address(value: Any) -> str:
    if isinstance(value, list):
        return next(filter(None, map(_local_address, value)), "")
    if isinstance(value, dict):
        return _local_address(value.get("url"))
    if not isinstance(value, str) or re.match(r"(?!file:)[a-z+]+://|[\w-]+\Z", value):
        return ""
    return value


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


def _is_elsewhere(place: str) -> bool:
    return place.startswith("/") or "://" in place


def _local_paths(value: Any) -> Iterator[str]:
    """Every relative ``path = "…"`` or ``file = "…"`` in a table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("path", "file") and isinstance(inner, str) and not _is_elsewhere(inner):
                if len(value) <= 4:
                    yield inner
            else:
                yield from _local_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _local_paths(inner)
