"""The Dockerfiles that options and tables name, each with the options of its image."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError, DockerCacheError
from ..values import dataclass
from .discovery import DEFAULT_NAMES
from .given import ADDED, GivenValue
from .image_options import IMAGE_KEYS, ImageOptions
from .image_tables import NAME, ImageTable

__all__ = ["DockerfileChoice", "Own", "chosen_dockerfiles", "existing_file", "keys_of"]

_REPEATED = ("build-arg", "build-context", "platform", "skip", "environment")
_SPECS = ("secret", "ssh", "cache-from", "cache-to")
"""Keys whose values hold commas and keys of their own (``type=local,src=DIR``)."""

Own = Mapping[str, tuple[GivenValue, ...]]
"""The values that are given for one image, by the name of the option."""


@dataclass(frozen=True)
class DockerfileChoice:
    """A Dockerfile to judge that an option or a table names: its absolute path, and its options.

    ``name`` tells two images of one Dockerfile apart. ``explicit`` is True for the command line:
    such a Dockerfile is always collected, another only where nothing else was asked for. An image
    that a compose, bake or development container file defines has a ``node`` of its own, and a
    ``problem`` where it cannot be judged.
    """

    path: Path
    options: ImageOptions
    name: str | None = None
    explicit: bool = True
    node: str | None = None
    problem: DockerCacheError | None = None


def chosen_dockerfiles(
    values: Sequence[GivenValue],
    tables: Sequence[ImageTable],
    image_options: Callable[[Own], ImageOptions],
) -> tuple[DockerfileChoice, ...]:
    """The Dockerfiles to judge: those of ``--dockercache-dockerfile`` and of the tables.

    Where the command line names Dockerfiles, only these are judged, each with the options of its
    tables; the tables' others are left out. ``image_options`` reads the options of one image.
    Raises ConfigError for a Dockerfile or a key that cannot be used.
    """
    described = [(_dockerfile_of(table), table) for table in tables]
    chosen: list[DockerfileChoice] = []
    for value in values:
        path, name, own = _parsed(value)
        twins = [
            table
            for dockerfile, table in described
            if dockerfile == path and (name is None or _name(table) == name.text)
        ]
        if value.explicit and twins:
            for table in twins:
                options = image_options(_joined(table.own, own))
                chosen.append(DockerfileChoice(path, options, _name(table), True))
        else:
            said = None if name is None else name.text
            chosen.append(DockerfileChoice(path, image_options(own), said, value.explicit))
    if not any(value.explicit for value in values):
        chosen += [
            DockerfileChoice(path, image_options(table.own), _name(table), False)
            for path, table in described
        ]
    return tuple(chosen)


def _joined(table: Own, given: Own) -> Own:
    """The values of a table and those that stand before them."""
    both = {**table, **given}
    for key in ADDED:
        if key in table and key in given:
            both[key] = (*table[key], *given[key])
    return both


def _name(table: ImageTable) -> str | None:
    return None if table.name is None else table.name.text


def _dockerfile_of(table: ImageTable) -> Path:
    """The Dockerfile of a table: the one it names, else the one beside its file."""
    if table.dockerfile is not None:
        return existing_file(table.dockerfile, table.dockerfile.text)
    for name in DEFAULT_NAMES:
        if (table.base / name).is_file():
            return Path(os.path.abspath(table.base / name))
    raise ConfigError(
        f"{table.place}: no {' or '.join(DEFAULT_NAMES)} in {table.base}; "
        "name one with dockerfile = PATH"
    )


def _parsed(value: GivenValue) -> tuple[Path, GivenValue | None, Own]:
    """The path, the name, and the other keys of ``PATH,key=value,…``."""
    text, own = keys_of(value, ("name", *IMAGE_KEYS))
    name = own.pop("name", (None,))[0]
    if name is not None and not NAME.fullmatch(name.text):
        raise value.wrong(f"{name.text} is not a name", "use letters, digits, '.', '_' and '-'")
    return existing_file(value, text), name, own


def keys_of(
    value: GivenValue, valid: Sequence[str], several: Sequence[str] = ()
) -> tuple[str, dict[str, tuple[GivenValue, ...]]]:
    """The path, and the values of the keys after its commas; ``several`` may come repeatedly.

    Raises ConfigError for a key that is not among ``valid``, or that comes twice.
    """
    text, *parts = _parts(value.text)
    own: dict[str, tuple[GivenValue, ...]] = {}
    for part in parts:
        key, _, content = part.partition("=")
        again = key in own and key not in (*_REPEATED, *_SPECS, *several)
        if key not in valid or again or not content:
            remedy = f"valid: PATH[,KEY=VALUE…], KEY one of {', '.join(valid)}"
            raise value.wrong(f"cannot use {part!r}", remedy)
        given = replace(value, text=content, place=value.shown)
        own[key] = (*own.get(key, ()), given)
    return text, own


def _parts(text: str) -> Iterator[str]:
    """The path, and each ``key=value``: a value of buildx's own goes on to the next known key."""
    path, *others = re.split(r",(?=[\w-]+=)", text)
    yield path
    open_part = ""
    for part in others:
        key = part.partition("=")[0]
        if open_part and key not in ("name", *IMAGE_KEYS):
            open_part += f",{part}"
            continue
        if open_part:
            yield open_part
        open_part = part if key in _SPECS else ""
        if not open_part:
            yield part
    if open_part:
        yield open_part


def existing_file(value: GivenValue, text: str) -> Path:
    """The absolute path of a Dockerfile that is named. Raises ConfigError if it is none."""
    path = value.path(text)
    if not text or path.is_dir():
        raise value.wrong(f"{path} is a directory", "name the Dockerfile in it")
    if not path.exists():
        raise value.wrong(f"no file {path}", "name an existing Dockerfile")
    if not path.is_file():
        raise value.wrong(f"{path} is not a file", "name a Dockerfile")
    return path
