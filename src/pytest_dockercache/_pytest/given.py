"""Values as they were given: on the command line, in the ini file, or for one image only."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from ..errors import ConfigError
from ..values import dataclass

__all__ = ["ADDED", "GivenValue", "ImageReader", "OptionReader", "ValueReader", "last", "last_text"]

ADDED = ("build-arg", "build-context", "skip")
"""Options whose values for one image come to those for all, instead of taking their place."""


@dataclass(frozen=True)
class GivenValue:
    """One value as it was given, with its origin: an option, or an ini key and its file.

    ``base`` is the directory that paths are relative to. ``explicit`` is True for the command line.
    ``place`` is how messages show the value with its origin, where that is not ``name=text``.
    """

    text: str
    name: str
    base: Path
    explicit: bool
    place: str | None = None

    @property
    def shown(self) -> str:
        """The value with its origin."""
        return f"{self.name}={self.text}" if self.place is None else self.place

    def wrong(self, problem: str, remedy: str) -> ConfigError:
        """The error for a value that cannot be used."""
        return ConfigError(f"{self.shown}: {problem}; {remedy}")

    def path(self, text: str | None = None) -> Path:
        """The absolute path of the value, or of ``text``. Raises ConfigError if it is too long."""
        given = os.path.expanduser(self.text if text is None else text)
        path = Path(os.path.abspath(self.base / given))
        try:
            os.stat(path)
        except OSError as problem:
            if problem.errno == errno.ENAMETOOLONG:
                raise self.wrong("the path is too long", "name a shorter one") from None
        return path


class ValueReader(Protocol):
    """Where the values of options come from."""

    def values(self, name: str) -> tuple[GivenValue, ...]:
        """The values of an option, by its name without prefix, in their order."""


class OptionReader:
    """The values of an invocation: the command line first, then the ini file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        ini = config.inipath
        self._ini_base = ini.parent if ini is not None else config.rootpath
        self._ini_name = ini.name if ini is not None else "-o"

    def flag(self, name: str) -> bool:
        """Whether an option without a value is given."""
        _, key = _spelled(name)
        return bool(self._config.getoption(key, None) or self._config.getini(key))

    def values(self, name: str) -> tuple[GivenValue, ...]:
        """The values of an option, by its name without prefix, in their order."""
        option, key = _spelled(name)
        given: Any = self._config.getoption(key, None)
        if given:
            base = self._config.invocation_params.dir
            texts = given if isinstance(given, list) else [given]
            return tuple(GivenValue(text, option, base, True) for text in texts)
        texts = self._config.getini(key) or []
        texts = texts if isinstance(texts, list) else [texts]
        where = f"{key} ({self._ini_name})"
        return tuple(GivenValue(text, where, self._ini_base, False) for text in texts)

    def value(self, name: str) -> GivenValue | None:
        """The last value of an option."""
        return last(self, name)

    def text(self, name: str) -> str | None:
        """The text of the last value of an option."""
        return last_text(self, name)


@dataclass(frozen=True)
class ImageReader:
    """The values for one image: the command line first, then the image's own, then the ini file.

    ``own`` has the image's own values by the name of the option; those that stand on the command
    line themselves (``--dockercache-dockerfile=PATH,target=STAGE``) go before all others.
    """

    session: ValueReader
    own: Mapping[str, tuple[GivenValue, ...]]

    def values(self, name: str) -> tuple[GivenValue, ...]:
        """The values of an option, by its name without prefix, the most important last."""
        own, others = self.own.get(name, ()), self.session.values(name)
        own_first = bool(others) and others[0].explicit and not (own and own[0].explicit)
        if name in ADDED:
            return (*own, *others) if own_first else (*others, *own)
        return others if own_first or not own else own


def last(reader: ValueReader, name: str) -> GivenValue | None:
    """The last value of an option, None if it has none."""
    found = reader.values(name)
    return found[-1] if found else None


def last_text(reader: ValueReader, name: str) -> str | None:
    """The text of the last value of an option, None if it has none."""
    found = last(reader, name)
    return found.text if found is not None else None


def _spelled(name: str) -> tuple[str, str]:
    """The command-line option and the ini key of an option's short name."""
    option = f"--dockercache-{name}"
    return option, option[2:].replace("-", "_")
