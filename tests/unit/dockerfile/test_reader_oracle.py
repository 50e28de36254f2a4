"""The reader against BuildKit's own parser, on every sample and on generated Dockerfiles.

The compiled ``dockerfile`` binding holds the parser of BuildKit 0.12.5. What
later versions read differently (a blank in ``<< EOF``, the ``check``
directive, text after a JSON form) is tested by hand in test_reader.py and not
generated here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_dockercache.dockerfile import Instruction, parse_dockerfile
from pytest_dockercache.dockerfile.instructions import (
    WHITESPACE,
    declared,
    onbuild_trigger,
)
from pytest_dockercache.dockerfile.stages import escape_of
from pytest_dockercache.errors import ConfigError

oracle = pytest.importorskip("dockerfile", reason="no wheel of the binding for this Python")

FIXTURES = Path(__file__).parents[3] / "fixtures"


def ours(text: str) -> list[tuple[Any, ...]]:
    """Our reading in the oracle's terms."""
    dockerfile = parse_dockerfile(text)
    escape = escape_of(dockerfile)
    return [_record(item, escape) for item in dockerfile.instructions]


def _record(item: Instruction, escape: str) -> tuple[Any, ...]:
    sub, inner = None, item
    if item.keyword == "ONBUILD" and item.value:
        inner = onbuild_trigger(item)
        sub = inner.keyword
    flags = tuple(
        f"--{flag.name}" if flag.value is None else f"--{flag.name}={flag.value}"
        for flag in inner.flags
    )
    # The binding does not hand out the heredocs of a trigger, only the lines they take.
    shown = item.heredocs if sub is None else ()
    heredocs = tuple((document.name, document.body) for document in shown)
    return (
        item.keyword,
        sub,
        inner.exec_form is not None,
        item.line,
        item.end_line,
        flags if sub is None else (),
        _words(inner, escape),
        heredocs,
    )


def _words(item: Instruction, escape: str) -> tuple[str, ...]:
    if item.keyword == "HEALTHCHECK":
        kind, *rest = item.value.split(None, 1) or [""]
        if item.exec_form is not None:
            return (kind, *item.exec_form)
        return (kind, *rest) if kind else ()
    if item.exec_form is not None:
        return item.exec_form
    if item.keyword not in KNOWN:
        return ("",)
    if not item.value:
        return ()
    if item.keyword in ("ADD", "COPY", "EXPOSE", "FROM", "VOLUME"):
        return tuple(WHITESPACE.split(item.value))
    if item.keyword in ("ENV", "LABEL"):
        return tuple(word for pair in declared(item, escape) for word in pair if word is not None)
    if item.keyword == "ARG":
        return tuple(
            name if value is None else f"{name}={value}" for name, value in declared(item, escape)
        )
    return (item.value,)


def theirs(text: str) -> list[tuple[Any, ...]]:
    """The oracle's reading."""
    return [
        (
            command.cmd.upper(),
            command.sub_cmd.upper() if command.sub_cmd else None,
            command.json,
            command.start_line,
            command.end_line,
            command.flags,
            command.value,
            tuple((document.name, document.content) for document in command.heredocs),
        )
        for command in oracle.parse_string(text)
    ]


LENIENT = (
    "must have two arguments",
    "can't find = in",
)
"""Mistakes inside one ENV or LABEL, which the builder may report with its line."""


def text_follows_json(text: str) -> bool:
    """Whether an instruction is a JSON array and more: JSON before BuildKit 0.15, text since."""
    try:
        instructions = parse_dockerfile(text).instructions
    except ConfigError:
        return False
    for item in instructions:
        value = item.value[item.value.find("[") :]
        try:
            _, end = json.JSONDecoder().raw_decode(value)
        except ValueError:
            continue
        if value[end:].strip():
            return True
    return False


def agree(text: str) -> None:
    """Assert that both read the same, or that neither can read it."""
    if text_follows_json(text):
        return
    try:
        expected = theirs(text)
    except oracle.GoParseError as error:
        if any(said in str(error) for said in LENIENT):
            return
        with pytest.raises(ConfigError):
            parse_dockerfile(text)
        return
    try:
        found = ours(text)
    except ConfigError as error:
        # The form of FROM is not the parser's business but that of BuildKit's next layer.
        if not any(said in str(error) for said in ("FROM needs one or three", "build stage")):
            raise
        return
    assert found == expected


@pytest.mark.parametrize(
    "path",
    sorted(path for path in FIXTURES.rglob("*") if path.name.lower().endswith("dockerfile")),
    ids=lambda path: str(path.relative_to(FIXTURES)),
)
def test_every_sample_reads_as_buildkit_reads_it(path: Path) -> None:
    agree(path.read_bytes().decode())


KNOWN = frozenset(word.upper() for word in oracle.all_cmds())

