"""The installations of the steps above a step, which decide what the step itself adds."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from ..dockerfile.stages import path_below
from ..dockerfile.syntax import PlannedStep, Transfer
from ..regexes import regex
from ..values import dataclass
from .fetched import Fetched, still_there
from .own_project import OwnProject
from .tools import Installation, is_installed_place, is_system
from .tools.command_lines import is_archive

__all__ = ["Above", "Effect", "effect_of", "is_tools_only", "lacking_of", "with_transfers"]

Effect = Literal["dependencies", "project", "unknown"]
"""The missing packages that an installation brings.

``dependencies`` with or without a project, the ``project`` alone, or ``unknown``.
"""


@dataclass(frozen=True)
class Above:
    """The installations that a step finds.

    ``installations`` are those of the environment steps above the step, in its stage and in the
    stages that it is built FROM. ``copied`` says whether the environment of another stage was
    copied, None where nobody can tell. ``covered`` are the names of all packages that these
    installations ask for, None where a manifest does not say them. ``cloned`` are the directories
    that hold a clone of a foreign repository; ``wheelhouses`` the container directories with wheels
    of dependencies; ``builds`` is True where a project's wheel was made. ``fetched`` are the
    installations of managers of other languages, which have nothing to do with the others;
    ``on_context`` says whether a COPY has brought files of the context, directly or through another
    stage.
    """

    installations: tuple[Installation, ...] = ()
    covered: frozenset[str] | None = frozenset()
    cloned: tuple[str, ...] = ()
    copied: bool | None = False
    wheelhouses: tuple[str, ...] = ()
    builds: bool = False
    fetched: tuple[Fetched, ...] = ()
    on_context: bool = False

    @property
    def has_dependencies(self) -> bool:
        """Whether dependencies were installed from a manifest, or from wheels of all of them."""
        return self.copied is True or any(
            (item.project or _reads_manifest(item)) and not item.apart
            for item in self.installations
        )

    @property
    def names(self) -> frozenset[str]:
        """The packages that were installed by name, and are neither tools nor Python itself."""
        together = (item for item in self.installations if not item.apart)
        return frozenset(name for item in together for name in item.packages) - _TOOLS - {"python"}

    def after(self, installation: Installation, named: frozenset[str] | None) -> Above:
        """This state with one more installation; ``named`` are the packages of its manifests."""
        if not installation.wheels:
            return replace(
                self,
                installations=(*self.installations, installation),
                covered=None if self.covered is None or named is None else self.covered | named,
            )
        if installation.project and installation.without_dependencies:
            return replace(self, builds=True)
        return replace(self, wheelhouses=(*self.wheelhouses, installation.wheel_dir))

    def lacks(self, needed: frozenset[str]) -> frozenset[str]:
        """The ``needed`` packages that no manifest of these installations names.

        The result is empty where a manifest does not say what it names. conda may call a package
        otherwise than the index does (``pytorch``, ``opencv``), so with conda the names need only
        be alike.
        """
        if self.covered is None or self.copied is not False:
            return frozenset()
        missing = needed - self.covered
        if not any(item.specs for item in self.installations):
            return missing
        alike = [_AFFIX.sub("", name) for name in self.covered]
        return frozenset(
            name
            for name in missing
            if not any(_are_alike(_AFFIX.sub("", name), other) for other in alike)
        )


_AFFIX = regex(r"\A(python-|py)|-(python|py|base|core|binary|headless)\Z")


def _are_alike(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


_TOOL_NAMES = """
pip setuptools wheel build uv poetry pdm pipenv conda mamba micromamba conda-lock hatch
hatchling flit flit-core virtualenv pip-tools poetry-core poetry-plugin-export
poetry-plugin-bundle poetry-dynamic-versioning setuptools-scm conda-pack conda-build
conda-libmamba-solver libmamba pipx twine tox nox rye pixi cython ninja cmake meson meson-python
scikit-build scikit-build-core maturin pybind11 packaging wheel-filename setuptools-rust
uv-dynamic-versioning hatch-vcs auditwheel pipreqs anaconda-project
"""
_TOOLS = frozenset(_TOOL_NAMES.split())
"""Packages that install or build others; no project depends on any of them."""


def is_tools_only(installation: Installation) -> bool:
    """Whether an installation brings only tools, nothing that a project depends on."""
    if is_system(installation.tool):
        return True
    if installation.project or _reads_manifest(installation):
        return False
    packages = installation.packages
    return installation.apart or (bool(packages) and _TOOLS.issuperset(packages))


def _reads_manifest(installation: Installation) -> bool:
    limiting = installation.constraints
    read = (*installation.manifests, *installation.unresolved)
    return any(path not in limiting for path in read)


def effect_of(
    installation: Installation,
    above: Above,
    project_at: Callable[[str], OwnProject | None],
    own: Callable[[], OwnProject | None],
) -> Effect:
    """The packages of an installation that the steps above it have not brought.

    ``project_at`` gives the project in a directory of the container as the
    step sees it; ``own`` the context's own project, None if it is not known.
    """
    if installation.wheels:
        apart = installation.project and installation.without_dependencies
        return "project" if apart else "dependencies"
    if installation.implied or installation.with_project:
        return "project" if _is_synced(installation, above) else "dependencies"
    if installation.project:
        return _effect_of_project(installation, above, project_at, own)
    if installation.packages and not _reads_manifest(installation):
        return _effect_of_names(installation, above, own)
    return "dependencies"


def _is_synced(installation: Installation, above: Above) -> bool:
    """Whether the same tool has installed the same manifests, with nothing left out of them."""
    return any(
        (earlier.with_project or earlier.without_project or earlier.implied)
        and earlier.tool == installation.tool
        and _same_manifests(earlier, installation)
        and installation.selects <= earlier.selects
        and earlier.leaves <= installation.leaves
        for earlier in above.installations
    )


def _same_manifests(one: Installation, other: Installation) -> bool:
    if one.unresolved or other.unresolved:
        return True
    return not set(one.manifests).isdisjoint(other.manifests)


def _effect_of_project(
    installation: Installation,
    above: Above,
    project_at: Callable[[str], OwnProject | None],
    own: Callable[[], OwnProject | None],
) -> Effect:
    if installation.without_dependencies:
        return "project"
    if installation.apart:
        return "dependencies"
    paths = installation.projects
    if any(above_holds(path, above.wheelhouses) for path in paths):
        return "dependencies"
    if any(path_below(path, place) is not None for path in paths for place in above.cloned):
        return "dependencies"
    if above.has_dependencies:
        return "unknown" if lacking_of(installation, above, project_at, own) else "project"
    if above.copied is None or not all(path.startswith("/") for path in paths):
        return "unknown"
    projects = _projects(installation, above, project_at, own)
    if all(map(is_archive, paths)) and None in projects:
        return "unknown"
    if all(map(_stands_alone, projects)):
        return "project"
    if not above.names:
        return "dependencies"
    needed = frozenset[str]()
    for project in projects:
        if project is None or project.dependencies is None:
            return "unknown"
        needed |= project.dependencies | project.needs(installation.extras)
    return "project" if needed <= above.names else "dependencies"


def _projects(
    installation: Installation,
    above: Above,
    project_at: Callable[[str], OwnProject | None],
    own: Callable[[], OwnProject | None],
) -> list[OwnProject | None]:
    """The projects that an installation names; a wheel that was made above is the context's own."""

    def project(path: str) -> OwnProject | None:
        if is_archive(path):
            return own() if above.builds else None
        return project_at(path)

    return list(map(project, installation.projects))


