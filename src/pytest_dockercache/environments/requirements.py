"""What should be installed: environment files, requirement files and locks as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError, Unverifiable
from .documents import load_yaml, yaml_line
from .installed import normalised
from .match_specs import MatchSpec, parse_package_url, parse_spec
from .platforms import subdir
from .tools.conda import is_explicit

__all__ = ["Requirements", "parse_requirements", "read_requirements"]

Kind = Literal["environment", "export", "explicit", "conda-lock", "pip"]
"""The form of a file: ``environment`` and ``pip`` are satisfied, the others are equalled."""


@dataclass(frozen=True)
class Requirements:
    """What a file asks for.

    ``conda`` are match specs, ``pip`` requirement lines as PEP 508 has them,
    ``unverified`` the entries that installed metadata cannot confirm (URLs,
    local projects, option lines). A lock (``exact``) also says that nothing
    else is installed: ``optional`` names the packages that it allows and
    does not demand; ``managers`` are the package managers it speaks for.
    """

    source: str
    kind: Kind
    conda: tuple[MatchSpec, ...] = ()
    pip: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    name: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether packages that the file does not name are too many."""
        return self.kind in ("export", "explicit", "conda-lock")

    @property
    def managers(self) -> tuple[str, ...]:
        """The package managers whose packages an exact file lists completely."""
        return ("conda",) if self.kind == "explicit" else ("conda", "pip")


