"""Two kinds of waste in an image, beside package caches: bytecode and hidden bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from ..regexes import regex
from ..values import dataclass
from .index import OPAQUE, Kind, display
from .replay import HiddenFile, How, View, split_code
from .sums import Charge, Sum

__all__ = ["Bytecode", "HiddenBytes", "bytecode", "hidden", "moved_base"]


@dataclass(frozen=True)
class Bytecode:
    """The ``.pyc`` files of the final image that one layer adds below one directory.

    ``path`` is an environment's ``site-packages``, the library of a Python, or the directory above
    all bytecode of any other tree. ``copied`` are the bytes that the layer only copies from a layer
    below, to change an owner or a mode. ``has_source`` is False for files without their ``.py``:
    Python cannot write them again.
    """

    layer: int
    path: str
    files: int
    bytes: int
    examples: tuple[str, ...] = ()
    copied: int = 0
    has_source: bool = True


@dataclass(frozen=True)
class HiddenBytes:
    """The files of layer ``layer`` that layer ``hidden_by`` hides.

    ``path`` is the deepest directory that holds all of the files; ``files`` counts names, ``bytes``
    is how much smaller the image would be without them; ``deleted``, ``replaced`` and
    ``attributes`` split the bytes by how they were hidden (see :data:`.replay.How`). ``counted`` is
    False for bytes of the base image, which the user cannot shrink. ``copies`` is True for bytes
    that an own layer adds only to change the owner or the mode of the base's files: the base's
    bytes are hidden, and the copy is the own layer's. ``moved`` are those bytes where the copy lies
    at another path (see :func:`moved_base`).
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
    copies: bool = False
    moved: int = 0


# --- bytecode -----------------------------------------------------------------------------------


_LIBRARY = regex(rb"(?:.*/)?(?:site-packages|dist-packages)|(?:.*?/)?lib(?:64)?/python\d[\d.]*t?")

_SHARED = frozenset({b"etc", b"home", b"lib", b"media", b"mnt", b"opt", b"srv", b"tmp", b"usr",
                     b"var"})  # fmt: skip
"""Directories of the root that hold the trees of many owners."""


def bytecode(view: View, own: Collection[int]) -> tuple[Bytecode, ...]:
    """The ``.pyc`` files that the layers ``own`` add to the final image, by layer and place.

    Files without a source are told apart: a ``.pyc`` without its ``.py`` is the program itself
    (``compileall -b`` and a deleted source). The source of a file below a ``PYTHONPYCACHEPREFIX``
    lies at the rest of that file's path.
    """
    sums: dict[tuple[int, bytes, bool], Sum] = {}
    directories: dict[tuple[int, bytes, bool], list[bytes]] = {}
    charge = Charge(view.layers)
    for path, code in view.codes():
        if not path.endswith(b".pyc"):
            continue
        number, position = split_code(code)
        if number not in own or view.layers[number].kinds[position] & ~OPAQUE == Kind.DIRECTORY:
            continue
        directory = path.rpartition(b"/")[0]
        tree = directory.removesuffix(b"__pycache__").rstrip(b"/")
        key = (number, _library(tree) or _tree(tree), _has_source(view, path))
        size = charge.size(number, position)
        sums.setdefault(key, Sum()).add(path, size, size if view.is_copy(number, position) else 0)
        directories.setdefault(key, []).append(tree or path[: len(path) if not directory else 11])
    found = []
    for key, total in sums.items():
        number, place, has_source = key
        if not place or _library(place) != place:
            place = _common(directories[key])
        found.append(
            Bytecode(number, display(place), total.files, total.bytes, total.examples,
                     total.copied, has_source)
        )  # fmt: skip
    return tuple(sorted(found, key=lambda item: (item.layer, item.path, not item.has_source)))


def _library(directory: bytes) -> bytes:
    """The library of an environment or a Python that a directory lies in, b"" if in none."""
    found = _LIBRARY.match(directory)
    if found is None or directory[found.end() : found.end() + 1] not in (b"", b"/"):
        return b""
    return found[0]


def _tree(directory: bytes) -> bytes:
    """The directory of the root above a directory; of a shared one, the directory in that."""
    parts = directory.split(b"/")
    return b"/".join(parts[: 2 if parts[0] in _SHARED else 1])


_TAGGED = regex(rb"(?P<stem>.+)\.(?:cpython|pypy|graalpy|pyston)-?\w+(?:[-.][^/]*)?\.pyc")
"""The name of bytecode that Python wrote for itself, with its sys.implementation.cache_tag.

The hooks that change code at its import append a mark of their own, which may have dots in it
(pytest's ``test_a.cpython-310-pytest-8.3.4.pyc``).
"""


def _has_source(view: View, path: bytes) -> bool:
    """Whether the image holds the ``.py`` that a ``.pyc`` was compiled from.

    PYTHONPYCACHEPREFIX has Python write below a directory of its own, at the source's
    own path and without ``__pycache__``.
    """
    if _source(path) in view:
        return True
    directory, _, name = path.rpartition(b"/")
    tagged = _TAGGED.fullmatch(name)
    while tagged is not None and directory:
        _, _, directory = directory.partition(b"/")
        if (directory + b"/" if directory else b"") + tagged["stem"] + b".py" in view:
            return True
    return False