def lacking_of(
    installation: Installation,
    above: Above,
    project_at: Callable[[str], OwnProject | None],
    own: Callable[[], OwnProject | None],
) -> frozenset[str]:
    """The packages that local projects plainly need and that no manifest above names.

    Such a package may be installed all the same, as a dependency of another one: the manifests do
    not tell. The arguments are those of :func:`effect_of`.
    """
    needed: frozenset[str] = frozenset()
    for project in _projects(installation, above, project_at, own):
        if project is not None:
            needed |= project.needs(installation.extras)
    return above.lacks(needed - _TOOLS)


def _stands_alone(project: OwnProject | None) -> bool:
    """Whether a project plainly has no dependencies: its installation brings only itself."""
    return project is not None and project.dependencies == frozenset() and not project.optional


def above_holds(path: str, wheelhouses: tuple[str, ...]) -> bool:
    """Whether a path may be, or lie in, one of the directories of wheels."""
    place = re.split(r"[^/]*[*?\[]", path)[0].rstrip("/") or "/"
    return any(
        not house
        or path_below(place, house) is not None
        or (place != "/" and path_below(house, place) is not None)
        for house in wheelhouses
    )


def _effect_of_names(
    installation: Installation, above: Above, own_project: Callable[[], OwnProject | None]
) -> Effect:
    """A project's own wheel may be installed by the project's name."""
    from_wheels = bool(installation.wheelhouses) or above.builds
    if not from_wheels and not installation.without_dependencies:
        return "dependencies"
    own = own_project()
    is_own = own is not None and set(installation.packages) == {own.name}
    if installation.without_dependencies and (is_own or (above.builds and from_wheels)):
        return "project"
    return "project" if is_own and above.has_dependencies else "dependencies"


