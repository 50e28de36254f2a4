"""Locks: the packages that a command installs from a lock, given an image's Python and platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from ...errors import Unverifiable
from ...values import dataclass
from ..documents import load_toml
from ..markers import Machine
from ..requirement_files import file_text
from ..requirements import Requirements
from ..selection import LockSelection
from . import pdm, pipenv, poetry, pylock, uv
from .graph import Applies, Projects

__all__ = ["LockFormat", "format_of", "lock_requirements"]

Resolve = Callable[[Mapping[str, Any], Projects, LockSelection, Applies, str], Requirements]
"""From a lock's document, the projects around it and a selection to the installed packages."""


@dataclass(frozen=True)
class LockFormat:
    """A format of lock: how its text is read, and how packages are chosen."""

    load: Callable[[str, Path], Mapping[str, Any]]
    resolve: Resolve


def format_of(path: Path) -> LockFormat | None:
    """The format of the lock that a file is by its name, None for any other file."""
    name = path.name.lower()
    if name.startswith("pylock.") and name.endswith(".toml"):
        return _FORMATS["pylock.toml"]
    return _FORMATS.get(name)


def lock_requirements(
    text: str, path: Path, form: LockFormat, selection: LockSelection | None
) -> Requirements:
    """The packages that a command installs from a lock, as a value that still needs the Python.

    Raises ConfigError for a text that is no such lock.
    """
    document = form.load(text, path)
    chosen = LockSelection() if selection is None else selection
    return Requirements(
        str(path),
        "lock",
        removes=bool(chosen.removes),
        choose=partial(_chosen, document, path, form, chosen),
    )


def _chosen(
    document: Mapping[str, Any],
    path: Path,
    form: LockFormat,
    selection: LockSelection,
    machine: Machine,
) -> Requirements:
    if selection.unknown:
        words = ", ".join(selection.unknown)
        raise Unverifiable(
            f"which part of {path.name} is installed only the running container knows: {words}"
        )
    return form.resolve(document, _projects_beside(path), selection, _applies(machine), str(path))


def _projects_beside(path: Path) -> Projects:
    """The projects in a lock's directory and below it, but none that lies outside."""

    @cache
    def project(place: str) -> Mapping[str, Any]:
        beside = path.parent / place / "pyproject.toml"
        if not beside.resolve().is_relative_to(path.parent.resolve()) or not beside.is_file():
            return {}
        return load_toml(file_text(beside), beside)

    return project


def _applies(machine: Machine) -> Applies:
    """Whether markers hold on a machine; each is evaluated once, for locks repeat them often."""
    from packaging.markers import InvalidMarker, Marker

    @cache
    def applies(text: str) -> bool | None:
        if not text:
            return True
        try:
            return machine.fulfils(Marker(text))
        except InvalidMarker:
            return None

    return applies


def _flat(
    resolve: Callable[[Mapping[str, Any], LockSelection, Applies, str], Requirements],
) -> Resolve:
    """A format whose locks say everything by themselves."""

    def with_project(
        document: Mapping[str, Any],
        projects: Projects,
        selection: LockSelection,
        applies: Applies,
        source: str,
    ) -> Requirements:
        return resolve(document, selection, applies, source)

    return with_project


_FORMATS: Mapping[str, LockFormat] = {
    "uv.lock": LockFormat(load_toml, uv.resolve),
    "poetry.lock": LockFormat(load_toml, poetry.resolve),
    "pdm.lock": LockFormat(load_toml, pdm.resolve),
    "pylock.toml": LockFormat(load_toml, pylock.resolve),
    "pipfile.lock": LockFormat(pipenv.load, _flat(pipenv.resolve)),
}
