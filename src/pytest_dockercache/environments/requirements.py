"""What should be installed, from environment and lock files, held against what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError, Unverifiable
from . import load_yaml
from .installed import Environment, Package, normalised
from .match_specs import MatchSpec, parse_package_url, parse_spec

if TYPE_CHECKING:
    from packaging.markers import Marker

__all__ = [
    "Difference",
    "Match",
    "Requirements",
    "compare_environments",
    "difference_table",
    "is_comparable",
    "matches",
    "parse_requirements",
    "read_requirements",
]

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


@dataclass(frozen=True)
class Difference:
    """One package that is not as the file says.

    ``wanted`` is what the file asks for ("" for an extra package), ``found``
    what is installed ("" for a missing one).
    """

    kind: Literal["missing", "extra", "differing"]
    name: str
    wanted: str = ""
    found: str = ""
    manager: str = "conda"


@dataclass(frozen=True)
class Match:
    """The outcome: the differences, and what could not be verified either way.

    ``verified`` is the number of entries that were held against what is installed.
    """

    differences: tuple[Difference, ...] = ()
    unverified: tuple[str, ...] = ()
    verified: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing differs, as far as could be verified."""
        return not self.differences


# --- reading files ----------------------------------------------------------------------------


def is_comparable(path: Path) -> bool:
    """Whether a file is of a form that :func:`read_requirements` reads.

    An ``@EXPLICIT`` list is, whatever its name; other locks than conda-lock's are not.
    """
    if path.name in ("pixi.lock", "uv.lock", "poetry.lock", "pdm.lock"):
        return False
    if path.suffix.lower() in (".yml", ".yaml", ".txt", ".in"):
        return True
    try:
        return _is_explicit(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return False


def _is_explicit(text: str) -> bool:
    return re.search(r"^@EXPLICIT\s*$", text, re.MULTILINE) is not None


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
    if _is_explicit(text):
        return _parse_explicit(text, path)
    if path.suffix.lower() in (".txt", ".in") and specs:
        lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines())
        listed = tuple(parse_spec(line) for line in lines if line)
        return Requirements(str(path), "environment", listed)
    if path.suffix.lower() in (".txt", ".in"):
        pip, unverified = _pip_lines(text.splitlines(), path.parent, str(path))
        return Requirements(str(path), "pip", pip=pip, unverified=unverified)
    document = _load(text, path)
    if isinstance(document.get("package"), list):
        return _parse_conda_lock(document, path, platform)
    return _parse_environment(document, path)


def _load(text: str, path: Path) -> dict[str, Any]:
    document = load_yaml(text, path)
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no environment file: a mapping with dependencies: is needed")
    return document


def _parse_environment(document: Mapping[str, Any], path: Path) -> Requirements:
    dependencies = document.get("dependencies")
    if not isinstance(dependencies, list):
        raise ConfigError(f"{path} has no list of dependencies:")
    specs: list[MatchSpec] = []
    pip: list[str] = []
    for item in dependencies:
        if isinstance(item, str):
            specs.append(parse_spec(item))
        elif isinstance(item, dict) and list(item) == ["pip"] and isinstance(item["pip"], list):
            pip.extend(str(line) for line in item["pip"])
        elif item is not None:
            raise ConfigError(f"{path} has the dependency {item!r}, which is not understood")
    specs = [spec for spec in specs if not spec.name.startswith("__")]
    # Only conda env export writes a build for every package.
    exported = bool(specs) and all(spec.exact for spec in specs)
    lines, unverified = _pip_lines(pip, path.parent, str(path))
    return Requirements(
        str(path),
        "export" if exported else "environment",
        tuple(specs),
        lines,
        unverified,
        name=str(document.get("name") or ""),
    )


def _parse_explicit(text: str, path: Path) -> Requirements:
    specs: list[MatchSpec] = []
    digests: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "@")):
            continue
        spec = parse_package_url(line)
        specs.append(spec)
        _, _, digest = line.partition("#")
        if digest:
            kind = "sha256:" if len(digest.removeprefix("sha256:")) == 64 else "md5:"
            digests[spec.name] = kind + digest.removeprefix("sha256:").lower()
    return Requirements(str(path), "explicit", tuple(specs), digests=digests)


_SUBDIRS = {
    "linux/amd64": "linux-64",
    "linux/arm64": "linux-aarch64",
    "linux/ppc64le": "linux-ppc64le",
    "linux/s390x": "linux-s390x",
    "linux/386": "linux-32",
}


