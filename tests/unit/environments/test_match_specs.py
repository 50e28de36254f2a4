"""conda's versions and match specs are read as conda reads them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pytest_dockercache.environments.match_specs import compare, parse_spec, version_matches
from pytest_dockercache.errors import ConfigError, Unverifiable


@pytest.mark.parametrize(
    ("spec", "version", "build"),
    [
        ("python", "", ""),
        ("python=3.10", "3.10.*", ""),
        ("python = 3.10", "3.10.*", ""),
        ("python= 3.10", "3.10.*", ""),
        ("python =3.10", "3.10.*", ""),
        ("python  =  3.10", "3.10.*", ""),
        ("python = 3.10.*", "3.10.*", ""),
        ("python 3.10", "3.10", ""),
        ("python == 3.10", "3.10", ""),
        ("python (>=3.10)", "(>=3.10)", ""),
        ("python >= 3.10 , < 3.11", ">=3.10,<3.11", ""),
        ("python >=3.10,<3.11 h1*", ">=3.10,<3.11", "h1*"),
        ("python=3.10=h1*", "3.10", "h1*"),
        ("python 3.10.* h1*", "3.10.*", "h1*"),
        ("python = 3.10.4 = h1_0", "3.10.4", "h1_0"),
        ("python = 3.10.4 h1_0", "3.10.4", "h1_0"),
        ("python * h1*", "", "h1*"),
        ("python[version='>=3.10', build=h1*]", ">=3.10", "h1*"),
        ('python=3.9[version="=3.10"]', "3.10.*", ""),
        ("python =3.*.4", "3.*.4*", ""),
        ("python = 3.10 # the team's", "3.10.*", ""),
    ],
)
def test_a_spec_is_taken_apart_as_conda_does(spec: str, version: str, build: str) -> None:
    found = parse_spec(spec)
    assert (found.name, found.version, found.build) == ("python", version, build)


@pytest.mark.parametrize(
    ("spec", "channel"),
    [
        ("conda-forge::python", "conda-forge"),
        ("conda-forge/linux-64::python = 3.10", "conda-forge/linux-64"),
        ("conda-forge:main:python", "conda-forge"),
        ("https://host:8080/c::python", "https://host:8080/c"),
        ("python[channel=bioconda]", "bioconda"),
    ],
)
def test_a_spec_may_name_its_channel(spec: str, channel: str) -> None:
    found = parse_spec(spec)
    assert (found.name, found.channel) == ("python", channel)


@pytest.mark.parametrize(
    "spec",
    ["=1.0", "python =>3.10", "python ===3.10", "python >=", "python =", "python 3.10,",
     "python >=3.10|", "python (3.10", "python 3.10)", "python ()", "python[version='>=3'",
     "python[version]", "python[colour=red]", "python >=3.10 <3.11", "python!", "py/thon",
     "python ~3.10", "python !=3.*.4"],
)  # fmt: skip
def test_what_is_no_spec_is_refused_and_quoted(spec: str) -> None:
    with pytest.raises(ConfigError, match="is not a conda match spec") as refused:
        parse_spec(spec)
    assert repr(spec) in str(refused.value)


@pytest.mark.parametrize("spec", ["python >=3.10 ; if __win", 'python[when="__win"]'])
def test_a_condition_is_not_guessed_to_be_met(spec: str) -> None:
    with pytest.raises(Unverifiable, match="whether the condition"):
        parse_spec(spec)


def test_what_no_record_answers_is_kept_apart() -> None:
    assert parse_spec("numpy[license=BSD, version='>=1']").others == ("license=BSD",)


def test_a_version_spec_that_is_not_understood_is_an_error_not_a_match() -> None:
    for spec in ("1.0)(", ">=", "1.0,,2.0", "=~1"):
        with pytest.raises(ConfigError):
            version_matches(spec, "1.0")


def test_parentheses_group_alternatives() -> None:
    assert version_matches("(>=3.9,<3.11)|2.7", "3.10.4")
    assert version_matches("(3.9|3.10.*),!=3.10.4", "3.10.5")
    assert not version_matches("(3.9|3.10.*),!=3.10.4", "3.10.4")
    assert not version_matches("((>=3.10),<3.11)", "3.11")


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
    assert version_matches("=1.0+local", "1.0+local.2")
    assert not version_matches("=1.0+local", "1.1+local")


def test_a_record_with_a_version_that_conda_has_not_satisfies_only_its_own_text() -> None:
    assert not parse_spec("numpy>=1").matches("1.0 beta")
    assert parse_spec("numpy").matches("1.0 beta")


def test_a_text_too_long_for_a_spec_is_refused_before_it_is_searched() -> None:
    with pytest.raises(ConfigError, match="it has 60,000 characters"):
        parse_spec("[" * 60_000)
