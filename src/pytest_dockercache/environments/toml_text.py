"""TOML through the standard library, and through ``tomli`` on Python 3.10."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["load_toml", "table"]


def load_toml(text: str, path: object) -> dict[str, Any]:
    """The values of a TOML file; ``path`` names it in messages.

    Raises ConfigError with the place for what is no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: invalid TOML: {error}; correct the file") from None
    except RecursionError:
        raise ConfigError(f"{path}: invalid TOML: nested too deeply; correct the file") from None


def table(document: Any, *keys: str) -> Mapping[str, Any]:
    """The table at some keys, one below the other; empty where there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
