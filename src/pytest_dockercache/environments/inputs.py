"""The context files that an installation reads: manifests, and the files that these bring in."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..context.named import at_top
from ..dockerfile.stages import path_below
from ..errors import ConfigError
from ..model import top_of
from ..regexes import regex
from .documents import load_toml, table
from .reads import ReadText
from .tools import tools

__all__ = ["belongs_to_manager", "included_files"]

_REQUIREMENT = regex(
    r"""^\s*(?:-\s+)?["']?(?:
      (?:-r|--requirement|-c|--constraint|-f|--find-links)[ =]*(?P<file>[^\s"']+)
    | (?:-e|--editable)[ =]+(?P<editable>[^\s"']+)
    | (?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?:file:(?://)?)?(?P<path>\.{0,2}/[^\s;"']+)
    )""",
    re.VERBOSE,
)
"""A line of a requirement file, or of the pip section of a conda environment file."""

_LOCKED: Mapping[str, tuple[str, ...]] = {
    "uv.lock": ("pyproject.toml", "uv.toml"),
    "poetry.lock": ("pyproject.toml", "poetry.toml"),
    "pdm.lock": ("pyproject.toml", "pdm.toml", ".pdm.toml"),
    "pylock.toml": ("pyproject.toml",),
    "pixi.lock": ("pixi.toml", "pyproject.toml"),
    "pipfile.lock": ("Pipfile",),
    "conda-lock.yml": ("environment.yml", "environment.yaml", "pyproject.toml"),
    "package-lock.json": ("package.json", ".npmrc"),
    "npm-shrinkwrap.json": ("package.json", ".npmrc"),
    "yarn.lock": ("package.json", ".yarnrc", ".yarnrc.yml", ".npmrc"),
    "pnpm-lock.yaml": ("package.json", "pnpm-workspace.yaml", ".npmrc"),
    "gemfile.lock": ("Gemfile",),
    "composer.lock": ("composer.json",),
    "cargo.lock": ("Cargo.toml",),
    "go.sum": ("go.mod",),
    "mix.lock": ("mix.exs",),
    "renv.lock": (".Rprofile", "renv/activate.R", "renv/settings.json", "renv/settings.dcf"),
}
"""Lock files by lower-case name, each with the files beside it that it was made from."""


def belongs_to_manager(text: str) -> Callable[[str], bool] | None:
    """A test whether a context path is by its name a file of a package manager that runs here.

    ``text`` are the commands of the steps in question; None where none of
    them is a package manager. Files of pip belong to conda as well, which
    hands them on.
    """
    words = set(re.findall(r"[\w.-]+", text))
    running = [tool for tool in tools() if any(map(tool.programs.fullmatch, words))]
    if any(tool.name in ("conda", "uv") for tool in running):
        running += [tool for tool in tools() if tool.name == "pip"]

    names = [tool.manifests.fullmatch for tool in running]
    places = [tool.kept.fullmatch for tool in running if tool.kept.pattern != "(?!)"]

    def belongs(path: str) -> bool:
        whole = path.lower()
        name = whole.rpartition("/")[2]
        return any(match(name) for match in names) or any(match(whole) for match in places)

    return belongs if running else None


def included_files(
    path: str,
    text: str,
    present: Collection[str],
    *,
    builds_project: bool = False,
    places: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The context files that a manifest brings in, among those that are ``present``.

    Includes of requirement files and of the pip section of a conda file (``-r``, ``-c``, ``-e``,
    local paths), path dependencies of ``pyproject.toml``, workspace members' manifests, the files
    that a lock was made from, hooks of ``package.json``. With ``builds_project`` the files that the
    project's metadata names come too: readme, licences, version file. A directory stands for every
    present file below it, except for the manifest's own directory: the files beside a manifest are
    the project. ``places`` has the context paths by container paths: a file of another context is
    found where the image has it.
    """
    beside = _Beside(path, present, places or {})
    name = posixpath.basename(path).lower()
    for other in _LOCKED.get(name, ()):
        yield from beside.files(other)
    if name.endswith((".txt", ".in", ".yml", ".yaml", ".lock")):
        for line in text.splitlines():
            found = _REQUIREMENT.match(line.split(" #", 1)[0])
            if found is not None and "://" not in line.partition("@")[0]:
                target = found["file"] or found["editable"] or found["path"]
                yield from beside.files(target.partition("[")[0])
    elif name.endswith(".toml"):
        yield from _of_toml(_toml(text), beside, builds_project)
    elif name == "package.json":
        yield from _of_package(text, beside)
    elif name in ("setup.cfg", "setup.py") and builds_project:
        yield from _quoted(text, beside)


class _Beside:
    """Finds present files by a path relative to a directory, as an absolute path or by suffix."""

    def __init__(self, path: str, present: Collection[str], places: Mapping[str, str]) -> None:
        self.directory = posixpath.dirname(path)
        self.present = present
        self._top = top_of(path)
        self._places = places
        # The directories of the image that hold the manifest.
        self._above = [posixpath.dirname(place) for place, one in places.items() if one == path]

    def files(self, target: str) -> Iterator[str]:
        """The file at ``target``, or every file below a directory other than the manifest's."""
        written = target.strip("\"'").removeprefix("file:").removeprefix("//")
        if written.startswith("/"):
            # A container path: the file of that name was copied there.
            name = posixpath.basename(written)
            yield from (path for path in self.present if posixpath.basename(path) == name)
            return
        inside = self.directory[len(self._top) :].lstrip("/")
        path = posixpath.normpath(posixpath.join(inside, written))
        at_root = posixpath.normpath(written)
        if at_top(self._top, path) in self.present:
            yield at_top(self._top, path)
            return
        yield from self._elsewhere(written)
        for place in dict.fromkeys((path, at_root)):
            if place in (".", inside or ".") or place.startswith(".."):
                continue
            head = f"{at_top(self._top, place)}/"
            yield from (other for other in self.present if other.startswith(head))

    def _elsewhere(self, written: str) -> Iterator[str]:
        """The files of other contexts at this path, seen from the manifest's place in the image."""
        for above in self._above:
            wanted = posixpath.normpath(posixpath.join(above, written))
            head = f"{wanted.rstrip('/')}/"
            own = path_below(above, wanted) is not None
            for place, path in self._places.items():
                if top_of(path) != self._top and (
                    place == wanted or (not own and place.startswith(head))
                ):
                    yield path

    def matching(self, pattern: str, name: str) -> Iterator[str]:
        """The files called ``name`` in the directories that a workspace's pattern names."""
        expression = re.escape(posixpath.join(self.directory, pattern)).replace(r"\*", "[^/]*")
        wanted = re.compile(f"{expression}/{re.escape(name)}")
        yield from (path for path in self.present if wanted.fullmatch(path))
        for above in self._above:
            expression = re.escape(posixpath.join(above, pattern)).replace(r"\*", "[^/]*")
            there = re.compile(f"{expression}/{re.escape(name)}")
            for place, path in self._places.items():
                if top_of(path) != self._top and there.fullmatch(place):
                    yield path


def _toml(text: str) -> dict[str, Any]:
    try:
        return load_toml(text, Path())
    except ConfigError:
        return {}


def _of_toml(document: dict[str, Any], beside: _Beside, builds_project: bool) -> Iterator[str]:
    for path in _path_dependencies(document):
        yield from beside.files(path)
    for tool in ("uv", "pixi"):
        members = table(document, "tool", tool, "workspace").get("members")
        for pattern in members if isinstance(members, list) else ():
            yield from beside.matching(str(pattern), "pyproject.toml")
    if builds_project:
        for target in (*_metadata_files(document), *_READ_BY_BUILDS):
            yield from beside.files(target)


def _path_dependencies(value: Any) -> Iterator[str]:
    """Every ``path = "…"`` of a table of dependencies or sources, and ``file:`` requirements."""
    waiting = [
        table(value, "tool", "poetry"),
        table(value, "tool", "uv", "sources"),
        table(value, "tool", "pixi"),
        table(value, "tool", "pdm"),
        table(value, "dependencies"),
        table(value, "pypi-dependencies"),
        table(value, "project").get("dependencies"),
        table(value, "project", "optional-dependencies"),
        table(value, "dependency-groups"),
        table(value, "packages"),
    ]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            path = item.get("path")
            if isinstance(path, str):
                yield path
            waiting.extend(child for child in item.values() if isinstance(child, (dict, list)))
        elif isinstance(item, list):
            for child in item:
                if isinstance(child, str):
                    found = re.search(r"@\s*file:(?://)?(?:\$\{PROJECT_ROOT\}/)?(\S+)", child)
                    if found:
                        yield found[1]
                else:
                    waiting.append(child)


def _metadata_files(document: dict[str, Any]) -> Iterator[str]:
    project = table(document, "project")
    readme = project.get("readme")
    yield from _texts(readme.get("file") if isinstance(readme, dict) else readme)
    licence = project.get("license")
    yield from _texts(licence.get("file") if isinstance(licence, dict) else None)
    yield from _texts(project.get("license-files"))
    yield from _texts(table(document, "tool", "poetry").get("readme"))
    yield from _texts(table(document, "tool", "poetry", "build").get("script"))
    yield from _texts(table(document, "tool", "hatch", "build", "hooks", "custom").get("path"))
    for value in table(document, "tool", "setuptools", "dynamic").values():
        if isinstance(value, dict):
            yield from _texts(value.get("file"))
            for attribute in _texts(value.get("attr")):
                yield from _module_files(attribute.rpartition(".")[0])
    yield from _texts(table(document, "tool", "hatch", "version").get("path"))
    version = table(document, "tool", "pdm", "version")
    yield from _texts(version.get("path"))
    backend = table(document, "build-system").get("backend-path")
    yield from _texts(backend)


_READ_BY_BUILDS = (
    "MANIFEST.in", "versioneer.py", "hatch_build.py", "meson.build", "CMakeLists.txt",
    "Cargo.toml", "Cargo.lock", "LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING", "NOTICE",
)  # fmt: skip
"""Files that build backends look for beside ``pyproject.toml`` without being told."""


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item:
            yield item


def _module_files(module: str) -> Iterator[str]:
    base = module.replace(".", "/")
    for directory in ("", "src/"):
        yield f"{directory}{base}.py"
        yield f"{directory}{base}/__init__.py"


def _of_package(text: str, beside: _Beside) -> Iterator[str]:
    """The files that the install hooks of ``package.json`` run, and its ``file:`` dependencies."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    hooks = ("preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare")
    scripts = table(document, "scripts")
    for hook in hooks:
        for word in str(scripts.get(hook, "")).split():
            yield from beside.files("patches" if word == "patch-package" else word)
    for patched in (document, table(document, "pnpm")):
        for patch in table(patched, "patchedDependencies").values():
            yield from beside.files(str(patch))
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        for version in table(document, kind).values():
            if isinstance(version, str) and version.startswith(("file:", "link:")):
                yield from beside.files(version.partition(":")[2])
    workspaces = document.get("workspaces") if isinstance(document, dict) else None
    listed = workspaces.get("packages") if isinstance(workspaces, dict) else workspaces
    for pattern in listed if isinstance(listed, list) else ():
        yield from beside.matching(str(pattern), "package.json")


def _quoted(text: str, beside: _Beside) -> Iterator[str]:
    """The present files that a ``setup.py`` or ``setup.cfg`` names."""
    for word in re.findall(r"[\w./-]+\.\w+|\b[A-Z]{4,}\b", text):
        yield from (path for path in beside.files(word.removeprefix("file:")))
    for attribute in re.findall(r"attr:\s*([\w.]+)\.\w+", text):
        for name in _module_files(attribute):
            yield from beside.files(name)


def closure(
    seeds: Iterable[str],
    present: Collection[str],
    read_text: ReadText,
    *,
    builds_project: bool = False,
    places: Mapping[str, str] | None = None,
) -> dict[str, str | None]:
    """Manifests and all files that they bring in, each with the file that includes it.

    None stands beside a seed. Files that are not ``present`` are left out. ``places`` are those of
    :func:`included_files`.
    """
    found: dict[str, str | None] = {seed: None for seed in seeds if seed in present}
    waiting = list(found)
    while waiting:
        path = waiting.pop()
        text = read_text(path)
        if text is None:
            continue
        for other in included_files(
            path, text, present, builds_project=builds_project, places=places
        ):
            if other not in found:
                found[other] = path
                waiting.append(other)
    return found
