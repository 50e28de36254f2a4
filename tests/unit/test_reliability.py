"""Each fault that docs/reliability.md tells of is held by tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()

ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in PAGE.partition("## What was found")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| once wrong")
]


@cache
def functions_of(path: str) -> frozenset[str]:
    """The names of the test functions in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_the_page_tells_of_the_faults() -> None:
    assert len(ROWS) >= 30


@pytest.mark.parametrize(("fault", "tests"), ROWS, ids=[fault[:60] for fault, _ in ROWS])
def test_the_tests_that_hold_a_cure_exist(fault: str, tests: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
    assert named, f"no test holds: {fault}"
    assert len(named) == tests.count("::")
    for path, name in named:
        assert name in functions_of(path), f"{path} has no {name}"