WORD = st.one_of(
    st.sampled_from(
        [
            "a",
            "b.txt",
            "/opt/x",
            "$V",
            "${V:-d}",
            "--x",
            "'q r'",
            '"s t"',
            "x\\ y",
            "&&",
            "|",
            "=",
            "#",
            "a<b",
            "<x",
            "<<<w",
        ]
    ),
    st.text(st.sampled_from("ab'\"\\`$#=-[],é "), min_size=1, max_size=6),
)
WORDS = st.lists(WORD, min_size=1, max_size=5).map(" ".join)
BLANK = st.sampled_from([" ", "  ", "\t", " \t "])
KEYWORD = st.sampled_from(
    [
        *("RUN", "COPY", "ADD", "CMD", "ENTRYPOINT", "ENV", "ARG", "LABEL", "WORKDIR", "USER"),
        *("SHELL", "EXPOSE", "VOLUME", "STOPSIGNAL", "MAINTAINER", "HEALTHCHECK", "ONBUILD"),
        *("run", "Copy", "oNbuild", "FROM"),
    ]
)
FLAG = st.sampled_from(
    [
        "--from=a",
        "--mount=type=cache,target=/c",
        '--chown="a b":c',
        "--link",
        "--interval=5s",
        "--x='y z'",
        "--",
        "--platform=linux/amd64",
    ]
)
JSON = st.one_of(
    st.lists(st.sampled_from(["a", "b c", '"', "\\", "é", ""]), max_size=3).map(json.dumps),
    st.sampled_from(['["a", ]', "['a']", "[1]", '["a"', '[ "x" , "y" ]', "[NaN]", "[[]]"]),
)


@st.composite
def instruction(draw: st.DrawFn, escape: str) -> str:
    """One instruction: flags, words or JSON, continuations with comments, heredocs."""
    parts = [draw(KEYWORD)]
    if parts[0].upper() == "ONBUILD":
        parts.append(draw(KEYWORD.filter(lambda word: word.upper() != "ONBUILD")))
    if escape == "\\" and draw(st.booleans()):
        parts += draw(st.lists(FLAG, max_size=2))
    words = draw(st.one_of(WORDS, WORDS, JSON, st.just("")))
    if parts[0].upper() == "FROM" and draw(st.integers(0, 9)):
        words = draw(st.sampled_from(["a", "b AS c", "${B} as C2", "scratch"]))
    parts.append(words)
    documents: list[str] = []
    alone = words.startswith("[") or parts[0].upper() == "FROM"
    names = st.lists(st.sampled_from(["EOF", "E2", "F"]), max_size=2, unique=True)
    for name in [] if alone else draw(names):
        mark = draw(st.sampled_from(["<<{}", "<<-{}", "<<'{}'", '<<-"{}"', "3<<{}"])).format(name)
        parts.append(mark)
        end = draw(st.sampled_from(["", "\t"])) if "<<-" in mark else ""
        body = draw(
            st.lists(
                st.sampled_from(["x", "\ty", "FROM z", "# c", "", "a \\", f" {name}", "RUN"]),
                max_size=3,
            )
        )
        closed = draw(st.integers(0, 9)) > 0
        documents += [*body, *([end + name] if closed else [])]
    if not alone:
        parts.append(draw(WORDS) if draw(st.booleans()) else "")
    lines = [draw(st.sampled_from(["", "", " ", "\t"])) + parts[0]]
    for part in parts[1:]:
        how = draw(st.integers(0, 5))
        if how == 0:
            lines[-1] += draw(BLANK) + escape + draw(st.sampled_from(["", " ", "\t "]))
            lines += draw(st.lists(st.sampled_from(["# comment", "  # \\", "", "   "]), max_size=2))
            lines.append(draw(st.sampled_from(["", "  "])) + part)
        elif how == 1:
            lines[-1] += escape
            lines.append(part)
        else:
            lines[-1] += draw(BLANK) + part
    endings = ["", "", " "] if alone else ["", "", " ", escape * 2, escape, " " + escape]
    lines[-1] += draw(st.sampled_from(endings))
    return "\n".join([*lines, *documents])


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    """A whole Dockerfile: byte-order mark, directives, comments, any line ends."""
    escape = draw(st.sampled_from(["\\", "\\", "\\", "`"]))
    directives = []
    if draw(st.booleans()):
        directives.append("# syntax=docker/dockerfile:1")
    if escape == "`" or draw(st.booleans()):
        directives.append(draw(st.sampled_from(["# escape={}", "#escape = {} "])).format(escape))
    head = draw(st.lists(st.sampled_from(["", "# comment", "ARG A=1", "# escape=`"]), max_size=2))
    if directives and head and head[0] == "# escape=`":
        head = head[1:]
    if not directives and head and head[0] == "# escape=`":
        escape = "`"
    body = draw(
        st.lists(
            st.one_of(
                instruction(escape),
                instruction(escape),
                st.sampled_from(["", "# comment", "   # comment \\", "  "]),
            ),
            max_size=6,
        )
    )
    text = "\n".join([*directives, *head, "FROM base AS a", *body])
    text += draw(st.sampled_from(["\n", "", "\n\n"]))
    if draw(st.integers(0, 4)) == 0:
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "", "\ufeff"])) + text


@settings(max_examples=200, deadline=None)
@given(dockerfiles())
@example("FROM a\nRUN b \\\n")
@example("FROM a\nRUN b \\")
@example("FROM a\nRUN b \\\n\n# c\n")
@example("\\\nFROM a\n")
@example("FROM a\n\\\n\\\nRUN x\n")
@example("FROM a\nRUN echo $((1 <<2 ))\n2\n")
@example("FROM a\nRUN cat <<<word\n")
@example("FROM a\nRUN x \\\\\nRUN y\n")
@example("FROM a\nRUN\u00a0x\nRUN x\u00a0\n")
@example("FROM a\nRUN a\x0bb\x0cc\x1cd\u2028e\n")
@example("FROM a\nRUN <<EOF\r\nx\r\nEOF\r\n")
@example("# escape=`\nFROM b AS a\nRUN --from=a\\\n[]\n")
@example('# escape=`\nFROM a\nRUN --mount=a`b \'--x=\\ y` z\nCOPY --from="b` c" d e\n')
def test_generated_dockerfiles_read_as_buildkit_reads_them(text: str) -> None:
    agree(text)
