"""Lines for the ignore file: in the file that counts, and not where a step asks for the path."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.fixing import without_what_changes_by_itself
from pytest_dockercache.model import BuildSpec, Edit, Fix
from pytest_dockercache.project import Project, Settings

PROBES = {".git": Edit.create(".git/probe")}


def offered(directory: Path, dockerfile: str, files: dict[str, str]) -> Fix | None:
    for path, text in {"Dockerfile": dockerfile, ".git/HEAD": "x", **files}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    spec = BuildSpec(directory / "Dockerfile", directory)
    project = Project.read(spec, Settings(root=directory))
    return without_what_changes_by_itself(project, PROBES, BUILDKIT)


def test_an_ignore_file_is_made_where_none_is_and_the_words_say_where(tmp_path: Path) -> None:
    fix = offered(tmp_path, "FROM a\nCOPY . .\n", {})
    assert fix is not None
    assert fix.text == "create .dockerignore with the line .git"
    assert fix.patch == "--- /dev/null\n+++ b/.dockerignore\n@@ -0,0 +1 @@\n+.git\n"


def test_lines_stand_at_the_end_of_the_file_that_counts(tmp_path: Path) -> None:
    files = {".dockerignore": "x\n", "Dockerfile.dockerignore": "dist\n!.git"}
    fix = offered(tmp_path, "FROM a\nCOPY . .\n", files)
    assert fix is not None
    assert fix.patch is not None
    assert "+++ b/Dockerfile.dockerignore\n" in fix.patch
    assert fix.patch.endswith("+!.git\n+.git\n")


def test_what_the_dockerfile_names_below_it_is_let_in_again(tmp_path: Path) -> None:
    fix = offered(tmp_path, "FROM a\nCOPY .git/HEAD /head\nCOPY . .\n", {})
    assert fix is not None
    assert fix.text == "create .dockerignore with the lines .git/*, !.git/HEAD"
    assert fix.patch is not None


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ("git describe > /version", {}),
        ("pip install .", {"pyproject.toml": "[build-system]\nrequires = ['setuptools_scm']\n"}),
        ("make version", {"Makefile": "version:\n\tgit rev-parse HEAD > v\n"}),
    ],
)
def test_a_step_that_asks_the_repository_keeps_it(
    run: str, files: dict[str, str], tmp_path: Path
) -> None:
    fix = offered(tmp_path, f"FROM a\nCOPY . .\nRUN {run}\n", files)
    assert fix is not None
    assert fix.patch is None
    assert fix.text.startswith("line 3 may read .git")


def test_to_install_git_is_not_to_ask_it(tmp_path: Path) -> None:
    fix = offered(tmp_path, "FROM a\nRUN apt-get install -y git\nCOPY . .\n", {})
    assert fix is not None
    assert fix.patch is not None
