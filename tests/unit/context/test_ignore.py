"""``.dockerignore``: the table of rules, the deciding line, and pruning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from growth import LINEAR, TIMES, growth
from pytest_dockercache.context import IgnoreRules, context_files, gomatch, ignore
from pytest_dockercache.context.gomatch import ANY, DIRECTORIES, STAR, Piece, compile_match
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


def expression(pattern: str) -> re.Pattern[str]:
    """The regular expression of ``Pattern.compile``, which Go matches in linear time."""
    out = ""
    position = 0
    while position < len(pattern):
        if pattern.startswith("**", position):
            position += 2
            position += pattern.startswith("/", position)
            out += "(.*/)?" if position < len(pattern) else ".*"
            continue
        char = pattern[position]
        position += 1
        if char == "\\":
            char += pattern[position]
            position += 1
        out += {"*": "[^/]*", "?": "[^/]", ".": "\\."}.get(char, char)
    return re.compile(out, re.ASCII)


PIECES = st.sampled_from(["a", "b", "/", "*", "**", "?", "[ab]", "[^a]", ".", "\\a"])
NAMES = st.text("ab/.\n", max_size=12)


def paths_of(segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Paths of such segments, of which none is made of dots alone."""
    named = segments.filter(lambda segment: set(segment) != {"."})
    return st.lists(named, min_size=1, max_size=4).map("/".join)


@given(
    paths_of(st.lists(PIECES.filter("/".__ne__), min_size=1, max_size=4).map("".join)),
    paths_of(st.text("ab.\n", min_size=1, max_size=4)),
)
def test_a_pattern_matches_what_its_regular_expression_matches(pattern: str, path: str) -> None:
    """One line at a time, so that no other line and no directory above decides."""
    assume(not re.search(r"\*\*\*|^\*\*[^/*]*$", pattern))
    # Plain text before the last "**" is compared as a prefix, which takes a newline too.
    plain = re.fullmatch(r"([ab./]*)\*\*", pattern)
    expected = path.startswith(plain[1]) if plain else expression(pattern).fullmatch(path)
    assert rules(pattern).match(path, None)[0] is bool(expected), pattern


@given(st.lists(PIECES.filter("\\a".__ne__), max_size=9), NAMES)
def test_a_pattern_of_many_stars_matches_as_one_of_few_does(pieces: list[str], path: str) -> None:
    """The way that needs no regular expression says the same."""
    read = [
        {"*": STAR, "**": DIRECTORIES, "?": ANY}.get(piece) or Piece("one", re.escape(piece))
        for piece in pieces
        if not piece.startswith("[")
    ]
    whole = re.compile("".join(piece.expression for piece in read), re.ASCII)
    machine = gomatch._Automaton(read, re.ASCII)
    assert machine.matches(path) is (whole.fullmatch(path) is not None)


@pytest.mark.parametrize(
    "line",
    ["**/" + "a*" * 40 + "b", "a*" * 40 + "b", "**/" * 20 + "x", "**/a/" * 20 + "x",
     "[^b]*" * 30 + "c", "**/*" + "?*" * 30 + "z"],
)  # fmt: skip
def test_a_pattern_of_many_stars_is_matched_in_linear_time(line: str) -> None:
    """Python's regular expressions would not come to an end in this universe."""
    read = rules(line)
    long = "a" * 240
    assert not read.excludes(long)
    assert not read.excludes("/".join(["a"] * 600))
    source = "a*" * 60 + "b"
    assert not compile_match(source)(long)
    assert compile_match(source)(long + "b")


def test_many_lines_are_read_and_tried_in_the_time_of_their_number(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / f"deep{number}").touch()
        (tmp_path / f"a.ext{number}").touch()

    def try_lines(size: int) -> None:
        lines = [
            form.format(number)
            for number in range(size)
            for form in ("name{}", "**/deep{}", "dir{}/**", "*.ext{}", "!kept{}")
        ]
        read = rules("\n".join(lines))
        found = [entry.path for entry in context_files(tmp_path, read)]
        assert found == sorted(f"d{number}" for number in range(20))

    assert growth(try_lines, 1_000) < LINEAR


