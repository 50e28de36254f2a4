"""buildx's ``--cache-from`` and ``--cache-to`` values, taken apart and put together again.

A value is either a registry's reference, or comma-separated ``key=value``
pairs, one of them ``type`` (docker/buildx util/buildflags/cache.go). A field
with a comma in it stands in double quotes, as Go's CSV reader takes it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from .values import dataclass

__all__ = ["CacheSpec", "is_loopback", "parse_cache_spec"]

_DIRECTORY = ("src", "dest")


@dataclass(frozen=True)
class CacheSpec:
    """Where a build cache is taken from, or put: the backend's name, and its attributes in order.

    ``type`` is buildx's name of the backend: ``registry``, ``local``,
    ``inline``, ``gha``, ``s3``, ``azblob``, or another that a builder knows.
    """

    type: str
    attributes: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """The value of an attribute."""
        return dict(self.attributes).get(name, default)

    @property
    def mode(self) -> str:
        """What an export keeps: ``max``, or ``min``, which every backend takes where none is named.

        ``inline`` knows no other than ``min`` (BuildKit cache/remotecache/inline).
        """
        return "max" if self.get("mode") == "max" and self.type != "inline" else "min"

    @property
    def place(self) -> str:
        """Where the cache lies, in the words of a message."""
        if self.type == "registry":
            return self.get("ref") or "a registry"
        if self.type == "local":
            return self.get("src") or self.get("dest") or "a local directory"
        name = self.get("scope") or self.get("name") or self.get("bucket")
        return f"type={self.type}" + (f" ({name})" if name else "")

    def without(self, *names: str) -> CacheSpec:
        """This value without some attributes."""
        kept = tuple(pair for pair in self.attributes if pair[0] not in names)
        return CacheSpec(self.type, kept)

    def with_directories(self, absolute: Callable[[str], Path]) -> CacheSpec:
        """This value with the directories of a local cache made absolute."""
        if self.type != "local":
            return self
        changed = tuple(
            (name, str(absolute(value)) if name in _DIRECTORY else value)
            for name, value in self.attributes
        )
        return CacheSpec(self.type, changed)

    def as_source(self) -> CacheSpec | None:
        """The value for ``--cache-from`` that reads what this one of ``--cache-to`` has written.

        None for ``inline``, which lies in an image that somebody pushes.
        """
        if self.type == "inline":
            return None
        if self.type == "local":
            named = (("src", self.get("dest")),)
            tag = self.get("tag")
            return CacheSpec("local", (*named, *((("tag", tag),) if tag else ())))
        return self.without("mode", "ignore-error", "compression", "compression-level",
                            "force-compression", "oci-mediatypes", "image-manifest")  # fmt: skip

    def __str__(self) -> str:
        pairs = [("type", self.type), *self.attributes]
        return ",".join(map(_field, (f"{name}={value}" for name, value in pairs)))


def parse_cache_spec(text: str) -> CacheSpec:
    """Take a value of ``--cache-from`` or ``--cache-to`` apart. Raises ValueError that says why."""
    text = text.strip()
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as problem:
        raise ValueError(str(problem)) from None
    if len(rows) != 1:
        raise ValueError("not one line of key=value pairs")
    fields = [field.strip() for field in rows[0]]
    if all("=" not in field for field in fields):
        if len(fields) != 1 or not fields[0]:
            raise ValueError("neither a reference nor key=value pairs")
        return CacheSpec("registry", (("ref", fields[0]),))
    found: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals or not name:
            raise ValueError(f"{field!r} is no key=value pair")
        found[name.lower()] = value
    kind = found.pop("type", "")
    if not kind:
        raise ValueError("it names no type")
    return CacheSpec(kind, tuple(found.items()))


def _field(text: str) -> str:
    """One field as Go's CSV reader takes it."""
    if any(character in text for character in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def is_loopback(reference: str) -> bool:
    """Whether an image's reference names a registry on the machine's own loopback address."""
    host, slash, _ = reference.partition("/")
    name = host if host.startswith("[") else host.partition(":")[0]
    return bool(slash) and (name == "localhost" or name.startswith(("127.", "[::1]")))
