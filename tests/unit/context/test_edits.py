"""The bytes of a file and the build argument after an edit."""

from __future__ import annotations

import ast
import bz2
import configparser
import csv
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import pytest_dockercache.environments.tools  # noqa: F401 - tools know further names of files
from pytest_dockercache.context import apply_argument_edits
from pytest_dockercache.context.comments import comment_syntax
from pytest_dockercache.context.edits import (
    appended,
    argument_value,
    changed_mode,
    context_path,
    created,
    replaced,
)
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec, Edit


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/main.py", b"# dockercache edit n"),
        ("run.sh", b"# dockercache edit n"),
        ("environment.yml", b"# dockercache edit n"),
        ("pyproject.toml", b"# dockercache edit n"),
        ("requirements.txt", b"# dockercache edit n"),
        ("requirements/dev.txt", b"# dockercache edit n"),
        ("Makefile", b"# dockercache edit n"),
        ("Dockerfile", b"# dockercache edit n"),
        ("Dockerfile.gpu", b"# dockercache edit n"),
        (".dockerignore", b"# dockercache edit n"),
        ("analysis.R", b"# dockercache edit n"),
        ("model.jl", b"# dockercache edit n"),
        ("app.js", b"// dockercache edit n"),
        ("app.ts", b"// dockercache edit n"),
        ("main.c", b"// dockercache edit n"),
        ("main.go", b"// dockercache edit n"),
        ("lib.rs", b"// dockercache edit n"),
        ("style.css", b"/* dockercache edit n */"),
        ("index.html", b"<!-- dockercache edit n -->"),
        ("README.md", b"<!-- dockercache edit n -->"),
        ("schema.sql", b"-- dockercache edit n"),
        ("paper.tex", b"% dockercache edit n"),
        ("poetry.lock", b"# dockercache edit n"),
    ],
)
def test_a_comment_is_in_the_files_own_syntax(path: str, line: bytes) -> None:
    assert appended(path, b"x\n", None, "n") == b"x\n" + line + b"\n"


@pytest.mark.parametrize(
    ("first", "line"),
    [
        (b"#!/bin/sh\n", b"# dockercache edit n\n"),
        (b"#!/usr/bin/env python3\n", b"# dockercache edit n\n"),
        (b"#!/usr/bin/env -S node --no-warnings\n", b"// dockercache edit n\n"),
        (b"#!/usr/bin/lua\n", b"-- dockercache edit n\n"),
    ],
)
def test_a_script_without_suffix_is_known_by_its_first_line(first: bytes, line: bytes) -> None:
    assert appended("bin/start", first, None, "n") == first + line


def test_an_unterminated_last_line_is_completed_first() -> None:
    """``python=3.10# x`` would be another pin."""
    text = appended("environment.yml", b"dependencies:\n  - python=3.10", None, "n")
    assert yaml.safe_load(text) == {"dependencies": ["python=3.10"]}
    assert text.endswith(b"- python=3.10\n# dockercache edit n\n")


def test_an_empty_file_gets_the_comment_alone() -> None:
    assert appended("src/__init__.py", b"", None, "n") == b"# dockercache edit n\n"


def test_windows_line_endings_are_kept() -> None:
    assert appended("a.py", b"x = 1\r\ny = 2", None, "n") == (
        b"x = 1\r\ny = 2\r\n# dockercache edit n\r\n"
    )


def test_a_utf_16_file_stays_one() -> None:
    text = appended("a.py", "\ufeffx = 1".encode("utf-16-le"), None, "n")
    assert text.decode("utf-16") == "x = 1\n# dockercache edit n\n"


def test_a_given_text_is_appended_literally_and_carries_the_nonce() -> None:
    assert appended("environment.yml", b"name: a", "# touched", "n") == (
        b"name: a\n# touched\n# dockercache edit n\n"
    )


