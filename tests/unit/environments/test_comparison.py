"""Environments are held against each other, package by package."""

from __future__ import annotations

from pytest_dockercache.environments.comparison import (
    Difference,
    compare_environments,
    difference_table,
)
from pytest_dockercache.environments.installed import Environment, Package


def test_two_environments_are_compared_package_by_package() -> None:
    one = Environment("/a", (Package("x", "1", "0"), Package("y", "1", "0")), {})
    other = Environment("/b", (Package("y", "1", "1"), Package("z", "1", manager="pip")), {})
    assert compare_environments(one, other) == (
        Difference("missing", "x", "1 0", "", "conda"),
        Difference("differing", "y", "1 0", "1 1", "conda"),
        Difference("extra", "z", "", "1", "pip"),
    )
    assert difference_table(compare_environments(one, other), limit=2) == (
        "x  missing    wanted 1 0",
        "y  differing  wanted 1 0, found 1 1",
        "… and 1 more",
    )
