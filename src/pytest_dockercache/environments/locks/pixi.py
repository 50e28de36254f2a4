"""``pixi.lock``: the packages of conda and of PyPI for each environment and platform."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, Unverifiable
from ..documents import not_understood, table
from ..match_specs import MatchSpec, parse_package_url
from ..names import normalised
from ..platforms import subdir
from ..requirements import Requirements
from ..selection import EVERYTHING, LockSelection
from .graph import text_of

__all__ = ["DEFAULT", "resolve"]

DEFAULT = LockSelection(environment="default", removes="unselected")
"""The selection of a bare ``pixi install``."""


def resolve(
    document: Mapping[str, Any], selection: LockSelection, platform: str, source: str
) -> Requirements:
    """The packages that ``pixi install`` installs from a lock into one environment.

    Raises ConfigError for an environment or a platform that the lock does not have, and for a
    document that is no ``pixi.lock``.
    """
    name = selection.environment or "default"
    if name == EVERYTHING:
        raise Unverifiable(f"all environments of {source} are installed, one beside the other")
    environments = table(document, "environments")
    if name not in environments:
        known = ", ".join(sorted(map(str, environments))) or "none"
        raise ConfigError(f"{source} has no environment {name}; it has: {known}")
    here = subdir(platform)
    platforms = table(environments, name, "packages")
    if here not in platforms:
        known = ", ".join(sorted(map(str, platforms))) or "none"
        raise ConfigError(f"{source} has no packages for {here}; it has: {known}")
    packages = _by_key(document)
    left_out = {normalised(item) for item in selection.left_out}
    made = _PixiRequirements(source)
    entries = platforms[here]
    for entry in entries if isinstance(entries, list) else ():
        kind, url = _key(entry if isinstance(entry, dict) else {})
        package = packages.get((kind, url), {})
        if kind == "conda":
            made.add_conda(url, package, left_out)
        elif kind == "pypi":
            made.add_pypi(url, package, left_out)
        else:
            raise Unverifiable(not_understood(source, "package", entry))
    return made.requirements(removes=not left_out and bool(selection.removes))


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    """How the lists of environments name a package: its kind, and its URL or path."""
    for kind in ("conda", "pypi"):
        if isinstance(entry.get(kind), str):
            return kind, entry[kind]
    return "", ""


def _by_key(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    packages = document.get("packages")
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for package in packages if isinstance(packages, list) else ():
        if not isinstance(package, dict):
            continue
        # Version 5 and before: kind, and url or path.
        kind = text_of(package, "kind")
        place = text_of(package, "url") or text_of(package, "path")
        found[(kind, place) if kind else _key(package)] = package
    return found


class _PixiRequirements:
    """The requirements of one environment, package by package."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.conda: list[MatchSpec] = []
        self.pip: list[str] = []
        self.optional: set[str] = set()
        self.unverified: list[str] = []
        self.digests: dict[str, str] = {}
        self.alternatives: dict[str, frozenset[str]] = {}

    def add_conda(self, url: str, package: Mapping[str, Any], left_out: set[str]) -> None:
        if not re.search(r"\.(conda|tar\.bz2)\Z", url):
            name = text_of(package, "name") or posixpath.basename(url.rstrip("/")) or url
            self.optional.add(name.lower())
            self.unverified.append(f"{url} (built from source)")
            return
        spec = parse_package_url(url)
        if normalised(spec.name) in left_out:
            self.optional.add(spec.name)
            return
        self.conda.append(spec)
        for kind in ("sha256", "md5"):
            if text_of(package, kind):
                self.digests[spec.name] = f"{kind}:{package[kind]}"
                break

    def add_pypi(self, url: str, package: Mapping[str, Any], left_out: set[str]) -> None:
        name, version = _distribution(url, package)
        if not name:
            self.unverified.append(url)
            return
        name = normalised(name)
        if name in left_out:
            self.optional.add(name)
            return
        self.pip.append(f"{name}=={version}" if version else name)
        if commit := re.search(r"\Agit\+.*#([0-9a-f]{40})\Z", url):
            self.alternatives[name] = frozenset({f"commit:{commit[1]}"})
        elif text_of(package, "sha256") and url.startswith(("https://", "http://")):
            self.alternatives[name] = frozenset({f"sha256:{package['sha256']}"})

    def requirements(self, *, removes: bool) -> Requirements:
        return Requirements(
            self.source,
            "lock",
            tuple(self.conda),
            tuple(self.pip),
            tuple(self.unverified),
            frozenset(self.optional),
            digests=self.digests,
            alternatives=self.alternatives,
            removes=removes,
        )


def _distribution(url: str, package: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of a package of PyPI; the version of a directory may have moved on."""
    version = package.get("version") if re.match(r"\w+(\+\w+)?://", url) else None
    return text_of(package, "name"), "" if version is None else str(version)
