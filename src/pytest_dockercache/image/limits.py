"""Bounds on the memory and time that reading an image takes, and the amounts used so far.

An archive may come from anybody. Each bound lies well above the needs of real images, and is a sum
of two: an amount for any image, and an amount for every byte of the archive itself, because a large
image is a large file.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import InvalidImage
from ..values import dataclass

__all__ = ["Budget", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds on one image.

    ``entries`` (and one for every ``bytes_per_entry`` of the archive), which
    take about 1 kB of memory each: the files of real layers are larger
    than 256 bytes, also compressed. ``names`` bytes of all their paths and
    link texts, and as many as the archive has.

    ``path`` bytes of one path (Linux' PATH_MAX), ``depth`` names in it: no real tree is deeper than
    512, and every directory on the way is an entry of its own.

    ``header`` bytes of one extended tar header, ``extended`` bytes of all, and as many as the
    archive has: each header is searched for its records. ``document`` bytes of a manifest, an index
    or a configuration, and of all of an archive that comes as a stream: registries refuse manifests
    over 4 MiB (distribution, ``maxManifestBodySize``). ``members`` of an archive and images of an
    index: an image has at most 127 layers.

    ``record`` bytes of a package's record, ``records`` bytes of all records that are read, and as
    many as the archive has; ``kept`` bytes of all file contents that are kept. ``contents`` bytes
    of files that are read again by their names.

    ``inflated`` bytes of an unpacked archive or layer, and ``ratio`` for each of its compressed
    bytes: gzip reaches 1030:1 on zeros, real layers stay below 10.
    """

    entries: int = 120_000
    bytes_per_entry: int = 256
    names: int = 32 << 20
    path: int = 4096
    depth: int = 512
    header: int = 1 << 20
    extended: int = 16 << 20
    document: int = 4 << 20
    members: int = 10_000
    record: int = 8 << 20
    records: int = 64 << 20
    kept: int = 32 << 20
    contents: int = 128 << 20
    inflated: int = 512 << 20
    ratio: int = 200

    def of_daemon(self) -> Limits:
        """The bounds on an image that a daemon has unpacked already: above any known one."""
        return replace(
            self,
            entries=20_000_000,
            names=4 << 30,
            extended=8 << 30,
            document=32 << 20,
            record=16 << 20,
            records=8 << 30,
            kept=1 << 30,
            inflated=1 << 40,
        )


class Budget:
    """The amounts that one image has used; each method raises InvalidImage beyond its bound."""

    def __init__(self, limits: Limits | None = None, what: str = "the image") -> None:
        self.limits = limits or Limits()
        self.what = what
        self._read = 0
        self._deflated = 0
        self._inflated = 0
        self._entries = 0
        self._names = 0
        self._extended = 0
        self._records = 0
        self._kept = 0
        self._contents = 0

    def read(self, count: int) -> None:
        """Note bytes of the archive itself."""
        self._read += count

    def inflate(self, taken: int, given: int) -> None:
        """Take ``given`` bytes that a decoder made of ``taken``."""
        self._deflated += taken
        self._inflated += given
        limits = self.limits
        if self._inflated > limits.inflated + limits.ratio * self._deflated:
            raise InvalidImage(
                f"{self.what} inflates {self._deflated} bytes to more than {self._inflated}: "
                f"refused as a decompression bomb (at most {limits.inflated} bytes plus "
                f"{limits.ratio}:1)"
            )

    def entry(self, name: bytes, link: bytes = b"") -> None:
        """Take one entry of a layer."""
        limits = self.limits
        self._entries += 1
        self._names += len(name) + len(link)
        if self._entries > limits.entries + self._read // limits.bytes_per_entry:
            raise self._refused("entries", self._entries - 1)
        if self._names > limits.names + self._read:
            raise self._refused("bytes of names", self._names)

    def repeat(self, entries: int) -> None:
        """Take the entries of a layer that the image has once more."""
        self._entries += entries
        if self._entries > self.limits.entries + self._read // self.limits.bytes_per_entry:
            raise self._refused("entries", self._entries)

    def extended(self, count: int) -> None:
        """Take the bytes of an extended tar header."""
        self._extended += count
        if self._extended > self.limits.extended + self._read:
            raise self._refused("bytes of extended tar headers", self._extended)

    def record(self, count: int) -> None:
        """Take the bytes of a package's record."""
        self._records += count
        if self._records > self.limits.records + self._read:
            raise self._refused("bytes of package records", self._records)

    def keep(self, count: int) -> None:
        """Take the bytes of the kept part of a package's record."""
        self._kept += count
        if self._kept > self.limits.kept:
            raise self._refused("bytes of what its package records say", self._kept)

    def content(self, count: int) -> None:
        """Take the bytes of a file that was asked for by its name."""
        self._contents += count
        if self._contents > self.limits.contents:
            raise self._refused("bytes in the files that are asked for", self._contents)

    def _refused(self, of_what: str, count: int) -> InvalidImage:
        return InvalidImage(
            f"{self.what} has more than {count:,} {of_what}: no image of its size needs so many"
        )
