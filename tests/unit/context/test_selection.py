"""The context paths that a transfer takes, and their places in the container."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockercache.context import ContextEntry, taken_files, takes
from pytest_dockercache.context.gomatch import BadPatternError, compile_match, has_wildcard
from pytest_dockercache.context.selection import Listing, taken
from pytest_dockercache.dockerfile import Transfer


def copy(*sources: str, destination: str = "/app/", **extra: object) -> Transfer:
    return Transfer("copy", sources, destination, **extra)  # type: ignore[arg-type]


def entries(*paths: str, links: dict[str, str] | None = None) -> list[ContextEntry]:
    directories = {
        path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)
    }
    found = [ContextEntry(path, "dir", 0, 0o755, 0, 0, 0) for path in sorted(directories)]
    found += [ContextEntry(path, "file", 1, 0o644, 0, 0, 0) for path in paths]
    found += [
        ContextEntry(path, "link", 0, 0o777, 0, 0, 0, text) for path, text in (links or {}).items()
    ]
    return found


@pytest.mark.parametrize(
    ("source", "path", "taken"),
    [
        ("src", "src/main.py", True),
        ("src/", "src/a/b.py", True),
        ("./src", "src/main.py", True),
        ("/src", "src/main.py", True),
        ("../src", "src/main.py", True),
        ("a/../src", "src/main.py", True),
        ("src", "src2/main.py", False),
        ("src", "lib/src/main.py", False),
        (".", "anything/at/all", True),
        ("/", "anything", True),
        ("*.py", "main.py", True),
        ("*.py", "src/main.py", False),
        ("*", "src/main.py", True),
        ("s*/x.py", "src/x.py", True),
        ("s*", "src/deep/x.py", True),
        ("[a-c].txt", "b.txt", True),
        ("[!a].txt", "b.txt", False),
        ("[^a].txt", "b.txt", True),
        ("**/x.py", "x.py", False),
        ("**/x.py", "src/x.py", True),
        ("environment.yml*", "environment.yml", True),
    ],
)
def test_a_copy_takes_what_gos_filepath_match_selects(source: str, path: str, taken: bool) -> None:
    assert takes(copy(source), path) is taken


def test_excluded_names_are_left_out() -> None:
    transfer = copy("src", exclude=("*.md", "docs"))
    assert takes(transfer, "src/main.py")
    assert not takes(transfer, "src/README.md")
    assert not takes(transfer, "src/docs/index.html")


def test_parents_selects_by_a_pattern_in_which_two_stars_count() -> None:
    assert takes(copy("./src/./**/*.py", parents=True), "src/a/b/c.py")
    assert not takes(copy("./src/./**/*.py", parents=True), "lib/a.py")
    assert takes(copy("src/a", parents=True), "src/a/x")


def test_a_bind_mount_has_no_wildcards() -> None:
    assert not takes(Transfer("bind", ("*.py",), "/src"), "main.py")
    assert takes(Transfer("bind", (".",), "/src"), "main.py")


def test_another_stage_and_a_url_take_nothing_from_the_context() -> None:
    assert not takes(copy("src", origin=0), "src/main.py")
    assert not takes(Transfer("add", ("https://example.org/src",), "/"), "src/main.py")


def test_a_link_named_as_the_source_stands_for_its_target() -> None:
    found = entries("real/main.py", links={"current": "real", "up": "../../real/main.py"})
    assert taken_files(copy("current"), found) == ("real/main.py",)
    assert taken_files(copy("up"), found) == ("real/main.py",)
    assert taken_files(copy("current/main.py"), found) == ("real/main.py",)


def test_a_link_inside_a_copied_directory_is_taken_itself() -> None:
    found = entries("src/main.py", "secret", links={"src/link": "../secret"})
    assert taken_files(copy("src"), found) == ("src/link", "src/main.py")


def test_a_link_that_goes_in_circles_takes_nothing() -> None:
    assert taken_files(copy("a"), entries(links={"a": "b", "b": "a"})) == ()


def test_files_are_listed_once_and_sorted() -> None:
    found = entries("src/b.py", "src/a.py", "x")
    assert taken_files(copy("src", "src/*.py"), found) == ("src/a.py", "src/b.py")


@pytest.mark.parametrize("pattern", ["[", "[]", "[a-]", "[-x]", "a\\", "[a"])
def test_a_bad_pattern_is_refused_where_go_refuses_it(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        compile_match(pattern)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a*/b", "a/b/c", False),
        ("a[", "a", None),
        ("[x\\]y]", "]", True),
        ("[z-a]", "m", False),
        ("a*", "a\n", True),
        ("[^a]", "\n", True),
    ],
)
def test_match_follows_go(pattern: str, name: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(BadPatternError):
            compile_match(pattern)
    else:
        assert compile_match(pattern)(name) is matches


def test_an_escaped_star_is_no_wildcard() -> None:
    assert has_wildcard("a*") is True
    assert has_wildcard(r"a\*") is False


@given(
    st.lists(st.sampled_from(("a", "a/b", "a/b/c.py", "a.py", "a0", "a-b/c", "ab/c", "b/a", "b")))
)
def test_a_listing_selects_what_its_entries_select(paths: list[str]) -> None:
    plain = {entry.path: entry for entry in entries(*paths)}
    for source in (".", "a", "a/b", "a*", "b/", "*.py"):
        for exclude in ((), ("b",), ("**/*.py",)):
            transfer = Transfer("copy", (source,), "/app/", "context", exclude)
            assert sorted(taken(transfer, Listing(plain))) == sorted(taken(transfer, plain))
