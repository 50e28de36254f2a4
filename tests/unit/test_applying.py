"""The command that the summary names applies the patch, wherever pytest was started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_dockercache._pytest.proving import apply_command
from pytest_dockercache.dockerfile.rewriting import patch_of


@pytest.mark.parametrize(
    ("root", "started", "command"),
    [
        (".", ".", "git apply fix.patch"),
        ("sub/app", "sub/app", "git apply fix.patch"),
        ("sub/app", ".", "git apply --directory=sub/app fix.patch"),
        ("sub/app", "sub", "git apply --directory=app fix.patch"),
        ("my app", ".", "git apply '--directory=my app' fix.patch"),
        (".", "sub", "git -C .. apply {started}/fix.patch"),
        ("sub", "sub/app", "git -C .. apply {started}/fix.patch"),
        ("sub", "other", "git -C {root} apply {started}/fix.patch"),
    ],
)
@pytest.mark.parametrize("is_repository", [True, False])
def test_the_command_applies_the_patch_where_pytest_was_started(
    tmp_path: Path, root: str, started: str, command: str, is_repository: bool
) -> None:
    top = tmp_path.resolve()
    project, directory = (Path(os.path.normpath(top / place)) for place in (root, started))
    for place in (project, directory):
        place.mkdir(parents=True, exist_ok=True)
    if is_repository:
        subprocess.run(["git", "init", "-q"], cwd=top, check=True)
    (project / "Dockerfile").write_text("FROM a\n")
    changes: dict[str, tuple[str | None, str]] = {
        "Dockerfile": ("FROM a\n", "FROM b\n"),
        "docker/x.dockerignore": (None, ".git\n"),
    }
    (directory / "fix.patch").write_text(patch_of(changes))
    found = apply_command(project, directory / "fix.patch", directory)
    assert found == command.format(root=project, started=directory)
    subprocess.run(found, shell=True, cwd=directory, check=True)
    assert (project / "Dockerfile").read_text() == "FROM b\n"
    assert (project / "docker/x.dockerignore").read_text() == ".git\n"
