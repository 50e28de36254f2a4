"""What indexing keeps of file content: the few fields that say which packages are installed."""

from __future__ import annotations

import json

__all__ = ["KEEP_SUFFIXES", "distil", "keeps"]

KEEP_SUFFIXES = (b".json", b"METADATA", b"PKG-INFO", b".egg-info", b"pyvenv.cfg")
"""A file that is kept has one of these endings: a first sieve, cheap enough for every file."""

_LARGEST = 16 << 20

_RECORD_FIELDS = ("name", "version", "build", "build_string", "build_number", "channel", "subdir",
                  "url", "fn", "md5", "sha256", "requested_spec")  # fmt: skip
_HEADERS = ("name:", "version:")


def keeps(path: bytes, size: int) -> bool:
    """Whether indexing keeps what the file at this path says about installed packages."""
    if size > _LARGEST:
        return False
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


def distil(path: bytes, content: bytes) -> bytes:
    """What is kept of a file: the fields that identify the package, as JSON or header lines.

    A conda record lists every file of its package; only the ``*.dist-info``
    and ``*.egg-info`` among them are kept (a pip package is one that no conda
    record owns), and of what it depends on the names. ``pyvenv.cfg`` is kept
    whole. A file that cannot be read as what its name says gives ``b""``: it
    is known to be there, and to be unusable.
    """
    if path.endswith(b"pyvenv.cfg"):
        return content
    try:
        if path.endswith(b"direct_url.json"):
            return json.dumps(json.loads(content)).encode()
        if path.endswith(b".json"):
            return _distil_conda(content)
    except (ValueError, RecursionError):
        return b""
    lines = []
    for line in content.splitlines():
        if not line.strip():
            break
        if line[:8].decode("ascii", "replace").lower().startswith(_HEADERS):
            lines.append(line)
    return b"\n".join(lines)


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
    if owned:
        small["owns"] = sorted(name for name in owned if name.endswith(("dist-info", "egg-info")))
    depends = record.get("depends")
    needs = {item.split()[0] for item in _strings(depends) if item.split()}
    if needs:
        small["needs"] = sorted(needs)
    return json.dumps(small).encode()


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
