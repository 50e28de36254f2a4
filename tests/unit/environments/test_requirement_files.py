"""Requirement files: encodings, continued lines, inclusion and what none of them may do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_dockercache.environments.documents import load_yaml
from pytest_dockercache.environments.requirement_files import decoded
from pytest_dockercache.environments.requirements import read_requirements
from pytest_dockercache.errors import ConfigError, Unverifiable


@pytest.mark.parametrize(
    "content",
    [
        "click==8.1.8  # é".encode(),
        b"\xef\xbb\xbf" + "click==8.1.8  # é".encode(),
        "click==8.1.8  # é".encode("utf-16"),
        b"\xfe\xff" + "click==8.1.8  # é".encode("utf-16-be"),
        "click==8.1.8  # é".encode("utf-32"),
        "# -*- coding: latin-1 -*-\nclick==8.1.8  # é".encode("latin-1"),
        "#!/usr/bin/x\n# vim: set fileencoding=cp1252 :\nclick==8.1.8  # é".encode("cp1252"),
    ],
)
def test_a_file_is_decoded_as_pip_decodes_it(content: bytes, tmp_path: Path) -> None:
    assert decoded(content).endswith("click==8.1.8  # é")
    file = tmp_path / "requirements.txt"
    file.write_bytes(content)
    assert read_requirements(file).pip == ("click==8.1.8",)


@pytest.mark.parametrize("content", [b"click\xe9", b"# coding: nonsense\nclick"])
def test_a_file_that_pip_cannot_decode_is_refused_with_its_name(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"requirements\.txt cannot be read"):
        read_requirements(file)


def wanted(tmp_path: Path, text: str, **more: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a file asks for, and what of it metadata cannot confirm; ``more`` are its neighbours."""
    (tmp_path / "requirements.txt").write_text(text)
    for name, content in more.items():
        (tmp_path / f"{name}.txt").write_text(content)
    found = read_requirements(tmp_path / "requirements.txt", context=tmp_path)
    return found.pip, found.unverified


@pytest.mark.parametrize(
    ("text", "pip", "unverified"),
    [
        ("a \\\n  >=2  # why\n", ("a   >=2",), ()),
        ("a\\\n==1", ("a==1",), ()),
        ("a==1 \\\n  # a comment ends it \\\nb==2", ("a==1", "b==2"), ()),
        ("a==1 --hash=sha256:" + "0" * 64 + " \\\n --hash sha256:" + "1" * 64, ("a==1",), ()),
        ('a==1 --config-settings="x=y"', ("a==1",), ()),
        ("a#1.0", None, None),
        (".[dev]", (), (".[dev]",)),
        (".", (), (".",)),
        ("..[x]", (), ("..[x]",)),
        ("libs/foo[dev]", (), ("libs/foo[dev]",)),
        ("libs/foo[dev,test] ; python_version < '4'", (),
         ("libs/foo[dev,test] ; python_version < '4'",)),
        ("./libs/foo", (), ("./libs/foo",)),
        ("/wheels/a-1-py3-none-any.whl", ("a==1",), ()),
        ("./a-1-py3-none-any.whl[x] ; sys_platform == 'x'", ("a[x]==1 ; sys_platform == 'x'",), ()),
        ("a[x] @ https://h/a-1%2Bcu-cp310-cp310-linux_x86_64.whl#sha256=0", ("a[x]==1+cu",), ()),
        ("a.whl", (), ("a.whl",)),
        ("a-1.tar.gz", (), ("a-1.tar.gz",)),
        ("file:///src/a", (), ("file:///src/a",)),
        ("-e .[dev]", (), ("-e .[dev]",)),
        ("git+https://h/a.git@v1#egg=a", ("a",), ("git+https://h/a.git@v1#egg=a",)),
        ("a @ file:///src/a", ("a @ file:///src/a",), ("a @ file:///src/a",)),
        ("a[x,y]==1 ; sys_platform == 'linux'", ("a[x,y]==1 ; sys_platform == 'linux'",), ()),
        ("a==${VERSION_OF_A}", (), ("a==${VERSION_OF_A}",)),
    ],
)  # fmt: skip
def test_a_line_is_read_as_pip_reads_it(
    tmp_path: Path, text: str, pip: tuple[str, ...] | None, unverified: tuple[str, ...]
) -> None:
    if pip is None:
        with pytest.raises(ConfigError, match=r"has the requirement 'a#1\.0'"):
            wanted(tmp_path, text)
    else:
        assert wanted(tmp_path, text) == (pip, unverified)


