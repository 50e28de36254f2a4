"""Only regular files are opened, and no more of them is read than fits."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from growth import LINEAR, growth
from pytest_dockercache.context import ContextTree, IgnoreRules, patch, stage
from pytest_dockercache.disk import read_bytes, read_inside, read_text
from pytest_dockercache.dockerfile import parse_dockerfile, plan, read_dockerfile
from pytest_dockercache.environments import environment_commands
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.limits import DOCKERFILE_LINE, NESTED_SUBSTITUTIONS, STAGES
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Project, Settings


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def directory(path: Path) -> None:
    path.mkdir()


def listening(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # The name of a socket has at most 108 bytes.
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


KINDS = [
    (fifo, "a FIFO"),
    (device, "a device"),
    (directory, "a directory"),
    (listening, "a socket"),
]


@pytest.mark.parametrize(("make", "name"), KINDS)
def test_what_is_no_regular_file_says_so(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    make(tmp_path / "it")
    with pytest.raises(ConfigError, match=f"it: is {name}, not a regular file"):
        read_bytes(tmp_path / "it")


@pytest.mark.parametrize(("make", "name"), KINDS)
@pytest.mark.parametrize("place", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_files_of_a_build_that_are_none_are_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], name: str, place: str
) -> None:
    """Opening a FIFO would wait for ever, and a device may never end."""
    make(tmp_path / place)
    dockerfile = tmp_path / "Dockerfile"
    if place != "Dockerfile":
        dockerfile.write_text("FROM a\n")
    spec = BuildSpec(dockerfile, tmp_path)
    with pytest.raises(ConfigError, match=f"{place}: is {name}"):
        Project.read(spec, Settings())


def test_a_file_larger_than_is_read_of_its_kind_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "Dockerfile").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ConfigError, match="is larger than 2 MB"):
        read_dockerfile(tmp_path / "Dockerfile")
    (tmp_path / "small").write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(tmp_path / "small") == "a\nb"
    with pytest.raises(ConfigError, match="is larger"):
        read_text(tmp_path / "small", limit=3)


def test_a_line_that_builders_refuse_is_refused_at_once() -> None:
    fine = "FROM a\nLABEL x=" + "a" * (DOCKERFILE_LINE - 8)
    assert len(parse_dockerfile(fine).instructions) == 2
    with pytest.raises(ConfigError, match=r"Dockerfile:2: the line has 10000008 bytes"):
        parse_dockerfile("FROM a\nLABEL x=" + "a" * 10**7)
    with pytest.raises(ConfigError, match="builders read at most"):
        parse_dockerfile("FROM a\nRUN <<E\n" + "\xe9" * 40_000 + "\nE\n")


def test_words_are_split_in_linear_time() -> None:
    def split(size: int) -> None:
        words = "\\\n".join(["ab " * size] * 8)
        plan(parse_dockerfile(f"FROM a\nENV X={words}\n"))

    assert growth(split, 700) < LINEAR


def nested(depth: int) -> str:
    return "${A:-" * depth + "x" + "}" * depth


@pytest.mark.parametrize("form", ["ENV X={}", "COPY {} /", "WORKDIR /{}", "USER {}"])
def test_substitutions_nested_too_deep_are_refused_with_their_line(form: str) -> None:
    with pytest.raises(ConfigError, match=r"Dockerfile:2: .*more than 100 substitutions"):
        plan(parse_dockerfile("FROM a\n" + form.format(nested(10_000)) + "\n"))
    plan(parse_dockerfile("FROM a\n" + form.format(nested(NESTED_SUBSTITUTIONS)) + "\n"))


@pytest.mark.parametrize("script", [nested(9_000), "$(" * 9_000 + ")" * 9_000,
                                    '"$(echo ' * 4_000 + ')"' * 4_000, "(" * 9_000])  # fmt: skip
def test_a_script_nested_too_deep_is_one_that_nobody_understands(script: str) -> None:
    steps = plan(parse_dockerfile(f"FROM a\nRUN echo {script}\n"))
    assert set(environment_commands(steps)) == {None}


def deep(root: Path) -> int:
    """Make directories until the path is longer than the system takes; their number."""
    here = os.open(root, os.O_RDONLY)
    count = 0
    try:
        while count < 24:
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
            count += 1
    finally:
        os.close(here)
    return count


def test_a_path_longer_than_the_system_takes_is_named(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM a\n")
    deep(project)
    rules = IgnoreRules()
    with pytest.raises(ConfigError, match=r"File name too long.*exclude it in \.dockerignore"):
        ContextTree.read(project, rules)
    ignored = IgnoreRules.parse(b"ddd*\n", project / ".dockerignore")
    assert list(ContextTree.read(project, ignored).entries) == ["Dockerfile"]


@pytest.mark.skipif(not Path("/proc/1/cwd").is_symlink(), reason="Linux only")
def test_the_whole_machine_as_context_is_refused_and_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links of other users' processes may not be read; docker build fails there too."""
    link = tmp_path / "link"
    link.symlink_to("x")
    real = os.readlink

    def refused(path: str, *rest: object) -> str:
        if os.fspath(path) == str(link):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "readlink", refused)
    with pytest.raises(ConfigError, match=r"link: cannot be read .Permission denied.*docker build"):
        ContextTree.read(tmp_path, IgnoreRules())


