"""The packages in an image, read from conda's and pip's own records in the layers.

Indexing keeps these small files (see :mod:`..image.sifting`), so that the image is not read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal

from ..image.index import OPAQUE, Kind, display
from ..image.replay import View, split_code
from ..image.sifting import KEEP_SUFFIXES, keeps
from ..regexes import regex
from ..values import dataclass
from .interpreters import interpreter
from .names import normalised


@dataclass(frozen=True)
class Package:
    """One installed package.

    ``manager`` is ``conda`` for a package that a ``conda-meta`` record names,
    ``pip`` for a distribution that no such record owns. ``name`` is conda's
    own name, or the normalised one of PEP 503; ``build`` and ``channel`` are
    "" for pip; ``url`` is where it came from, as far as that was recorded;
    ``digests`` are such as ``md5:…`` and ``sha256:…`` of its archive, or
    ``commit:…``. ``inherited`` tells a package that a venv sees of the Python
    which it was made with; ``depends`` names what conda's record says that it
    needs.
    """

    name: str
    version: str
    build: str = ""
    channel: str = ""
    manager: Literal["conda", "pip"] = "conda"
    url: str = ""
    digests: tuple[str, ...] = ()
    inherited: bool = False
    depends: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.name}={self.version}" if self.manager == "conda" else ""
        if text:
            return f"{text}={self.build}" if self.build else text
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Environment:
    """The packages below one prefix of the final image, as the prefix's Python finds them.

    ``prefix`` is absolute; ``distributions`` maps the normalised name of every Python distribution
    to its version, those that conda installed included. ``several`` has the versions of a
    distribution of which one layer put several records into one directory: the version that is
    imported is not known. ``replaced`` maps conda's name of a package whose distribution pip
    removed to the distribution that pip put in its place, None without one. ``unread`` names
    records that exist and cannot be used. ``interpreters`` are the directories of ``lib`` that
    belong to the prefix's Python (``python3.10``, ``pypy3.10``; Debian's ``python3`` tells no
    version); ``python`` is the version of that Python, None if it is not known. ``modules`` are the
    normalised names of the modules in the directories that this Python searches: a package is there
    without a record where somebody deleted records (``unrecorded``: all records) to save space.
    """

    prefix: str
    packages: tuple[Package, ...]
    distributions: Mapping[str, str]
    unread: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    python: str | None = None
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replaced: Mapping[str, Package | None] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    unrecorded: bool = False

    def may_hold(self, name: str, manager: str = "conda") -> bool:
        """Whether a package of which there is no record may be there all the same.

        A conda package may be there where all of conda's records are gone: if only its own record
        is missing, the package is not installed.
        """
        if manager == "conda" and any(item.manager == "conda" for item in self.packages):
            return False
        return normalised(name) in self.modules or (self.unrecorded and bool(self.modules))

    def get(self, name: str, manager: str = "conda") -> Package | None:
        """The package of this name, None if it is not installed."""
        for package in self.packages:
            if package.name == name and package.manager == manager:
                return package
        return None


def environment(view: View, prefix: str, before: Sequence[str] = ()) -> Environment:
    """The packages below a prefix of the final image (see :func:`.prefixes.find_prefix`).

    A Python distribution is installed where its metadata (``*.dist-info``,
    ``*.egg-info``) lies in a directory that the prefix's own Python searches.
    A ``conda-meta`` record whose distribution is not there any more counts as
    conda itself counts it, which is not at all. ``prefix`` may also be a
    directory that holds distributions itself. ``before`` are directories that
    are searched first (PYTHONPATH). No container runs.
    """
    root = "/" + prefix.strip("/")
    if holds_distributions(view, root):
        return _of_directory(view, root)
    records, unread = _conda_records(view, root)
    recorded = next((r.package.version for r in records if r.package.name == "python"), None)
    python = interpreter(view, root, recorded)
    found = _Distributions()
    for site in before:
        found.read(view, site)
    first = len(found.packages)
    shadowing = {package.name for _, package in found.packages}
    for site in python.sites:
        found.read(view, site)
    own = len(found.packages)
    for site in python.inherited:
        found.read(view, site)
    searched = {*python.sites, *(f"{root}/lib/{name}/site-packages" for name in python.names)}
    owned = {path for record in records for path in record.owns}
    replaced: dict[str, Package | None] = {}
    packages: list[Package] = []
    for record in records:
        # setuptools also brings the metadata of the packages that it vendors.
        anchors = [path for path in record.owns if display(path).rpartition("/")[0] in searched]
        lost = [
            path
            for path in anchors
            if path not in found.directories
            or found.superseded.get(path, path) not in {path, *owned}
            or normalised(_distribution_of(path)) in shadowing
        ]
        if lost:
            names = {normalised(_distribution_of(path)) for path in lost}
            instead = [
                item for path, item in found.packages if path not in owned and item.name in names
            ]
            replaced[record.package.name] = instead[0] if instead else None
        else:
            packages.append(record.package)
    for number, (path, package) in enumerate(found.packages):
        if path not in owned:
            packages.append(replace(package, inherited=number >= own or number < first))
    return Environment(
        root,
        tuple(sorted(packages, key=lambda package: (package.manager, package.name))),
        found.versions,
        (*unread, *found.unread),
        python.names,
        python.version if python.version and python.version.count(".") > 1 else None,
        found.several,
        replaced,
        frozenset(
            name
            for site in (*before, *python.sites, *python.inherited)
            for name in _modules(view, site)
        ),
        not found.directories,
    )


_MODULE = regex(r"([A-Za-z_]\w*)(?:\.py|\.pyc|(?:\.[\w-]+)?\.so)")


def _modules(view: View, site: str) -> Iterator[str]:
    """The normalised names of the modules and the packages in a directory."""
    for raw in view.names(site):
        name = display(raw).lstrip("/")
        if match := _MODULE.fullmatch(name):
            yield normalised(match[1])
        elif name.isidentifier() and {b"__init__.py", b"__init__.pyc"} & {
            *view.names(f"{site}/{name}")
        }:
            yield normalised(name)


def holds_distributions(view: View, directory: str) -> bool:
    """Whether distributions lie right in a directory, as ``pip install --target`` puts them."""
    return any(name.endswith((b".dist-info", b".egg-info")) for name in view.names(directory))


def _of_directory(view: View, directory: str) -> Environment:
    found = _Distributions()
    found.read(view, directory)
    packages = sorted((package for _, package in found.packages), key=lambda item: item.name)
    unread = tuple(found.unread)
    return Environment(directory, tuple(packages), found.versions, unread, several=found.several)


# --- conda's records ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _CondaRecord:
    """A record of ``conda-meta``: a package, and the metadata of distributions in its archive."""

    package: Package
    owns: tuple[bytes, ...]


def _conda_records(view: View, root: str) -> tuple[list[_CondaRecord], list[str]]:
    """The records of a prefix, and the paths of those that cannot be used."""
    below = root.strip("/").encode("utf-8", "surrogateescape")
    below = below + b"/" if below else b""
    records: list[_CondaRecord] = []
    unread: list[str] = []
    for path, content, _ in _records(view, below + b"conda-meta"):
        if not path.endswith(b".json") or path.count(b"/") != below.count(b"/") + 1:
            continue
        record = json.loads(content) if content else None
        texts = (record.get("name"), record.get("version")) if record else ()
        if not record or not all(isinstance(text, str) for text in texts):
            unread.append(display(path))
            continue
        owns = tuple(
            below + name.encode("utf-8", "surrogateescape") for name in record.get("owns", ())
        )
        records.append(_CondaRecord(_conda_package(record), owns))
    return records, unread


def _conda_package(record: Mapping[str, Any]) -> Package:
    channel = str(record.get("channel") or "")
    digests = tuple(f"{kind}:{record[kind]}" for kind in ("md5", "sha256") if record.get(kind))
    return Package(
        name=str(record["name"]).lower(),
        version=str(record["version"]),
        build=str(record.get("build") or record.get("build_string") or ""),
        channel=channel,
        url=str(record.get("url") or ""),
        digests=digests,
        depends=tuple(record.get("needs", ())),
    )


# --- Python's distributions ---------------------------------------------------------------------


_METADATA = regex(rb"[^/]+\.(?:dist-info/METADATA|egg-info(?:/PKG-INFO)?|egg/EGG-INFO/PKG-INFO)")


class _Distributions:
    """The distributions of several directories; in the first that has a name it is found.

    ``packages`` have the path of their metadata; ``directories`` are all such
    paths, also of those that another directory or record goes before, and
    ``superseded`` maps those to the record that goes before them because it
    came later into the same directory (``pip install --ignore-installed``).
    """

    def __init__(self) -> None:
        self.packages: list[tuple[bytes, Package]] = []
        self.versions: dict[str, str] = {}
        self.several: dict[str, tuple[str, ...]] = {}
        self.directories: set[bytes] = set()
        self.superseded: dict[bytes, bytes] = {}
        self.unread: list[str] = []

    def read(self, view: View, site: str) -> None:
        """Add what one directory holds."""
        below = site.strip("/").encode("utf-8", "surrogateescape")
        here: dict[str, list[tuple[int, str, bytes]]] = {}
        records = list(_records(view, below))
        urls = {
            path.rpartition(b"/")[0]: content
            for path, content, _ in records
            if path.endswith(b"/direct_url.json")
        }
        for path, content, layer in records:
            if not _METADATA.fullmatch(path[len(below) + 1 :]):
                continue
            directory = path if path.endswith(b".egg-info") else path.rpartition(b"/")[0]
            self.directories.add(directory)
            fields = _headers(content)
            name, version = fields.get("name"), fields.get("version")
            if not name or not version:
                self.unread.append(display(path))
                continue
            here.setdefault(normalised(name), []).append((layer, version, directory))
        for name, copies in here.items():
            if name not in self.versions:  # else an earlier directory has it
                self._take(name, copies, urls)

    def _take(
        self,
        name: str,
        copies: Sequence[tuple[int, str, bytes]],
        urls: Mapping[bytes, bytes],
    ) -> None:
        """Take the record that came last: its files were written over those of the others."""
        last = max(layer for layer, _, _ in copies)
        newest = [copy for copy in copies if copy[0] == last]
        _, version, directory = newest[0]
        versions = tuple(dict.fromkeys(version for _, version, _ in newest))
        if len(versions) > 1:
            self.several[name] = versions
        self.versions[name] = version
        self.packages.append((directory, _pip_package(name, version, urls.get(directory))))
        self.superseded |= {other: directory for layer, _, other in copies if layer < last}


def _pip_package(name: str, version: str, direct_url: bytes | None) -> Package:
    found = json.loads(direct_url or b"{}")
    origin = found if isinstance(found, dict) else {}
    return Package(
        name,
        version,
        manager="pip",
        url=str(origin.get("url", "")),
        digests=tuple(_origin_digests(origin)),
    )


def _origin_digests(origin: Mapping[str, Any]) -> Iterator[str]:
    """The digests and the commit in a record of PEP 610."""
    archive, repository = origin.get("archive_info"), origin.get("vcs_info")
    if isinstance(archive, dict):
        hashes = archive.get("hashes")
        if isinstance(hashes, dict):
            yield from (f"{kind}:{value}" for kind, value in hashes.items())
        elif isinstance(archive.get("hash"), str):
            yield archive["hash"].replace("=", ":", 1)
    if isinstance(repository, dict) and repository.get("commit_id"):
        yield f"commit:{repository['commit_id']}"


def _distribution_of(path: bytes) -> str:
    """The name in the name of a directory of metadata: ``click`` of ``click-8.1.8.dist-info``."""
    return display(path).rpartition("/")[2].partition("-")[0]


def _records(view: View, directory: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """The records below a directory: path, content, and the layer that they come from."""
    for path, code in view.codes(directory):
        if path.endswith(KEEP_SUFFIXES):
            number, position = split_code(code)
            layer = view.layers[number]
            if layer.kinds[position] & ~OPAQUE != Kind.DIRECTORY and keeps(path):
                yield path, layer.kept.get(path, b""), number


def _headers(content: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields
