"""The wanted packages held against the installed ones, package by package."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigError
from ..values import dataclass
from .installed import Environment, Package
from .markers import Machine
from .match_specs import MatchSpec
from .names import normalised
from .requirements import Requirements

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Match", "PackageDifference", "compare_environments", "difference_table", "matches"]


@dataclass(frozen=True)
class PackageDifference:
    """One package that differs from the file.

    ``wanted`` is the file's request ("" for an extra package), ``found`` the
    installed version ("" for a missing package).
    """

    kind: Literal["missing", "extra", "differing"]
    name: str
    wanted: str = ""
    found: str = ""
    manager: str = "conda"


@dataclass(frozen=True)
class Match:
    """The outcome: the differences, and the unverified entries.

    ``verified`` is the number of entries that were held against installed packages.
    """

    differences: tuple[PackageDifference, ...] = ()
    unverified: tuple[str, ...] = ()
    verified: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing differs, as far as could be verified."""
        return not self.differences


def matches(
    requirements: Requirements, environment: Environment, *, platform: str = "linux/amd64"
) -> Match:
    """Hold an environment against a file; differences are sorted by manager and name.

    A requirement of the pip part is satisfied by a distribution of any origin, as pip itself sees
    it. A marker is evaluated for the environment's Python and the image's ``platform``, never for
    this process. Where a marker depends on anything else, its line counts as unverified unless it
    is satisfied.
    """
    machine = Machine.of(environment, platform)
    requirements = requirements.on(machine)
    differences: list[PackageDifference] = []
    doubtful: list[str] = []
    by_name: dict[str, list[MatchSpec]] = {}
    for spec in requirements.conda:
        by_name.setdefault(spec.name, []).append(spec)
    for name, specs in by_name.items():
        package = environment.get(name) or environment.replaced.get(name)
        wanted = ", ".join(_spec_text(spec) for spec in specs)
        if package is None:
            if environment.may_hold(name):
                doubtful.append(f"{name} {wanted} ({_UNRECORDED})")
            elif name not in requirements.optional:
                differences.append(PackageDifference("missing", name, wanted))
        elif _is_doubtful(specs, environment.several.get(normalised(name), ())):
            doubtful.append(f"{name} {wanted} (there are records of several versions)")
        elif not all(_fits(spec, package, requirements) for spec in specs):
            found = _found_text(package) + (" of pip" if package.manager == "pip" else "")
            differences.append(PackageDifference("differing", name, wanted, found))
        elif digest := _other_digest(package, requirements.digests.get(name)):
            differences.append(
                PackageDifference("differing", name, requirements.digests[name], digest)
            )
    judged = _judge_pip(requirements, environment, machine, differences)
    if requirements.exact:
        differences += _extras(requirements, environment, by_name, judged.names)
    unread = tuple(f"{path} cannot be read" for path in environment.unread)
    ordered = sorted(differences, key=lambda item: (item.manager, item.name, item.kind))
    return Match(
        tuple(ordered),
        (*requirements.unverified, *doubtful, *judged.undecided, *unread),
        len(by_name) + judged.verified,
    )


_UNRECORDED = "its files may be there without a record"


def _extras(
    requirements: Requirements,
    environment: Environment,
    conda: Collection[str],
    pip: Collection[str],
) -> Iterator[PackageDifference]:
    """The installed packages that are missing from a file which lists everything.

    A file that leaves out the dependencies of its own packages was written by hand: it lists
    wishes, not everything, whatever its specs look like.
    """
    extra = [
        package
        for package in environment.packages
        if package.manager in requirements.managers
        and not package.inherited
        and package not in environment.replaced.values()
        and package.name not in (conda if package.manager == "conda" else pip)
        and package.name not in requirements.optional
    ]
    if requirements.kind == "export":
        needed = {
            name
            for package in environment.packages
            if package.manager == "conda" and package.name in conda
            for name in package.depends
        }
        if any(package.manager == "conda" and package.name in needed for package in extra):
            return
    for package in extra:
        yield PackageDifference("extra", package.name, "", _found_text(package), package.manager)


def _is_doubtful(specs: Sequence[MatchSpec], versions: Sequence[str]) -> bool:
    """Whether specs accept some of the recorded versions and reject others."""
    return len({all(spec.matches(version) for spec in specs) for version in versions}) > 1


def _fits(spec: MatchSpec, package: Package, requirements: Requirements) -> bool:
    """Whether a package fits a spec; a package of pip's has neither build nor channel."""
    channel = "" if requirements.kind in ("explicit", "conda-lock") else package.channel
    return spec.matches(package.version, package.build, channel)


def _other_digest(package: Package, wanted: str | None) -> str:
    if not wanted:
        return ""
    kind = wanted.partition(":")[0]
    found = next((item for item in package.digests if item.startswith(kind + ":")), wanted)
    return found if found.lower() != wanted.lower() else ""


