"""Common parts of locks: pinned packages, conditions, and a walk over the graph of dependencies."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import field, replace
from typing import Any, TypeVar

from ...errors import ConfigError
from ...regexes import regex
from ...values import dataclass
from ..documents import table
from ..names import normalised
from ..requirements import Requirements

__all__ = [
    "FALSE",
    "Applies",
    "LockedPackage",
    "Projects",
    "both",
    "chosen",
    "digests_of",
    "either",
    "file_digests",
    "group_lines",
    "listed",
    "merged",
    "reached",
    "requirements_of",
    "text_of",
]

Applies = Callable[[str], "bool | None"]
"""Whether a marker holds in the image; None where too little is known of it. "" always holds."""

Projects = Callable[[str], Mapping[str, Any]]
"""The ``pyproject.toml`` of a directory, relative to the lock's; empty where there is none."""

FALSE = "python_version < '0'"
_TRUE = "python_version >= '0'"

_Node = TypeVar("_Node", bound=Hashable)


@dataclass(frozen=True)
class LockedPackage:
    """A package as a lock has it.

    ``version`` is "" where the lock does not say it (a local project). ``doubt`` is the undecided
    marker on which the package depends, "" for a package that is certainly chosen. ``digests`` are
    the allowed digests of its archive (``sha256:…``) or the one commit that it comes from
    (``commit:…``). ``direct`` names the origin of a package that comes from no index and whose
    installed metadata may not confirm that origin.
    """

    name: str
    version: str = ""
    doubt: str = ""
    digests: frozenset[str] = field(default_factory=frozenset)
    direct: str = ""

    @property
    def line(self) -> str:
        """The pin as a requirement of PEP 508."""
        text = f"{self.name}=={self.version}" if self.version else self.name
        return f"{text} ; {self.doubt}" if self.doubt else text


def requirements_of(
    source: str,
    pins: Iterable[LockedPackage],
    *,
    removes: bool,
    optional: Iterable[str] = (),
    unverified: Iterable[str] = (),
) -> Requirements:
    """The pins of a lock that are asked for.

    ``removes`` is whether the command also uninstalls everything else, but
    for the packages in ``optional``.
    """
    ordered = sorted(pins, key=lambda pin: (pin.name, pin.version, pin.doubt))
    return Requirements(
        source,
        "lock",
        pip=tuple(dict.fromkeys(pin.line for pin in ordered)),
        unverified=tuple(dict.fromkeys(unverified)),
        optional=frozenset(optional),
        alternatives={pin.name: pin.digests for pin in ordered if pin.digests},
        removes=removes,
    )


def chosen(marker: str, active: Mapping[str, Collection[str]]) -> str:
    """A marker whose variables that a selection decides are replaced by their values.

    ``active`` holds the chosen names for each of the variables ``extra``, ``extras`` and
    ``dependency_groups``: ``extra == 'gpu'`` and ``'gpu' in extras`` are true if ``gpu`` is among
    them.
    """

    def decided(found: re.Match[str]) -> str:
        variable = found["first"] or found["second"] or found["third"]
        value = found["value"] or found["member"] or found["other"]
        operator = found["is"] or found["in"] or found["equals"]
        names = {normalised(name) for name in active.get(variable, ())}
        holds = (normalised(value) in names) is not (operator in ("!=", "not in"))
        return _TRUE if holds else FALSE

    return _GROUP_TERM.sub(decided, marker)


_GROUP_TERM = regex(
    r"""\b(?P<first>extra)\s*(?P<is>==|!=)\s*(?P<q>["'])(?P<value>[^"']*)(?P=q)
    | (?P<r>["'])(?P<member>[^"']*)(?P=r)\s*(?P<in>in|not\ in)\s+
      (?P<second>extras|dependency_groups)\b
    | (?P<s>["'])(?P<other>[^"']*)(?P=s)\s*(?P<equals>==|!=)\s*(?P<third>extra)\b""",
    re.VERBOSE,
)


def both(one: str, other: str) -> str:
    """The marker that holds where both do."""
    return f"({one}) and ({other})" if one and other else one or other


def either(markers: Iterable[str]) -> str:
    """The marker that holds where any of them does; "" as soon as one always does."""
    found = list(dict.fromkeys(markers))
    if not found or "" in found:
        return ""
    return found[0] if len(found) == 1 else " or ".join(f"({marker})" for marker in found)


def reached(
    roots: Iterable[tuple[_Node, str]],
    edges: Callable[[_Node], Iterable[tuple[_Node, str]]],
    applies: Applies,
) -> dict[_Node, str]:
    """Everything that is reachable from some roots, each node with its doubt.

    Roots and edges come with the marker under which they count. A node's doubt
    is "" if some way to it is certain, else the marker that could not be
    decided on the first way to it.
    """
    found: dict[_Node, str] = {}
    certain: deque[tuple[_Node, str]] = deque()
    doubtful: deque[tuple[_Node, str]] = deque()

    def go(steps: Iterable[tuple[_Node, str]], doubt: str) -> None:
        for node, marker in steps:
            holds = applies(marker)
            if holds is False:
                continue
            unsure = doubt or (marker if holds is None else "")
            (doubtful if unsure else certain).append((node, unsure))

    go(roots, "")
    while certain or doubtful:
        node, doubt = certain.popleft() if certain else doubtful.popleft()
        if node not in found:
            found[node] = doubt
            go(edges(node), doubt)
    return found


# --- reading foreign text --------------------------------------------------------------


def listed(document: Mapping[str, Any], key: str, source: str) -> list[Mapping[str, Any]]:
    """The tables of a list, none if it is absent. Raises ConfigError for anything else."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ConfigError(f"{source} has {key!r} that is not a list of tables; lock it again")
    return value


def text_of(table: Mapping[str, Any], key: str) -> str:
    """A string of a table, "" for an absent key or another type."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def file_digests(files: Any) -> frozenset[str]:
    """The ``sha256:…`` digests of a lock's list of files (``hash``)."""
    items = files if isinstance(files, list) else [files]
    found = (text_of(item, "hash") for item in items if isinstance(item, dict))
    return frozenset(digest for digest in found if digest.startswith("sha256:"))


def group_lines(
    project: Mapping[str, Any], name: str, within: frozenset[str] = frozenset()
) -> list[str]:
    """The lines of a group of ``[dependency-groups]``, those of included groups too (PEP 735).

    ``within`` are the groups that include this one.
    """
    lines: list[str] = []
    for key, items in table(project, "dependency-groups").items():
        if normalised(str(key)) != normalised(name) or name in within:
            continue
        for item in items if isinstance(items, list) else ():
            if isinstance(item, str):
                lines.append(item)
            elif isinstance(item, dict) and isinstance(item.get("include-group"), str):
                lines += group_lines(project, item["include-group"], within | {name})
    return lines


def digests_of(hashes: Any) -> frozenset[str]:
    """The digests of a list (``sha256:…``) or of a table (``{sha256 = "…"}``)."""
    if isinstance(hashes, dict):
        return frozenset(f"sha256:{value}" for key, value in hashes.items() if key == "sha256")
    items = hashes if isinstance(hashes, list) else []
    return frozenset(item for item in items if isinstance(item, str) and item.startswith("sha256"))


def merged(pins: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Pins of one name and version as one, certain if any of them is."""
    found: dict[tuple[str, str], LockedPackage] = {}
    for pin in pins:
        before = found.get((pin.name, pin.version))
        if before is not None and not before.doubt:
            pin = replace(pin, doubt="")
        found[pin.name, pin.version] = pin
    return tuple(found.values())
