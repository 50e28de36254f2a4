"""An image as the checks see it: its configuration, its history, and an index of every layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from ..errors import InvalidImage, Unverifiable
from ..regexes import regex
from ..values import dataclass
from .documents import CONFIG, read_document
from .index import Kind, LayerIndex, display
from .replay import View, replay

__all__ = [
    "Contents",
    "HistoryEntry",
    "ImageConfig",
    "ImageLayers",
    "parse_history",
]

Contents = Callable[[Mapping[int, frozenset[bytes]], int], Mapping[tuple[int, bytes], bytes]]
"""Reads files from where an image came from: ``{layer: paths}`` and the most bytes of one
file, to content by layer and path."""


@dataclass(frozen=True)
class ImageConfig:
    """The image's configuration document, and the settings in it that checks ask for."""

    document: Mapping[str, Any]

    @property
    def _run(self) -> Mapping[str, Any]:
        found = self.document.get("config") or {}
        return found if isinstance(found, dict) else {}

    @property
    def env(self) -> dict[str, str]:
        """Environment variables."""
        pairs = (str(item).partition("=") for item in self._run.get("Env") or ())
        return {name: value for name, _, value in pairs}

    @property
    def cmd(self) -> tuple[str, ...]:
        """CMD in exec form; empty if there is none."""
        return _words(self._run.get("Cmd"))

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """ENTRYPOINT in exec form; empty if there is none."""
        return _words(self._run.get("Entrypoint"))

    @property
    def shell(self) -> tuple[str, ...]:
        """SHELL, as BuildKit and the classic builder record it; empty for the default."""
        return _words(self._run.get("Shell"))

    @property
    def exposed_ports(self) -> tuple[str, ...]:
        """Ports as ``8888/tcp``, sorted."""
        return tuple(sorted(self._run.get("ExposedPorts") or ()))

    @property
    def labels(self) -> dict[str, str]:
        """Labels."""
        return dict(self._run.get("Labels") or {})

    @property
    def user(self) -> str:
        """USER, "" for root by default."""
        return str(self._run.get("User") or "")

    @property
    def working_dir(self) -> str:
        """WORKDIR, "/" by default."""
        return str(self._run.get("WorkingDir") or "/")

    @property
    def platform(self) -> str:
        """The platform, such as ``linux/amd64`` or ``linux/arm64/v8``."""
        keys = ("os", "architecture", "variant")
        return "/".join(str(self.document[key]) for key in keys if self.document.get(key))

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the uncompressed layers, the lowest first."""
        rootfs = self.document.get("rootfs") or {}
        found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        return _words(found)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


@dataclass(frozen=True)
class HistoryEntry:
    """One step of the image's history, the oldest first.

    ``created_by`` is the builder's own text; ``layer`` the position of the
    layer that the step made, None if it made none (``empty_layer``).
    """

    created_by: str
    layer: int | None
    comment: str = ""

    @property
    def instruction(self) -> str:
        """The Dockerfile instruction behind the step, upper case; "" for an import.

        BuildKit writes ``COPY a b # buildkit`` and ``RUN /bin/sh -c …``; the
        classic builder ``/bin/sh -c #(nop) COPY file:… in …`` and the bare
        command of a RUN (26.1.5).
        """
        text = self.created_by
        if not text.strip():
            return ""
        first = text.split(None, 1)[0].upper()
        if first in _INSTRUCTIONS:
            return first
        nop = NOP.match(text)
        return nop[1].upper() if nop else "RUN"


NOP = regex(r".*?#\(nop\)\s+([A-Za-z]+)", re.DOTALL)
"""How the classic builder writes an instruction that runs nothing."""

LAYER_INSTRUCTIONS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
"""Instructions that can make a layer."""

_INSTRUCTIONS = LAYER_INSTRUCTIONS | frozenset(
    {
        "ENV",
        "CMD",
        "LABEL",
        "EXPOSE",
        "ENTRYPOINT",
        "USER",
        "ARG",
        "SHELL",
        "VOLUME",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ONBUILD",
        "MAINTAINER",
    }
)


def parse_history(config: ImageConfig) -> tuple[HistoryEntry, ...]:
    """The history with each entry's layer.

    Empty where the configuration has none or where it does not fit the
    layers (some tools write none, or only a part).
    """
    entries: list[HistoryEntry] = []
    count = 0
    found = config.document.get("history")
    for record in found if isinstance(found, list) else ():
        if not isinstance(record, dict):
            return ()
        layer = None
        if not record.get("empty_layer"):
            layer = count
            count += 1
        entries.append(
            HistoryEntry(
                str(record.get("created_by") or ""), layer, str(record.get("comment") or "")
            )
        )
    return tuple(entries) if count == len(config.diff_ids) else ()


@dataclass(frozen=True)
class ImageLayers:
    """An image whose layers have been read.

    ``ref`` is the reference as given, ``id`` the digest of the configuration, ``source`` the source
    of the layers (``cache`` when no layer had to be read); ``layers`` has the lowest layer first,
    and one index twice where the image has one layer twice.
    """

    ref: str
    id: str
    source: str
    config: ImageConfig
    history: tuple[HistoryEntry, ...]
    layers: tuple[LayerIndex, ...]
    _contents: Contents | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """Bytes of all layers' files."""
        return sum(layer.size for layer in self.layers)

    @cached_property
    def view(self) -> View:
        """The layers on top of each other."""
        return replay(self.layers)

    def created_by(self, layer: int) -> str:
        """The history's text of the step that made a layer, "" if the history has none."""
        for entry in self.history:
            if entry.layer == layer:
                return entry.created_by
        return ""

    def read(self, path: str | bytes, limit: int = 16 << 20) -> bytes:
        """The content of a regular file of the final view; symbolic links are followed.

        Raises FileNotFoundError, and Unverifiable where the file is larger
        than ``limit`` bytes or the image's source cannot be read again.
        """
        found = self.view.resolve(path)
        if found is None or found.entry.kind != Kind.FILE:
            name = path if isinstance(path, str) else display(path)
            raise FileNotFoundError(f"{self.ref} has no regular file {name}")
        if found.entry.size > limit:
            raise Unverifiable(f"{found.name} has {found.entry.size} bytes, more than {limit}")
        return self.read_files({(found.layer, found.entry.path)}, limit)[
            found.layer, found.entry.path
        ]

    def read_files(
        self, wanted: set[tuple[int, bytes]], limit: int = 16 << 20
    ) -> Mapping[tuple[int, bytes], bytes]:
        """The contents of regular files, named by layer and path, in one pass over the source.

        Files larger than ``limit`` bytes are left out.
        """
        if self._contents is None:
            raise Unverifiable(f"the files of {self.ref} cannot be read: it has no source")
        aliases: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        asked: dict[int, set[bytes]] = {}
        for number, path in wanted:
            # Only one name of a hard-link group carries the content in a tar.
            for name in _names_of(self.layers[number], path):
                aliases[number, name] = (number, path)
                asked.setdefault(number, set()).add(name)
        got = self._contents({k: frozenset(v) for k, v in asked.items()}, limit)
        found = {aliases[key]: content for key, content in got.items() if key in aliases}
        found.update({key: got[key] for key in wanted if key in got})
        return found


def _names_of(layer: LayerIndex, path: bytes) -> tuple[bytes, ...]:
    position = layer.position(path)
    if position is None:
        return ()
    group = layer.groups[position]
    if not group:
        return (path,)
    return tuple(
        name for name, number in zip(layer.paths, layer.groups, strict=True) if number == group
    )


def parse_config(content: bytes, what: str) -> ImageConfig:
    """Read a configuration document. Raises InvalidImage for any other text."""
    document = read_document(content, CONFIG, f"the configuration of {what}")
    if "rootfs" not in document:
        raise InvalidImage(f"the configuration of {what} is no image configuration")
    return ImageConfig(document)
