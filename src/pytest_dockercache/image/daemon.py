"""The sources of a daemon's image: the daemon's directories, or ``docker save``.

All sources give equal indexes; they are tried in the order of their cost.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DockerCacheError, EngineUnavailable, InvalidImage, Unverifiable, missing_image
from ..values import dataclass
from .archive import (
    Manifest,
    Wanted,
    read_content_store,
    read_save_stream,
    stream_contents,
)
from .documents import CONFIG, checked
from .index import LayerIndex
from .layers import LAYER_INSTRUCTIONS, HistoryEntry, ImageConfig, parse_config
from .limits import Limits
from .mounted import MountFailed, list_mounted
from .overlay import index_directory, read_below
from .store import KnownLayers, LayerStore

__all__ = ["DEFAULT_SOURCES", "DaemonImage", "SourceUnavailable"]

DEFAULT_SOURCES = ("overlay2", "mount", "containerd", "save")
"""The sources of a daemon's image, the cheapest first."""


class SourceUnavailable(DockerCacheError):
    """A source cannot give this image; the next one is tried."""


@dataclass(frozen=True)
class DaemonImage:
    """An image of a daemon: the inspection record, and the daemon's own description.

    ``api`` is docker's low-level client.
    """

    api: Any
    ref: str
    record: Mapping[str, Any]
    info: Mapping[str, Any]

    @classmethod
    def find(cls, api: Any, ref: str) -> DaemonImage:
        """Look an image up by ID, tag or digest.

        Raises InvalidImage if there is none, EngineUnavailable if the daemon
        does not answer.
        """
        import docker.errors
        import requests.exceptions

        try:
            return cls(api, ref, api.inspect_image(ref), api.info())
        except docker.errors.ImageNotFound:
            raise missing_image(ref) from None
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise EngineUnavailable(f"the daemon does not say what {ref} is: {error}") from error

    @property
    def id(self) -> str:
        """The image ID."""
        return str(self.record["Id"])

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the uncompressed layers, the lowest first."""
        return tuple((self.record.get("RootFS") or {}).get("Layers") or ())

    # --- overlay2 -----------------------------------------------------------------------------

    def overlay_directories(self) -> tuple[Path, ...]:
        """The ``diff`` directories, the lowest layer's first.

        Raises SourceUnavailable where the daemon does not use overlay2, or where a directory alone
        does not show the contents of its layer.
        """
        driver = self.record.get("GraphDriver") or {}
        found = driver.get("Data") or {}
        if driver.get("Name") != "overlay2" or "UpperDir" not in found:
            raise SourceUnavailable(f"the storage driver is {driver.get('Name') or 'unknown'}")
        status = {str(item[0]): str(item[1]) for item in self.info.get("DriverStatus") or ()}
        metacopy = status.get("Using metacopy", "false") != "false"
        if status.get("Native Overlay Diff") != "true" or metacopy:
            # Redirected directories or metacopy: the kernel keeps content elsewhere.
            raise SourceUnavailable("the daemon's overlay directories are not complete")
        lower = [item for item in str(found.get("LowerDir") or "").split(":") if item]
        directories = tuple(Path(item) for item in [*reversed(lower), str(found["UpperDir"])])
        if len(directories) != len(self.diff_ids):
            raise SourceUnavailable(
                f"the daemon names {len(directories)} directories for {len(self.diff_ids)} layers"
            )
        return directories

    def config_path(self) -> Path:
        """Where an overlay2 daemon keeps the image's configuration."""
        root = Path(str(self.info.get("DockerRootDir") or "/var/lib/docker"))
        database = root / "image" / "overlay2" / "imagedb" / "content" / "sha256"
        return database / self.id.removeprefix("sha256:")

    def overlay_layers(self, missing: Sequence[str]) -> Iterator[LayerIndex]:
        """Index the missing layers from their directories."""
        directories = dict(zip(self.diff_ids, self.overlay_directories(), strict=True))
        for diff_id in missing:
            try:
                yield index_directory(directories[diff_id], diff_id)
            except (OSError, Unverifiable) as error:
                raise SourceUnavailable(str(error)) from error

    def mounted_layers(self, missing: Sequence[str], labels: Mapping[str, str]) -> list[LayerIndex]:
        """Index the missing layers from their directories, mounted into a container."""
        found = dict(zip(self.diff_ids, self.overlay_directories(), strict=True))
        directories = {diff_id: found[diff_id] for diff_id in missing}
        try:
            return list(list_mounted(self.api, self.id, directories, labels))
        except MountFailed as error:
            raise SourceUnavailable(str(error)) from error

    def overlay_contents(self, wanted: Wanted, limit: int) -> dict[tuple[int, bytes], bytes]:
        """Read files from the layers' directories."""
        directories = self.overlay_directories()
        found: dict[tuple[int, bytes], bytes] = {}
        for number, paths in wanted.items():
            for path in paths:
                try:
                    content = read_below(directories[number], path, limit + 1)
                except OSError as error:
                    raise SourceUnavailable(str(error)) from error
                if len(content) <= limit:
                    found[number, path] = content
        return found

    # --- containerd ---------------------------------------------------------------------------

    def content_store(self) -> Path:
        """The directory of blobs of a daemon with the containerd image store.

        This store is the default of a fresh Engine 29. Raises SourceUnavailable where the daemon
        does not use the store, or its directory is not readable.
        """
        status = {str(item[0]): str(item[1]) for item in self.info.get("DriverStatus") or ()}
        if not status.get("driver-type", "").startswith("io.containerd.snapshotter"):
            raise SourceUnavailable("the daemon does not use the containerd image store")
        root = Path(str(self.info.get("DockerRootDir") or "/var/lib/docker"))
        for base in (root / "containerd" / "daemon", Path("/var/lib/containerd")):
            blobs = base / "io.containerd.content.v1.content" / "blobs" / "sha256"
            if os.access(blobs / self.id.removeprefix("sha256:"), os.R_OK):
                return blobs
        raise SourceUnavailable("the containerd content store is not readable")

    def stored(self, known: KnownLayers) -> tuple[Manifest, tuple[LayerIndex, ...]]:
        """Index all layers from their blobs."""
        try:
            return read_content_store(self.content_store(), self.id, known)
        except (OSError, InvalidImage) as error:
            raise SourceUnavailable(str(error)) from error

    # --- docker save --------------------------------------------------------------------------

    def save_chunks(self) -> Iterator[bytes]:
        """The archive as the daemon streams it."""
        import docker.errors
        import requests.exceptions

        try:
            yield from self.api.get_image(self.id, chunk_size=1 << 18)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise EngineUnavailable(f"docker save {self.ref} broke off: {error}") from error

    def saved(self, known: KnownLayers) -> tuple[Manifest, tuple[LayerIndex, ...]]:
        """Index all layers from one pass over ``docker save``."""
        return read_save_stream(
            self.save_chunks(),
            f"docker save {self.ref}",
            known,
            trusted=True,
            limits=Limits().of_daemon(),
        )

    def saved_contents(self, wanted: Wanted, limit: int) -> Mapping[tuple[int, bytes], bytes]:
        """Read files from one pass over ``docker save``."""
        what = f"docker save {self.ref}"
        limits = Limits().of_daemon()
        return stream_contents(self.save_chunks(), what, None, wanted, limit, limits)

    # --- configuration ------------------------------------------------------------------------

    def config(self, store: LayerStore | None) -> ImageConfig | None:
        """The image's configuration, None where only ``docker save`` has it.

        The configuration is read from the daemon's directory, else from the store, else put
        together from the API's answers, if these leave no doubt about the steps that made layers.
        """
        content = self._config_bytes(store)
        if content is not None:
            return parse_config(content, self.ref)
        return self._config_from_api()

    def _config_bytes(self, store: LayerStore | None) -> bytes | None:
        candidates: list[bytes | None] = []
        try:
            candidates.append(self.config_path().read_bytes())
        except OSError:
            if store is not None:
                candidates.append(store.load_config(self.id))
        for content in candidates:
            if content and "sha256:" + hashlib.sha256(content).hexdigest() == self.id:
                return content
        return None

    def _config_from_api(self) -> ImageConfig | None:
        import docker.errors

        try:
            history = self.api.history(self.id)
        except docker.errors.NotFound:
            # A containerd store that has not unpacked the image: it is another platform's.
            return None
        records = []
        made = 0
        for item in reversed(history):
            text = str(item.get("CreatedBy") or "")
            instruction = HistoryEntry(text, None).instruction
            # The API does not say which steps are empty: their names do, unless the classic
            # builder ran a step that changed nothing, which the count then shows.
            empty = not item.get("Size") and instruction not in ("", *LAYER_INSTRUCTIONS)
            empty = empty or (instruction == "WORKDIR" and text.split()[-1:] == ["/"])
            made += not empty
            records.append({"created_by": text, **({"empty_layer": True} if empty else {})})
        if made != len(self.diff_ids):
            return None
        document = {
            "os": self.record.get("Os"),
            "architecture": self.record.get("Architecture"),
            "variant": self.record.get("Variant"),
            "config": self.record.get("Config") or {},
            "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)},
            "history": records,
        }
        return ImageConfig(checked(document, CONFIG, f"what the daemon says of {self.ref}"))
