"""``pylock.toml`` (PEP 751): a flat list of packages with markers over extras and groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..documents import table, unknown_version
from ..names import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import (
    Applies,
    LockedPackage,
    Projects,
    chosen,
    digests_of,
    listed,
    merged,
    requirements_of,
    text_of,
)
from .pdm import pdm_groups

__all__ = ["resolve"]

_KEPT = ("pip", "setuptools", "wheel", "uv", "pip-tools", "pdm")


def resolve(
    document: Mapping[str, Any],
    projects: Projects,
    selection: LockSelection,
    applies: Applies,
    source: str,
) -> Requirements:
    """The packages that an installer takes from a lock: of the requested or the default groups.

    PDM takes the groups that it would take from a lock of its own.

    Raises ConfigError for a document that is no such lock, Unverifiable for
    one of a later version.
    """
    version = text_of(document, "lock-version")
    if not version.startswith("1."):
        raise unknown_version(source, version)
    if selection.tool == "pdm":
        locked = [*_names(document, "dependency-groups"), *_names(document, "extras")]
        groups = pdm_groups(projects("."), locked, selection)
        active = {"extras": groups, "dependency_groups": groups}
    else:
        active = {
            "extras": _wanted(selection.extras, _names(document, "extras")),
            "dependency_groups": _groups(document, selection),
        }
    pins = []
    for package in listed(document, "packages", source):
        marker = chosen(text_of(package, "marker"), active)
        holds = applies(marker)
        if holds is not False:
            pins.append(_pin(package, "" if holds else marker))
    left_out = {normalised(name) for name in selection.left_out}
    pins = [pin for pin in pins if pin.name not in left_out]
    return requirements_of(source, merged(pins), removes=bool(selection.removes), optional=_KEPT)


def _names(document: Mapping[str, Any], key: str) -> list[str]:
    value = document.get(key)
    return [str(name) for name in value] if isinstance(value, list) else []


def _wanted(names: tuple[str, ...], declared: Iterable[str]) -> frozenset[str]:
    return frozenset(declared if EVERYTHING in names else names)


def _groups(document: Mapping[str, Any], selection: LockSelection) -> frozenset[str]:
    """The groups that the command asks for; without any, the default groups.

    packaging's ``Pylock.select`` (26.0) and uv 0.13 choose alike.
    """
    if selection.groups:
        return _wanted(selection.groups, _names(document, "dependency-groups"))
    return frozenset(_names(document, "default-groups"))


def _pin(package: Mapping[str, Any], doubt: str) -> LockedPackage:
    name, version = normalised(text_of(package, "name")), text_of(package, "version")
    vcs, directory, archive = (table(package, key) for key in ("vcs", "directory", "archive"))
    if vcs:
        commit = text_of(vcs, "commit-id")
        digests = frozenset({f"commit:{commit}"}) if commit else frozenset[str]()
        return LockedPackage(
            name, version, doubt, digests, text_of(vcs, "url") or text_of(vcs, "path")
        )
    if directory:
        return LockedPackage(name, version, doubt, direct=text_of(directory, "path"))
    if archive:
        place = text_of(archive, "url") or text_of(archive, "path")
        return LockedPackage(name, version, doubt, digests_of(archive.get("hashes")), place)
    files = [*listed(package, "wheels", name), table(package, "sdist")]
    digests = frozenset(digest for file in files for digest in digests_of(file.get("hashes")))
    return LockedPackage(name, version, doubt, digests)
