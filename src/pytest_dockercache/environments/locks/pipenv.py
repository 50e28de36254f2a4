"""``Pipfile.lock``: a flat list of packages for each category."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..names import normalised
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import Applies, LockedPackage, digests_of, merged, requirements_of, text_of

__all__ = ["load", "resolve"]

_KEPT = ("pip", "setuptools", "wheel", "pipenv", "virtualenv")
_SECTIONS = {"packages": "default", "dev-packages": "develop"}
"""The section of the lock by the section of the Pipfile."""


def load(text: str, path: Path) -> Mapping[str, Any]:
    """The document of a lock. Raises ConfigError for a text that is no ``Pipfile.lock``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: invalid JSON: {error}; lock it again") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no lock of pipenv: a table is needed; lock it again")
    return document


def resolve(
    document: Mapping[str, Any], selection: LockSelection, applies: Applies, source: str
) -> Requirements:
    """The packages that ``pipenv sync`` or ``pipenv install`` installs from a lock."""
    pins, every = [], {*_KEPT}
    sections = _sections(document, selection)
    for section, packages in document.items():
        if section == "_meta":
            continue
        if not isinstance(packages, dict):
            raise ConfigError(f"{source} has {section!r} that is no table; lock it again")
        every |= {normalised(str(name)) for name in packages}
        if section not in sections:
            continue
        for name, entry in packages.items():
            fields = entry if isinstance(entry, dict) else {"version": entry}
            marker = text_of(fields, "markers")
            holds = applies(marker)
            if holds is not False:
                pins.append(_pin(str(name), fields, "" if holds else marker))
    return requirements_of(
        source,
        merged(pins),
        removes=bool(selection.removes),
        optional=every if selection.removes else (),
    )


def _sections(document: Mapping[str, Any], selection: LockSelection) -> frozenset[str]:
    if EVERYTHING in selection.only:
        return frozenset(document)
    if selection.only:
        return frozenset(_SECTIONS.get(name, name) for name in selection.only)
    dev = ["develop"] if selection.dev else []
    return frozenset(("default", *dev, *selection.extras))


def _pin(name: str, fields: Mapping[str, Any], doubt: str) -> LockedPackage:
    version = text_of(fields, "version").removeprefix("===").removeprefix("==")
    # An entry that pins no single version ("*", ">=2") says nothing about the installed one.
    exact = "" if version[:1] in ("", "*", ">", "<", "~", "!") else version
    for key in ("git", "path", "file", "url"):
        if isinstance(fields.get(key), str):
            commit = text_of(fields, "ref") if key == "git" else ""
            digests = frozenset({f"commit:{commit}"}) if commit else frozenset[str]()
            return LockedPackage(normalised(name), exact, doubt, digests, text_of(fields, key))
    return LockedPackage(normalised(name), exact, doubt, digests_of(fields.get("hashes")))