@pytest.mark.parametrize(
    "form",
    [
        "a{}*b{}",
        "*.ext{}",
        "**/a{}*/x",
        "*a{}*",
        "?a{}*b*c*d",
        "a[bc]{}?",
        "[ab]*x{}[c]?",
        "a\\?{}*",
    ],
)
def test_twenty_thousand_wild_cards_are_tried_where_their_text_is(form: str) -> None:
    """Each of them was compiled, and tried on every path: 5 s for 200 paths."""
    size = 2_500
    lines = [form.format(number, number) for number in range(size * TIMES)]
    read = rules("\n".join(lines))
    of_size = {size: rules("\n".join(lines[:size])), size * TIMES: read}

    def ask(size: int) -> None:
        for number in range(100):
            assert not of_size[size].excludes(f"src/deep/d{number}/main{number}.py")

    for each in of_size:
        ask(each)  # The lines are read when they are first asked for.
    assert growth(ask, size) < TIMES / 2
    held = {
        "a{}*b{}": "a7xb7", "*.ext{}": "m.ext7", "**/a{}*/x": "d/a7y/x", "*a{}*": "xa7x",
        "?a{}*b*c*d": "xa7bcd", "a[bc]{}?": "ab7x", "[ab]*x{}[c]?": "b-x7cc", "a\\?{}*": "a?7x",
    }[form]  # fmt: skip
    line = read.deciding_line(held)
    assert line is not None
    assert line.text == form.format(7, 7)


def test_lines_that_differ_in_their_wild_cards_alone_are_limited() -> None:
    text = "".join(
        f"{'?' * (number % 70 + 1)}*{'/?' * (number // 70)}\n" for number in range(5_100)
    )
    with pytest.raises(ConfigError) as caught:
        rules(text).excludes("a")
    assert re.match(
        r"/project/\.dockerignore:\d+: more than 5,000 lines differ only in their wildcards, as '",
        str(caught.value),
    )
    assert rules("".join(text.splitlines(keepends=True)[:5_000])).excludes("a/b")


@pytest.mark.parametrize("few", [0, 50])
@pytest.mark.parametrize("pattern", ["[z-a]", "a[z-a]b", "\\1", "x*[b-a]"])
def test_a_pattern_that_docker_fails_on_is_named_whatever_is_asked(
    pattern: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignore, "_FEW", few)
    with pytest.raises(ConfigError, match=r"^/project/\.dockerignore:2: pattern .* not understood"):
        rules(f"fine\n{pattern}\n").excludes("other")


COMPONENTS = st.sampled_from(["a", "b", "*", "**", "a*", "?", "[ab]", "[^a]"])
PATTERNS = st.builds(
    lambda mark, parts: mark + "/".join(parts),
    st.sampled_from(["", "!"]),
    st.lists(COMPONENTS, min_size=1, max_size=3),
)
TREE = ("a", "b", "c", "ab", "d/a", "d/b", "a_/a/b", "a_/b", "x/y/a")


TEXTS = st.lists(
    st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", "[ab]", "[^a]", "[]]", ".", "\\a", "^"]),
    min_size=1,
    max_size=7,
).map("".join)


@given(st.lists(st.tuples(st.sampled_from(["", "!"]), TEXTS).map("".join), max_size=5), NAMES)
def test_a_line_that_is_looked_up_by_its_text_says_what_one_that_is_tried_says(
    patterns: list[str], path: str
) -> None:
    try:
        tried = rules("\n".join(patterns))
        expected = tried.excludes(path), tried.deciding_line(path)
    except ConfigError:
        assume(False)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(ignore, "_FEW", 0)
        read = rules("\n".join(patterns))
        assert (read.excludes(path), read.deciding_line(path)) == expected


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
