"""A project's own metadata: its name and its dependencies."""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..values import dataclass
from .documents import load_toml, table
from .tools.command_lines import package_name

__all__ = ["OwnProject", "read_project"]


@dataclass(frozen=True)
class OwnProject:
    """A project's ``name`` and the names of its ``dependencies``, None if they are not known.

    Names are as indexes normalise them. ``optional`` says whether an extra or a group may bring
    further dependencies; ``extras`` maps an extra's name to its dependencies. ``certain`` are the
    dependencies that come from an index whatever the platform is: no marker, path or workspace
    makes them doubtful.
    """

    name: str
    dependencies: frozenset[str] | None
    optional: bool = True
    certain: frozenset[str] = frozenset()
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def needs(self, extras: Iterable[str]) -> frozenset[str]:
        """The packages that the project plainly needs from an index with some of its extras."""
        brought = [self.extras.get(name, frozenset[str]()) for name in extras]
        return self.certain.union(*brought) - {self.name}


def read_project(directory: str, read: Callable[[str], str | None]) -> OwnProject | None:
    """The project in a directory; None where the project has no metadata that can be read.

    ``read`` gives the text of a file by its path, None where it is not known.
    """
    text = read(posixpath.join(directory, "pyproject.toml"))
    found = None if text is None else _of_pyproject(text, directory)
    if found is not None:
        return found
    text = read(posixpath.join(directory, "setup.cfg"))
    found = None if text is None else _of_setup_cfg(text)
    if found is not None:
        return found
    text = read(posixpath.join(directory, "setup.py"))
    name = None if text is None else re.search(r"""\bname\s*=\s*["']([\w.-]+)["']""", text)
    return OwnProject(package_name(name[1]), None) if name else None


def _of_pyproject(text: str, directory: str) -> OwnProject | None:
    try:
        document = load_toml(text, Path(directory, "pyproject.toml"))
    except ConfigError:
        return None
    project, poetry = table(document, "project"), table(document, "tool", "poetry")
    name = project.get("name") or poetry.get("name")
    if not isinstance(name, str):
        return None
    dynamic = project.get("dynamic")
    listed = project.get("dependencies")
    needed: frozenset[str] | None = None
    if isinstance(listed, list):
        needed = frozenset(package_name(str(item)) for item in listed)
    elif poetry.get("dependencies") is not None and not listed:
        names = table(poetry, "dependencies")
        needed = frozenset(package_name(item) for item in names) - {"python"}
    elif project and not (isinstance(dynamic, list) and "dependencies" in dynamic):
        needed = frozenset()
    optional = (
        bool(project.get("optional-dependencies") or document.get("dependency-groups"))
        or (isinstance(dynamic, list) and "optional-dependencies" in dynamic)
        or any(poetry.get(key) for key in ("extras", "group", "dev-dependencies"))
    )
    return OwnProject(package_name(name), needed, optional, *_certain(project, poetry, document))


def _certain(
    project: Mapping[str, Any], poetry: Mapping[str, Any], document: Mapping[str, Any]
) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """The packages that a project and its extras need from an index on every platform."""
    local = frozenset(map(package_name, table(document, "tool", "uv", "sources")))
    if isinstance(project.get("dependencies"), list):
        extras = table(project, "optional-dependencies")
        return _unmarked(project["dependencies"]) - local, {
            package_name(name): _unmarked(listed) - local
            for name, listed in extras.items()
            if isinstance(listed, list)
        }
    plain = {
        package_name(name)
        for name, value in table(poetry, "dependencies").items()
        if isinstance(value, str) or (isinstance(value, dict) and set(value) <= _UNMARKED)
    }
    return frozenset(plain) - {"python"}, {}


_UNMARKED = frozenset({"version", "extras", "source", "allow-prereleases"})
"""Keys of a dependency of Poetry's that leave it neither optional nor bound to a platform."""


def _unmarked(listed: Iterable[object]) -> frozenset[str]:
    texts = [str(item) for item in listed]
    return frozenset(package_name(text) for text in texts if not {";", "@"} & set(text)) - {""}


def _of_setup_cfg(text: str) -> OwnProject | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    name = parser.get("metadata", "name", fallback="")
    if not name:
        return None
    listed = parser.get("options", "install_requires", fallback=None)
    needed = None
    if listed is not None and "file:" not in listed:
        needed = frozenset(package_name(line) for line in listed.splitlines() if line.strip())
    return OwnProject(package_name(name), needed)
