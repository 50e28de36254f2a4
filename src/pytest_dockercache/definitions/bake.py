"""What ``docker buildx bake --print`` says of bake and compose files."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..engines.docker_command import question, run_docker
from ..errors import ConfigError
from ..regexes import regex
from .places import lines_of_target

__all__ = [
    "BakeRefusedError",
    "has_buildx",
    "printed",
    "read_json_targets",
    "unprinted",
    "written_names",
]

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


_MAPS = ("args", "contexts", "labels", "extra-hosts")
"""Keys of a target whose entries are inherited one by one; of all others the last value counts."""


def read_json_targets(
    files: Sequence[Path], names: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    """The targets of bake files in JSON, by name, without buildx.

    Raises BakeRefusedError for what buildx alone evaluates: variables, functions, a matrix.
    """
    targets: dict[str, Mapping[str, Any]] = {}
    groups: dict[str, Any] = {}
    for file in files:
        document = _document(file)
        for name, target in document.get("target", {}).items():
            if not isinstance(target, dict) or "matrix" in target:
                raise BakeRefusedError(f"{file.name}: the target {name} is not a plain object")
            targets[name] = _over(targets.get(name, {}), target)
        groups |= document.get("group", {})
    whole = {name: _inherited(name, targets, ()) for name in targets}
    try:
        wanted = _wanted({"group": groups, "target": whole}, names)
    except (LookupError, TypeError):
        raise BakeRefusedError("a group has no list of targets") from None
    known = {*whole, *groups}
    missing = [name for name in (names or ["default"]) if name not in known]
    missing += [name for group in groups.values() for name in group["targets"] if name not in known]
    if missing:
        raise BakeRefusedError(f"failed to find target {missing[0]}")
    return {name: whole[name] for name in wanted}


def _document(file: Path) -> Mapping[str, Any]:
    from ..disk import read_text

    try:
        text = read_text(file, errors="replace")
        document = json.loads(text)
    except (OSError, ValueError, RecursionError, ConfigError) as problem:
        raise BakeRefusedError(f"{file.name}: invalid JSON: {problem}") from None
    own = {"target", "group"}
    tables = document.values() if isinstance(document, dict) else [None]
    if not all(isinstance(table, dict) for table in tables) or not own.issuperset(document):
        raise BakeRefusedError(f"{file.name}: it has more than plain targets and groups")
    if re.search(r"[$%]\{", text):
        raise BakeRefusedError(f"{file.name}: it has variables")
    return cast("Mapping[str, Any]", document)


def _inherited(
    name: str, targets: Mapping[str, Mapping[str, Any]], above: tuple[str, ...]
) -> Mapping[str, Any]:
    if name not in targets:
        raise BakeRefusedError(f"failed to find target {name}")
    if name in above:
        raise BakeRefusedError(f"the target {name} inherits itself")
    whole: Mapping[str, Any] = {}
    parents = targets[name].get("inherits") or []
    for parent in parents if isinstance(parents, list) else [parents]:
        whole = _over(whole, _inherited(str(parent), targets, (*above, name)))
    return _over(whole, targets[name])


def _over(before: Mapping[str, Any], after: Mapping[str, Any]) -> Mapping[str, Any]:
    """A target over another: what has no value says nothing."""
    both = {**before, **{key: value for key, value in after.items() if value is not None}}
    for key in _MAPS:
        if isinstance(before.get(key), dict) and isinstance(after.get(key), dict):
            set_ = {name: value for name, value in after[key].items() if value is not None}
            both[key] = dict(sorted({**before[key], **set_}.items()))
    return both


_NETWORK = regex(r'^\s*network\s*=\s*"([^"$]+)"', re.MULTILINE)
_HOSTS = regex(r"^\s*extra-hosts\s*=\s*\{([^}$]*)\}", re.MULTILINE)
_HOST = regex(r'"?([\w.-]+)"?\s*[=:]\s*"([^"]+)"')
_LISTS = {
    key: regex(rf"^\s*{key}\s*=\s*\[([^\]$]*)\]", re.MULTILINE)
    for key in ("inherits", "entitlements")
}


def unprinted(files: Sequence[Path], name: str, above: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """What a target sets of the keys that buildx before 0.17 does not print, read from HCL's text.

    These are ``network``, ``extra-hosts`` and ``entitlements``; only values that are written out
    are read, in the target and in those that it inherits.
    """
    found: dict[str, Any] = {}
    for file in files if name not in above else ():
        text = "\n".join(lines_of_target(file, name))
        lists = {
            key: re.findall(r'"([^"]+)"', match[1])
            for key, pattern in _LISTS.items()
            if (match := pattern.search(text)) is not None
        }
        for parent in lists.pop("inherits", ()):
            found.update(unprinted(files, parent, (*above, name)))
        found.update(lists)
        network, hosts = _NETWORK.search(text), _HOSTS.search(text)
        if network is not None:
            found["network"] = network[1]
        if hosts is not None:
            found["extra-hosts"] = dict(_HOST.findall(hosts[1]))
    return found


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
