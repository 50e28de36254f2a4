"""``.dockerignore``: the table of rules, the deciding line, and pruning."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockercache.context import IgnoreRules, context_files
from pytest_dockercache.errors import ConfigError

SOURCE = Path("/project/.dockerignore")


def rules(text: str) -> IgnoreRules:
    return IgnoreRules.parse(text.encode("utf-8", "surrogateescape"), SOURCE)


@pytest.mark.parametrize(
    ("text", "path", "excluded"),
    [
        ("a", "a", True),
        ("a", "a/b/c", True),
        ("a", "b/a", False),
        ("a", "A", False),
        ("*.pyc", "m.pyc", True),
        ("*.pyc", "d/m.pyc", False),
        ("**/*.pyc", "m.pyc", True),
        ("**/*.pyc", "d/e/m.pyc", True),
        ("node_modules", "web/node_modules/x", False),
        ("./a", "a", True),
        ("/a", "a", True),
        ("a/", "a", True),
        ("d/e/../a", "d/a", True),
        ("d/*", "d", False),
        ("d/*", "d/e", True),
        ("d/**", "d", False),
        ("d/**", "d/e/x", True),
        ("?", "a", True),
        ("?", "ab", False),
        ("d?e", "d/e", False),
        ("[a-c]", "b", True),
        ("[a-c]", "d", False),
        ("[^a]", "b", True),
        ("[^a]", "a", False),
        ("[!a]", "a", True),
        ("[!a]", "!", True),
        ("[!a]", "b", False),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("**e", "tree", True),
        ("**/e", "tree", False),
        ("a.b", "axb", False),
        ("#a", "#a", False),
        (" #a", "#a", True),
        ("\ufeffa", "a", True),
        ("  a\t", "a", True),
        ("a\r\nb\r\n", "b", True),
        (".", "a", False),
        ("/", "a", False),
        ("../a", "a", False),
        ("*\n!a", "a", False),
        ("!a\na", "a", True),
        ("d\n!d/e", "d/e", False),
        ("d\n!d/e", "d/f", True),
        ("*\n!d/e\nd/e/x", "d/e/x", True),
        ("*\n!d/e\nd/e/x", "d/e/y", False),
        ("/!c\nx", "c", False),
        ("c\n/!c", "c", False),
        ("\udcff", "\udcff", True),
    ],
)
def test_a_pattern_excludes_what_mobys_matcher_excludes(
    text: str, path: str, excluded: bool
) -> None:
    assert rules(text).excludes(path) is excluded


def test_an_exception_does_not_reach_down_from_a_directory_that_it_could_not_change() -> None:
    """The builder tries a ``!`` line on a directory only if the directory is excluded by then."""
    assert rules("**/x\n!d").excludes("d/x") is True


@pytest.mark.parametrize("line", ["!", "! ", "!/", "[a", "[]", "[a-]", "a\\"])
def test_a_line_that_docker_refuses_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^/project/\.dockerignore:2: "):
        rules(f"fine\n{line}\n")


def test_the_deciding_line_is_the_last_that_matches() -> None:
    read = rules("# what tools leave\n*.log\n!keep.log\n\nbuild\n")
    line = read.deciding_line("app.log")
    assert line is not None
    assert (line.number, line.text, str(line)) == (2, "*.log", ".dockerignore line 2 (*.log)")
    kept = read.deciding_line("keep.log")
    assert kept is not None
    assert (kept.number, kept.reinclude) == (3, True)
    below = read.deciding_line("build/lib/x")
    assert below is not None
    assert below.number == 5
    assert read.deciding_line("src") is None


def test_the_file_beside_the_dockerfile_replaces_the_other_even_when_empty(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a\n")
    dockerfile = tmp_path / "Dockerfile"
    assert IgnoreRules.load(tmp_path, dockerfile).excludes("a")
    (tmp_path / "Dockerfile.dockerignore").write_text("")
    read = IgnoreRules.load(tmp_path, dockerfile)
    assert not read.excludes("a")
    assert read.source == tmp_path / "Dockerfile.dockerignore"


def test_no_ignore_file_excludes_nothing(tmp_path: Path) -> None:
    read = IgnoreRules.load(tmp_path, tmp_path / "Dockerfile")
    assert read.source is None
    assert not read.excludes(".git/HEAD")


def test_an_excluded_directory_appears_only_above_what_is_let_in_again(tmp_path: Path) -> None:
    for path in ("d/e/x", "d/f/x", "g/x"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    found = [entry.path for entry in context_files(tmp_path, rules("*\n!d/e/x"))]
    assert found == ["d", "d/e", "d/e/x"]


def test_an_ignored_directory_is_not_opened(tmp_path: Path) -> None:
    """Half a million files in .git or node_modules cost nothing."""
    (tmp_path / "kept").touch()
    secret = tmp_path / "secret"
    secret.mkdir()
    opened = secret.stat().st_atime_ns
    assert [entry.path for entry in context_files(tmp_path, rules("secret\n!kept"))] == ["kept"]
    assert secret.stat().st_atime_ns == opened


COMPONENTS = st.sampled_from(["a", "b", "*", "**", "a*", "?", "[ab]", "[^a]"])
PATTERNS = st.builds(
    lambda mark, parts: mark + "/".join(parts),
    st.sampled_from(["", "!"]),
    st.lists(COMPONENTS, min_size=1, max_size=3),
)
TREE = ("a", "b", "c", "ab", "d/a", "d/b", "a_/a/b", "a_/b", "x/y/a")


@given(st.lists(PATTERNS, max_size=5))
def test_the_walk_and_the_single_question_agree(
    tmp_path_factory: pytest.TempPathFactory, patterns: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp() / "ignore-tree"
    for path in TREE:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    read = rules("\n".join(patterns))
    walked = {entry.path for entry in context_files(root, read) if entry.kind == "file"}
    assert walked == {path for path in TREE if not read.excludes(path)}
