"""What JSON of the daemon has to look like, and where it does not.

The fields are those that the plugin reads, with their types (Docker Engine API,
https://docs.docker.com/reference/api/engine/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

__all__ = ["CONFIG", "IMAGE", "WORDS", "Shape", "misfit"]

Shape: TypeAlias = type | Sequence[Any] | Mapping[str, Any]
"""A type; a list with the shape of each item; or the shapes of some fields of an object.

A field may be missing, or null, unless its name ends in ``!``.
"""

WORDS: Shape = [str]
"""A list of texts."""

CONFIG: Shape = {
    "Cmd": WORDS,
    "Entrypoint": WORDS,
    "Env": WORDS,
    "Image": str,
    "Labels": {},
    "OnBuild": WORDS,
    "Shell": WORDS,
    "User": str,
    "WorkingDir": str,
}
"""The configuration of an image or a container."""

IMAGE: Shape = {
    "Id!": str,
    "Config": CONFIG,
    "GraphDriver": {"Data": {}, "Name": str},
    "Parent": str,
    "RepoTags": WORDS,
    "RootFS": {"Layers": WORDS},
    "Size": int,
}
"""The inspection record of an image."""

_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a fraction",
    bool: "true or false",
}


def misfit(value: object, shape: Shape, place: str = "it") -> str | None:
    """The first place where a value has not the shape, in words; None if it has."""
    if isinstance(shape, Mapping):
        return _not_of(value, dict, place) or _misfit_of_fields(value, shape, place)
    if isinstance(shape, Sequence):
        wrong = _not_of(value, list, place)
        items = value if isinstance(value, list) else ()
        found = (misfit(item, shape[0], f"an item of {place}") for item in items)
        return wrong or next((wrong for wrong in found if wrong), None)
    return _not_of(value, shape, place)


def _misfit_of_fields(value: Any, shape: Mapping[str, Any], place: str) -> str | None:
    for key, inner in shape.items():
        name, needed = key.removesuffix("!"), key.endswith("!")
        field = value.get(name)
        if field is None and needed:
            return f"{place} has no {name}"
        if field is not None and (wrong := misfit(field, inner, name)):
            return wrong
    return None


def _not_of(value: object, wanted: type, place: str) -> str | None:
    if isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool)):
        return None
    kind = next((name for type_, name in _NAMES.items() if type(value) is type_), "null")
    return f"{place} is {kind}, not {_NAMES[wanted]}"
