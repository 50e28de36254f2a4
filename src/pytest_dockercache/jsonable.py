"""Values as JSON and back; JSON from a file or another process is checked where it enters."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

__all__ = ["from_jsonable", "to_jsonable"]

T = TypeVar("T")


def to_jsonable(value: Any) -> Any:
    """Turn a frozen value of ours into what :mod:`json` can write."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_jsonable(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_jsonable(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def from_jsonable(kind: type[T], value: object) -> T:
    """The inverse of :func:`to_jsonable` for a value of this type.

    Fields and items are dataclasses, tuples, literals, paths and plain values.
    Keys that the type does not have are left out. Raises ValueError, with the
    place, for anything else than a value of the type.
    """
    found: T = _read(kind, value, kind.__name__)
    return found


def _read(kind: Any, value: object, place: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(kind, value, place)
    if origin is Literal:
        _require(value in typing.get_args(kind), kind, value, place)
        return value
    if origin is tuple:
        return _items(kind, value, place)
    if is_dataclass(kind):
        return _fields(kind, value, place)
    if kind is Path:
        _require(isinstance(value, str), kind, value, place)
        return Path(str(value))
    if kind is float:
        _require(type(value) in (int, float), kind, value, place)
        return value
    if kind is type(None) or kind is None:
        _require(value is None, kind, value, place)
        return None
    # Not isinstance: True is an int, and no line number.
    _require(type(value) is kind, kind, value, place)
    return value


def _one_of(kind: Any, value: object, place: str) -> Any:
    for choice in typing.get_args(kind):
        try:
            return _read(choice, value, place)
        except ValueError:
            continue
    raise _refusal(kind, value, place)


def _items(kind: Any, value: object, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refusal(kind, value, place)
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    _require(len(kinds) == len(value), kind, value, place)
    return tuple(
        _read(each, item, f"{place}[{number}]")
        for number, (each, item) in enumerate(zip(kinds, value, strict=True))
    )


def _fields(kind: Any, value: object, place: str) -> Any:
    if not isinstance(value, dict):
        raise _refusal(kind, value, place)
    given = {}
    hints = _hints(kind)
    for field in fields(kind):
        if field.name in value:
            given[field.name] = _read(hints[field.name], value[field.name], f"{place}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{place} has no {field.name}")
    return kind(**given)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _require(holds: bool, kind: Any, value: object, place: str) -> None:
    if not holds:
        raise _refusal(kind, value, place)


def _refusal(kind: Any, value: object, place: str) -> ValueError:
    name = getattr(kind, "__name__", str(kind))
    return ValueError(f"{place} is not {name}: {value!r:.60}")