def test_variables_of_the_step_are_put_in_as_pip_does(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("a==${A}\nb==$A\n--index-url https://${TOKEN}@h/\n")
    found = read_requirements(file, variables={"A": "1"})
    assert (found.pip, found.unverified) == (("a==1",), ("b==$A",))


def test_the_hashes_of_a_line_are_known_by_name(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"A_b==1 --hash=sha256:{'0' * 64} --hash=sha256:{'1' * 64}\n")
    digests = frozenset({"sha256:" + "0" * 64, "sha256:" + "1" * 64})
    assert read_requirements(file).alternatives == {"a-b": digests}


def test_included_files_are_read_from_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "more.txt").write_text("b==2\n-r ../last.txt\n")
    assert wanted(tmp_path, "a==1\n-r base/more.txt", last="c==3") == (("a==1", "b==2", "c==3"), ())
    assert wanted(tmp_path, "--requirement=last.txt", last="c==3") == (("c==3",), ())


@pytest.mark.parametrize(
    "name", ["../../../../../../../etc/passwd", "/etc/passwd", "../secret.txt", "link.txt"]
)
def test_no_file_outside_of_the_context_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("password")
    context = tmp_path / "context"
    context.mkdir()
    (context / "link.txt").symlink_to("/etc/passwd")
    (context / "requirements.txt").write_text(f"-r {name}\n")
    with pytest.raises(Unverifiable, match="outside of the build context") as problem:
        read_requirements(context / "requirements.txt", context=context)
    assert "root:" not in str(problem.value)


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="includes itself"):
        wanted(tmp_path, "-r requirements.txt\n-r requirements.txt")


def test_a_pipe_and_an_endless_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    for name in ("pipe.txt", "zero.txt"):
        with pytest.raises(ConfigError, match="not a regular file"):
            read_requirements(tmp_path / name)
    with pytest.raises(ConfigError, match="not a regular file"):
        wanted(tmp_path, "-r pipe.txt")


def test_a_file_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    with file.open("wb") as stream:
        stream.truncate(40 << 20)
    with pytest.raises(ConfigError, match="is larger than 32 MB"):
        read_requirements(file)


def test_aliases_that_stand_for_millions_of_values_are_refused() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(ConfigError, match=r"e\.yml: its aliases stand for more than 2,000,000"):
        load_yaml("\n".join([*lines, "dependencies: *a11"]), Path("e.yml"))
    with pytest.raises(ConfigError, match="its aliases stand for more"):
        load_yaml("dependencies: &a [*a]", Path("e.yml"))
    assert load_yaml("a: &a [x]\nb: *a\nc: *a", Path("e.yml"))["c"] == ["x"]


def test_an_included_name_that_is_no_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"includes '\\x00a', which is no path"):
        wanted(tmp_path, "-r \0a")


def test_an_included_name_that_is_too_long_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unverifiable, match="which is not beside it"):
        wanted(tmp_path, "-r " + "a" * 5000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" + " " * 60_000 + "b", "which has 60,002 characters"),
        ("[" * 60_000, "which has 60,000 characters"),
        ("a ; " + "x" * 60_000, "which has 60,004 characters"),
    ],
)
def test_a_requirement_that_takes_the_square_of_its_length_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        wanted(tmp_path, text)


def test_hashes_do_not_make_a_requirement_too_long(tmp_path: Path) -> None:
    hashes = " ".join(f"--hash=sha256:{number:064x}" for number in range(300))
    assert wanted(tmp_path, f"six==1.16.0 {hashes}") == (("six==1.16.0",), ())
