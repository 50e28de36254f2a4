"""Layers that hypothesis makes up, and a replay of them so plain that it can be believed."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st
from layer_maker import Member, add

from pytest_dockercache.image.index import Kind

__all__ = [
    "Directory",
    "File",
    "Gone",
    "Link",
    "Node",
    "Tree",
    "members_of",
    "plain_replay",
    "trees",
]


@dataclass(frozen=True)
class File:
    """A regular file; files of one layer with the same ``group`` are hard links of the first."""

    size: int
    mode: int = 0o644
    group: int = 0


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    text: str


@dataclass(frozen=True)
class Gone:
    """A whiteout."""


@dataclass(frozen=True)
class Directory:
    """A directory of a layer."""

    children: tuple[tuple[str, Node], ...]
    opaque: bool = False


Node: TypeAlias = "File | Link | Gone | Directory"
Tree = Directory

_names = st.sampled_from(["a", "b", "c", "a-b", "ü"])
_files = st.builds(
    File,
    size=st.integers(0, 700),
    mode=st.sampled_from([0o644, 0o755]),
    group=st.sampled_from([0, 0, 1, 2]),
)
_leaves = _files | st.builds(Gone) | st.builds(Link, text=st.sampled_from(["a", "../b", "/c"]))


def _directories(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(
        Directory,
        children=st.dictionaries(_names, children, max_size=4).map(lambda d: tuple(d.items())),
        opaque=st.booleans(),
    )


def trees() -> st.SearchStrategy[Tree]:
    """Strategy for one layer; its root is never opaque."""
    nodes = st.recursive(_leaves, _directories, max_leaves=8)
    return st.dictionaries(_names, nodes, max_size=4).map(lambda d: Directory(tuple(d.items())))


def walk(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Every path of a layer with its node, parents first."""
    for name, node in tree.children:
        yield prefix + name, node
        if isinstance(node, Directory):
            yield from walk(node, prefix + name + "/")


def members_of(tree: Tree) -> list[Member]:
    """The layer as the members of a tar."""
    members: list[Member] = []
    first: dict[int, str] = {}
    for path, node in walk(tree):
        head, _, name = path.rpartition("/")
        if isinstance(node, Directory):
            members.append(add(path + "/"))
            if node.opaque:
                members.append(add(path + "/.wh..wh..opq"))
        elif isinstance(node, Gone):
            members.append(add(f"{head}/.wh.{name}" if head else f".wh.{name}"))
        elif isinstance(node, Link):
            members.append(add(path, kind=tarfile.SYMTYPE, link=node.text))
        elif node.group in first:
            members.append(add(path, kind=tarfile.LNKTYPE, link=first[node.group]))
        else:
            members.append(add(path, b"x" * node.size, mode=node.mode))
            if node.group:
                first[node.group] = path
    return members


Seen = tuple[int, Kind, int]


def plain_replay(layers: list[Tree]) -> tuple[dict[str, Seen], dict[tuple[int, int], int]]:
    """Final paths with layer, kind and size; hidden bytes by wasting and hiding layer."""
    seen: dict[str, Seen] = {}
    inode_of: dict[str, tuple[int, int]] = {}
    sizes: dict[tuple[int, int], int] = {}
    hidden: dict[tuple[int, int], int] = {}

    def remove(path: str, *, only_below: bool = False) -> None:
        for known in list(seen):
            if known.startswith(path + "/") or (known == path and not only_below):
                del seen[known]
                inode_of.pop(known, None)

    for number, tree in enumerate(layers):
        alive = set(inode_of.values())
        for path, node in walk(tree):
            if (
                isinstance(node, Gone)
                or not isinstance(node, Directory)
                or seen.get(path, (0, Kind.FILE, 0))[1] != Kind.DIRECTORY
            ):
                remove(path)
            elif node.opaque:
                remove(path, only_below=True)
        groups: dict[int, tuple[int, int]] = {}
        for position, (path, node) in enumerate(walk(tree)):
            if isinstance(node, Directory):
                seen[path] = (number, Kind.DIRECTORY, 0)
            elif isinstance(node, Link):
                seen[path] = (number, Kind.SYMLINK, 0)
            elif isinstance(node, File):
                inode = (number, position)
                if node.group:
                    inode = groups.setdefault(node.group, inode)
                sizes.setdefault(inode, node.size)
                inode_of[path] = inode
                seen[path] = (number, Kind.FILE, sizes[inode])
        for inode in alive - set(inode_of.values()):
            if sizes[inode]:
                key = (inode[0], number)
                hidden[key] = hidden.get(key, 0) + sizes[inode]
    return seen, hidden
