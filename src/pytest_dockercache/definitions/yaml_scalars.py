"""YAML with the scalars that Docker's tools see: as Go reads them, written as a build argument."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..disk import read_bytes
from ..errors import ConfigError
from ..regexes import regex

__all__ = ["read_yaml"]

_INTEGER = regex(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_NUMBER = regex(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_yaml(path: Path) -> Any:
    """The values of a YAML file: mappings, lists, texts, booleans as texts, and None.

    Numbers are texts as Go prints them (``1.10`` is ``1.1``, ``0x1F`` is ``31``); ``yes`` and
    ``22:22`` are themselves, for YAML 1.2 and yaml.v3. Compose's tag ``!reset`` takes a value away,
    ``!override`` is read as the value alone. Raises ConfigError.
    """
    import yaml

    from ..environments.documents import load_yaml

    class Scalars(yaml.SafeLoader):
        """A loader without YAML 1.1's guesses."""

        def construct_scalar(self, node: Any) -> Any:
            text = super().construct_scalar(node)
            plain = isinstance(node, yaml.ScalarNode) and node.style is None
            return _as_go(text) if plain and isinstance(text, str) else text

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            seen: set[str] = set()
            for key, _ in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if key.tag != _MERGE and isinstance(name, str):
                    if name in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {name} stands there twice", key.start_mark
                        )
                    seen.add(name)
            return node

        def flatten_mapping(self, node: Any) -> None:
            # PyYAML 6.0.4 lets the last of several merged mappings win; the first has to.
            own = [pair for pair in node.value if pair[0].tag != _MERGE]
            merged: list[Any] = []
            for _, value in (pair for pair in node.value if pair[0].tag == _MERGE):
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(part, yaml.MappingNode):
                        raise yaml.constructor.ConstructorError(
                            None, None, "'<<' takes a mapping, or a list of them", part.start_mark
                        )
                    self.flatten_mapping(part)
                    merged = [*part.value, *merged]
            node.value = [*merged, *own]

    Scalars.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Scalars.add_constructor("!reset", lambda loader, node: None)
    Scalars.add_multi_constructor("!", _alone)
    try:
        return load_yaml(read_bytes(path), path, loader=Scalars)
    except FileNotFoundError:
        raise ConfigError(f"no file {path}") from None
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read: {problem.strerror or problem}") from None


_MERGE = "tag:yaml.org,2002:merge"
_KEPT = ("tag:yaml.org,2002:null", _MERGE)


def _alone(loader: Any, _suffix: str, node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


def _as_go(text: str) -> str:
    """A plain scalar as Go's ``%v`` prints the value that yaml.v3 makes of it."""
    if text in ("true", "True", "TRUE"):
        return "true"
    if text in ("false", "False", "FALSE"):
        return "false"
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("+-").replace("_", "")
        base = 10
        if len(digits) > 1 and digits[0] == "0":
            base = {"x": 16, "b": 2, "o": 8}.get(digits[1], 8)
        number = int(re.sub(r"^0[xbo]", "", digits), base)
        return f"{'-' if text.startswith('-') and number else ''}{number}"
    if _NUMBER.fullmatch(text.replace("_", "")):
        return _float(float(text.replace("_", "")))
    return _time(text) or text


def _float(value: float) -> str:
    """The shortest decimal of a number, with an exponent below -4 and from 6 on (Go's ``%g``)."""
    shortest = repr(value)
    mantissa, e, exponent = shortest.partition("e")
    power = int(exponent) if e else len(str(int(abs(value)))) - 1 if abs(value) >= 1 else 0
    if -5 < power < 6:
        plain = format(Decimal(shortest), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    sign, digits, _ = Decimal(mantissa).normalize().as_tuple()
    written = "".join(map(str, digits))
    fraction = f".{written[1:]}" if len(written) > 1 else ""
    return f"{'-' * sign}{written[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02}"


_TIME = regex(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d+))?(Z|[-+]\d{2}:\d{2})?)?"
)


def _time(text: str) -> str | None:
    """A date, or a date and a time, as Go prints it; None for another text.

    Source: the formats of yaml.v3 ``resolve.go``, and Go's ``time.Time.String``.
    """
    found = _TIME.fullmatch(text)
    if found is None or (found[4] in ("T", "t")) != (found[9] is not None):
        return None
    year, month, day = (int(part) for part in found.group(1, 2, 3))
    hour, minute, second = (int(part or 0) for part in found.group(5, 6, 7))
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    fraction = (found[8] or "")[:9].rstrip("0")
    zone = (found[9] or "Z").replace(":", "")
    zone = "+0000 UTC" if zone in ("Z", "+0000", "-0000") else f"{zone} {zone}"
    return f"{moment:%Y-%m-%d %H:%M:%S}{'.' if fraction else ''}{fraction} {zone}"
