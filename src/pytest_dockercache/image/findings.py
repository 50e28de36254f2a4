"""What an image should not hold: package caches, bytecode, and bytes that nobody sees."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .index import OPAQUE, Kind, LayerIndex, display
from .replay import HiddenFile, View, split_code

__all__ = [
    "Bytecode",
    "CacheKind",
    "HiddenBytes",
    "PackageCache",
    "bytecode",
    "hidden",
    "package_caches",
    "top_layers",
]

CacheKind = str
"""What a package cache consists of.

``conda-archives`` (``*.conda``, ``*.tar.bz2`` in ``pkgs/``), ``conda-index``
(``pkgs/cache/``), ``conda-packages`` (extracted, not linked into an
environment), ``pip``. Reported only: ``linked`` (files of extracted packages
that are linked but for these), ``record`` (``urls.txt`` and the like), and
the kinds of caches that the caller of :func:`package_caches` names.
"""

FAILING: frozenset[str] = frozenset({"conda-archives", "conda-index", "conda-packages", "pip"})


@dataclass(frozen=True)
class PackageCache:
    """Files of one package cache that one layer adds, as the final image shows them.

    ``path`` is the directory that they are in (an extracted package's own);
    ``files`` counts them, ``bytes`` counts each hard-link group once;
    ``examples`` are some of the paths, the largest files first.
    """

    kind: CacheKind
    layer: int
    path: str
    files: int
    bytes: int
    examples: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the image should not hold it; otherwise it is only reported."""
        return self.kind in FAILING


@dataclass(frozen=True)
class Bytecode:
    """The ``.pyc`` files of the final image that one layer adds below one directory."""

    layer: int
    path: str
    files: int
    bytes: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class HiddenBytes:
    """What layer ``hidden_by`` hides of layer ``layer``.

    ``path`` is the deepest directory that holds all of it; ``files`` counts
    names, ``bytes`` what the image would be smaller; ``deleted``,
    ``replaced`` and ``attributes`` split the bytes by how they were hidden
    (see :data:`.replay.How`). ``counted`` is False for bytes of the base:
    nobody can shrink their base.
    """

    layer: int
    hidden_by: int
    path: str
    files: int
    bytes: int
    counted: bool = True
    deleted: int = 0
    replaced: int = 0
    attributes: int = 0
    examples: tuple[str, ...] = ()


def top_layers(layers: Sequence[LayerIndex], count: int) -> frozenset[int]:
    """Positions of the topmost ``count`` layers."""
    return frozenset(range(max(0, len(layers) - count), len(layers)))


class _Sum:
    """Files and bytes of one finding while it is added up."""

    __slots__ = ("bytes", "files", "largest")

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.largest: list[tuple[int, bytes]] = []

    def add(self, path: bytes, size: int, counted: int | None = None) -> None:
        self.files += 1
        self.bytes += size if counted is None else counted
        self.largest.append((-size, path))
        if len(self.largest) > 64:
            self.largest = sorted(self.largest)[:3]

    @property
    def examples(self) -> tuple[str, ...]:
        return tuple(display(path) for _, path in sorted(self.largest)[:3])


class _Charge:
    """Charges a file's bytes to the first of its names that is met."""

    def __init__(self, layers: Sequence[LayerIndex]) -> None:
        self._layers = layers
        self._seen: set[tuple[int, int]] = set()

    def size(self, number: int, position: int) -> int:
        layer = self._layers[number]
        group = layer.groups[position]
        if group:
            if (number, group) in self._seen:
                return 0
            self._seen.add((number, group))
        return layer.sizes[position]


def bytecode(view: View, own: Collection[int]) -> tuple[Bytecode, ...]:
    """The ``.pyc`` files that the layers ``own`` add to the final image, by layer and directory.

    Directories are told apart down to the package level: an environment, or
    else the directory that holds all of a layer's bytecode.
    """
    sums: dict[int, _Sum] = {}
    charge = _Charge(view.layers)
    for path, code in view.codes():
        if path.endswith(b".pyc"):
            number, position = split_code(code)
            if number in own and view.layers[number].kinds[position] & ~OPAQUE != Kind.DIRECTORY:
                total = sums.setdefault(number, _Sum())
                total.add(path, charge.size(number, position))
    found = []
    for number, total in sorted(sums.items()):
        paths = (
            path
            for path, code in view.codes()
            if path.endswith(b".pyc") and split_code(code)[0] == number
        )
        found.append(Bytecode(number, _common(paths), total.files, total.bytes, total.examples))
    return tuple(found)


def _common(paths: Iterable[bytes]) -> str:
    common: list[bytes] | None = None
    for path in paths:
        parts = path.split(b"/")[:-1]
        if common is None:
            common = parts
            continue
        length = 0
        for one, other in zip(common, parts, strict=False):
            if one != other:
                break
            length += 1
        del common[length:]
        if not common:
            break
    return display(b"/".join(common or ()))


def hidden(view: View, own: Collection[int]) -> tuple[HiddenBytes, ...]:
    """What the layers ``own`` hide, by wasting and hiding layer, the most bytes first.

    What they hide of each other is ``counted``; what they hide of the base is
    not. What base layers hide of the base is left out.
    """
    groups: dict[tuple[int, int], list[HiddenFile]] = {}
    for file in view.hidden:
        if file.hidden_by in own:
            groups.setdefault((file.layer, file.hidden_by), []).append(file)
    found = []
    for (layer, by), files in groups.items():
        split = {"deleted": 0, "replaced": 0, "attributes": 0}
        total = _Sum()
        for file in files:
            split[file.how] += file.size
            total.add(file.path, file.size)
        found.append(
            HiddenBytes(
                layer=layer,
                hidden_by=by,
                path=_common(file.path for file in files if file.size or not total.bytes),
                files=total.files,
                bytes=total.bytes,
                counted=layer in own,
                examples=total.examples,
                **split,
            )
        )
    return tuple(sorted(found, key=lambda item: (not item.counted, -item.bytes, item.layer)))


# --- package caches ---------------------------------------------------------------------------


def package_caches(
    view: View,
    own: Collection[int],
    *,
    env: Mapping[str, str] | None = None,
    caches: Mapping[str, CacheKind] = {},
) -> tuple[PackageCache, ...]:
    """Package caches that the layers ``own`` add to the final image, by layer and directory.

    ``caches`` has the kinds of those that are known by where they lie, by the
    name of their directory in a ``.cache`` directory, and by the variable, in
    capital letters, that names another one. ``env`` is the image's
    environment, in which these and ``CONDA_PKGS_DIRS`` are looked up.

    An extracted package is judged per directory: if any of its files shares
    an inode with a file outside package caches in the same layer, it is
    linked and costs nothing (what ``conda clean --all`` leaves in place).
    """
    return _CacheSearch(view, own, env or {}, caches).run()


_ARCHIVES = (b".conda", b".tar.bz2", b".conda.partial", b".tar.bz2.partial")

_RECORDS = (b"/info/index.json", b"/info/repodata_record.json")
"""What conda and mamba write into every package that they extract."""

# libmamba 2.6 (mamba-org/mamba#4163) lays packages out by where they come from:
# pkgs/https/conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py310h_0.conda.
_SCHEMES = frozenset({b"https", b"http", b"file", b"ftp", b"oci", b"s3"})
_PLATFORM = re.compile(rb"noarch|(?:linux|osx|win|freebsd|zos|emscripten|wasi)-\w+")


def _package_name(relative: bytes) -> bytes:
    """The part of a path below a conda cache that names a package, or a file that lies beside."""
    parts = relative.split(b"/")
    if parts[0] in _SCHEMES:
        for position, part in enumerate(parts):
            if _PLATFORM.fullmatch(part):
                return b"/".join(parts[: position + 2])
    return parts[0]


class _CacheSearch:
    def __init__(
        self,
        view: View,
        own: Collection[int],
        env: Mapping[str, str],
        caches: Mapping[str, CacheKind],
    ) -> None:
        self._caches = caches
        self._in_home = {os.fsencode(name): kind for name, kind in caches.items()}
        self._view = view
        self._own = own
        self._env = env
        self._conda: list[bytes] = []
        self._others: list[tuple[bytes, CacheKind]] = []
        self._charge = _Charge(view.layers)
        self._sums: dict[tuple[CacheKind, int, bytes], _Sum] = {}

    def run(self) -> tuple[PackageCache, ...]:
        self._find_directories()
        for directory, kind in self._others:
            for path, number, position in self._own_files(directory):
                self._add(kind, number, directory, path, position)
        if self._conda:
            linked = self._linked_groups()
            for directory in self._conda:
                self._judge_conda(directory, linked)
        found = [
            PackageCache(kind, number, display(directory), total.files, total.bytes, total.examples)
            for (kind, number, directory), total in self._sums.items()
        ]
        return tuple(sorted(found, key=lambda item: (not item.fails, -item.bytes, item.path)))

    def _find_directories(self) -> None:
        named: dict[bytes, CacheKind] = {}
        for variable, kind in self._caches.items():
            if value := self._env.get(variable, "").strip("/"):
                named[posixpath.normpath(value).encode("utf-8", "surrogateescape")] = kind
        conda = {
            posixpath.normpath(item.strip("/")).encode("utf-8", "surrogateescape")
            for item in self._env.get("CONDA_PKGS_DIRS", "").replace(",", ":").split(":")
            if item.strip("/")
        }
        xdg = self._env.get("XDG_CACHE_HOME", "").strip("/").encode("utf-8", "surrogateescape")
        nested = self._nested_caches()
        inside = b"\0"
        for path, code in self._view.codes():
            if path.startswith(inside):
                continue
            number, position = split_code(code)
            if code >= 0 and self._view.layers[number].kinds[position] & ~OPAQUE != Kind.DIRECTORY:
                continue
            parent, _, name = path.rpartition(b"/")
            other = named.get(path)
            if other is None and (parent.endswith(b".cache") or (xdg and parent == xdg)):
                other = self._in_home.get(name)
            if other is not None:
                self._others.append((path, other))
            elif (
                path in conda or path in nested or (name == b"pkgs" and self._is_conda_cache(path))
            ):
                self._conda.append(path)
            else:
                continue
            inside = path + b"/"

    def _is_conda_cache(self, directory: bytes) -> bool:
        """Whether a directory called ``pkgs`` is conda's: by what only conda leaves in one."""
        names = self._view.names(directory)
        return any(
            name in (b"urls", b"urls.txt")
            or name.endswith(_ARCHIVES)
            or self._view.get(directory + b"/" + name + b"/info/index.json") is not None
            for name in names
        ) or any(name.endswith(b".json") for name in self._view.names(directory + b"/cache"))

    def _nested_caches(self) -> set[bytes]:
        """The directories called ``pkgs`` that hold packages by channel and platform."""
        found: set[bytes] = set()
        for path, _ in self._view.codes():
            if b"pkgs/" not in path or not path.endswith(_ARCHIVES + _RECORDS):
                continue
            parts = path.split(b"/")[: -3 if path.endswith(_RECORDS) else -1]
            if not parts or not _PLATFORM.fullmatch(parts[-1]):
                continue
            # A platform's directory with an index of its own is a channel that somebody serves.
            if self._view.get(b"/".join((*parts, b"repodata.json"))) is not None:
                continue
            last = len(parts) - 1 - parts[::-1].index(b"pkgs") if b"pkgs" in parts else len(parts)
            for position, part in enumerate(parts[:-2]):
                # The URL of a channel may have a part "pkgs" too: repo.anaconda.com/pkgs/main.
                if part == b"pkgs" and (position == last or parts[position + 1] in _SCHEMES):
                    found.add(b"/".join(parts[: position + 1]))
                    break
        return found

    def _own_files(self, directory: bytes) -> Iterator[tuple[bytes, int, int]]:
        for path, code in self._view.codes(directory):
            number, position = split_code(code)
            if self._is_own_file(number, position):
                yield path, number, position

    def _is_own_file(self, number: int, position: int) -> bool:
        if number not in self._own:
            return False
        return self._view.layers[number].kinds[position] & ~OPAQUE != Kind.DIRECTORY

    def _linked_groups(self) -> set[tuple[int, int]]:
        """Hard-link groups of own layers with a name outside every package cache."""
        roots = tuple(directory + b"/" for directory in self._conda)
        found: set[tuple[int, int]] = set()
        for path, code in self._view.codes():
            number, position = split_code(code)
            if number in self._own:
                group = self._view.layers[number].groups[position]
                if group and not path.startswith(roots):
                    found.add((number, group))
        return found

    def _packaged_files(self, directory: bytes) -> Iterator[tuple[bytes | None, bytes, int, int]]:
        """The own files of a conda cache, each with the directory of its extracted package.

        That is the highest directory which holds such a package's records;
        None outside of them.
        """
        extracted = {
            path.rpartition(b"/info/")[0]
            for path, _ in self._view.codes(directory)
            if path.endswith(_RECORDS)
        }
        package: bytes | None = None
        for path, code in self._view.codes(directory):
            # Parents come first, and what is below a directory directly after it.
            if package is None or not path.startswith(package + b"/"):
                package = path if path in extracted else None
            number, position = split_code(code)
            if self._is_own_file(number, position):
                yield package, path, number, position

    def _judge_conda(self, directory: bytes, linked: set[tuple[int, int]]) -> None:
        start = len(directory) + 1
        packages: dict[bytes, list[tuple[bytes, int, int]]] = {}
        for package, path, number, position in self._packaged_files(directory):
            relative = path[start:]
            name = _package_name(relative) if package is None else package[start:]
            if relative.startswith(b"cache/"):
                self._add("conda-index", number, directory + b"/cache", path, position)
            elif package is None and relative.endswith(_ARCHIVES):
                self._add("conda-archives", number, directory, path, position)
            elif name == relative:
                self._add("record", number, directory, path, position)
            else:
                packages.setdefault(name, []).append((path, number, position))
        layers = self._view.layers
        for name, files in packages.items():
            loose = [
                item for item in files if (item[1], layers[item[1]].groups[item[2]]) not in linked
            ]
            if len(loose) == len(files):
                for path, number, position in files:
                    self._add("conda-packages", number, directory + b"/" + name, path, position)
            else:
                for path, number, position in loose:
                    self._add("linked", number, directory, path, position)

    def _add(
        self, kind: CacheKind, number: int, directory: bytes, path: bytes, position: int
    ) -> None:
        total = self._sums.setdefault((kind, number, directory), _Sum())
        total.add(path, self._charge.size(number, position))
