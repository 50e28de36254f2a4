"""The reason of a miss names what changed, where, and how it reaches the step."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparing import FILES, Project

from pytest_dockercache.model import Edit

COPY_ALL = "FROM base\nCOPY . /x\nRUN a\n"


@pytest.mark.parametrize(
    ("edit", "message", "changed"),
    [
        (Edit.append("src/main.py"), "contains src/main.py", "content"),
        (Edit.create("src/new.py"), "contains src/new.py, which is new", "added"),
        (Edit.delete("src/util.py"), "no longer contains src/util.py", "removed"),
        (Edit.rename("a.txt", "c.txt"), "contains c.txt, renamed from a.txt", "renamed"),
        (
            Edit.rename("src/sub", "src/deep"),
            "contains src/deep/deep.py, renamed from src/sub/deep.py",
            "renamed",
        ),
        (Edit.chmod("a.txt", 0o755), "contains a.txt, whose mode changed: 0644 → 0755", "mode"),
    ],
)
def test_content_is_named_with_its_attribute(
    tmp_path: Path, edit: Edit, message: str, changed: str
) -> None:
    project = Project(tmp_path, COPY_ALL)
    (tmp_path / "a.txt").chmod(0o644)
    said = project.after(edit)
    assert said[2].reason is not None
    assert (said[2].reason.kind, said[2].reason.message) == ("content", message)
    assert said[2].reason.changed == changed
    assert said[2].reason.paths[0] in message
    assert said[3].reason is not None
    assert (said[3].reason.kind, said[3].reason.line) == ("parent", 2)
    assert said[3].reason.message == "runs on top of line 2"


def test_the_ignore_line_that_kept_a_file_out_is_named(tmp_path: Path) -> None:
    files = {**FILES, ".dockerignore": ".dockerignore\nsrc/util.py\n"}
    project = Project(tmp_path, COPY_ALL, files)
    assert project.reason(2, Edit.replace(".dockerignore", "src/util.py", "src/other.py")) == (
        "contains src/util.py, which is new to the build: "
        ".dockerignore line 2 (src/util.py) kept it out before"
    )
    assert project.reason(2, Edit.append(".dockerignore", "a.txt")) == (
        "no longer contains a.txt: .dockerignore line 3 (a.txt) keeps it out"
    )
    assert project.reason(2, Edit.append(".dockerignore", "!src/util.py")).endswith(
        "kept it out before"
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("RUN one two", "RUN one three", 'its text changed: "two" → "three"'),
        (
            "RUN a \\\n  b",
            "RUN a \\\n    b",
            "only blanks in its text changed (the indentation of a continuation counts)",
        ),
        ("RUN <<EOF\na\nEOF", "RUN <<EOF\nb\nEOF", 'the text of its heredoc changed: "a" → "b"'),
        ("RUN --network=none a", "RUN a", "its flags changed: --network=none → nothing"),
        ("ENV A=1\nRUN a", "ENV A=2\nRUN a", 'ENV A changed in line 2: "1" → "2"'),
        (
            "ENV A=1 B=2\nRUN a",
            "ENV B=2 A=1\nRUN a",
            "ENV and ARG above it changed their order: B moved",
        ),
        ("ARG A=1\nRUN a", "ARG A=2\nRUN a", 'ARG A has another default: "1" → "2" (line 2)'),
        ("LABEL x=1\nRUN a", "ENV A=2\nRUN a", "ENV A of line 2 is new above it"),
        ("ENV A=2\nRUN a", "LABEL x=1\nRUN a", "ENV A no longer stands above it"),
        ("USER root\nRUN a", "USER 0\nRUN a", 'USER changed in line 2: "root" → "0"'),
        ("LABEL x=1\nRUN a", "USER 0\nRUN a", "USER 0 of line 2 is new above it"),
        (
            'SHELL ["sh"]\nRUN a',
            'SHELL ["bash"]\nRUN a',
            'SHELL changed in line 2: "["sh"]" → "["bash"]"',
        ),
        ("WORKDIR /a\nLABEL x=1", "WORKDIR /b\nLABEL x=1", 'its text changed: "/a" → "/b"'),
        ("LABEL x=1", "LABEL x=1\nRUN new", "the RUN of line 3 is new here"),
    ],
)
def test_text_is_named_with_its_difference(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    project = Project(tmp_path, f"FROM base\n{before}\n")
    said = project.after(Edit.dockerfile(f"FROM base\n{after}\n"))
    missed = [item for item in said.values() if item.status == "miss"]
    assert missed[0].reason is not None
    assert (missed[0].reason.kind, missed[0].reason.message) == ("text", message)


def test_a_build_argument_is_named_where_it_is_declared(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nARG GIT_SHA=unknown\nCOPY a.txt /x\nRUN a\n")
    said = project.after(Edit.build_arg("GIT_SHA"))
    assert said[3].status == "hit"
    reason = said[4].reason
    assert reason is not None
    assert (reason.kind, reason.line) == ("argument", 2)
    assert reason.message == "build argument GIT_SHA is declared in line 2"


def test_a_build_argument_is_followed_through_other_variables(tmp_path: Path) -> None:
    text = "FROM base AS one\nARG V=1\nENV W=v$V\nFROM one\nCOPY a.txt /$W\n"
    reason = Project(tmp_path, text).after(Edit.build_arg("V", "2"))[5].reason
    assert reason is not None
    assert (reason.kind, reason.line) == ("argument", 2)
    assert reason.message == (
        "build argument V is declared in line 2 and reaches it through ENV W (line 3)"
    )


def test_a_base_is_named_with_the_argument_that_chose_it(tmp_path: Path) -> None:
    text = "ARG BASE=base\nFROM ${BASE}\nRUN a\nRUN b\n"
    said = Project(tmp_path, text).after(Edit.build_arg("BASE", "other"))
    reason = said[3].reason
    assert reason is not None
    assert (reason.kind, reason.line) == ("base", 2)
    assert reason.message == "the base image changed: base → other (build argument BASE)"
    assert said[4].reason is not None
    assert said[4].reason.message == "runs on top of line 3"
