"""``pdm.lock``: packages with their groups and markers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Unverifiable
from ..documents import table
from ..installed import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, Selection
from .graph import Applies, Pin, Projects, file_digests, listed, merged, requirements_of, text_of

__all__ = ["pdm_groups", "resolve"]

_KEPT = ("pip", "setuptools", "wheel", "pdm")
"""Packages that ``pdm sync --clean`` leaves where they are."""


def resolve(
    document: Mapping[str, Any],
    projects: Projects,
    selection: Selection,
    applies: Applies,
    source: str,
) -> Requirements:
    """What ``pdm sync`` installs of a lock; ``projects`` are those around it.

    Raises ConfigError for what is no such lock, Unverifiable for one that
    leaves out which group needs a package.
    """
    project = projects(".")
    packages = listed(document, "package", source)
    metadata = table(document, "metadata")
    locked = metadata.get("groups")
    every = [str(name) for name in locked] if isinstance(locked, list) else []
    if any("groups" not in package for package in packages):
        raise Unverifiable(
            f"{source} does not say which groups need a package; "
            "lock with the strategy inherit_metadata"
        )
    groups = pdm_groups(project, every, selection)
    pins, optional = [], {*_KEPT}
    for package in packages:
        name, marker = normalised(text_of(package, "name")), text_of(package, "marker")
        holds = applies(marker)
        own = package.get("groups")
        if not groups.isdisjoint(map(str, own) if isinstance(own, list) else ()):
            if holds is not False:
                pins.append(_pin(package, "" if holds else marker))
        elif selection.removes == "unlisted":
            optional.add(name)
    if selection.project and "default" in groups and (root := _root(project)):
        pins.append(root)
    return requirements_of(source, merged(pins), removes=bool(selection.removes), optional=optional)


def pdm_groups(
    project: Mapping[str, Any], locked: list[str], selection: Selection
) -> frozenset[str]:
    """The groups that PDM installs, as its ``GroupSelection`` has it (pdm 2.29, cli/filters.py)."""
    poetic = table(project, "tool", "pdm", "dev-dependencies")
    dev = {normalised(str(name)) for name in (*table(project, "dependency-groups"), *poetic)}
    optional = {
        normalised(str(name)) for name in table(project, "project", "optional-dependencies")
    }
    existing = {"default", *dev, *optional}
    asked = {normalised(name) for name in selection.groups if name != EVERYTHING}
    everything = EVERYTHING in selection.groups
    said_dev = selection.dev
    if selection.without and not selection.groups and said_dev is None:
        everything = True
    if selection.default and said_dev is None and not asked and not everything:
        found = {normalised(name) for name in locked} or {"default", *dev}
        return frozenset(found & existing)
    found = set(asked)
    if said_dev is not False and not (asked & dev):
        found |= dev
    if everything:
        found |= optional
    if selection.default:
        found.add("default")
    found -= {normalised(name) for name in selection.without}
    return frozenset(found & existing)


def _pin(package: Mapping[str, Any], doubt: str) -> Pin:
    name, version = normalised(text_of(package, "name")), text_of(package, "version")
    if url := text_of(package, "git"):
        commit = text_of(package, "revision")
        digests = frozenset({f"commit:{commit}"}) if commit else frozenset[str]()
        return Pin(name, version, doubt, digests, url)
    if path := text_of(package, "path"):
        return Pin(name, "", doubt, direct=path)
    digests = file_digests(package.get("files"))
    return Pin(name, version, doubt, digests, text_of(package, "url"))


def _root(project: Mapping[str, Any]) -> Pin | None:
    name = text_of(table(project, "project"), "name")
    tool = table(project, "tool", "pdm")
    is_distribution = tool.get("distribution", tool.get("package-type") != "application")
    if not name or is_distribution is False:
        return None
    return Pin(normalised(name), text_of(table(project, "project"), "version"), direct=".")
