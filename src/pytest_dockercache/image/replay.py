"""Lay the layers on top of each other: the files one sees, and the bytes that nobody sees."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ..values import dataclass
from .index import OPAQUE, Entry, Kind, LayerIndex, display

__all__ = ["Found", "HiddenFile", "LayerChanges", "View", "replay"]

How = Literal["deleted", "replaced", "attributes"]
"""How a file was hidden: deleted, replaced by other content, or copied up only because its
mode or owner changed (same size and modification time)."""


@dataclass(frozen=True)
class Found:
    """A path of the final view: its entry, and the position of the layer that it comes from."""

    layer: int
    entry: Entry

    @property
    def name(self) -> str:
        """The absolute path as text."""
        return display(self.entry.path)


class HiddenFile(NamedTuple):
    """A file whose bytes a layer carries although no later layer shows them.

    ``layer`` carries the bytes, ``hidden_by`` is the layer that deleted or
    replaced the file (its last name, if it had several); ``size`` is what the
    file costs: 0 for all but the last hidden name of a hard-link group.
    """

    path: bytes
    layer: int
    hidden_by: int
    size: int
    how: How

    @property
    def name(self) -> str:
        """The absolute path as text."""
        return display(self.path)


@dataclass(frozen=True)
class LayerChanges:
    """The effect of one layer on the layers below it: numbers of paths that are not directories.

    ``added`` includes files at paths that an earlier layer had deleted.
    """

    added: int = 0
    replaced: int = 0
    deleted: int = 0


_FILE, _DIRECTORY, _SYMLINK = int(Kind.FILE), int(Kind.DIRECTORY), int(Kind.SYMLINK)
_WHITEOUT, _LINK = int(Kind.WHITEOUT), int(Kind.LINK)

# A code is one number for "this entry of that layer": a view of 100,000 files holds no more.
_LAYER_SHIFT = 40
_POSITION = (1 << _LAYER_SHIFT) - 1
_GROUPED = 1 << (_LAYER_SHIFT - 1)


class _Directory:
    """A directory of the view: its own entry (-1 if only implied) and its children."""

    __slots__ = ("children", "code")

    def __init__(self, code: int) -> None:
        self.code = code
        self.children: dict[bytes, int | _Directory] = {}


class View:
    """The final view of an image, and the waste of its layers.

    ``hidden`` lists hidden files in the order in which they were hidden;
    ``changes`` has one record per layer.
    """

    def __init__(
        self,
        layers: Sequence[LayerIndex],
        root: _Directory,
        hidden: Sequence[HiddenFile],
        changes: Sequence[LayerChanges],
        copies: Mapping[int, int],
    ) -> None:
        self.layers = tuple(layers)
        self.hidden = tuple(hidden)
        self.changes = tuple(changes)
        self._root = root
        self._copies = copies

    def is_copy(self, layer: int, position: int) -> bool:
        """Whether a layer's file repeats a lower layer's file, with size and time unchanged.

        A change of owner or mode (``chown -R``) makes such copies, and so does a COPY of a file
        that the image has already.
        """
        return layer << _LAYER_SHIFT | position in self._copies

    def copies(self) -> Iterator[tuple[bytes, int, int, int]]:
        """The copies in the final view: path, layer, position in it, layer of the original."""
        for path, code in self.codes() if self._copies else ():
            first = self._copies.get(code)
            if first is not None:
                yield path, code >> _LAYER_SHIFT, code & _POSITION, first >> _LAYER_SHIFT

    def __iter__(self) -> Iterator[Found]:
        """Every path of the image, directories included, parents first."""
        return (self._found(code) for _, code in self.codes())

    def __contains__(self, path: object) -> bool:
        return isinstance(path, (str, bytes)) and self.get(path) is not None

    def _found(self, code: int) -> Found:
        layer = code >> _LAYER_SHIFT
        return Found(layer, self.layers[layer].entry(code & _POSITION))

    def codes(self, below: str | bytes = b"") -> Iterator[tuple[bytes, int]]:
        """Paths with the code of their entry (see :func:`split_code`), for loops over all."""
        start = self._node(_as_path(below))
        if not isinstance(start, _Directory):
            return
        prefix = _as_path(below)
        stack: list[tuple[bytes, Iterator[tuple[bytes, int | _Directory]]]] = [
            (prefix + b"/" if prefix else b"", iter(sorted(start.children.items())))
        ]
        while stack:
            prefix, children = stack[-1]
            for name, node in children:
                if isinstance(node, _Directory):
                    yield prefix + name, node.code
                    stack.append((prefix + name + b"/", iter(sorted(node.children.items()))))
                    break
                yield prefix + name, node
            else:
                stack.pop()

    def _node(self, path: bytes) -> int | _Directory | None:
        node: int | _Directory | None = self._root
        for part in path.split(b"/") if path else ():
            if not isinstance(node, _Directory):
                return None
            node = node.children.get(part)
        return node

    def get(self, path: str | bytes) -> Found | None:
        """The entry at exactly this path (links are not followed), None if there is none."""
        node = self._node(_as_path(path))
        if node is None or node is self._root:
            return None
        return self._found(node.code if isinstance(node, _Directory) else node)

    def resolve(self, path: str | bytes) -> Found | None:
        """The entry that this path leads to, symbolic links followed inside the image."""
        from .tar import inside_root

        todo = [part for part in _as_path(path).split(b"/") if part]
        done = b""
        for _ in range(40 + len(todo) + 4096):
            if not todo:
                return self.get(done)
            part = todo.pop(0)
            here = done + b"/" + part if done else part
            found = self.get(here)
            if found is None:
                return None
            if found.entry.kind == Kind.SYMLINK:
                start = b"" if found.entry.target.startswith(b"/") else done
                goal = inside_root(start, found.entry.target)
                todo = [*(piece for piece in goal.split(b"/") if piece), *todo]
                done = b""
                if len(todo) > 4096:
                    return None
            else:
                done = here
        return None

    def names(self, path: str | bytes) -> tuple[bytes, ...]:
        """The names in a directory, sorted; empty if there is no such directory."""
        node = self._node(_as_path(path))
        return tuple(sorted(node.children)) if isinstance(node, _Directory) else ()

    def files(self) -> Iterator[Found]:
        """Every path of the final view that is not a directory."""
        for _, code in self.codes():
            if self.layers[code >> _LAYER_SHIFT].kinds[code & _POSITION] & ~OPAQUE != _DIRECTORY:
                yield self._found(code)

    def size(self) -> int:
        """Bytes of all files of the final view, hard links counted once."""
        total = 0
        seen: set[int] = set()
        for _, code in self.codes():
            layer = self.layers[code >> _LAYER_SHIFT]
            position = code & _POSITION
            if group := layer.groups[position]:
                key = code - position + group
                if key in seen:
                    continue
                seen.add(key)
            total += layer.sizes[position]
        return total


def split_code(code: int) -> tuple[int, int]:
    """The layer and the position in its index that a code of :meth:`View.codes` stands for."""
    return code >> _LAYER_SHIFT, code & _POSITION


def _as_path(path: str | bytes) -> bytes:
    raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
    return b"/".join(part for part in raw.split(b"/") if part not in (b"", b"."))


def replay(layers: Sequence[LayerIndex]) -> View:
    """Apply the layers from the bottom up, as an overlay mount shows them.

    Whiteouts and opaque directories hide only entries of lower layers. A file with several names is
    hidden when its last name is; a layer costs its files' bytes, hard links counted once.
    """
    return _Replay(layers).run()


class _Replay:
    def __init__(self, layers: Sequence[LayerIndex]) -> None:
        self._layers = layers
        self._root = _Directory(-1)
        self._hidden: list[HiddenFile] = []
        # Per layer: how many names each of its hard-link groups still has.
        self._names: list[array[int]] = []
        # Links into a layer below: the link's code to the inode's key, and the names left of it.
        self._borrowed: dict[int, int] = {}
        self._shared: dict[int, int] = {}
        # Files that repeat a lower layer's: the code of the copy to the code of the original.
        self._copies: dict[int, int] = {}

    def run(self) -> View:
        changes = [self._apply(number, layer) for number, layer in enumerate(self._layers)]
        return View(self._layers, self._root, self._hidden, changes, self._copies)

    def _apply(self, number: int, layer: LayerIndex) -> LayerChanges:
        names = array("I", bytes(4 * (max(layer.groups, default=0) + 1)))
        for group in layer.groups:
            names[group] += 1
        self._names.append(names)
        base = number << _LAYER_SHIFT
        added = replaced = deleted = 0
        kinds = layer.kinds
        parent_path = b""
        parent = self._root
        for position, path in enumerate(layer.paths):
            kind = kinds[position]
            if not path:
                if kind & OPAQUE:
                    deleted += self._empty(self._root, b"", number)
                continue
            directory, _, name = path.rpartition(b"/")
            if directory != parent_path:
                parent = self._parent(directory)
                parent_path = directory
            children = parent.children
            before = children.get(name)
            code = base + position
            if kind == _WHITEOUT:
                if before is not None:
                    del children[name]
                    deleted += self._hide(before, path, number, None)
            elif kind & ~OPAQUE == _DIRECTORY:
                if isinstance(before, _Directory):
                    before.code = code
                    if kind & OPAQUE:
                        deleted += self._empty(before, path + b"/", number)
                    continue
                if before is not None:
                    self._hide(before, path, number, None)
                    replaced += 1
                children[name] = _Directory(code)
            else:
                if kind == _LINK:
                    self._borrow(code, layer.targets[position])
                if before is None:
                    added += 1
                else:
                    replaced += 1
                    gone = self._hide(before, path, number, code)
                    if isinstance(before, _Directory):
                        deleted += gone
                children[name] = code
        return LayerChanges(added, replaced, deleted)

    def _parent(self, path: bytes) -> _Directory:
        node = self._root
        for part in path.split(b"/") if path else ():
            child = node.children.get(part)
            if not isinstance(child, _Directory):
                # An index lists every parent, so an index without one was damaged on purpose.
                child = node.children[part] = _Directory(-1)
            node = child
        return node

    def _empty(self, directory: _Directory, prefix: bytes, by: int) -> int:
        gone = 0
        for name, node in directory.children.items():
            gone += self._hide(node, prefix + name, by, None)
        directory.children = {}
        return gone

    def _hide(self, node: int | _Directory, path: bytes, by: int, code: int | None) -> int:
        """Book everything at and below a node as hidden; return how many files that is."""
        if not isinstance(node, _Directory):
            self._hide_file(node, path, by, code)
            return 1
        gone = 0
        pending = [(path, node)]
        while pending:
            path, directory = pending.pop()
            for name, child in directory.children.items():
                if isinstance(child, _Directory):
                    pending.append((path + b"/" + name, child))
                else:
                    self._hide_file(child, path + b"/" + name, by, None)
                    gone += 1
        return gone

    def _hide_file(self, old: int, path: bytes, by: int, new: int | None) -> None:
        number, position = old >> _LAYER_SHIFT, old & _POSITION
        layer = self._layers[number]
        kind = layer.kinds[position]
        size = 0
        if kind in (_FILE, _LINK):
            key = self._borrowed.get(old) if kind == _LINK else self._key(old)
            group = layer.groups[position]
            if key is not None and key in self._shared:
                self._shared[key] -= 1
                if self._shared[key] == 0:
                    number = key >> _LAYER_SHIFT
                    size = self._size(key)
            elif kind == _FILE:
                if group:
                    self._names[number][group] -= 1
                if not group or self._names[number][group] == 0:
                    size = layer.sizes[position]
        how: How = "deleted" if new is None else "replaced"
        if new is not None and kind == _FILE and self._is_same_file(old, new):
            self._copies[new] = self._copies.get(old, old)
            # A file with equal attributes may be a different file of the same second.
            how = "attributes" if self._attributes(old) != self._attributes(new) else how
        self._hidden.append(HiddenFile(path, number, by, size, how))

    def _is_same_file(self, old: int, new: int) -> bool:
        below, at = self._layers[old >> _LAYER_SHIFT], old & _POSITION
        above, to = self._layers[new >> _LAYER_SHIFT], new & _POSITION
        return (
            above.kinds[to] & ~OPAQUE == _FILE
            and above.sizes[to] == below.sizes[at]
            and above.mtimes[to] == below.mtimes[at]
        )

    def _attributes(self, code: int) -> tuple[int, int, int]:
        layer, at = self._layers[code >> _LAYER_SHIFT], code & _POSITION
        return layer.modes[at], layer.uids[at], layer.gids[at]

    def _key(self, code: int) -> int:
        """The key of the inode behind a file's name: the group for a hard link, else the code."""
        layer = self._layers[code >> _LAYER_SHIFT]
        group = layer.groups[code & _POSITION]
        return code & ~_POSITION | (_GROUPED | group) if group else code

    def _size(self, key: int) -> int:
        layer = self._layers[key >> _LAYER_SHIFT]
        at = key & _POSITION
        return layer.sizes[layer.groups.index(at & ~_GROUPED) if at & _GROUPED else at]

    def _borrow(self, code: int, target: bytes) -> None:
        """Note one more name of a file of a layer below."""
        node: int | _Directory | None = self._root
        for part in target.split(b"/"):
            node = node.children.get(part) if isinstance(node, _Directory) else None
        if node is None or isinstance(node, _Directory):
            return
        number, position = node >> _LAYER_SHIFT, node & _POSITION
        layer = self._layers[number]
        if layer.kinds[position] == _LINK:
            key = self._borrowed.get(node)
            if key is None:
                return
        elif layer.kinds[position] == _FILE:
            key = self._key(node)
        else:
            return
        if key not in self._shared:
            group = layer.groups[position]
            self._shared[key] = self._names[number][group] if group else 1
        self._shared[key] += 1
        self._borrowed[code] = key
