"""Open an image from a daemon, an archive, or an OCI directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, Unverifiable
from ..regexes import regex
from ..values import dataclass
from .archive import (
    Wanted,
    archive_contents,
    read_archive_file,
    read_oci_directory,
)
from .daemon import DEFAULT_SOURCES, DaemonImage, SourceUnavailable
from .index import LayerIndex
from .layers import Contents, ImageConfig, ImageLayers, parse_history
from .limits import Limits
from .store import KnownLayers, LayerStore

__all__ = ["is_file_reference", "open_image"]

_ARCHIVE = regex(r".*\.(tar|tar\.gz|tgz|tar\.zst|oci)", re.IGNORECASE)


def is_file_reference(ref: str | Path) -> bool:
    """Whether a reference names a file or a directory on this machine, not a daemon's image.

    A ``Path`` does; a string does if it looks like an archive, begins like a path, or names a
    directory with an OCI layout.
    """
    if isinstance(ref, Path):
        return True
    if ref.startswith(("/", "./", "../", "~")) or _ARCHIVE.fullmatch(ref):
        return True
    return (Path(ref) / "oci-layout").is_file()


def open_image(
    ref: str | Path,
    *,
    client: Any = None,
    sources: Sequence[str] = DEFAULT_SOURCES,
    cache: LayerStore | None = None,
    tag: str | None = None,
    limits: Limits | None = None,
    labels: Mapping[str, str] | None = None,
) -> ImageLayers:
    """Read the layers of an image, each from the cheapest source that has it.

    ``ref`` is an image ID or tag of the daemon behind ``client`` (a
    ``docker.DockerClient`` or ``docker.APIClient``), or the path of an
    archive (``docker save``, OCI, compressed or not) or of an OCI directory;
    ``tag`` chooses among several images of an archive. ``sources`` are tried
    in order for a daemon's image (see :data:`DEFAULT_SOURCES`); layers that
    ``cache`` has are not read again. ``labels`` go onto a container that a
    source needs.

    Raises InvalidImage for what cannot be read as an image, ConfigError for
    a choice that has to be made, EngineUnavailable where the daemon fails.
    """
    known = KnownLayers(cache)
    if is_file_reference(ref):
        return _open_file(Path(ref).expanduser(), known, tag, limits)
    if client is None:
        raise ConfigError(f"{ref} is an image of a daemon, and no daemon was given")
    api = getattr(client, "api", client)
    image = DaemonImage.find(api, str(ref))
    return _open_daemon(image, tuple(sources), known, cache, labels or {})


def _open_file(
    path: Path, known: KnownLayers, tag: str | None, limits: Limits | None
) -> ImageLayers:
    try:
        if path.is_dir():
            manifest, layers = read_oci_directory(path, known, tag=tag, limits=limits)
        else:
            manifest, layers = read_archive_file(path, known, tag=tag, limits=limits)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error

    def contents(wanted: Wanted, limit: int) -> Mapping[tuple[int, bytes], bytes]:
        return archive_contents(path, tag, wanted, limit)

    return ImageLayers(
        ref=str(path),
        id=manifest.id,
        source="directory" if path.is_dir() else "archive",
        config=manifest.config,
        history=parse_history(manifest.config),
        layers=layers,
        _contents=contents,
    )


def _open_daemon(
    image: DaemonImage,
    sources: tuple[str, ...],
    known: KnownLayers,
    cache: LayerStore | None,
    labels: Mapping[str, str],
) -> ImageLayers:
    for name in sources:
        if name not in _READERS:
            raise ConfigError(f"unknown layer source {name!r}; valid: {', '.join(_READERS)}")
    found = {diff_id: known.layer(diff_id) for diff_id in image.diff_ids}
    missing = [diff_id for diff_id, layer in found.items() if layer is None]
    config = image.config(cache)
    source = "cache"
    refusals: list[str] = []
    if missing or config is None or not image.diff_ids:
        asked = _Asked(config, missing, known, cache, labels)
        for source in sources:
            try:
                config, layers = _READERS[source](image, asked)
                break
            except SourceUnavailable as error:
                refusals.append(f"{source}: {error}")
        else:
            raise Unverifiable(f"the layers of {image.ref} cannot be read ({'; '.join(refusals)})")
        for layer in layers:
            if found.get(layer.diff_id) is None:
                known.learn(layer.diff_id, layer)
            found[layer.diff_id] = layer
    ordered = tuple(layer for layer in map(found.get, image.diff_ids) if layer is not None)
    if config is None or config.diff_ids != image.diff_ids or len(ordered) != len(image.diff_ids):
        raise Unverifiable(f"the layers of {image.ref} do not fit its configuration")
    return ImageLayers(
        ref=image.ref,
        id=image.id,
        source=source,
        config=config,
        history=parse_history(config),
        layers=ordered,
        _contents=_daemon_contents(image, sources),
    )


@dataclass(frozen=True)
class _Asked:
    """The question to a source: the missing layers, and the configuration if that is None."""

    config: ImageConfig | None
    missing: Sequence[str]
    known: KnownLayers
    store: LayerStore | None
    labels: Mapping[str, str]

    def own_config(self) -> ImageConfig:
        """The configuration, for a source that does not have it itself."""
        if self.config is None:
            raise SourceUnavailable("the image's configuration is not readable")
        return self.config


_Answer = tuple[ImageConfig, Sequence[LayerIndex]]


def _from_overlay(image: DaemonImage, asked: _Asked) -> _Answer:
    return asked.own_config(), list(image.overlay_layers(asked.missing))


def _from_mount(image: DaemonImage, asked: _Asked) -> _Answer:
    return asked.own_config(), image.mounted_layers(asked.missing, asked.labels)


def _from_containerd(image: DaemonImage, asked: _Asked) -> _Answer:
    manifest, layers = image.stored(asked.known)
    return manifest.config, layers


def _from_save(image: DaemonImage, asked: _Asked) -> _Answer:
    manifest, layers = image.saved(asked.known)
    if asked.store is not None and manifest.id == image.id:
        asked.store.save_config(image.id, manifest.raw_config)
    return manifest.config, layers


_READERS: Mapping[str, Callable[[DaemonImage, _Asked], _Answer]] = {
    "overlay2": _from_overlay,
    "mount": _from_mount,
    "containerd": _from_containerd,
    "save": _from_save,
}


def _daemon_contents(image: DaemonImage, sources: Sequence[str]) -> Contents:
    def contents(wanted: Wanted, limit: int) -> Mapping[tuple[int, bytes], bytes]:
        if "overlay2" in sources:
            try:
                return image.overlay_contents(wanted, limit)
            except SourceUnavailable:
                pass
        return image.saved_contents(wanted, limit)

    return contents
