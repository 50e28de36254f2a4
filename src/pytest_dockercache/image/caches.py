"""Package caches in an image, recognised by their files, in whatever directory they lie.

The layout of a tool's cache is given as a :class:`CacheKind`; this module names no tool. A cache
directory is a directory with a *proof* in it; the *parts* of the kind say which of the directory's
files belong to the cache, so that a cache in a directory with other files (``/tmp``) is told from
these.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from ..values import dataclass
from .index import OPAQUE, Kind, display
from .replay import View, split_code
from .sums import Charge, Sum

__all__ = ["CacheKind", "CachePart", "CacheProof", "PackageCache", "package_caches"]


@dataclass(frozen=True)
class CacheProof:
    """A file that only a cache of one kind has.

    ``literal`` is a piece of the file's path that is quick to search for, with ``\\0`` for the end
    of the path; ``path`` is a regular expression for the whole path from its leading slash on,
    whose group ``place`` is the cache's directory. If ``beside`` is not empty, one of its names
    must be in the cache's directory as well (``../NAME``: in the directory above); if ``along`` is
    not empty, one of its names must be in the file's own directory; none of the names in
    ``without`` may be there.
    """

    literal: str
    path: str
    beside: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @cached_property
    def needle(self) -> bytes:
        """``literal`` as bytes."""
        return self.literal.encode()

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """``path``, compiled."""
        return re.compile(self.path.encode(), re.DOTALL)


@dataclass(frozen=True)
class CachePart:
    """Some of a cache's files: ``path`` is a regular expression that begins their paths below it.

    A group ``unit`` in it is the directory of one unpacked package: the
    package costs nothing if any of its files is a hard link to a file outside
    of caches in the same layer. ``name`` is the part's name in reports,
    ``title`` in sentences. ``fails`` is False for a part that is only
    reported.
    """

    name: str
    title: str
    path: str
    fails: bool = True

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """``path``, compiled."""
        return re.compile(self.path.encode(), re.DOTALL)


@dataclass(frozen=True)
class CacheKind:
    """The package cache of one tool.

    ``proofs`` and ``parts`` describe the layout; the first part that fits a file counts the file,
    and a file that no part fits is not the cache's. ``avoid`` names the option that keeps the cache
    out of an image, for a sentence; ``clean`` is the command that empties the whole cache, "" if
    there is none.
    """

    tool: str
    proofs: tuple[CacheProof, ...]
    parts: tuple[CachePart, ...]
    avoid: str
    clean: str = ""


@dataclass(frozen=True)
class PackageCache:
    """Files of one package cache that one layer adds, as the final image shows them.

    ``kind`` is the name of the cache's part, or ``linked`` for the unlinked files of an unpacked
    package whose other files are linked; ``place`` is the cache's directory, ``path`` the directory
    of an unpacked package, else ``place``. ``files`` is the number of files, ``bytes`` counts each
    hard-link group once; ``copied`` are the bytes that the layer only copies from a layer below, to
    change an owner or a mode; ``examples`` are some of the paths, the largest files first.
    ``fails`` says whether the check fails for these files.
    """

    kind: str
    layer: int
    path: str
    files: int
    bytes: int
    examples: tuple[str, ...] = ()
    place: str = ""
    title: str = ""
    fails: bool = True
    copied: int = 0
    cache: CacheKind | None = None


LINKED = "linked"


def package_caches(
    view: View, own: Collection[int], kinds: Sequence[CacheKind]
) -> tuple[PackageCache, ...]:
    """Package caches that the layers ``own`` add to the final image, by layer and directory.

    An unpacked package is judged per directory: if any of its files shares an inode with a file
    outside package caches in the same layer, the package is linked and costs nothing; its other
    files are then only reported. A cache into which symbolic links from outside lead is only
    reported too.
    """
    return _Search(view, own, kinds).run()


_Files = list[tuple[bytes, int, int]]


class _Search:
    def __init__(self, view: View, own: Collection[int], kinds: Sequence[CacheKind]) -> None:
        self._view = view
        self._own = own
        self._kinds = kinds
        self._charge = Charge(view.layers)
        self._sums: dict[tuple[CacheKind, CachePart | None, int, bytes, bytes], Sum] = {}

    def run(self) -> tuple[PackageCache, ...]:
        places = self._places()
        needed = self._needed(places)
        linked: set[tuple[int, int]] | None = None
        for place, kinds in places.items():
            units: dict[tuple[CacheKind, CachePart, bytes], _Files] = {}
            for path, number, position in self._own_files(place, places):
                relative = path[len(place) + 1 :] if place else path
                found = _part_of(relative, kinds)
                if found is None:
                    continue
                kind, part, unit = found
                if place in needed:
                    self._add((kind, None, number, place, place), path, number, position)
                elif unit is None:
                    self._add((kind, part, number, place, place), path, number, position)
                else:
                    directory = place + b"/" + unit if place else unit
                    units.setdefault((kind, part, directory), []).append((path, number, position))
            if units and linked is None:
                linked = self._linked_groups(places)
            for (kind, part, directory), files in units.items():
                self._judge_unit(kind, part, place, directory, files, linked or set())
        return self._found()

    # --- where the caches are -----------------------------------------------------------------

    def _places(self) -> dict[bytes, tuple[CacheKind, ...]]:
        """The cache directories in order, each with the kinds of its caches."""
        text = b"\0/" + b"\0/".join(path for path, _ in self._view.codes()) + b"\0"
        found: dict[bytes, set[int]] = {}
        for order, kind in enumerate(self._kinds):
            for proof in kind.proofs:
                for place in self._proved(text, proof):
                    found.setdefault(place, set()).add(order)
        places: dict[bytes, tuple[CacheKind, ...]] = {}
        for place in sorted(found, key=len):
            if not _is_inside(place, places):
                places[place] = tuple(self._kinds[order] for order in sorted(found[place]))
        return dict(sorted(places.items()))

    def _proved(self, text: bytes, proof: CacheProof) -> Iterator[bytes]:
        """The directories that a proof's files show to be caches."""
        seen: set[bytes] = set()
        at = text.find(proof.needle)
        while at >= 0:
            start = text.rfind(b"\0", 0, at + 1) + 1
            end = text.find(b"\0", start)
            path = text[start:end]
            match = proof.pattern.fullmatch(path)
            if match is not None:
                place = match["place"].strip(b"/")
                if place not in seen and self._holds(proof, place, path):
                    seen.add(place)
            at = text.find(proof.needle, end)
        yield from seen

    def _holds(self, proof: CacheProof, place: bytes, path: bytes) -> bool:
        here = path.rpartition(b"/")[0]
        if self._has_one(here, proof.without):
            return False
        return (not proof.beside or self._has_one(place, proof.beside)) and (
            not proof.along or self._has_one(here, proof.along)
        )

    def _has_one(self, directory: bytes, names: Sequence[str]) -> bool:
        """Whether one of these names is in a directory (``../NAME``: in the directory above)."""
        above = directory.rpartition(b"/")[0]
        return any(
            self._view.get((above if name.startswith("../") else directory)
                           + b"/" + name.removeprefix("../").encode())
            for name in names
        )  # fmt: skip

    # --- the files of the caches
    # ----------------------------------------------------------------------

    def _own_files(
        self, place: bytes, places: Collection[bytes]
    ) -> Iterator[tuple[bytes, int, int]]:
        """The own files below a place, without the files of another cache inside."""
        inside = b"\0"
        for path, code in self._view.codes(place):
            if path.startswith(inside):
                continue
            if path in places and path != place:
                inside = path + b"/"
                continue
            number, position = split_code(code)
            if self._is_own_file(number, position):
                yield path, number, position

    def _is_own_file(self, number: int, position: int) -> bool:
        if number not in self._own:
            return False
        return self._view.layers[number].kinds[position] & ~OPAQUE != Kind.DIRECTORY

    def _needed(self, places: Collection[bytes]) -> set[bytes]:
        """The caches into which symbolic links from outside lead, so that programs need them.

        ``UV_LINK_MODE=symlink`` and conda's ``always_softlink`` make such links.
        """
        roots = tuple(place + b"/" for place in places)
        needed: set[bytes] = set()
        for path, code in self._view.codes() if roots else ():
            number, position = split_code(code)
            layer = self._view.layers[number]
            if layer.kinds[position] & ~OPAQUE != Kind.SYMLINK or path.startswith(roots):
                continue
            target = posixpath.join(b"/" + posixpath.dirname(path), layer.targets[position])
            target = posixpath.normpath(target).lstrip(b"/")
            if target.startswith(roots):
                needed |= {root[:-1] for root in roots if target.startswith(root)}
        return needed

    def _linked_groups(self, places: Collection[bytes]) -> set[tuple[int, int]]:
        """Hard-link groups of own layers with a name outside every package cache."""
        roots = tuple(place + b"/" for place in places)
        found: set[tuple[int, int]] = set()
        for path, code in self._view.codes():
            number, position = split_code(code)
            if number in self._own:
                group = self._view.layers[number].groups[position]
                if group and not path.startswith(roots):
                    found.add((number, group))
        return found

    def _judge_unit(
        self,
        kind: CacheKind,
        part: CachePart,
        place: bytes,
        directory: bytes,
        files: _Files,
        linked: set[tuple[int, int]],
    ) -> None:
        layers = self._view.layers
        loose = [item for item in files if (item[1], layers[item[1]].groups[item[2]]) not in linked]
        if len(loose) == len(files):
            for path, number, position in files:
                self._add((kind, part, number, place, directory), path, number, position)
        else:
            for path, number, position in loose:
                self._add((kind, None, number, place, place), path, number, position)

    def _add(
        self,
        key: tuple[CacheKind, CachePart | None, int, bytes, bytes],
        path: bytes,
        number: int,
        position: int,
    ) -> None:
        total = self._sums.setdefault(key, Sum())
        size = self._charge.size(number, position)
        total.add(path, size, copied=size if self._view.is_copy(number, position) else 0)

    def _found(self) -> tuple[PackageCache, ...]:
        found = [
            PackageCache(
                kind=LINKED if part is None else part.name,
                layer=number,
                path=display(directory),
                files=total.files,
                bytes=total.bytes,
                examples=total.examples,
                place=display(place),
                title=f"files beside linked ones of {kind.tool}" if part is None else part.title,
                fails=part is not None and part.fails,
                copied=total.copied,
                cache=kind,
            )
            for (kind, part, number, place, directory), total in self._sums.items()
        ]
        return tuple(sorted(found, key=lambda item: (not item.fails, -item.bytes, item.path)))


def _is_inside(place: bytes, places: Mapping[bytes, Sequence[CacheKind]]) -> bool:
    """Whether a directory belongs to a part of a cache above it."""
    upper = place
    while upper:
        upper = upper.rpartition(b"/")[0]
        below = place[len(upper) + 1 :] if upper else place
        if _part_of(below + b"/", places.get(upper, ())) is not None:
            return True
    return False


def _part_of(
    relative: bytes, kinds: Sequence[CacheKind]
) -> tuple[CacheKind, CachePart, bytes | None] | None:
    """The kind and part that a file below a cache directory is of, and its unpacked package."""
    for kind in kinds:
        for part in kind.parts:
            match = part.pattern.match(relative)
            if match is not None:
                return kind, part, match.groupdict().get("unit")
    return None
