"""Reading Dockerfiles: files on disk, what later BuildKits read otherwise, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.dockerfile import Flag, Heredoc, parse_dockerfile, read_dockerfile
from pytest_dockercache.dockerfile.instructions import declared, mounts, onbuild_trigger
from pytest_dockercache.dockerfile.stages import escape_of
from pytest_dockercache.errors import ConfigError


def test_a_file_is_read_with_its_path_and_text(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes("\ufeffFROM a\n# café\n".encode())
    dockerfile = read_dockerfile(path)
    assert dockerfile.path == path
    assert dockerfile.text == "FROM a\n# café\n"
    assert dockerfile.stages[0].base == "a"


def test_bytes_that_are_not_utf8_are_shown_as_builders_show_them(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"FROM a\nRUN echo caf\xe9\n")
    assert read_dockerfile(path).instructions[1].text == "RUN echo caf\ufffd"


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"\x7fELF\x00\x01FROM a", "is a binary file, not a Dockerfile"),
        ("FROM a\n".encode("utf-16"), "is UTF-16, not UTF-8"),
        (b"# only a comment\n", "has no FROM instruction"),
        (b"ARG A=1\nRUN true\n", "has no FROM instruction"),
    ],
)
def test_what_is_no_dockerfile_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes, verdict: str
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_dockerfile(path)
    first, *rest = str(caught.value).split("\n")
    assert first == f"{path}: {verdict}"
    assert rest


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such Dockerfile"):
        read_dockerfile(tmp_path / "Dockerfile")
    with pytest.raises(ConfigError, match="is a directory, not a Dockerfile"):
        read_dockerfile(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        read_dockerfile(tmp_path / "file" / "Dockerfile")


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError

    (tmp_path / "Dockerfile").touch()
    monkeypatch.setattr("os.open", denied)
    with pytest.raises(ConfigError, match="cannot be read: permission denied"):
        read_dockerfile(tmp_path / "Dockerfile")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("FROM a\nRUN <<EOF\nx\n", "D:2: unterminated heredoc: no line holds only EOF"),
        ("# escape=x\nFROM a\n", "D: invalid escape directive: x"),
        ("# escape=`\n# escape=`\nFROM a\n", "D:2: only one escape parser directive can be used"),
        ("FROM a\nCMD [1]\n", "D:2: the JSON form of CMD holds other things than strings"),
        ("FROM a\nONBUILD CMD [1]\n", "D:2: the JSON form of CMD holds other things than strings"),
        ("FROM a b\n", "D:1: FROM needs one or three arguments, not 2: FROM a b"),
        ("FROM\n", "D:1: FROM needs one or three arguments, not 0: FROM"),
        ("FROM a AS 1b\n", "D:1: invalid name for a build stage: 1b"),
    ],
)
def test_what_no_builder_can_read_is_refused_with_its_line(text: str, verdict: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dockerfile(text, Path("D"))
    first, *rest = str(caught.value).split("\n")
    assert first == verdict
    assert rest


def test_directives_are_read_until_the_first_other_line() -> None:
    text = "# Syntax = docker/dockerfile:1 \n#check=skip=all\n# escape=`\n# syntax=x\nFROM a\n"
    with pytest.raises(ConfigError):
        parse_dockerfile(text)
    dockerfile = parse_dockerfile(text.replace("# syntax=x\n", "\n# escape=\\\n"))
    assert dockerfile.directives == (
        ("syntax", "docker/dockerfile:1"),
        ("check", "skip=all"),
        ("escape", "`"),
    )
    assert escape_of(dockerfile) == "`"


def test_a_blank_may_stand_between_the_mark_and_the_name_of_a_heredoc() -> None:
    run = parse_dockerfile("FROM a\nRUN cat << EOF\nFROM x\nEOF\nRUN y\n").instructions[1]
    assert run.heredocs == (Heredoc("EOF", "FROM x\n"),)
    assert run.end_line == 4


def test_text_after_a_json_array_makes_it_shell_text() -> None:
    run = parse_dockerfile('FROM a\nRUN ["a"] && b\n').instructions[1]
    assert run.exec_form is None
    assert run.value == '["a"] && b'


def test_heredocs_keep_what_their_marks_say() -> None:
    text = "FROM a\nCOPY <<-'A' <<B /x/\n\t$v\n\tA\nb\nB\n"
    copy = parse_dockerfile(text).instructions[1]
    assert copy.heredocs == (
        Heredoc("A", "\t$v\n", expand=False, chomp=True),
        Heredoc("B", "b\n"),
    )


@pytest.mark.parametrize("word", ["<<'a", '<<"a b" c', "<<a$", "<<"])
def test_an_odd_mark_never_breaks_the_reading(word: str) -> None:
    try:
        parse_dockerfile(f"FROM a\nRUN x {word}\n")
    except ConfigError as error:
        assert "unterminated heredoc" in str(error)  # noqa: PT017


def test_unknown_instructions_are_left_to_the_builder() -> None:
    dockerfile = parse_dockerfile("FROM a\nINCLUDE b\n")
    assert dockerfile.instructions[1].keyword == "INCLUDE"


def test_flags_are_unquoted_and_the_last_one_counts() -> None:
    text = 'FROM a\nCOPY --link --chown="a b" --chown=c\\ d -- --x /y\n'
    copy = parse_dockerfile(text).instructions[1]
    assert copy.flags == (Flag("link"), Flag("chown", "a b"), Flag("chown", "c d"))
    assert copy.flag("chown") == "c d"
    assert copy.flag("link") == ""
    assert copy.flag("from") is None
    assert copy.value == "--x /y"


def test_declarations_know_both_forms() -> None:
    text = 'FROM a\nENV a=1 b="2 3"\nENV c d e\nARG f g=h=i j=\nENV x\n'
    found = [declared(item) for item in parse_dockerfile(text).instructions[1:]]
    assert found == [
        (("a", "1"), ("b", '"2 3"')),
        (("c", "d e"),),
        (("f", None), ("g", "h=i"), ("j", "")),
        (("x", ""),),
    ]


def test_mounts_are_comma_separated_fields_with_quotes() -> None:
    text = 'FROM a\nRUN --mount="type=BIND,src=a,dst=/b" --mount=\'"target=/x,y",from=z,ro\' c\n'
    first, second = mounts(parse_dockerfile(text).instructions[1])
    assert (first.type, first.source, first.target, first.origin) == ("bind", "a", "/b", "")
    assert (second.target, second.origin) == ("/x,y", "z")
    assert dict(second.options)["ro"] == ""


def test_a_trigger_is_an_instruction_of_its_own() -> None:
    onbuild = parse_dockerfile('FROM a\nONBUILD copy --from=b ["c", "d"]\n').instructions[1]
    trigger = onbuild_trigger(onbuild)
    assert trigger.keyword == "COPY"
    assert trigger.flag("from") == "b"
    assert trigger.exec_form == ("c", "d")
    assert trigger.line == 2
