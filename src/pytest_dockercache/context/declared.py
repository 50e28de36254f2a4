"""The build contexts that compose, bake and development container files give to a Dockerfile."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..disk import read_text
from ..errors import ConfigError
from ..regexes import regex

__all__ = ["declared_contexts"]

_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_BAKE = ("docker-bake.json", "docker-bake.hcl", "docker-bake.override.json")
_DEVELOPMENT = (".devcontainer/devcontainer.json", ".devcontainer.json", "devcontainer.json")
_REMOTE = regex(r"://|^git@|^github\.com/|\.git(#|$)")


def declared_contexts(dockerfile: Path, directories: Sequence[Path]) -> tuple[Path, ...]:
    """The directories that files in ``directories`` say to be the context of ``dockerfile``.

    A file that cannot be read, and a value that only its own tool knows
    (``${VAR}`` without a default, a URL), says nothing.
    """
    wanted = os.path.realpath(dockerfile)
    found: dict[Path, None] = {}
    for directory in directories:
        for context, file in _declared_in(directory):
            # A context with a NUL or a name too long is no directory.
            with contextlib.suppress(OSError, ValueError):
                if os.path.realpath(file) == wanted and context.is_dir():
                    found[context] = None
    return tuple(found)


def _declared_in(directory: Path) -> Iterator[tuple[Path, Path]]:
    """Pairs of a context and the Dockerfile that is built in it."""
    for names, read in ((_COMPOSE, _compose), (_BAKE, _bake), (_DEVELOPMENT, _development)):
        for name in names:
            path = directory / name
            try:
                text = read_text(path)
                pairs = list(read(path, text))
            except (OSError, ConfigError, ValueError, RecursionError):
                continue
            for context, file in pairs:
                yield Path(os.path.normpath(context)), Path(os.path.normpath(file))


def _compose(path: Path, text: str) -> Iterator[tuple[Path, Path]]:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    for service in _table(_table(document).get("services")).values():
        build = _table(service).get("build")
        if isinstance(build, str):
            build = {"context": build}
        if isinstance(build, dict):
            yield from _pair(path.parent, build.get("context", "."), build.get("dockerfile"))


def _bake(path: Path, text: str) -> Iterator[tuple[Path, Path]]:
    targets = _table(json.loads(text)).get("target") if path.suffix == ".json" else _blocks(text)
    for target in _table(targets).values():
        table = _table(target)
        yield from _pair(path.parent, table.get("context", "."), table.get("dockerfile"))


_BLOCK = regex(r'^[ \t]*target[ \t]+"([^"\n]+)"[ \t]*\{(.*?)^[ \t]*\}', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = regex(r'^[ \t]*(context|dockerfile)[ \t]*=[ \t]*"([^"\n]*)"', re.MULTILINE)


def _blocks(text: str) -> dict[str, dict[str, str]]:
    """The targets of a bake file in HCL: ``target`` blocks that end on a line of their own."""
    return {name: dict(_ATTRIBUTE.findall(block)) for name, block in _BLOCK.findall(text)}


def _development(path: Path, text: str) -> Iterator[tuple[Path, Path]]:
    document = _table(json.loads(_without_comments(text)))
    build = _table(document.get("build"))
    file = build.get("dockerfile", build.get("dockerFile", document.get("dockerFile")))
    context = build.get("context", document.get("context", "."))
    if isinstance(file, str):
        # Here, both are relative to the file that says it.
        for directory, _ in _pair(path.parent, context, None):
            yield directory, path.parent / file


_COMMENT = regex(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


def _without_comments(text: str) -> str:
    """JSON with comments and trailing commas as plain JSON."""
    kept = _COMMENT.sub(lambda found: found[1] or "", text)
    return re.sub(r",(\s*[}\]])", r"\1", kept)


def _pair(directory: Path, context: Any, file: Any) -> Iterator[tuple[Path, Path]]:
    """A context below ``directory`` and a Dockerfile below the context, if both are known."""
    place = _known(context)
    name = "Dockerfile" if file is None else _known(file)
    if place is not None and name is not None and not _REMOTE.search(place):
        yield directory / place, directory / place / name


def _known(value: Any) -> str | None:
    """A text with the defaults of its variables; None where only the environment knows them."""
    if not isinstance(value, str):
        return None
    text = re.sub(r"\$\{\w+:?-([^${}]*)\}", r"\1", value)
    return None if "$" in text else text


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
