"""Blocks of a Dockerfile, and the patch that ``patch -p1`` and ``git apply`` take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockercache.dockerfile.rewriting import applied, patch_of, sheet_of

ARTICLE = """\
# syntax=docker/dockerfile:1
# What this is.

FROM debian
WORKDIR /app

# The source.
COPY src/ src/
COPY environment.yml ./
RUN conda env update \\
    # one word
    -f environment.yml

RUN <<EOT
echo FROM nowhere
EOT
CMD ["python"]
"""

lines_of_dockerfiles = st.lists(
    st.sampled_from(
        [
            "RUN true",
            "COPY a b",
            "# a comment",
            "",
            "  ",
            "RUN one \\\n  && two",
            "RUN one \\\n# within\n\n  && two",
            "RUN <<E\nFROM x\n# no comment\nE",
            "ENV A=1",
            "\tUSER me",
            "CMD ['x']",
            "RUN echo é",
        ]
    ),
    max_size=12,
)


@given(lines_of_dockerfiles, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_sheet_is_the_text_it_was_read_from(lines: list[str], eol: str, ended: bool) -> None:
    text = eol.join(["FROM scratch", *("\n".join(lines).split("\n"))]) + (eol if ended else "")
    assert sheet_of(text).text == text


def test_comments_directly_above_an_instruction_move_with_it_and_blank_lines_stay() -> None:
    sheet = sheet_of(ARTICLE)
    moved = sheet.moved([8], below=10).text
    assert moved == ARTICLE.replace("# The source.\nCOPY src/ src/\n", "").replace(
        "    -f environment.yml\n", "    -f environment.yml\n# The source.\nCOPY src/ src/\n"
    )


def test_parser_directives_stay_at_the_top() -> None:
    text = "# escape=`\nFROM a\nRUN b\n"
    assert sheet_of(text).at(2).lines == ("FROM a\n",)
    assert sheet_of("# escape=`\nARG A\nFROM a\n").without([2]).text == "# escape=`\nFROM a\n"


def test_heredocs_and_continuations_move_as_one() -> None:
    sheet = sheet_of(ARTICLE)
    assert sheet.moved([14], below=4).text.startswith(
        "# syntax=docker/dockerfile:1\n# What this is.\n\nFROM debian\nRUN <<EOT\n"
        "echo FROM nowhere\nEOT\nWORKDIR /app\n"
    )


def test_new_instructions_take_the_line_ends_of_the_file() -> None:
    sheet = sheet_of("FROM a\r\nRUN b\r\nRUN c")
    assert sheet.with_text(["COPY x y"], above=2).text == "FROM a\r\nCOPY x y\r\nRUN b\r\nRUN c"
    assert sheet.moved([3], below=1).text == "FROM a\r\nRUN c\r\nRUN b\r\n"
    assert sheet.replaced(2, "RUN x", "RUN y").text == "FROM a\r\nRUN x\r\nRUN y\r\nRUN c"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=lines_of_dockerfiles,
    eol=st.sampled_from(["\n", "\r\n"]),
    order=st.randoms(use_true_random=False),
    ended=st.booleans(),
    name=st.sampled_from(["Dockerfile", "docker/my Dockerfile"]),
)
@pytest.mark.parametrize("command", [["patch", "-p1", "--batch"], ["git", "apply", "-"]])
def test_the_patch_makes_the_rewritten_file_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory,
    command: list[str],
    before: list[str],
    eol: str,
    order: object,
    ended: bool,
    name: str,
) -> None:
    text = eol.join(["FROM scratch", *("\n".join(before).split("\n"))]) + (eol if ended else "")
    sheet = sheet_of(text)
    chosen = [block.line for block in sheet.blocks[1:] if order.random() < 0.4]  # type: ignore[attr-defined]
    after = sheet.moved(chosen, below=1).with_text(["COPY new ."], above=1).text
    directory = tmp_path_factory.mktemp("project")
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    changes = {name: (text, after), ".dockerignore": (None, ".git\n**/__pycache__\n")}
    subprocess.run(
        command, cwd=directory, input=patch_of(changes).encode(), check=True, capture_output=True
    )
    assert path.read_bytes() == after.encode()
    assert applied(patch_of(changes), {name: text}).get(name, text) == after
    assert (directory / ".dockerignore").read_bytes() == b".git\n**/__pycache__\n"


def test_an_ignore_file_that_is_there_is_changed_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("dist")
    patch = patch_of({".dockerignore": ("dist", "dist\n.git\n")})
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=patch, text=True, check=True)
    assert (tmp_path / ".dockerignore").read_text() == "dist\n.git\n"


def test_nothing_changed_is_no_patch() -> None:
    assert patch_of({"Dockerfile": ("FROM a\n", "FROM a\n")}) == ""


def test_a_patch_whose_lines_are_gone_does_not_apply() -> None:
    patch = patch_of({"Dockerfile": ("FROM a\nRUN b\n", "FROM a\nRUN c\n")})
    assert applied(patch, {"Dockerfile": "# x\nFROM a\nRUN b\n"}) == {
        "Dockerfile": "# x\nFROM a\nRUN c\n"
    }
    with pytest.raises(ValueError, match="does not fit"):
        applied(patch, {"Dockerfile": "FROM b\n"})
