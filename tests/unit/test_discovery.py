"""The Dockerfiles below a directory: by git's index, or by walking."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_dockercache._pytest import discovery
from pytest_dockercache._pytest.discovery import FoundBelow, look_below
from pytest_dockercache.errors import ConfigError

FROM = "# syntax=docker/dockerfile:1\nARG BASE=debian\nfrom ${BASE}\n"

FILES = {
    "Dockerfile": FROM,
    "services/api/Dockerfile": FROM,
    "services/api/Dockerfile.dev": FROM,
    "services/web/prod.dockerfile": FROM,
    "services/worker/Containerfile": FROM,
    "services/web/Dockerfile.j2": "FROM {{ base }}\n",
    "services/web/Dockerfile.orig": FROM,
    "services/web/Dockerfile.dockerignore": "*\n",
    "services/web/dockerfile.py": "'''\nFROM x\n'''\n",
    "docs/Dockerfile": "How we write a Dockerfile.\n",
    "tests/data/Dockerfile": FROM,
    "node_modules/x/Dockerfile": FROM,
    ".venv/lib/x/Dockerfile": FROM,
    "compose.yaml": "services: {}\n",
    "deploy/docker-compose.prod.yml": "services: {}\n",
    "docker-bake.hcl": "",
    ".devcontainer/devcontainer.json": "{}",
}

JUDGED = [
    "Dockerfile",
    "services/api/Dockerfile",
    "services/api/Dockerfile.dev",
    "services/web/prod.dockerfile",
    "services/worker/Containerfile",
]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def names(found: tuple[Path, ...], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in found]


def test_a_walk_finds_what_people_keep(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    found = look_below(tmp_path, tmp_path)
    assert names(found.dockerfiles, tmp_path) == JUDGED
    assert names(found.samples, tmp_path) == ["tests/data/Dockerfile"]
    assert names(found.definitions, tmp_path) == [
        ".devcontainer/devcontainer.json",
        "compose.yaml",
        "deploy/docker-compose.prod.yml",
        "docker-bake.hcl",
    ]


def test_where_git_has_an_index_it_decides_and_new_files_count(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, ".gitignore": "scratch/\n", "scratch/Dockerfile": FROM})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "services", ".gitignore")
    (tmp_path / "services/api/Dockerfile.dev").unlink()
    found = names(look_below(tmp_path, tmp_path).dockerfiles, tmp_path)
    assert found == [name for name in JUDGED if not name.endswith(".dev")]
    inside = names(look_below(tmp_path / "services", tmp_path).dockerfiles, tmp_path)
    assert inside == [name for name in found if name.startswith("services/")]


def test_a_directory_that_git_ignores_is_walked(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "scratch/\n", "scratch/a/Dockerfile": FROM})
    git(tmp_path, "init", "-q")
    assert names(look_below(tmp_path / "scratch", tmp_path).dockerfiles, tmp_path) == [
        "scratch/a/Dockerfile"
    ]


@pytest.mark.parametrize("place", ["missing", "a file"])
def test_what_is_no_directory_holds_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text(FROM)
    assert look_below(tmp_path / place, tmp_path) == FoundBelow()


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a/Dockerfile": FROM})
    (tmp_path / "b").mkdir()
    (tmp_path / "b/Dockerfile").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/Dockerfile").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names(look_below(tmp_path, tmp_path).dockerfiles, tmp_path) == ["a/Dockerfile"]


def test_a_named_directory_of_tests_holds_samples(tmp_path: Path) -> None:
    write(tmp_path, {"tests/data/Dockerfile": FROM})
    found = look_below(tmp_path / "tests", tmp_path)
    assert found.dockerfiles == ()
    assert names(found.samples, tmp_path) == ["tests/data/Dockerfile"]


def test_too_many_files_without_git_are_no_silent_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "WALKED", 2)
    write(tmp_path, {f"{name}/x": "" for name in "abc"})
    with pytest.raises(ConfigError, match="holds more than 2 files"):
        look_below(tmp_path, tmp_path)
