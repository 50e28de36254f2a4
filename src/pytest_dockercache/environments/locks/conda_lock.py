"""``conda-lock.yml``: the packages of conda and of PyPI for each platform, by category."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ..documents import not_understood
from ..match_specs import MatchSpec, parse_package_url
from ..names import normalised
from ..platforms import subdir
from ..requirements import Requirements
from ..selection import LockSelection

__all__ = ["resolve"]


def resolve(
    document: Mapping[str, Any], selection: LockSelection | None, platform: str, source: str
) -> Requirements:
    """The packages that ``conda-lock install`` or ``micromamba`` installs from a lock.

    Without a selection, categories other than ``main`` are allowed and not
    demanded. Raises ConfigError for a platform that the lock does not have.
    """
    here = subdir(platform)
    categories = None if selection is None else _categories(selection)
    specs: list[MatchSpec] = []
    pip: list[str] = []
    unverified: list[str] = []
    optional: set[str] = set()
    demanded: set[str] = set()
    digests: dict[str, str] = {}
    platforms = set()
    for item in document["package"]:
        if not isinstance(item, dict) or not item.get("name") or item.get("version") is None:
            raise ConfigError(not_understood(source, "package", item))
        platforms.add(str(item.get("platform")))
        if item.get("platform") != here:
            continue
        name, version = str(item["name"]).lower(), str(item["version"])
        is_pip = item.get("manager") == "pip"
        key = normalised(name) if is_pip else name
        category = str(item.get("category") or "main")
        if categories is not None and category not in categories:
            continue
        if categories is None and (item.get("optional") or category != "main"):
            optional.add(key)
        else:
            demanded.add(key)
        url = str(item.get("url") or "")
        if is_pip:
            if url.startswith(("git+", "file:")):
                unverified.append(f"{name} ({url})")
            pip.append(f"{name}=={version}")
            continue
        build = str(item.get("build") or "")
        if not build and re.search(r"\.(conda|tar\.bz2)$", url):
            build = parse_package_url(url).build
        specs.append(MatchSpec(name, version, build, "", f"{name}={version}={build}"))
        hashes = item.get("hash")
        for kind in ("sha256", "md5"):
            if isinstance(hashes, dict) and hashes.get(kind):
                digests[name] = f"{kind}:{hashes[kind]}"
                break
    if here not in platforms:
        known = ", ".join(sorted(str(name) for name in platforms)) or "none"
        raise ConfigError(f"{source} has no packages for {here}; it has: {known}")
    return Requirements(
        source,
        "conda-lock",
        tuple(dict.fromkeys(specs)),
        tuple(dict.fromkeys(pip)),
        tuple(unverified),
        frozenset(optional - demanded),
        digests=digests,
    )


def _categories(selection: LockSelection) -> frozenset[str]:
    """The categories that a command installs; a package that several need is listed in each."""
    if selection.only:
        return frozenset((*selection.only, *selection.extras))
    dev = ("dev",) if selection.dev else ()
    return frozenset(("main", *dev, *selection.extras))
