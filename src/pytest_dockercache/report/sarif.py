"""SARIF 2.1.0: one result for each failure, for GitHub's code scanning and other viewers.

The format is described at docs.oasis-open.org/sarif/sarif/v2.1.0. A patch becomes a ``fix`` of its
result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ..dockerfile.rewriting import Hunk, read_patch
from ..model import Fix
from ..presentable import presentable
from .blamed import Blamed, blamed
from .findings import SessionReport
from .pages import HOLDS, HOME, page_of

__all__ = ["render"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "SRCROOT"
"""The base of relative addresses: the repository's root (SARIF 2.1.0, 3.4.4)."""


def render(session: SessionReport) -> str:
    """The log, with one run."""
    return json.dumps(_log(session), indent=1) + "\n"


def _log(session: SessionReport) -> dict[str, Any]:
    rules = list(HOLDS)
    failures = list(blamed(session))
    driver = {
        "name": "pytest-dockercache",
        "informationUri": HOME,
        **_version(),
        "rules": [_rule(check) for check in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the repository's root"}}},
        "results": [_result(item, rules.index(item.id)) for item in failures],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _version() -> dict[str, str]:
    try:
        return {"version": version("pytest-dockercache")}
    except PackageNotFoundError:
        return {}  # run from its sources


def _rule(check: str) -> dict[str, Any]:
    name = "".join(part.capitalize() for part in check.split("-"))
    return {
        "id": check,
        "name": name,
        "shortDescription": {"text": HOLDS[check]},
        "helpUri": page_of(check),
        "help": {"text": page_of(check), "markdown": f"[{HOLDS[check]}]({page_of(check)})"},
        "defaultConfiguration": {"level": "error"},
    }


def _result(item: Blamed, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": item.id,
        "ruleIndex": rule,
        "kind": "fail",
        "level": "error",
        "message": {"text": f"{item.text}\n{item.page}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(item.path),
                    "region": {"startLine": item.line},
                }
            }
        ],
        "partialFingerprints": {"pytestDockercache/v1": item.fingerprint},
    }
    fix = item.check.ending.fix
    changes = _changes(item, fix) if fix is not None else []
    if fix is not None and changes:
        text = presentable(str(fix))
        result["fixes"] = [{"description": {"text": text}, "artifactChanges": changes}]
    return result


def _artifact(path: str) -> dict[str, str]:
    if PurePosixPath(path).is_absolute():
        return {"uri": f"file://{quote(path)}"}
    return {"uri": quote(path), "uriBaseId": _ROOT}


def _changes(item: Blamed, fix: Fix) -> list[dict[str, Any]]:
    """The changes of a patch, file by file; empty if the patch holds text that may not be shown."""
    if fix.patch is None or presentable(fix.patch) != fix.patch:
        return []
    own, shown = item.path, item.image.dockerfile or ""
    above = own.removesuffix(shown) if own.endswith(shown) else ""
    return [
        {
            "artifactLocation": _artifact(f"{above}{path}"),
            "replacements": [_replacement(hunk) for hunk in hunks],
        }
        for path, hunks in read_patch(fix.patch)
    ]


def _replacement(hunk: Hunk) -> dict[str, Any]:
    """The lines that a hunk removes and adds, without the unchanged lines around them."""
    old, new, start = hunk
    above = _same(old, new)
    below = _same(old[above:][::-1], new[above:][::-1])
    first = max(start, 1) + above
    return {
        "deletedRegion": {
            "startLine": first,
            "startColumn": 1,
            "endLine": first + len(old) - above - below,
            "endColumn": 1,
        },
        "insertedContent": {"text": "".join(new[above : len(new) - below])},
    }


def _same(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(old, new, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
