"""The tar for the Engine API."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from pytest_dockercache.context import StagedContext, stage
from pytest_dockercache.context.upload import upload
from pytest_dockercache.model import BuildSpec


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "p"
    (root / "docker").mkdir(parents=True)
    (root / "docker" / "Dockerfile").write_text("FROM scratch\n")
    (root / ".dockerignore").write_text("docker\n*.log\n")
    (root / "a.py").write_text("x")
    (root / "a.py").chmod(0o750)
    (root / "a.log").write_text("ignored")
    (root / "empty").mkdir(mode=0o711)
    (root / "empty").chmod(0o711)
    (root / "link").symlink_to("a.py")
    long = root / ("d" * 150)
    long.mkdir()
    (long / ("f" * 150)).write_text("long")
    with open(os.path.join(os.fsencode(root), b"caf\xe9"), "wb") as file:
        file.write(b"1")
    return root


@pytest.fixture
def staged(project: Path, tmp_path: Path) -> StagedContext:
    return stage(BuildSpec(project / "docker" / "Dockerfile", project), tmp_path / "h", nonce="n")


def members(staged: StagedContext) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(upload(staged)))) as archive:
        return archive.getmembers()


def test_the_dockerfile_comes_first_though_it_is_ignored(staged: StagedContext) -> None:
    found = members(staged)
    assert found[0].name == "docker/Dockerfile"
    names = [member.name for member in found]
    assert "a.log" not in names
    assert "docker" not in names
    assert names.count("docker/Dockerfile") == 1


def test_owner_is_root_and_modes_are_the_files(staged: StagedContext) -> None:
    found = {member.name: member for member in members(staged)}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in found.values()} == {(0, 0, "", "")}
    assert found["a.py"].mode == 0o750
    assert (found["empty"].mode, found["empty"].isdir()) == (0o711, True)
    assert (found["link"].issym(), found["link"].linkname) == (True, "a.py")


def test_long_and_undecodable_names_arrive(staged: StagedContext) -> None:
    names = {member.name for member in members(staged)}
    assert "d" * 150 + "/" + "f" * 150 in names
    assert os.fsdecode(b"caf\xe9") in names


def test_equal_contexts_give_equal_bytes(staged: StagedContext) -> None:
    assert b"".join(upload(staged)) == b"".join(upload(staged))


def test_the_first_header_is_one_block_however_long_the_dockerfiles_name(tmp_path: Path) -> None:
    """BuildKit looks at the first 512 bytes to tell an archive from a Dockerfile."""
    project = tmp_path / "p"
    deep = project / ("d" * 80) / ("e" * 80)
    deep.mkdir(parents=True)
    (deep / "Dockerfile").write_text("FROM scratch\n")
    staged = stage(BuildSpec(deep / "Dockerfile", project), tmp_path / "h", nonce="n")
    first = next(iter(upload(staged)))
    assert first[156:157] in (tarfile.REGTYPE, tarfile.DIRTYPE)
    assert len(first) == 512


def test_extended_attributes_travel_but_not_on_the_first_entry(
    project: Path, tmp_path: Path
) -> None:
    try:
        for name in ("a.py", "docker/Dockerfile"):
            os.setxattr(project / name, "user.note", b"\xff binary")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    spec = BuildSpec(project / "docker" / "Dockerfile", project)
    found = {member.name: member for member in members(stage(spec, tmp_path / "h", nonce="n"))}
    assert found["docker/Dockerfile"].pax_headers == {}
    value = found["a.py"].pax_headers["SCHILY.xattr.user.note"]
    assert value.encode("utf-8", "surrogateescape") == b"\xff binary"


def test_a_size_beyond_the_octal_field_is_written(project: Path, tmp_path: Path) -> None:
    """Eight gigabytes and more: GNU's base-256 numbers."""
    with (project / "huge").open("wb") as file:
        file.truncate(9 * 2**30)
    spec = BuildSpec(project / "docker" / "Dockerfile", project)
    staged = stage(spec, tmp_path / "h", nonce="n")
    for chunk in upload(staged):
        if chunk.startswith(b"huge\0"):
            assert tarfile.TarInfo.frombuf(chunk, "utf-8", "strict").size == 9 * 2**30
            break
    else:
        pytest.fail("huge is not in the upload")


def test_the_classic_builder_is_told_what_the_ignore_file_says_of_itself(
    project: Path, tmp_path: Path
) -> None:
    (project / ".dockerignore").write_text("docker\n.dockerignore\n")
    spec = BuildSpec(project / "docker" / "Dockerfile", project)
    staged = stage(spec, tmp_path / "h", nonce="n")
    with tarfile.open(fileobj=io.BytesIO(b"".join(upload(staged, classic=True)))) as archive:
        assert archive.getnames().count(".dockerignore") == 1
    assert ".dockerignore" not in [member.name for member in members(staged)]
