"""Image layers: reading them, replaying whiteouts, sifting package records, storing the index."""

from .caches import CacheKind, CachePart, CacheProof, PackageCache, package_caches
from .daemon import DEFAULT_SOURCES
from .findings import Bytecode, HiddenBytes, bytecode, hidden, moved_base
from .history import LayerLines, map_layers_to_lines
from .index import Entry, Kind, LayerIndex, display
from .layers import HistoryEntry, ImageConfig, ImageLayers
from .limits import Limits
from .opening import is_file_reference, open_image
from .replay import Found, HiddenFile, LayerChanges, View, replay
from .store import LayerStore

__all__ = [
    "DEFAULT_SOURCES",
    "Bytecode",
    "CacheKind",
    "CachePart",
    "CacheProof",
    "Entry",
    "Found",
    "HiddenBytes",
    "HiddenFile",
    "HistoryEntry",
    "ImageConfig",
    "ImageLayers",
    "Kind",
    "LayerChanges",
    "LayerIndex",
    "LayerLines",
    "LayerStore",
    "Limits",
    "PackageCache",
    "View",
    "bytecode",
    "display",
    "hidden",
    "is_file_reference",
    "map_layers_to_lines",
    "moved_base",
    "open_image",
    "package_caches",
    "replay",
]