def read_requirements(
    path: Path, *, platform: str = "linux/amd64", specs: bool = False
) -> Requirements:
    """Read ``environment.yml``, the output of ``conda env export``, an ``@EXPLICIT`` list,
    ``conda-lock.yml``, or a plain list: requirements of pip, with ``specs`` conda's match specs.

    ``platform`` is the image's: a conda-lock file has one list for each.
    Raises ConfigError with the position for what cannot be read, Unverifiable
    where a file that it includes is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return parse_requirements(text, path, platform=platform, specs=specs)


def parse_requirements(
    text: str, path: Path, *, platform: str = "linux/amd64", specs: bool = False
) -> Requirements:
    """The same for text; ``path`` names it, and is where ``-r`` lines of its pip part start."""
    if is_explicit(text):
        return _parse_explicit(text, path)
    if path.suffix.lower() in (".txt", ".in") and specs:
        lines = enumerate((re.sub(r"(^|\s)#.*$", "", line) for line in text.splitlines()), 1)
        listed = tuple(_spec(line, path, number) for number, line in lines if line.strip())
        return Requirements(str(path), "environment", listed)
    if path.suffix.lower() in (".txt", ".in"):
        pip, unverified = _pip_lines(text.splitlines(), path.parent, str(path))
        return Requirements(str(path), "pip", pip=pip, unverified=unverified)
    document = _load(text, path)
    if isinstance(document.get("package"), list):
        return _parse_conda_lock(document, path, platform)
    return _parse_environment(document, path, text)


def _load(text: str, path: Path) -> dict[str, Any]:
    document = load_yaml(text, path)
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no environment file: a mapping with dependencies: is needed")
    return document


def _parse_environment(document: Mapping[str, Any], path: Path, text: str) -> Requirements:
    dependencies = document.get("dependencies")
    if not isinstance(dependencies, list):
        raise ConfigError(f"{path} has no list of dependencies:")
    specs: list[MatchSpec] = []
    pip: list[str] = []
    for number, item in enumerate(dependencies):
        if isinstance(item, str):
            try:
                specs.append(parse_spec(item))
            except ConfigError:
                specs.append(_spec(item, path, yaml_line(text, ("dependencies", number))))
        elif isinstance(item, dict) and list(item) == ["pip"] and isinstance(item["pip"], list):
            pip.extend(str(line) for line in item["pip"])
        elif item is not None:
            raise ConfigError(f"{path} has the dependency {item!r}, which is not understood")
    specs = [spec for spec in specs if not spec.name.startswith("__")]
    # conda env export writes the prefix, and without --no-builds a build for every package.
    exported = all(spec.exact for spec in specs) or (
        bool(document.get("prefix")) and all(spec.plain for spec in specs)
    )
    exported = exported and bool(specs)
    lines, unverified = _pip_lines(pip, path.parent, str(path))
    return Requirements(
        str(path),
        "export" if exported else "environment",
        tuple(specs),
        lines,
        unverified,
        name=str(document.get("name") or ""),
    )


def _spec(text: str, path: Path, line: int | None) -> MatchSpec:
    """A match spec of a file. Raises ConfigError with the place for what is none."""
    try:
        return parse_spec(text)
    except ConfigError as error:
        raise ConfigError(f"{path}{f':{line}' if line else ''}: {error}") from None


def _parse_explicit(text: str, path: Path) -> Requirements:
    specs: list[MatchSpec] = []
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "@")):
            continue
        try:
            spec = parse_package_url(line)
        except ConfigError as error:
            raise ConfigError(f"{path}:{number}: {error}") from None
        specs.append(spec)
        _, _, digest = line.partition("#")
        if digest:
            kind = "sha256:" if len(digest.removeprefix("sha256:")) == 64 else "md5:"
            digests[spec.name] = kind + digest.removeprefix("sha256:").lower()
    return Requirements(str(path), "explicit", tuple(specs), digests=digests)


def _parse_conda_lock(document: Mapping[str, Any], path: Path, platform: str) -> Requirements:
    here = subdir(platform)
    specs: list[MatchSpec] = []
    pip: list[str] = []
    unverified: list[str] = []
    optional: set[str] = set()
    digests: dict[str, str] = {}
    platforms = set()
    for item in document["package"]:
        if not isinstance(item, dict) or not item.get("name") or item.get("version") is None:
            raise ConfigError(f"{path} has the package {item!r}, which is not understood")
        platforms.add(item.get("platform"))
        if item.get("platform") != here:
            continue
        name, version = str(item["name"]).lower(), str(item["version"])
        category = item.get("category") or "main"
        if item.get("optional") or category != "main":
            optional.add(name if item.get("manager") != "pip" else normalised(name))
        url = str(item.get("url") or "")
        if item.get("manager") == "pip":
            if url.startswith(("git+", "file:")):
                unverified.append(f"{name} ({url})")
            pip.append(f"{name}=={version}")
            continue
        build = str(item.get("build") or "")
        if not build and re.search(r"\.(conda|tar\.bz2)$", url):
            build = parse_package_url(url).build
        specs.append(MatchSpec(name, version, build, "", f"{name}={version}={build}"))
        hashes = item.get("hash") or {}
        for kind in ("sha256", "md5"):
            if hashes.get(kind):
                digests[name] = f"{kind}:{hashes[kind]}"
                break
    if here not in platforms:
        known = ", ".join(sorted(str(name) for name in platforms)) or "none"
        raise ConfigError(f"{path} has no packages for {here}; it has: {known}")
    return Requirements(
        str(path),
        "conda-lock",
        tuple(specs),
        tuple(pip),
        tuple(unverified),
        frozenset(optional),
        digests=digests,
    )


def _pip_lines(
    lines: Iterable[str], directory: Path, source: str, depth: int = 0
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Requirement lines, and those that metadata cannot confirm."""
    from packaging.requirements import InvalidRequirement, Requirement

    found: list[str] = []
    unverified: list[str] = []
    for line in _joined(lines):
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not text:
            continue
        nested = re.match(r"(?:-r[ =]?|--requirements?[ =])\s*(\S+)", text)
        if nested and "://" not in nested[1]:
            if depth > 20:
                raise ConfigError(f"{source} includes itself")
            path = directory / nested[1]
            try:
                inner = path.read_text(encoding="utf-8-sig").splitlines()
            except FileNotFoundError:
                # Where it was installed from, it may well have been.
                raise Unverifiable(
                    f"{source} includes {nested[1]}, which is not beside it"
                ) from None
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{source} includes {nested[1]}: {error}") from error
            more, doubtful = _pip_lines(inner, path.parent, str(path), depth + 1)
            found += more
            unverified += doubtful
            continue
        if text.startswith("-"):
            if not _BRINGS_NOTHING.match(text):
                unverified.append(text)
            continue
        text = re.split(r"\s--(?:hash|config-settings|global-option)\b", text)[0].strip()
        if egg := re.search(r"[#&]egg=([\w.-]+)", text):
            unverified.append(text)
            found.append(egg[1])
        elif re.match(r"[\w+]+://|\.{0,2}/|\.$|.*\.(whl|tar\.gz|zip)$", text) and " @ " not in text:
            unverified.append(text)
        else:
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise ConfigError(f"{source} has the requirement {text!r}: {error}") from None
            if requirement.url:
                unverified.append(text)
            found.append(text)
    return tuple(found), tuple(unverified)


_BRINGS_NOTHING = re.compile(
    r"""-i | -f | --(?:
      index-url | pypi-url | extra-index-url | no-index | find-links | no-binary | only-binary
    | prefer-binary | require-hashes | hash | pre | trusted-host | use-feature | index-strategy
    | default-index | index | exclude-newer | always-unzip | process-dependency-links
    )(?![\w-])""",
    re.VERBOSE,
)
"""Option lines that say where from and in which form, and name no requirement."""


def _joined(lines: Iterable[str]) -> Iterable[str]:
    pending = ""
    for line in lines:
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        yield pending + line
        pending = ""
    if pending:
        yield pending