_WHOLE = frozenset({"/", "/usr", "/usr/local", "/opt", "/root", "/home"})


def with_transfers(above: Above, step: PlannedStep, ends: Mapping[int, Above]) -> Above:
    """The state after a COPY from other stages, or during a RUN that mounts them.

    ``ends`` are the states in which the stages before this one ended.
    """
    for transfer in step.transfers:
        if transfer.origin == "context" and (transfer.sources or transfer.kind == "bind"):
            above = replace(above, on_context=True)
        other = ends.get(transfer.origin) if isinstance(transfer.origin, int) else None
        if other is None:
            continue
        destination = posixpath.normpath(transfer.destination)
        houses = above.wheelhouses
        if any(_takes(transfer, house) for house in other.wheelhouses):
            houses = (*houses, destination)
        copied = above.copied
        if other.has_dependencies and copied is not True:
            copied = _takes_environment(transfer, other) or None
        above = replace(
            above,
            wheelhouses=houses,
            copied=copied,
            builds=above.builds or other.builds,
            fetched=(*above.fetched, *still_there(other.fetched, transfer)),
            on_context=above.on_context or other.on_context,
        )
    return above


def _takes(transfer: Transfer, directory: str) -> bool:
    for source in transfer.sources or ("/",):
        place = "/" + re.split(r"[^/]*[*?\[]", source)[0].strip("/")
        if not directory or path_below(directory, place) is not None:
            return True
        if path_below(place, directory) is not None:
            return True
    return False


def _takes_environment(transfer: Transfer, other: Above) -> bool:
    """Whether a COPY plainly takes the directory into which a stage's packages were installed."""
    places = [
        word.text
        for item in other.installations
        for word in (item.environment, item.active)
        if word is not None and word.known and word.text.startswith("/")
    ]
    places += [item.target for item in other.installations if item.target.startswith("/")]
    places += [
        posixpath.join(posixpath.dirname(item.manifests[0]), ".venv")
        for item in other.installations
        if item.manifests and (item.with_project or item.without_project)
    ]
    sources = ["/" + source.strip("/") for source in transfer.sources]
    return any(
        source in _WHOLE
        or is_installed_place(source)
        or any(path_below(place, source) is not None for place in places)
        for source in sources
    )
