"""Layers and what they hold: reading, replaying whiteouts, package records, the kept index."""

from .daemon import DEFAULT_SOURCES
from .findings import (
    Bytecode,
    CacheKind,
    HiddenBytes,
    PackageCache,
    bytecode,
    hidden,
    package_caches,
    top_layers,
)
from .index import Entry, Kind, LayerIndex, display
from .layers import (
    HistoryEntry,
    ImageConfig,
    ImageLayers,
    LayerLines,
    map_layers_to_lines,
)
from .opening import is_file_reference, open_image
from .packages import (
    Environment,
    Package,
    environment,
    every_prefix,
    find_prefix,
    normalised,
    prefixes,
)
from .replay import Found, HiddenFile, LayerChanges, View, replay
from .requirements import (
    Difference,
    Match,
    Requirements,
    compare_environments,
    difference_table,
    is_comparable,
    matches,
    parse_requirements,
    read_requirements,
)
from .store import LayerStore
from .stream import Limits
from .versions import MatchSpec, parse_spec, version_matches

__all__ = [
    "DEFAULT_SOURCES",
    "Bytecode",
    "CacheKind",
    "Difference",
    "Entry",
    "Environment",
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
    "Match",
    "MatchSpec",
    "Package",
    "PackageCache",
    "Requirements",
    "View",
    "bytecode",
    "compare_environments",
    "difference_table",
    "display",
    "environment",
    "every_prefix",
    "find_prefix",
    "hidden",
    "is_comparable",
    "is_file_reference",
    "map_layers_to_lines",
    "matches",
    "normalised",
    "open_image",
    "package_caches",
    "parse_requirements",
    "parse_spec",
    "prefixes",
    "read_requirements",
    "replay",
    "top_layers",
    "version_matches",
]
