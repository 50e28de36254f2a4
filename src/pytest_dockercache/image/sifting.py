"""The file content that indexing keeps: the few fields that say which packages are installed."""

from __future__ import annotations

import json

__all__ = ["KEEP_SUFFIXES", "distil", "keeps", "most_bytes"]

KEEP_SUFFIXES = (b".json", b"METADATA", b"PKG-INFO", b".egg-info", b"pyvenv.cfg")
"""A file that is kept has one of these endings: a first sieve, cheap enough for every file."""

_LARGEST = {b".json": 8 << 20, b"": 1 << 20}
"""The most bytes of a record that are read: conda lists every file of a package in one."""
_LONGEST_LINE = 1000
_MOST_OWNED = 1000
"""The most distributions in one conda package: most packages have one, bundles some dozens."""
_BRACKETS = 200_000
"""The most lists and objects in one record, each of which takes at least 60 bytes of memory."""

_RECORD_FIELDS = ("name", "version", "build", "build_string", "build_number", "channel", "subdir",
                  "url", "fn", "md5", "sha256", "requested_spec")  # fmt: skip
_HEADERS = ("name:", "version:")


def keeps(path: bytes) -> bool:
    """Whether indexing keeps the package information in the file at this path."""
    directory, _, name = path.rpartition(b"/")
    if name.endswith(b".json"):
        return directory.endswith(b"conda-meta") or (
            name == b"direct_url.json" and directory.endswith(b".dist-info")
        )
    if name == b"METADATA":
        return directory.endswith(b".dist-info")
    if name == b"PKG-INFO":
        return directory.endswith((b".egg-info", b".egg/EGG-INFO"))
    return name.endswith(b".egg-info") or name == b"pyvenv.cfg"


def most_bytes(path: bytes) -> int:
    """The most bytes of a kept file that are read.

    For a larger file only its existence is kept.
    """
    return _LARGEST[b".json" if path.endswith(b".json") else b""]


def distil(path: bytes, content: bytes) -> bytes:
    """The kept part of a file: the fields that identify the package, as JSON or header lines.

    A conda record lists every file of its package; only the ``*.dist-info`` and ``*.egg-info``
    among these files are kept (a pip package is one that no conda record owns), and the names of
    its dependencies. ``pyvenv.cfg`` is kept whole. A file that cannot be parsed gives ``b""``: it
    exists, and is unusable.
    """
    if path.endswith(b"pyvenv.cfg"):
        return content
    try:
        if content.count(b"[") + content.count(b"{") > _BRACKETS and path.endswith(b".json"):
            return b""
        if path.endswith(b"direct_url.json"):
            return content if isinstance(json.loads(content), dict) else b""
        if path.endswith(b".json"):
            return _distil_conda(content)
    except (ValueError, RecursionError):
        return b""
    lines = []
    for line in _head(content):
        if not line.strip():
            break
        if len(line) > _LONGEST_LINE:
            continue
        if line[:8].decode("ascii", "replace").lower().startswith(_HEADERS):
            lines.append(line)
    return b"\n".join(lines)


def _head(content: bytes) -> list[bytes]:
    """The lines above the first blank one."""
    ends = [at for at in (content.find(b"\n\n"), content.find(b"\n\r\n")) if at >= 0]
    return content[: min(ends)].splitlines() if ends else content.splitlines()


def _distil_conda(content: bytes) -> bytes:
    record = json.loads(content)
    if not isinstance(record, dict) or "name" not in record:
        return b""
    small = {key: record[key] for key in _RECORD_FIELDS if isinstance(record.get(key), (str, int))}
    owned = set()
    for file in _strings(record.get("files")):
        if "-info/" in file or file.endswith(".egg-info"):
            head, _, _ = file.partition("-info/")
            owned.add(file if head == file else head + "-info")
            if len(owned) > _MOST_OWNED:
                return b""
    if owned:
        small["owns"] = sorted(name for name in owned if name.endswith(("dist-info", "egg-info")))
    depends = record.get("depends")
    needs = {item.split()[0] for item in _strings(depends) if item.split()}
    if needs:
        small["needs"] = sorted(needs)
    return json.dumps(small).encode()


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
