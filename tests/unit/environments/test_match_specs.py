"""conda's versions and match specs are read as conda reads them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pytest_dockercache.environments.match_specs import compare, parse_spec, version_matches
from pytest_dockercache.errors import ConfigError


def test_a_version_spec_that_is_not_understood_is_an_error_not_a_match() -> None:
    for spec in ("1.0)(", ">=", "1.0,,2.0", "=~1"):
        with pytest.raises(ConfigError):
            version_matches(spec, "1.0")


@pytest.mark.parametrize(
    "ordered",
    # conda's own documentation of its order.
    [["0.4", "0.4.1.rc", "0.4.1", "0.5a1", "0.5b3", "0.5C1", "0.5", "0.9.6", "0.960923", "1.0",
      "1.1dev1", "1.1_", "1.1a1", "1.1.0dev1", "1.1.a1", "1.1.0rc1", "1.1.0", "1.1.0post1",
      "1.1post1", "1996.07.12", "1!0.4.1", "1!3.1.1.6", "2!0.4.1"]],
)  # fmt: skip
def test_versions_are_ordered_as_conda_orders_them(ordered: list[str]) -> None:
    equal = {("1.1.0dev1", "1.1.a1"), ("1.1.0post1", "1.1post1"), ("0.4.1.rc", "0.4.1")}
    for left, right in pairwise(ordered):
        assert compare(left, right) < 0 or (left, right) in equal, (left, right)
    assert compare("1.1", "1.1.0") == 0


def test_a_prefix_is_compared_by_whole_parts() -> None:
    assert not version_matches("3.1.*", "3.10.4")
    assert version_matches("3.1.*", "3.1")
    assert parse_spec("python=3.1").version == "3.1.*"
