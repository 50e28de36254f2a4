"""Foreign JSON, checked at the one place where it enters.

A shape describes the valid values: ``str``, ``bool`` or ``int``; ``[shape]`` for a list;
``{str: shape}`` for an object with any keys; ``{"key": shape}`` for an object whose other keys do
not matter; a tuple of shapes for any of them; ``None`` for any value. A ``null`` in an object
counts as an absent key.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import InvalidImage
from ..model import shortened

__all__ = [
    "CONFIG",
    "DESCRIPTOR",
    "DOCKER_MANIFEST",
    "INDEX",
    "MANIFEST",
    "checked",
    "read_document",
]

_TEXTS = [str]

CONFIG: Any = {
    "os": str,
    "architecture": str,
    "variant": str,
    "config": {
        "Env": _TEXTS,
        "Cmd": (_TEXTS, str),
        "Entrypoint": (_TEXTS, str),
        "Shell": (_TEXTS, str),
        "ExposedPorts": {str: None},
        "Labels": {str: str},
        "User": str,
        "WorkingDir": str,
        "OnBuild": _TEXTS,
    },
    "rootfs": {"diff_ids": _TEXTS},
    "history": [{"created_by": str, "comment": str, "empty_layer": bool}],
}
"""An image's configuration (OCI image specification, ``config.md``)."""

DOCKER_MANIFEST: Any = [{"Config": str, "RepoTags": _TEXTS, "Layers": _TEXTS}]
"""``manifest.json`` of ``docker save``."""

DESCRIPTOR: Any = {
    "digest": str,
    "mediaType": str,
    "annotations": {str: str},
    "platform": {"os": str, "architecture": str, "variant": str},
}

INDEX: Any = {"manifests": [DESCRIPTOR]}
"""``index.json``, and an index among the blobs."""

MANIFEST: Any = {
    "mediaType": str,
    "schemaVersion": (int, str),
    "config": DESCRIPTOR,
    "layers": [DESCRIPTOR],
    "manifests": [DESCRIPTOR],
}
"""A manifest or an index among the blobs."""


def read_document(content: bytes | None, shape: Any, what: str) -> Any:
    """Read a JSON document of this shape. Raises InvalidImage for anything else.

    Without its ``null`` values: ``dict.get`` gives the default for them.
    """
    if content is None:
        raise InvalidImage(f"{what} is missing")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidImage(f"{what} is not JSON ({error})") from None
    return checked(value, shape, what)


def checked(value: Any, shape: Any, what: str, place: str = "") -> Any:
    """A value without the parts that are ``null``. Raises InvalidImage if its shape is another."""
    if shape is None:
        return value
    if isinstance(shape, tuple):
        for one in shape:
            if isinstance(value, _type(one)):
                return checked(value, one, what, place)
        raise _wrong(value, " or ".join(_NAMES[_type(one)] for one in shape), what, place)
    expected = _type(shape)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise _wrong(value, _NAMES[expected], what, place)
    if isinstance(value, str):
        return _text(value, what, place)
    if isinstance(value, list):
        return [
            checked(item, shape[0], what, f"{place}[{number}]") for number, item in enumerate(value)
        ]
    if isinstance(value, dict):
        return _object(value, shape, what, place)
    return value


def _object(value: dict[str, Any], shape: dict[Any, Any], what: str, place: str) -> dict[str, Any]:
    any_key = shape.get(str, _NOTHING)
    found: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        wanted = shape.get(key, any_key)
        if any_key is not _NOTHING:
            _text(key, what, place)
        here = f"{place}.{key}" if place else key
        found[key] = item if wanted is _NOTHING else checked(item, wanted, what, here)
    return found


_NOTHING = object()
_NAMES = {str: "text", bool: "true or false", int: "a number", list: "a list", dict: "an object"}


def _type(shape: Any) -> type:
    return shape if isinstance(shape, type) else type(shape)


def _text(value: str, what: str, place: str) -> str:
    if "\0" in value:
        raise InvalidImage(f"{what} is damaged: {_shown(place)} has a NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidImage(f"{what} is damaged: {_shown(place)} is no Unicode text") from None
    return value


def _wrong(value: Any, expected: str, what: str, place: str) -> InvalidImage:
    found = "null" if value is None else _NAMES.get(type(value), "a number")
    return InvalidImage(f"{what} is damaged: {_shown(place)} is {found}, not {expected}")


def _shown(place: str) -> str:
    """A place in a document as one printable line."""
    if not place:
        return "it"
    short = shortened(place, 80)
    return short.encode("unicode_escape").decode() if not short.isprintable() else short