def _other_origin(package: Package | None, wanted: frozenset[str] | None) -> tuple[str, str] | None:
    """The lock's digest or commit and the image's different one, None if they agree.

    None also where the image records no origin: pip records one only for a distribution that did
    not come from an index.
    """
    for kind in ("commit:", "sha256:") if package is not None and wanted else ():
        recorded = [item for item in package.digests if item.startswith(kind)]  # type: ignore[union-attr]
        allowed = sorted(item for item in wanted if item.startswith(kind))  # type: ignore[union-attr]
        if recorded and allowed and not set(recorded) & set(allowed):
            return allowed[0], recorded[0]
    return None


@dataclass(frozen=True)
class _PipComparison:
    """The comparison of the pip part: names, the count of verified lines, and undecided lines."""

    names: frozenset[str]
    verified: int
    undecided: tuple[str, ...]


def _judge_pip(
    requirements: Requirements,
    environment: Environment,
    machine: Machine,
    differences: list[PackageDifference],
) -> _PipComparison:
    names: set[str] = set()
    undecided: list[str] = []
    verified = 0
    for line in requirements.pip:
        requirement = _requirement(line, requirements.source)
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
            if environment.may_hold(name, "pip"):
                undecided.append(f"{line} ({_UNRECORDED})")
                continue
            difference = PackageDifference("missing", name, wanted or "any version", manager="pip")
        else:
            several = environment.several.get(name, (version,))
            fitting = {_accepts(requirement, one) for one in several}
            if len(fitting) > 1:
                undecided.append(f"{line} (there are records of {name} {', '.join(several)})")
                continue
            allowed = requirements.alternatives.get(name)
            origin = _other_origin(environment.get(name, "pip"), allowed)
            if fitting == {True} and not origin:
                verified += 1
                continue
            found = version
            if origin and fitting == {True}:
                wanted, found = origin
            difference = PackageDifference("differing", name, wanted, found, "pip")
        if applies is None:
            undecided.append(line)
        else:
            verified += 1
            differences.append(difference)
    return _PipComparison(frozenset(names), verified, tuple(undecided))


def _requirement(line: str, source: str) -> Requirement:
    """The requirement in a line (PEP 508). Raises ConfigError for a line of a damaged lock."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(line)
    except InvalidRequirement as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(
            f"{source} has {line!r:.100}, which is no requirement: {first}; make the file anew"
        ) from None


def _accepts(requirement: Requirement, version: str) -> bool:
    """Whether a requirement accepts an installed version, which need not follow PEP 440."""
    from packaging.version import InvalidVersion, Version

    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return str(requirement.specifier) in ("", f"=={version}", f"==={version}")


def _spec_text(spec: MatchSpec) -> str:
    """The part of a spec that says something about the version, build or channel."""
    text = spec.version + (f" {spec.build}" if spec.build else "")
    if spec.channel and "/" not in spec.channel:
        text = f"{spec.channel}::{text or '*'}"
    return text.strip() or "any version"


def _found_text(package: Package) -> str:
    return f"{package.version} {package.build}".strip()


def compare_environments(one: Environment, other: Environment) -> tuple[PackageDifference, ...]:
    """How ``other`` differs from ``one``: ``missing`` packages are those that only ``one`` has.

    Their Pythons are compared too, as far as both versions are known, and so are the commits of
    packages that came from repositories.
    """
    first = {(p.manager, p.name): p for p in one.packages}
    second = {(p.manager, p.name): p for p in other.packages}
    differences = []
    pythons = one.python or "", other.python or ""
    if not all(pythons):
        pythons = _python_of(one), _python_of(other)
    if all(pythons) and pythons[0] != pythons[1] and ("conda", "python") not in {*first, *second}:
        differences.append(PackageDifference("differing", "python", *pythons))
    for key in sorted({*first, *second}):
        a, b = first.get(key), second.get(key)
        manager, name = key
        if a is None and b is not None:
            differences.append(PackageDifference("extra", name, "", _found_text(b), manager))
        elif b is None and a is not None:
            differences.append(PackageDifference("missing", name, _found_text(a), "", manager))
        elif a is not None and b is not None and (a.version, a.build) != (b.version, b.build):
            differences.append(
                PackageDifference("differing", name, _found_text(a), _found_text(b), manager)
            )
        elif a is not None and b is not None and (commits := _other_commit(a, b)):
            differences.append(PackageDifference("differing", name, *commits, manager))
    return tuple(differences)


def _other_commit(one: Package, other: Package) -> tuple[str, str] | None:
    """The commits from which two packages of one version were made, None if they agree.

    None also where one of them was not installed from a repository.
    """
    first, second = (
        next((item for item in package.digests if item.startswith("commit:")), "")
        for package in (one, other)
    )
    return (first, second) if first and second and first != second else None


def _python_of(environment: Environment) -> str:
    """The version of a Python by the name of its directory in ``lib``, "" if it is not known."""
    names = {name for name in environment.interpreters if "." in name}
    return names.pop() if len(names) == 1 else ""


def difference_table(differences: Sequence[PackageDifference], limit: int = 20) -> tuple[str, ...]:
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
