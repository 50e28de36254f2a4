"""Variables, quotes and escapes, as BuildKit's shell lexer reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockercache.dockerfile import SubstitutionError, expand
from pytest_dockercache.dockerfile.expansion import Lexer, split_words, variables_in

VARIABLES = {
    "v": "value",
    "empty": "",
    "path": "/usr/local/lib/libx.so.1",
    "list": "a:b:c:a",
    "star": "a*b",
    "ümlaut": "u",
    "words": "x  y",
    "quoted": "'q'",
}

EXPANSIONS = [
    # plain
    ("", ""),
    ("word", "word"),
    ("$v", "value"),
    ("${v}", "value"),
    ("a${v}b", "avalueb"),
    ("$v$v", "valuevalue"),
    ("$v-x", "value-x"),
    ("$vx", ""),
    ("$unset", ""),
    ("${unset}", ""),
    ("$empty.", "."),
    ("$", "$"),
    ("a$", "a$"),
    ("$.", "$."),
    ("$(date)", "$(date)"),
    ("$1", ""),
    ("$12x", "x"),
    ("$@", ""),
    ("$?", ""),
    ("$$v", "v"),
    ("${#}", ""),
    ("$ümlaut", "u"),
    # quotes and escapes
    ("'$v'", "$v"),
    ('"$v"', "value"),
    ("\"a '$v' b\"", "a 'value' b"),
    ("'a \"b\" c'", 'a "b" c'),
    ("\\$v", "$v"),
    ('"\\$v"', "$v"),
    ('"\\"q\\""', '"q"'),
    ('"a\\b"', "a\\b"),
    ('"a\\\\b"', "a\\b"),
    ("a\\b", "ab"),
    ("a\\\\b", "a\\b"),
    ("a\\ b", "a b"),
    ("end\\", "end"),
    ('"end\\', None),
    ("'open", None),
    ('"open', None),
    ("$quoted", "'q'"),
    ("a  b", "a  b"),
    # defaults and alternatives
    ("${v-x}", "value"),
    ("${empty-x}", ""),
    ("${unset-x}", "x"),
    ("${v:-x}", "value"),
    ("${empty:-x}", "x"),
    ("${unset:-x}", "x"),
    ("${unset:-}", ""),
    ("${unset:-$v}", "value"),
    ("${unset:-${empty:-deep}}", "deep"),
    ("${unset:-a\\}b}", "a}b"),
    ('${unset:-"a}b"}', "a}b"),
    ("${unset:-'$v'}", "$v"),
    ("${unset:-a b}", "a b"),
    ("${v+x}", "x"),
    ("${empty+x}", "x"),
    ("${unset+x}", ""),
    ("${v:+x}", "x"),
    ("${empty:+x}", ""),
    ("${unset:+x}", ""),
    ("${v:+$v.$v}", "value.value"),
    ("${v?no}", "value"),
    ("${empty?no}", ""),
    ("${unset?no}", None),
    ("${v:?no}", "value"),
    ("${empty:?no}", None),
    ("${unset:?}", None),
    # prefixes and suffixes
    ("${path#*/}", "usr/local/lib/libx.so.1"),
    ("${path##*/}", "libx.so.1"),
    ("${path%/*}", "/usr/local/lib"),
    ("${path%%/*}", ""),
    ("${path%.*}", "/usr/local/lib/libx.so"),
    ("${path%%.*}", "/usr/local/lib/libx"),
    ("${path#x}", "/usr/local/lib/libx.so.1"),
    ("${path#/usr}", "/local/lib/libx.so.1"),
    ("${path#/???/}", "local/lib/libx.so.1"),
    ("${path%.?}", "/usr/local/lib/libx.so"),
    # Never build this on a real engine: before BuildKit 0.14 an empty pattern is a panic in
    # shell/lex.go that takes the whole Docker daemon down (seen on Docker Engine 26.1.5).
    ("${v#}", "value"),
    ("${v%}", "value"),
    ("${v##}", "value"),
    ("${unset#x}", ""),
    ("${star#a\\*}", "b"),
    ("${star#a\\?}", "a*b"),
    ("${star%\\*b}", "a"),
    ("${v#[v]}", "value"),
    ("${v#v.}", "value"),
    ("${v#\\q}", None),
    ("${v:#x}", None),
    # replacements
    ("${list/a/X}", "X:b:c:a"),
    ("${list//a/X}", "X:b:c:X"),
    ("${list//:/, }", "a, b, c, a"),
    ("${list/:*/}", "a"),
    ("${list//?:/-}", "---a"),
    ("${list/none/X}", "a:b:c:a"),
    ("${path//\\//_}", "_usr_local_lib_libx.so.1"),
    ("${path/\\/usr\\//\\/opt\\/}", "\\/opt\\/local/lib/libx.so.1"),
    ("${unset/a/b}", ""),
    ("${list//a/$v}", "value:b:c:value"),
    ("${list//b/'$0'}", "a:b:c:a"),
    ("${list//b/'$$'}", "a:$:c:a"),
    ("${list//b/'${x}'}", "a::c:a"),
    ("${list/b/'$0'}", "a:$0:c:a"),
    ("${list/a}", None),
    ("${list/a/b", None),
    ("${list/\\q/b}", None),
    # broken
    ("${", None),
    ("${}", None),
    ("${v", None),
    ("${{v}}", None),
    ("${:v}", None),
    ("${v:", None),
    ("${v:-x", None),
    ("${v:-'x}", None),
    ("${v@Q}", None),
    ("${v!x}", None),
    ("${v:1}", None),
    ("${v,,}", None),
    # heredoc marks are ordinary text
    ("a<b", "a<b"),
    ("<<EOF", "<<EOF"),
    ("<< $v", "<< value"),
]


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS)
def test_a_word_expands_as_buildkit_expands_it(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(SubstitutionError):
            expand(text, VARIABLES)
    else:
        assert expand(text, VARIABLES) == expected


def test_an_error_says_which_variable_is_missing_and_why() -> None:
    with pytest.raises(SubstitutionError, match=r"\Aunset: give me\Z"):
        expand("${unset:?give me}", {})
    with pytest.raises(SubstitutionError, match=r"\Aempty: is not allowed to be empty\Z"):
        expand("${empty:?}", VARIABLES)
    with pytest.raises(SubstitutionError, match=r"\Aunset: is not allowed to be unset\Z"):
        expand("${unset?}", VARIABLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("`$v", "$v"), ("\\$v", "\\value"), ('"a`"b"', 'a"b'), ("a`b", "ab"), ("${unset:-a`}}", "a}")],
)
def test_the_escape_character_can_be_a_backtick(text: str, expected: str) -> None:
    assert expand(text, VARIABLES, "`") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo $unset ${unset:-x} $v", "echo $unset ${unset:-x} value"),
        ("${unset} ${unset/a/b} ${unset%x}", "${unset} ${unset/a/b} ${unset%x}"),
        ("\"$v\" '$v' \\n", "\"value\" '$v' n"),
    ],
)
def test_the_name_of_a_run_keeps_quotes_and_unset_variables(text: str, expected: str) -> None:
    assert Lexer(raw_quotes=True, keep_unset=True).expand(text, VARIABLES) == expected


def test_a_heredoc_body_keeps_its_quotes() -> None:
    lexer = Lexer(quotes=False)
    assert lexer.expand('it\'s "$v" \\$v', VARIABLES) == 'it\'s "value" $v'


def test_raw_escapes_stay() -> None:
    lexer = Lexer(raw_quotes=True, raw_escapes=True)
    assert lexer.expand('a\\ b "c\\"d" ${unset:-e\\f}', VARIABLES) == 'a\\ b "c\\"d" ef'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ("a", "b")),
        (" a\t\n b ", ("a", "b")),
        ("'a b' c", ("a b", "c")),
        ("a\\ b", ("a b",)),
        ("$words", ("x", "y")),
        ('"$words"', ("x  y",)),
        ("''", ()),
        ("", ()),
    ],
)
def test_words_split_at_unquoted_blanks_after_expansion(
    text: str, expected: tuple[str, ...]
) -> None:
    assert Lexer().words(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1 b=2", ("a=1", "b=2")),
        ("a=\"1 2\"  b='3 4'", ('a="1 2"', "b='3 4'")),
        ("a=1\\ 2", ("a=1\\ 2",)),
        ('a="\\" x"', ('a="\\" x"',)),
        ("a='\\' b", ("a='\\'", "b")),
        ("a=1 \\", ("a=1",)),
        ("''", ("''",)),
        ("a=é\u00a0b", ("a=é", "b")),
        ("", ()),
    ],
)
def test_declarations_split_at_blanks_and_keep_their_quotes(
    text: str, expected: tuple[str, ...]
) -> None:
    assert split_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a ${b:-$c} '$d' \"$e\"", {"a", "b", "c", "e"}),
        ("${a:?} ${b/x/$y}", {"a", "b", "y"}),
        ("$a ${", {"a"}),
        ("\\$a", set()),
    ],
)
def test_the_variables_of_a_text_are_known_without_their_values(
    text: str, expected: set[str]
) -> None:
    assert variables_in(text) == expected


@given(st.text(st.characters(exclude_characters="$'\"\\<", exclude_categories=["Cs"])))
def test_text_without_special_characters_stays_as_it_is(text: str) -> None:
    assert expand(text, VARIABLES) == text


@given(st.text(st.sampled_from("av$${}:-+?#%/'\"\\* <")))
def test_any_text_expands_or_is_refused_with_a_substitution_error(text: str) -> None:
    with contextlib.suppress(SubstitutionError):
        assert isinstance(expand(text, VARIABLES), str)


@given(st.text(st.sampled_from("ab/.*?")), st.text(st.sampled_from("ab/.")))
def test_trimming_a_pattern_removes_a_prefix_or_a_suffix(pattern: str, value: str) -> None:
    longest = expand(f"${{x##{pattern}}}", {"x": value}) if pattern[:1] not in "#%" else value
    shortest = expand(f"${{x#{pattern}}}", {"x": value})
    assert value.endswith(longest)
    assert value.endswith(shortest)
    assert len(longest) <= len(shortest)
    assert value.startswith(expand(f"${{x%{pattern}}}", {"x": value}))