def test_edits_of_what_is_no_regular_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    fifo(tmp_path / "fifo")
    device(tmp_path / "zero")
    spec = BuildSpec(tmp_path / "Dockerfile", tmp_path)
    tree = ContextTree.read(tmp_path, IgnoreRules())
    for name in ("fifo", "zero"):
        with pytest.raises(ConfigError, match=r"not a regular file|leads out of the build context"):
            patch(spec, tree, [Edit.append(name)], nonce="n")


def test_a_staged_copy_is_its_users_own(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir(mode=0o755)
    (tmp_path / "project/Dockerfile").write_text("FROM a\n")
    spec = BuildSpec(tmp_path / "project/Dockerfile", tmp_path / "project")
    previous = os.umask(0o022)
    try:
        stage(spec, tmp_path / "home", nonce="n")
    finally:
        os.umask(previous)
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_link_out_of_the_context_leads_to_nothing_here(tmp_path: Path) -> None:
    context = tmp_path / "context"
    (context / "inner").mkdir(parents=True)
    (context / "file").write_text("own")
    (tmp_path / "secret").write_text("the host's")
    (context / "out").symlink_to(tmp_path / "secret")
    (context / "inner" / "in").symlink_to("../file")
    (context / "circle").symlink_to("circle")
    (context / "pipe").symlink_to("there")
    os.mkfifo(context / "there")
    read = {name: read_inside(context, name) for name in ("out", "inner/in", "circle", "pipe", "-")}
    assert read == {"out": None, "inner/in": b"own", "circle": None, "pipe": None, "-": None}


@pytest.mark.parametrize("kind", ["pipe", "unreadable", "directory", "large"])
def test_a_dockerfile_beside_that_cannot_be_read_is_passed_over(tmp_path: Path, kind: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN conda install -y numpy\n")
    (tmp_path / "environment.yml").write_text("dependencies: [python]\n")
    other = tmp_path / "other.Dockerfile"
    if kind == "pipe":
        os.mkfifo(other)
    elif kind == "directory":
        other.mkdir()
    elif kind == "unreadable":
        other.symlink_to("/proc/self/mem")  # unreadable also for root
    else:
        other.write_text("FROM a\nCOPY environment.yml .\n" + "#" * 2_000_000)
    project = Project.read(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings())
    assert [file.path for file in project.environment_files] == ["environment.yml"]


def test_variables_that_double_are_cut_off() -> None:
    lines = [f"ENV A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 60)]
    text = "\n".join(["FROM a", "ENV A0=aaaaaaaaaa", *lines, "RUN b"])
    with pytest.raises(ConfigError, match="stand for more than 131,072 characters"):
        plan(parse_dockerfile(text))


def test_a_dockerfile_of_more_stages_than_are_compared_is_refused() -> None:
    assert len(parse_dockerfile("FROM a\n" * STAGES).stages) == STAGES
    with pytest.raises(ConfigError, match=f"has {STAGES + 1} stages, and at most {STAGES}"):
        parse_dockerfile("FROM a\n" * (STAGES + 1))
