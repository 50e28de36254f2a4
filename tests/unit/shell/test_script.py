"""Telling the commands of a shell script from text that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import LINEAR, growth
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.shell.script import commands


def lines(script: str, directory: str | None = "/", **variables: str) -> list[str]:
    """Each command's words, joined by one blank."""
    return [
        " ".join(word.text for word in command.words)
        for command in commands(script, directory, variables)
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a && b || c; d & e | f |& g\nh", ["a", "b", "c", "d", "e", "f", "g", "h"]),
        ("a 'b c' \"d e\" f\\ g", ["a b c d e f g"]),
        ("a'b'\"c\"d", ["abcd"]),
        ("a \\\n  b", ["a b"]),
        ("a # b; c\nd#e", ["a", "d#e"]),
        ("a > x 2>&1 < y >> z &> w b", ["a b"]),
        ("a <<< word b", ["a b"]),
        ("a <<E b\nc\nE\nd", ["a b", "d"]),
        ("a <<-E\n\tc\n\tE\nd", ["a", "d"]),
        ("a <<E", ["a"]),
        ("a <<E\nnever closed", ["a"]),
        ("a $(b 'c)' \"d)\" \\) (e)) f", ["b c) d) )", "e", "a  f"]),
        ("a `b c` d", ["b c", "a  d"]),
        ("a `b", ["b", "a "]),
        ("a <(b c) d", ["b c", "a  d"]),
        ('a "x $(b) `c` y"', ["b", "c", "a x   y"]),
        ("a $((1 + (2))) b", ["a  b"]),
        ("a $((1", ["a "]),
        ("a $'b c' d", ["a b c d"]),
        ("a $ b$", ["a $ b$"]),
        ("a $? $1 $@ b", ["a    b"]),
        ('a "b\\"c\\d\\\ne"', ['a b"c\\de']),
        ("a 'open", ["a open"]),
        ('a "open', ["a open"]),
        ("a ${open", ["a ${open}"]),
        ("a $V ${V} \"$V\" '$V' $N", ["a v v v $V $N"]),
        ('a $W "$W"', ["a x y x  y"]),
        ('a $E b "$E"', ["a b "]),
        ("a x$W.z", ["a xx y.z"]),
        ("a ${V:-d} ${N:-d} ${N:+d} ${N#d} ${PATH:-d}", ["a v d ${N#d} ${PATH:-d}"]),
        ("a ${V:?x} ${V@Q} ${1}", ["a v ${V@Q} "]),
        ("X=1 Y=2; a $X$Y", ["a 12"]),
        ("X=1 a $X", ["a $X"]),
        ("X=1; X=$(b); a $X", ["b", "a $X"]),
        ("export X=1 Y; a $X", ["export Y", "a 1"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e", "fi"]),
        ("while ! a; do b; done", ["a", "b", "done"]),
        ("for x in 1 '2 3'; do a $x; done", ["a 1", "a 2 3", "done"]),
        ("for x in $(b); do a $x; done", ["b", "a $x", "done"]),
        ("function f { a; }; g() { b; }", ["a", "b"]),
        ("f() { a; }; b; f; c", ["b", "a", "c"]),
        ('f() { a "$1" x; "$@"; }; f b "c d"', ["a b x", "b c d"]),
        ('f() { for i in 1 2; do "$@" && return; done; }; f a b', ["a b", "return", "done"]),
        ("f()\n{\n  g a\n}\ng() ( b $1 )\nf", ["b a"]),
        ("f() { f; a; }; f", ["f", "a"]),
        ("function f() { if a; then { b; }; fi; c; }; f", ["a", "b", "fi", "c"]),
        ("f() { g; }; g() { a; }; x $(f)", ["a", "x "]),
        ("f() a", ["f", "a"]),
        ("a $(which pip) $(command -v x/y)", ["which pip", "command -v x/y", "a pip x/y"]),
        (
            "cd /x; a $(pwd)/y `cd z && pwd` $(dirname /p/q)",
            ["pwd", "pwd", "dirname /p/q", "a /x/y /x/z /p"],
        ),
        ("( a; b )", ["a", "b"]),
        ("", []),
        (" \n;; \n", []),
    ],
)
def test_a_script_is_taken_apart_into_its_commands(script: str, expected: list[str]) -> None:
    found = lines(script, V="v", W="x  y", E="")
    found = [line for line in found if line not in ("fi", "done", "}")]
    assert found == [line for line in expected if line not in ("fi", "done", "}")]


def test_a_command_knows_its_directory_its_input_and_what_feeds_it() -> None:
    found = commands("cd /x && a | b < f; (cd y; c <<E\nbody\nE\n); d; cd $N; e", "/", {})
    named = {command.name: command for command in found}
    assert {name: command.directory for name, command in named.items()} == {
        "a": "/x",
        "b": "/x",
        "c": "/x/y",
        "d": "/x",
        "e": None,
    }
    assert [feeder.name for feeder in named["b"].feeding] == ["a"]
    stdin = named["b"].stdin
    assert stdin is not None
    assert stdin.text == "f"
    assert named["c"].document == "body"


@pytest.mark.parametrize(
    ("script", "feeders"),
    [
        ("while read x; do b $x; done < f", ["cat f"]),
        ("while read x\ndo\n  if a; then b $x; fi\ndone < f", ["cat f"]),
        ("grep -v '#' f | while read x; do b $x; done", ["grep -v # f"]),
        ("while read x; do b $x; done < <(sed s f)", ["sed s f"]),
        ("for i in 1; do while read x; do b $x; done < f; done", ["cat f"]),
        ("while read x; do a $x; done < f; b", []),
        ("done < f; b; while", []),
    ],
)
def test_what_a_loop_reads_feeds_the_commands_inside(script: str, feeders: list[str]) -> None:
    found = next(command for command in commands(script, "/", {}) if command.name == "b")
    fed = [" ".join(word.text for word in feeder.words) for feeder in found.feeding]
    assert fed == feeders


def test_loops_without_end_are_taken_apart_in_time() -> None:
    def take_apart(size: int) -> None:
        found = commands("cat a | while read x; do " * size + "b" + "; done < f" * size, "/", {})
        assert "b" in [command.name for command in found]

    assert growth(take_apart, 120) < LINEAR


def test_a_relative_directory_below_an_unknown_one_is_unknown() -> None:
    assert commands("cd x; a", None, {})[0].directory is None
    assert commands("cd; a", "/", {})[0].directory is None
    assert commands("cd; a", "/", {"HOME": "/h"})[0].directory == "/h"
    assert commands("cd -P /x; a", None, {})[0].directory == "/x"


def test_only_known_words_are_called_known() -> None:
    words = commands("a $N $(b) $V ~/x", "/", {"V": "v"})[-1].words
    assert [word.known for word in words] == [True, False, False, True, False]


@given(st.text(st.sampled_from("ab ;&|()<>$`'\"\\\n#{}=E"), max_size=40))
def test_any_text_is_taken_apart_without_an_error(script: str) -> None:
    assert isinstance(commands(script, "/", {"a": "b"}), tuple)


def test_a_pipeline_without_end_takes_no_more_than_its_length() -> None:
    def take_apart(size: int) -> None:
        found = commands("cat a" + " | b" * size + " | c", "/", {})
        assert len(found) == size + 2
        assert [found[-1].name, found[-1].feeding[-1].name] == ["c", "b"]

    assert growth(take_apart, 500) < LINEAR


@pytest.mark.parametrize(
    "script",
    [
        "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; }}; " for n in range(60)) + "f0",
        "echo a\n" * 20_000,
    ],
)
def test_a_script_that_runs_more_than_anybody_follows_is_refused(script: str) -> None:
    with pytest.raises(ConfigError, match="has more than 10,000 commands"):
        commands(script, "/", {})


def test_a_script_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(ConfigError, match="has 840,000 characters, and at most 400,000 are read"):
        commands("pip install a\n" * 60_000, "/", {})
