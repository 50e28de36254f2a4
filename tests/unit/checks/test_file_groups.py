"""A check's findings about the context's files reach the reports of every process."""

from __future__ import annotations

from pathlib import Path

from pytest_dockercache.checks.file_groups import recall_files, remember_files
from pytest_dockercache.model import BuildSpec, FileGroup
from pytest_dockercache.runs import Run

SPEC = BuildSpec(Path("/p/Dockerfile"), Path("/p"))
GROUPS = (
    FileGroup((3, 5), "source", 12, ("src/main.py", "src/a.py"), reinstalls=False),
    FileGroup((4,), "needed", 1, ("entrypoint.sh",)),
)


def test_the_groups_of_a_spec_are_found_again(tmp_path: Path) -> None:
    run = Run("id", "nonce", tmp_path)
    assert recall_files(run, SPEC) == ()
    remember_files(run, SPEC, GROUPS)
    assert recall_files(Run("id", "nonce", tmp_path), SPEC) == GROUPS
    assert recall_files(run, BuildSpec(SPEC.dockerfile, SPEC.context, "other")) == ()


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    run = Run("id", "nonce", tmp_path)
    remember_files(run, SPEC, GROUPS)
    for path in (tmp_path / "files").iterdir():
        path.write_text('[{"steps": "all"}]')
    assert recall_files(run, SPEC) == ()
