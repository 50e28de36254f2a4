"""YAML and TOML files as plain values; an error in a file is named with its place."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..disk import read_bytes
from ..errors import ConfigError, Unverifiable

__all__ = [
    "YAML_SUFFIXES",
    "check_environment_file",
    "content_of",
    "load_toml",
    "load_yaml",
    "not_understood",
    "table",
    "unknown_version",
    "yaml_line",
]

YAML_SUFFIXES = (".yml", ".yaml")

_MOST_VALUES = 2_000_000
"""Values of a YAML file with its aliases written out; the largest locks have some 100,000."""


def content_of(path: Path) -> bytes:
    """The content of an environment file.

    Raises ConfigError if it cannot be read, is no regular file (a pipe never
    ends), or is too large.
    """
    try:
        return read_bytes(path)
    except ConfigError as error:
        raise ConfigError(f"environment file {error}") from None
    except FileNotFoundError:
        raise ConfigError(f"environment file {path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"environment file {path}: cannot be read: {error.strerror}") from error


def check_environment_file(path: Path) -> None:
    """Refuse an environment file that its tool could not read.

    YAML files (``environment.yml``, ``conda-lock.yml``) must parse with safe
    tags only, and TOML files must parse; others need only be readable. Raises
    ConfigError with line and column (1-based).
    """
    content = content_of(path)
    if path.suffix.lower() in YAML_SUFFIXES:
        if not content.strip():
            raise ConfigError(f"environment file {path}: is empty")
        load_yaml(content, path)
    elif path.suffix.lower() == ".toml" or path.name == "Pipfile":
        load_toml(content, path)


def load_toml(
    content: bytes | str, path: Path, *, parse_float: Callable[[str], Any] = float
) -> dict[str, Any]:
    """The values of a TOML file; ``path`` names it in messages.

    ``parse_float`` makes a value of the text of each number with a fraction.
    uv reads TOML 1.1 (an inline table over several lines), which the standard
    library does from Python 3.15 on. Raises ConfigError with line and column
    (1-based) for a text that is no TOML.
    """
    if sys.version_info >= (3, 15):
        import tomllib
    else:
        import tomli as tomllib

    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        # TOML ends lines with LF or CR LF.
        values: dict[str, Any] = tomllib.loads(text.replace("\r\n", "\n"), parse_float=parse_float)
    except UnicodeDecodeError as error:
        raise _invalid("TOML", path, "", str(error)) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = str(error) or "cannot be parsed"
        found = re.search(r"\s*\(at line (\d+), column (\d+)\)$", problem)
        place = f":{found[1]}:{found[2]}" if found else ""
        if found:
            problem = problem[: found.start()]
        raise _invalid("TOML", path, place, problem) from None
    return values


def table(document: Any, *keys: str) -> Mapping[str, Any]:
    """The table below a path of keys; an empty table where there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def load_yaml(content: bytes | str, path: Path, *, loader: Any = None) -> Any:
    """The plain values of a YAML file; ``path`` names it in messages.

    ``loader`` is a safe loader of PyYAML, None for its own.
    Raises ConfigError with line and column (1-based) for a text that is no
    YAML, and for a tag that would make anything but a plain value
    (``!!python/…``).
    """
    import yaml

    try:
        values = yaml.load(content, loader or yaml.SafeLoader)
        if _expanded(values, {}, ()) > _MOST_VALUES:
            raise ConfigError(
                f"{path}: its aliases stand for more than {_MOST_VALUES:,} values; write them out"
            )
        return values
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        problem = str(error.problem or error.context or error).strip()
        if "could not determine a constructor for the tag" in problem:
            tag = problem.rpartition("tag ")[2]
            raise ConfigError(
                f"{path}{place}: the YAML tag {tag} is refused: an environment file holds "
                "plain values only",
                fix="remove the tag",
            ) from None
        raise _invalid("YAML", path, place, problem) from None
    except yaml.reader.ReaderError as error:
        place = f":{_place(content, error.position, error.encoding)}"
        raise _invalid("YAML", path, place, error.reason) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "cannot be parsed"
        raise _invalid("YAML", path, "", first) from None


def not_understood(source: str | Path, kind: str, item: object) -> str:
    """The complaint about a ``kind`` of entry of a file; ``item`` is the entry's value."""
    return f"{source} has the {kind} {item!r}, which is not understood"


def unknown_version(source: str, version: object) -> Unverifiable:
    """The refusal of a lock of an unknown version."""
    return Unverifiable(f"{source} is of a version that is not known: {version or 'none'}")


def _invalid(language: str, path: Path, place: str, problem: str) -> ConfigError:
    """The refusal of a text that is not in its language; ``place`` is ``:LINE:COLUMN`` or ""."""
    fix = "correct the file at this place" if place else "correct the file"
    return ConfigError(f"{path}{place}: invalid {language}: {problem}", fix=fix)


def _expanded(value: Any, known: dict[int, int], within: tuple[int, ...]) -> int:
    """How many values a value holds, with each alias counted as the value that it stands for.

    An alias is the object that it stands for, so that counting takes no longer than reading did; a
    value that holds itself counts as too many.
    """
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) in within:
        return _MOST_VALUES + 1
    if id(value) not in known:
        inner = (*within, id(value))
        items = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_expanded(item, known, inner) for item in items)
    return known[id(value)]


def _place(content: bytes | str, position: int, encoding: str) -> str:
    """Line and column of the ``position`` that PyYAML's reader stumbled at.

    ``position`` counts characters, or bytes where the content could not be decoded.
    """
    if isinstance(content, bytes):
        content = content.decode("utf-8" if encoding == "unicode" else "latin-1", "replace")
    before = content[:position]
    return f"{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"


def yaml_line(content: bytes | str, keys: Sequence[str | int]) -> int | None:
    """The line (1-based) of the value that keys and positions lead to, None if there is none.

    ``("dependencies", 2)`` is the third of the dependencies. The file has to be one that
    :func:`load_yaml` reads.
    """
    import yaml

    node = yaml.compose(content, Loader=yaml.SafeLoader)
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key] if key < len(node.value) else None
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), None)
        else:
            return None
    return node.start_mark.line + 1 if node is not None else None