def _source(path: bytes) -> bytes:
    """The ``.py`` that a ``.pyc`` was compiled from (PEP 3147)."""
    directory, _, name = path.rpartition(b"/")
    stem = name.removesuffix(b".pyc")
    if directory == b"__pycache__" or directory.endswith(b"/__pycache__"):
        directory = directory.removesuffix(b"__pycache__").rstrip(b"/")
        if tagged := _TAGGED.fullmatch(name):
            stem = tagged["stem"]
        else:
            stem = re.sub(rb"\.opt-\w+\Z", b"", stem).rpartition(b".")[0] or stem
    return (directory + b"/" if directory else b"") + stem + b".py"


def _common(directories: Iterable[bytes]) -> bytes:
    common: list[bytes] | None = None
    for directory in directories:
        parts = directory.split(b"/")
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
    return b"/".join(common or ())


# --- hidden bytes -------------------------------------------------------------------------------


def hidden(view: View, own: Collection[int]) -> tuple[HiddenBytes, ...]:
    """The files that the layers ``own`` hide, by wasting and hiding layer, the most bytes first.

    Files of own layers are ``counted``, and so are the copies that own layers add of the base's
    files; hidden files of the base are not. Files of the base that base layers hide are left out.
    """
    groups: dict[tuple[int, int], list[HiddenFile]] = {}
    for file in view.hidden:
        if file.hidden_by in own:
            groups.setdefault((file.layer, file.hidden_by), []).append(file)
    found = [
        _hidden_bytes(layer, by, files, counted=layer in own)
        for (layer, by), files in groups.items()
    ]
    found += _copies_of_base(view, own)
    return tuple(sorted(found, key=lambda item: (not item.counted, -item.bytes, item.layer)))


def _hidden_bytes(
    layer: int, by: int, files: Sequence[HiddenFile], *, counted: bool
) -> HiddenBytes:
    total = Sum()
    for file in files:
        total.add(file.path, file.size)

    def hidden_as(how: How) -> int:
        return sum(file.size for file in files if file.how == how)

    held = (file.path for file in files if file.size or not total.bytes)
    return HiddenBytes(
        layer=layer,
        hidden_by=by,
        path=display(_common(path.rpartition(b"/")[0] for path in held)),
        files=total.files,
        bytes=total.bytes,
        counted=counted,
        examples=total.examples,
        deleted=hidden_as("deleted"),
        replaced=hidden_as("replaced"),
        attributes=hidden_as("attributes"),
    )


def _copies_of_base(view: View, own: Collection[int]) -> Iterator[HiddenBytes]:
    """The copies of base files that own layers add, by the layers of both.

    A copy that a later layer hides is left out, because :func:`hidden` counts that copy.
    """
    charge = Charge(view.layers)
    sums: dict[tuple[int, int], Sum] = {}
    paths: dict[tuple[int, int], list[bytes]] = {}
    for path, number, position, first in view.copies():
        if number in own and first not in own:
            sums.setdefault((first, number), Sum()).add(path, charge.size(number, position))
            paths.setdefault((first, number), []).append(path.rpartition(b"/")[0])
    for (first, number), total in sums.items():
        yield HiddenBytes(
            layer=first,
            hidden_by=number,
            path=display(_common(paths[first, number])),
            files=total.files,
            bytes=total.bytes,
            attributes=total.bytes,
            examples=total.examples,
            copies=True,
        )


def moved_base(
    view: View, own: Collection[int], movers: Collection[int]
) -> tuple[HiddenBytes, ...]:
    """The copies of base files that the layers ``movers`` add at another path (``mv /opt/conda``).

    A file is taken for moved if the layer deletes a file of the base and adds one of the same name,
    size and time. An installer that replaces a package may do that too, so that only layers whose
    step is known to move files are asked.
    """
    gone: dict[tuple[int, bytes, int, int], list[HiddenFile]] = {}
    deleted: dict[int, dict[bytes, HiddenFile]] = {}
    for file in view.hidden:
        if file.hidden_by in movers and file.layer not in own and file.how == "deleted":
            deleted.setdefault(file.layer, {})[file.path] = file
    for number, files in deleted.items():
        layer = view.layers[number]
        for position, path in enumerate(layer.paths):
            if (found := files.get(path)) is not None and found.size:
                name = path.rpartition(b"/")[2]
                key = (found.hidden_by, name, layer.sizes[position], layer.mtimes[position])
                gone.setdefault(key, []).append(found)
    charge = Charge(view.layers)
    sums: dict[tuple[int, int], tuple[Sum, list[bytes]]] = {}
    for path, code in view.codes() if gone else ():
        number, position = split_code(code)
        layer = view.layers[number]
        if number not in movers or layer.kinds[position] & ~OPAQUE != Kind.FILE:
            continue
        key = (number, path.rpartition(b"/")[2], layer.sizes[position], layer.mtimes[position])
        if same := gone.get(key):
            first = same.pop()
            total, paths = sums.setdefault((first.layer, number), (Sum(), []))
            total.add(path, charge.size(number, position))
            paths.append(first.path.rpartition(b"/")[0])
    return tuple(
        HiddenBytes(first, number, display(_common(paths)), total.files, total.bytes,
                    examples=total.examples, copies=True, moved=total.bytes)
        for (first, number), (total, paths) in sums.items()
    )  # fmt: skip