def _parse_conda_lock(document: Mapping[str, Any], path: Path, platform: str) -> Requirements:
    subdir = _SUBDIRS.get("/".join(platform.split("/")[:2]), platform)
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
        if item.get("platform") != subdir:
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
    if subdir not in platforms:
        known = ", ".join(sorted(str(name) for name in platforms)) or "none"
        raise ConfigError(f"{path} has no packages for {subdir}; it has: {known}")
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


# --- holding them against what is installed ------------------------------------------------------


def matches(
    requirements: Requirements, environment: Environment, *, platform: str = "linux/amd64"
) -> Match:
    """Hold an environment against a file; differences are sorted by manager and name.

    A requirement of the pip part is satisfied by a distribution of any
    origin, as pip itself sees it. Its marker is evaluated for the Python of
    the environment and the image's ``platform``, never for those of this
    process; where it depends on more than is known of them, the line is
    unverified unless it is satisfied.
    """
    differences: list[Difference] = []
    by_name: dict[str, list[MatchSpec]] = {}
    for spec in requirements.conda:
        by_name.setdefault(spec.name, []).append(spec)
    for name, specs in by_name.items():
        package = environment.get(name)
        wanted = ", ".join(_spec_text(spec) for spec in specs)
        if package is None:
            if name not in requirements.optional:
                differences.append(Difference("missing", name, wanted))
        elif not all(_fits(spec, package, requirements) for spec in specs):
            differences.append(Difference("differing", name, wanted, _found_text(package)))
        elif digest := _other_digest(package, requirements.digests.get(name)):
            differences.append(Difference("differing", name, requirements.digests[name], digest))
    machine = _Machine.of(environment, platform)
    judged = _judge_pip(requirements, environment, machine, differences)
    if requirements.exact:
        for package in environment.packages:
            listed = by_name if package.manager == "conda" else judged.names
            if package.manager in requirements.managers and package.name not in listed:
                differences.append(
                    Difference("extra", package.name, "", _found_text(package), package.manager)
                )
    unread = tuple(f"{path} cannot be read" for path in environment.unread)
    ordered = sorted(differences, key=lambda item: (item.manager, item.name, item.kind))
    return Match(
        tuple(ordered),
        requirements.unverified + judged.undecided + unread,
        len(by_name) + judged.verified,
    )


def _fits(spec: MatchSpec, package: Package, requirements: Requirements) -> bool:
    channel = "" if requirements.kind in ("explicit", "conda-lock") else package.channel
    return spec.matches(package.version, package.build, channel)


def _other_digest(package: Package, wanted: str | None) -> str:
    if not wanted:
        return ""
    kind = wanted.partition(":")[0]
    found = next((item for item in package.digests if item.startswith(kind + ":")), wanted)
    return found if found.lower() != wanted.lower() else ""


@dataclass(frozen=True)
class _Judged:
    """What came of the pip part: its names, how many lines decide, and those that do not."""

    names: frozenset[str]
    verified: int
    undecided: tuple[str, ...]


def _judge_pip(
    requirements: Requirements,
    environment: Environment,
    machine: _Machine,
    differences: list[Difference],
) -> _Judged:
    from packaging.requirements import Requirement
    from packaging.version import InvalidVersion, Version

    names: set[str] = set()
    undecided: list[str] = []
    verified = 0
    for line in requirements.pip:
        requirement = Requirement(line)
        name = normalised(requirement.name)
        applies = machine.fulfils(requirement.marker)
        if applies is False:
            continue
        names.add(name)
        version = environment.distributions.get(name)
        wanted = str(requirement.specifier)
        if version is None:
            if name in requirements.optional:
                continue
            difference = Difference("missing", name, wanted or "any version", manager="pip")
        else:
            try:
                fits = requirement.specifier.contains(Version(version), prereleases=True)
            except InvalidVersion:
                fits = wanted in ("", f"=={version}", f"==={version}")
            if fits:
                verified += 1
                continue
            difference = Difference("differing", name, wanted, version, "pip")
        if applies is None:
            undecided.append(line)
        else:
            verified += 1
            differences.append(difference)
    return _Judged(frozenset(names), verified, tuple(undecided))


_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
"""``uname -m`` by the architecture of an image; for 32 bits it depends on the host's kernel."""

_PATCHES = range(60)
"""Third parts of a Python version that may be there where only the first two are known."""


