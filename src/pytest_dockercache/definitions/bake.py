"""What ``docker buildx bake --print`` says of bake and compose files."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines.docker_command import question, run_docker
from ..errors import ConfigError
from ..regexes import regex

__all__ = ["BakeRefusedError", "has_buildx", "printed", "written_names"]

_SECONDS = 60.0


class BakeRefusedError(Exception):
    """Buildx cannot evaluate the files; the text is its own, on one line."""


def has_buildx() -> bool:
    """Whether the docker command has its buildx plugin."""
    return question().answer().plugin is not None


def printed(
    files: Sequence[Path], names: Sequence[str], directory: Path
) -> Mapping[str, Mapping[str, Any]]:
    """The targets of files, by name, evaluated by buildx in a directory.

    ``names`` are targets and groups; none stands for what ``docker buildx bake`` builds. Targets
    that only serve others are left out. Raises BakeRefusedError.
    """
    plugin = question().answer().plugin
    command = [*(plugin.command if plugin else ("docker", "buildx")), "bake", "--print"]
    command += [f"--file={file}" for file in files]
    try:
        done = run_docker([*command, *names], timeout=_SECONDS, directory=directory)
    except subprocess.TimeoutExpired:
        raise BakeRefusedError(f"docker buildx bake did not answer in {_SECONDS:.0f} s") from None
    except OSError as problem:
        raise BakeRefusedError(f"docker buildx bake: {problem.strerror or problem}") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR: ")] or said[-1:] or ["no answer"]
        raise BakeRefusedError(errors[-1].removeprefix("ERROR: ").strip())
    try:
        document = json.loads(done.stdout)
        wanted = _wanted(document, names)
        return {name: document["target"][name] for name in wanted}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BakeRefusedError("docker buildx bake --print wrote no targets") from None


def _wanted(document: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The targets that are asked for: those of the groups, their groups resolved."""
    groups = document.get("group") or {}
    found: dict[str, None] = {}
    waiting = [*names] or ["default"]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in groups:
            waiting = [*groups[name]["targets"], *waiting]
        elif name in document["target"]:
            found[name] = None
    return list(found)


_BLOCK = regex(r'^[ \t]*target[ \t]+"([^"\n]+)"[ \t]*\{', re.MULTILINE)


def written_names(files: Sequence[Path]) -> tuple[str, ...]:
    """The targets that are written in bake files; those that begin with ``_`` are templates."""
    from ..disk import read_text

    names: dict[str, None] = {}
    for file in files:
        try:
            text = read_text(file, errors="replace")
            if file.suffix == ".json":
                names.update(dict.fromkeys(json.loads(text).get("target") or ()))
            else:
                names.update(dict.fromkeys(_BLOCK.findall(text)))
        except (OSError, ValueError, AttributeError, RecursionError, ConfigError):
            continue
    return tuple(name for name in names if not name.startswith("_"))
