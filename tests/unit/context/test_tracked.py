"""The files that people write, by git's index and the directories of tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_dockercache.context import (
    ContextEntry,
    tracked_files,
    virtual_environments,
)
from pytest_dockercache.context.tracked import sources_among


def git(directory: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com",
               "-c", "protocol.file.allow=always", *words]  # fmt: skip
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name in ("app/src/main.py", "app/caf\xe9 \n.py", "other/x.py", "app/untracked.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    git(root, "init", "-q")
    git(root, "add", "app/src", "app/caf\xe9 \n.py", "other")
    return root


def test_the_index_names_the_files_of_a_context_below_its_root(repository: Path) -> None:
    assert tracked_files(repository / "app") == frozenset({"src/main.py", "caf\xe9 \n.py"})
    assert tracked_files(repository) == frozenset(
        {"app/src/main.py", "app/caf\xe9 \n.py", "other/x.py"}
    )


def test_files_of_a_submodule_are_tracked(repository: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "lib.py").touch()
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "first")
    git(repository, "submodule", "add", "-q", str(inner), "app/inner")
    assert "inner/lib.py" in (tracked_files(repository / "app") or ())


def test_an_index_that_says_nothing_of_the_context_is_none(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracked_files(tmp_path) is None  # no repository
    (repository / "fresh").mkdir()
    assert tracked_files(repository / "fresh") is None  # nothing of it is tracked
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    assert tracked_files(tmp_path / "empty") is None  # nothing was added yet
    monkeypatch.setenv("PATH", "")
    assert tracked_files(repository) is None  # no git


def test_the_variables_of_a_hook_do_not_name_another_index(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert tracked_files(repository / "app") == frozenset({"src/main.py", "caf\xe9 \n.py"})


def test_an_environment_is_known_by_what_it_holds() -> None:
    paths = ("env/pyvenv.cfg", "env/lib/x.py", "tools/c/conda-meta/history", "src/a.py")
    entries = [ContextEntry(path, "file", 0, 0o644, 0, 0, 0) for path in paths]
    found = virtual_environments(entries)
    assert found == {"env", "tools/c"}
    others = ("tools/c/bin/python", "environment.py")
    assert sources_among((*paths, *others), environments=found) == {"src/a.py", "environment.py"}


@pytest.mark.parametrize(
    ("path", "never"),
    [
        (".git/HEAD", True),
        (".git", True),
        (".venv", True),
        (".tox/py310/x.py", True),
        ("web/node_modules/a/index.js", True),
        ("src/app.egg-info/PKG-INFO", True),
        (".mypy_cache/x.json", True),
        ("build/lib/app.py", True),
        ("dist/app.whl", True),
        ("build", False),
        ("src/build.py", False),
        ("src/distance/a.py", False),
        (".github/workflows/ci.yml", False),
    ],
)
def test_what_tools_write_is_never_source(path: str, never: bool) -> None:
    assert (path not in sources_among([path])) is never


def test_what_git_tracks_below_build_was_written_by_somebody() -> None:
    paths = ("build/release.py", "build/lib/app.py", "node_modules/a.js")
    tracked = {"build/release.py", "node_modules/a.js"}
    assert sources_among(paths, tracked=tracked) == {"build/release.py"}
