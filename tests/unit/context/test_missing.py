"""The message about a file that a Dockerfile takes and the build context lacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_dockercache.context import (
    IgnoreRules,
    MissingSource,
    context_files,
    missing_sources,
)
from pytest_dockercache.dockerfile import parse_dockerfile, plan


def missing(folder: Path, copied: str) -> MissingSource:
    """The missing sources of a Dockerfile whose line 2 copies these paths."""
    file = folder / "Dockerfile"
    file.write_text(f"FROM base\nCOPY {copied} /there\n")
    ignore = IgnoreRules.load(folder, file)
    entries = {entry.path: entry for entry in context_files(folder, ignore)}
    (step,) = [step for step in plan(parse_dockerfile(file.read_text())) if step.line == 2]
    (found,) = missing_sources(step, entries, ignore, folder)
    return found


@pytest.mark.parametrize(
    ("copied", "verdict", "fix"),
    [
        ("gone", "gone is not in the build context, but line 2 copies it", "create gone in"),
        (
            "secret/key",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies it",
            "add '!secret/key' at the end of .dockerignore",
        ),
        (
            "link",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies link, a link to it",
            "add '!secret/key' at the end of .dockerignore",
        ),
        (
            "dangling",
            "nowhere is not in the build context, but line 2 copies dangling, a link to it",
            "create nowhere in",
        ),
        (
            "directory/key",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies directory/key, a link to it",
            "add '!secret/key' at the end of .dockerignore",
        ),
    ],
)
def test_the_missing_file_is_named_and_why(
    tmp_path: Path, copied: str, verdict: str, fix: str
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    (tmp_path / "link").symlink_to("secret/key")
    (tmp_path / "directory").symlink_to("secret")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / ".dockerignore").write_text("secret\n")
    found = missing(tmp_path, copied)
    assert found.verdict("line 2") == verdict
    assert found.fix(tmp_path).startswith(fix)


def test_a_directory_that_nobody_may_read_is_no_reason_to_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dockerignore").write_text("pgdata\n")
    closed = tmp_path / "pgdata"
    closed.mkdir()
    listed = os.listdir

    def refuse(place: str) -> list[str]:
        if place == str(closed):
            raise PermissionError(13, "Permission denied", place)
        return listed(place)

    monkeypatch.setattr(os, "listdir", refuse)
    said = missing(tmp_path, "pgdata/conf").verdict("line 2")
    assert said == "pgdata/conf is not in the build context, but line 2 copies it"


def test_another_case_of_letters_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x")
    found = missing(tmp_path, "readme.md")
    assert not found.edited
    assert found.fix(tmp_path).startswith("correct line 2 (the build context has README.md)")
