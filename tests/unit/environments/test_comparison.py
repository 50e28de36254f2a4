"""Environments are held against each other, package by package."""

from __future__ import annotations

from pathlib import Path

from pytest_dockercache.environments.comparison import (
    PackageDifference,
    compare_environments,
    difference_table,
    matches,
)
from pytest_dockercache.environments.installed import Environment, Package
from pytest_dockercache.environments.requirements import Requirements, parse_requirements


def test_two_environments_are_compared_package_by_package() -> None:
    one = Environment("/a", (Package("x", "1", "0"), Package("y", "1", "0")), {})
    other = Environment("/b", (Package("y", "1", "1"), Package("z", "1", manager="pip")), {})
    assert compare_environments(one, other) == (
        PackageDifference("missing", "x", "1 0", "", "conda"),
        PackageDifference("differing", "y", "1 0", "1 1", "conda"),
        PackageDifference("extra", "z", "", "1", "pip"),
    )
    assert difference_table(compare_environments(one, other), limit=2) == (
        "x  missing    wanted 1 0",
        "y  differing  wanted 1 0, found 1 1",
        "… and 1 more",
    )


def export(*lines: str, more: str = "prefix: /opt/conda/envs/app\n") -> Requirements:
    text = "dependencies:\n" + "".join(f"- {line}\n" for line in lines) + more
    return parse_requirements(text, Path("environment.yml"))


def rows(wanted: Requirements, *packages: Package, **more: object) -> list[str]:
    found = Environment("/e", packages, {}, **more)  # type: ignore[arg-type]
    return list(difference_table(matches(wanted, found).differences))


PYTHON = Package("python", "3.10.4", "0", depends=("openssl",))
CLICK = Package("click", "8.1.8", "py_0")
SIX = Package("six", "1.16.0", "py_0")


def test_an_export_is_known_by_its_prefix_or_by_its_builds() -> None:
    for wanted in (
        export("python=3.10.4", "click=8.1.8"),
        export("python=3.10.4=0", "click=8.1.8=py_0", more=""),
    ):
        assert rows(wanted, PYTHON, CLICK) == []
        assert rows(wanted, PYTHON, CLICK, SIX) == ["six  extra      found 1.16.0 py_0"]
    assert rows(export("python=3.10.4", "click=8.1.8", more=""), PYTHON, CLICK, SIX) == []
    assert rows(export("python>=3.10", "click"), PYTHON, CLICK, SIX) == []


def test_a_file_that_leaves_out_what_its_packages_need_was_written_by_hand() -> None:
    openssl = Package("openssl", "3.0", "0")
    assert rows(export("python=3.10.4=0"), PYTHON, openssl, SIX) == []
    assert rows(export("python=3.10.4=0", "openssl=3.0=0"), PYTHON, openssl, SIX) != []
    wrong = export("python=3.10.9=0")
    assert rows(wrong, PYTHON, openssl) == ["python  differing  wanted 3.10.9 0, found 3.10.4 0"]


def test_what_pip_put_in_the_place_of_a_package_of_conda_is_held_against_its_spec() -> None:
    new = Package("click", "8.1.7", manager="pip")
    given = {"replaced": {"click": new}}
    assert rows(export("click>=8.1", more=""), new, **given) == []
    assert rows(export("click=8.1.8", more=""), new, **given) == [
        "click  differing  wanted 8.1.8.*, found 8.1.7 of pip"
    ]
    # The package differs, and is not also reported as extra.
    assert len(rows(export("click=8.1.8=py_0", more=""), new, **given)) == 1
    assert rows(export("click", more=""), replaced={"click": None}) == [
        "click  missing    wanted any version"
    ]


def test_of_two_records_of_a_distribution_nobody_knows_which_is_imported() -> None:
    found = Environment("/e", (), {"pip": "23.0"}, several={"pip": ("23.0", "24.0")})
    for line, unverified, kinds in (
        ("pip==24.0", 1, []), ("pip>=23", 0, []), ("pip==25.0", 0, ["differing"])
    ):  # fmt: skip
        outcome = matches(parse_requirements(line, Path("requirements.txt")), found)
        assert len(outcome.unverified) == unverified, line
        assert [item.kind for item in outcome.differences] == kinds, line


def test_the_packages_that_a_venv_inherits_are_none_too_many() -> None:
    wanted = export("python=3.10.4=0", "openssl=3=0", "pip:\n  - click==8.1.8")
    mine = Package("click", "8.1.8", manager="pip")
    system = Package("six", "1.16.0", manager="pip", inherited=True)
    found = Environment(
        "/e", (PYTHON, Package("openssl", "3", "0"), mine, system), {"click": "8.1.8"}
    )
    assert matches(wanted, found).holds


def test_the_pythons_of_two_environments_are_compared_too() -> None:
    one = Environment("/a", (), {}, interpreters=("python3.10",))
    other = Environment("/b", (), {}, interpreters=("python3.11",))
    unknown = Environment("/c", (), {}, interpreters=("python3",))
    assert compare_environments(one, other) == (
        PackageDifference("differing", "python", "python3.10", "python3.11"),
    )
    assert compare_environments(one, unknown) == ()


def test_the_pythons_of_two_venvs_are_compared_to_the_patch() -> None:
    one = Environment("/a", (), {}, interpreters=("python3.10",), python="3.10.4")
    other = Environment("/b", (), {}, interpreters=("python3.10",), python="3.10.9")
    unknown = Environment("/c", (), {}, interpreters=("python3.10",))
    assert compare_environments(one, other) == (
        PackageDifference("differing", "python", "3.10.4", "3.10.9"),
    )
    assert compare_environments(one, unknown) == ()


def test_packages_of_two_commits_are_not_the_same_though_their_version_is() -> None:
    def made(*digests: str) -> Environment:
        return Environment("/a", (Package("x", "1", manager="pip", digests=digests),), {})

    a, b = "commit:" + "a" * 40, "commit:" + "b" * 40
    assert compare_environments(made(a), made(b)) == (
        PackageDifference("differing", "x", a, b, "pip"),
    )
    assert compare_environments(made(a), made(a)) == ()
    assert compare_environments(made(a), made()) == ()
    # A wheel that is built again has another hash, and may be the same package.
    assert compare_environments(made("sha256:1"), made("sha256:2")) == ()