def test_a_binary_file_of_no_known_kind_gets_bytes_after_its_end() -> None:
    edited = appended("weights.bin", b"\0\1", None, "n")
    assert edited.startswith(b"\0\1")
    assert edited != appended("weights.bin", b"\0\1", None, "m")
    assert appended("weights.bin", b"\0\1", "x", "n").startswith(b"\0\1x")


def _zip(comment: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text\0")
        archive.comment = comment
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


def _members(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getnames()


def _unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.read("a.txt")


def _parquet_footer(content: bytes) -> bytes:
    """The view of a reader of parquet: the footer before the last eight bytes, by its length."""
    assert content.startswith(b"PAR1data\0")
    assert content.endswith(b"PAR1")
    size = int.from_bytes(content[-8:-4], "little")
    return content[-8 - size : -8]


PARQUET = b"PAR1data\0" + b"footer" + (6).to_bytes(4, "little") + b"PAR1"
ARRAY = b"\x80\x04" + pickle.dumps({"a": b"\0"})[2:]


@pytest.mark.parametrize(
    ("path", "content", "read"),
    [
        ("a.whl", _zip(b""), _unzipped),
        ("a.jar", _zip(b"said"), _unzipped),
        ("app.pex", b"#!/usr/bin/python3\n" + _zip(b""), _unzipped),
        ("a.gz", gzip.compress(b"text"), gzip.decompress),
        (
            "a.tar",
            _tar(),
            _members,
        ),
        ("a.tar.gz", gzip.compress(_tar()), gzip.decompress),
        ("a.bz2", bz2.compress(b"text"), bz2.decompress),
        ("a.xz", lzma.compress(b"text\0"), lzma.decompress),
        ("a.parquet", PARQUET, _parquet_footer),
        ("a.pkl", ARRAY, pickle.loads),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_edited_binary_file_is_read_as_before(
    path: str, content: bytes, read: Callable[[bytes], object]
) -> None:
    edited = [appended(path, content, None, nonce) for nonce in ("n", "m")]
    edited.append(appended(path, edited[0], None, "o"))
    assert len({content, *edited}) == 4
    for text in edited:
        assert read(text) == read(content)


def test_a_truncated_zip_is_only_appended_to() -> None:
    content = _zip(b"")[:-5]
    assert appended("a.zip", content, None, "n").startswith(content)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_lines_of_json_and_rows_of_a_table_stay_as_many(ending: str) -> None:
    lines = f'{{"a": 1}}\n{{"a": 2}}{ending}'.encode()
    edited = appended("a.jsonl", lines, None, "n")
    assert [json.loads(line) for line in edited.splitlines()] == [{"a": 1}, {"a": 2}]
    assert edited != appended("a.jsonl", lines, None, "m")
    rows = f"a,b\n1,2{ending}"
    table = appended("a.csv", rows.encode(), None, "n")
    assert table != appended("a.csv", rows.encode(), None, "m")
    for newline in ("", None):
        text = io.StringIO(table.decode(), newline=newline)
        assert list(csv.DictReader(text)) == [{"a": "1", "b": "2"}]


def test_what_lies_around_a_key_is_blank() -> None:
    key = b"-----BEGIN X-----\nabc=\n-----END X-----\n"
    edited = appended("key.pem", key, None, "n")
    assert edited.startswith(key)
    assert not edited[len(key) :].strip()


def test_replace_changes_every_occurrence_and_needs_one() -> None:
    assert replaced("a.py", b"a = 1\nb = 1\n", "1", "2", "n") == (
        b"a = 2\nb = 2\n# dockercache edit n\n"
    )
    with pytest.raises(ConfigError, match=r"does not occur in it: 'absent'"):
        replaced("a.py", b"x\n", "absent", "2", "n")


def test_a_new_file_is_unique_to_the_run() -> None:
    assert created("new.py", "x = 1", "n") == b"x = 1\n# dockercache edit n\n"
    assert created("new.json", None, "n") != created("new.json", None, "m")


NONCES = st.text(min_size=1, max_size=12)


@given(NONCES, NONCES)
@pytest.mark.parametrize(
    ("path", "content", "read"),
    [
        ("a.json", b'{"a": [1, 2]}', json.loads),
        ("nb.ipynb", b'{"cells": []}\n', json.loads),
        ("package-lock.json", b"{}", json.loads),
        ("Pipfile.lock", b'{"_meta": {}}', json.loads),
        ("e.yml", b"a:\n  - b", yaml.safe_load),
        ("e.xml", b"<a><b/></a>", lambda text: ElementTree.tostring(ElementTree.fromstring(text))),
        ("m.py", b"x = 1", lambda text: ast.dump(ast.parse(text))),
        ("m.cfg", b"[a]\nb = 1", lambda text: _ini(text.decode())),
    ],
)
def test_an_edited_file_says_the_same_and_its_bytes_are_unique(
    path: str, content: bytes, read: object, nonce: str, other: str
) -> None:
    edited = appended(path, content, None, f"{nonce.encode().hex()}")
    assert read(edited) == read(content)  # type: ignore[operator]
    if nonce != other:
        assert edited != appended(path, content, None, f"{other.encode().hex()}")


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {name: dict(section) for name, section in parser.items()}


@pytest.mark.parametrize(
    "start",
    [
        b"@EXPLICIT\nhttps://x",
        b"# platform: linux-64\n@EXPLICIT",
        b"[[package]]",
        b"version: 6",
    ],
)
def test_a_lock_file_is_looked_into(start: bytes) -> None:
    assert comment_syntax("linux-64.lock", start) is not None
    assert comment_syntax("Any.lock", b'{"a": 1}') is None


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "..", ".", ""])
def test_a_path_outside_the_context_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="build context"):
        context_path(path, "/project")


def test_an_absolute_path_inside_the_context_is_made_relative() -> None:
    assert context_path("/project/src/a.py", "/project") == "src/a.py"
    assert context_path("./src//a.py", "/project") == "src/a.py"


@given(st.text(min_size=1, max_size=8), st.sampled_from([None, "", "unknown", "1000", "4", "1.2"]))
def test_an_argument_value_is_unlike_the_present_one(nonce: str, current: str | None) -> None:
    assert argument_value(current, nonce) != current
    assert argument_value(current, nonce) != argument_value(current, nonce + "x")


@pytest.mark.parametrize(
    ("current", "form"),
    [
        ("4", r"[1-9]\d{8}"),
        ("8080", r"[1-6]\d{4}"),
        ("true", r"true-[0-9a-f]{12}"),
        ("0a1b2c3", r"[0-9a-f]{7}"),
        ("2024-02-30", r"\d{4}-\d\d-\d\d"),
        ("2024-02-30T10:00:00Z", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ("1.2.3", r"1\.2\.\d+"),
        ("main", r"main-[0-9a-f]{12}"),
        ("", r"dockercache[0-9a-f]{12}"),
    ],
)
def test_an_argument_keeps_its_kind(current: str, form: str) -> None:
    import re

    assert re.fullmatch(form, argument_value(current, "nonce"))


def test_build_args_are_edited_in_the_spec_and_nothing_else() -> None:
    spec = BuildSpec(Path("/p/Dockerfile"), Path("/p"), build_args=(("A", "1"), ("B", "2")))
    edited = apply_argument_edits(
        spec, [Edit.build_arg("B", "3"), Edit.build_arg("C"), Edit.append("x")], "n", {"C": "main"}
    )
    assert dict(edited.build_args)["A"] == "1"
    assert dict(edited.build_args)["B"] == "3"
    assert dict(edited.build_args)["C"].startswith("main-")
    assert apply_argument_edits(spec, [Edit.append("x")], "n", {}) is spec


def test_more_than_permission_bits_is_refused() -> None:
    with pytest.raises(ConfigError, match="edit of a: 0o77777 are no permission bits"):
        changed_mode(Edit.chmod("a", 0o77777), 0o644)