@dataclass(frozen=True)
class _Machine:
    """What markers ask of the Python that an environment has and of the machine it runs on.

    ``pythons`` are the versions that its Python may have, empty if nothing is
    known of it; ``values`` are the other values that are known.
    """

    pythons: tuple[str, ...]
    values: Mapping[str, str]

    @classmethod
    def of(cls, environment: Environment, platform: str) -> _Machine:
        """The machine of an environment in an image of this platform (``linux/amd64``)."""
        system, _, rest = platform.partition("/")
        values = {"extra": ""}
        if system == "linux":
            values |= {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
            if machine := _MACHINES.get(rest.partition("/")[0]):
                values["platform_machine"] = machine
        pypy = any(name.startswith("pypy") for name in environment.interpreters)
        values["implementation_name"] = "pypy" if pypy else "cpython"
        values["platform_python_implementation"] = "PyPy" if pypy else "CPython"
        if environment.python:
            return cls((environment.python,), values)
        series = {re.sub(r"^[a-z]+", "", name) for name in environment.interpreters}
        known = series.pop() if len(series) == 1 else ""
        if "." not in known:
            return cls((), values)
        return cls(tuple(f"{known}.{patch}" for patch in _PATCHES), values)

    def fulfils(self, marker: Marker | None) -> bool | None:
        """Whether a requirement with this marker is meant; None where that is not known."""
        from packaging.markers import UndefinedComparison
        from packaging.version import InvalidVersion

        if marker is None:
            return True
        try:
            found = {bool(marker.evaluate(dict(values))) for values in self._worlds(str(marker))}
        except (InvalidVersion, UndefinedComparison):
            return None
        return found.pop() if len(found) == 1 else None

    def _worlds(self, marker: str) -> Iterator[Mapping[str, str]]:
        """Every set of values that may be so, as far as this marker can tell them apart."""
        literals = re.findall(r"'([^']*)'|\"([^\"]*)\"", marker)
        anything = ["0", "999999", *(one or other for one, other in literals)]
        free = [name for name in _FREE if name not in self.values and name in marker]
        given = dict.fromkeys(_FREE, "0") | dict(self.values)
        versions = self.pythons or _PYTHONS
        if "python_full_version" not in marker and "implementation_version" not in marker:
            versions = tuple({_series(version): version for version in versions}.values())
        pythons = [_python_values(version) for version in versions]
        for python, *values in product(pythons, *([anything] * len(free))):
            world = {**given, **python, **dict(zip(free, values, strict=True))}
            if world["implementation_name"] == "cpython":
                world["implementation_version"] = world["python_full_version"]
            yield world


_FREE = (
    "implementation_version", "platform_machine", "platform_release", "platform_version",
    "os_name", "sys_platform", "platform_system",
)  # fmt: skip

_PYTHONS = ("2.7.18", *(f"3.{minor}.{patch}" for minor in range(4, 30) for patch in (0, 1, 59)))
"""What an unknown Python may be."""


def _python_values(version: str) -> Mapping[str, str]:
    return {"python_full_version": version, "python_version": _series(version)}


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _spec_text(spec: MatchSpec) -> str:
    """The part of a spec that says something about the version, build or channel."""
    text = spec.version + (f" {spec.build}" if spec.build else "")
    if spec.channel and "/" not in spec.channel:
        text = f"{spec.channel}::{text or '*'}"
    return text.strip() or "any version"


def _found_text(package: Package) -> str:
    return f"{package.version} {package.build}".strip()


def compare_environments(one: Environment, other: Environment) -> tuple[Difference, ...]:
    """How ``other`` differs from ``one``: ``missing`` is what only ``one`` has."""
    first = {(p.manager, p.name): p for p in one.packages}
    second = {(p.manager, p.name): p for p in other.packages}
    differences = []
    for key in sorted({*first, *second}):
        a, b = first.get(key), second.get(key)
        manager, name = key
        if a is None and b is not None:
            differences.append(Difference("extra", name, "", _found_text(b), manager))
        elif b is None and a is not None:
            differences.append(Difference("missing", name, _found_text(a), "", manager))
        elif a is not None and b is not None and (a.version, a.build) != (b.version, b.build):
            differences.append(
                Difference("differing", name, _found_text(a), _found_text(b), manager)
            )
    return tuple(differences)


def difference_table(differences: Sequence[Difference], limit: int = 20) -> tuple[str, ...]:
    """Differences as the lines of a small table, at most ``limit`` of them and a rest."""
    shown = differences[:limit]
    width = max((len(item.name) for item in shown), default=0)
    lines = []
    for item in shown:
        name = item.name.ljust(width)
        if item.kind == "missing":
            lines.append(f"{name}  missing    wanted {item.wanted}")
        elif item.kind == "extra":
            lines.append(f"{name}  extra      found {item.found}")
        else:
            lines.append(f"{name}  differing  wanted {item.wanted}, found {item.found}")
        lines[-1] += "  (pip)" if item.manager == "pip" else ""
    if len(differences) > limit:
        lines.append(f"… and {len(differences) - limit} more")
    return tuple(lines)
