"""What ``devcontainer.json`` builds."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..disk import read_text
from ..errors import ConfigError
from ..regexes import regex

__all__ = ["development_target"]

_COMMENT = regex(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LOCAL = regex(r"\$\{localEnv:([^}:]+)(?::([^}]*))?\}")


def development_target(file: Path) -> tuple[Mapping[str, Any] | None, tuple[Path, ...], str]:
    """The build of a development container, as ``bake --print`` would write it.

    Returns the target, or compose files and the name of a service where these build it; neither
    where the container is made from an image. Raises ConfigError.
    """
    try:
        document = json.loads(_plain(read_text(file)))
    except OSError as problem:
        raise ConfigError(f"{file}: cannot be read: {problem.strerror or problem}") from None
    except (ValueError, RecursionError) as problem:
        raise ConfigError(f"{file}: invalid JSON: {problem}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: is no JSON object")
    document = _replaced(document)
    composed = document.get("dockerComposeFile")
    if composed:
        texts = composed if isinstance(composed, list) else [composed]
        files = tuple(Path(os.path.abspath(file.parent / str(text))) for text in texts)
        return None, files, str(document.get("service", ""))
    build = document.get("build")
    build = build if isinstance(build, dict) else {}
    name = build.get("dockerfile", build.get("dockerFile", document.get("dockerFile")))
    if not isinstance(name, str):
        return None, (), ""
    # Both are relative to the file that says it, unlike in compose and bake files.
    cached = build.get("cacheFrom") or ()
    return (
        {
            "context": build.get("context", document.get("context", ".")),
            "dockerfile": str(file.parent / name),
            "target": build.get("target"),
            "args": build.get("args"),
            "cache-from": [cached] if isinstance(cached, str) else list(cached),
        },
        (),
        "",
    )


def _plain(text: str) -> str:
    """JSON with comments and trailing commas as plain JSON."""
    kept = _COMMENT.sub(lambda found: found[1] or "", text)
    return re.sub(r",(\s*[}\]])", r"\1", kept)


def _replaced(value: Any) -> Any:
    """The values with ``${localEnv:NAME}`` replaced by the environment's."""
    if isinstance(value, str):
        return _LOCAL.sub(lambda found: os.environ.get(found[1]) or found[2] or "", value)
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item) for key, item in value.items()}
    return value
