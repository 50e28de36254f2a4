"""Lines for the ignore files of several contexts, tried by the model together."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.fixing import without_what_changes_by_itself
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Project, Settings


def project(root: Path, files: dict[str, str], **contexts: str) -> Project:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    named = tuple((name, str(root / place)) for name, place in contexts.items())
    spec = BuildSpec(root / "app/Dockerfile", root / "app", contexts=named)
    return Project.read(spec, Settings(root=root))


def probes(*names: str) -> dict[str, Edit]:
    return {name: Edit.create(f"{name}/x") for name in names}


FILES = {"app/Dockerfile": "FROM python\nCOPY . /a\nCOPY --from=shared . /s\n", "shared/a": ""}


def test_each_context_gets_lines_in_its_own_file(tmp_path: Path) -> None:
    files = {**FILES, "shared/.dockerignore": "*.log\n"}
    made = project(tmp_path, files, shared="shared")
    fix = without_what_changes_by_itself(made, probes(".git", "shared:/.git"), BUILDKIT)
    assert fix is not None
    assert fix.text == (
        "create app/.dockerignore with the line .git, and "
        "end shared/.dockerignore with the line .git"
    )
    assert fix.patch is not None
    assert "+++ b/app/.dockerignore" in fix.patch
    assert "+++ b/shared/.dockerignore" in fix.patch


@pytest.mark.parametrize("beside", [True, False])
def test_a_context_of_another_name_reads_its_own_ignore_file(tmp_path: Path, beside: bool) -> None:
    """With ``Dockerfile.dockerignore``, the main context's lines say nothing of the named one."""
    files = dict(FILES)
    if beside:
        files["app/Dockerfile.dockerignore"] = "*.log\n"
    made = project(tmp_path, files, shared="app")
    fix = without_what_changes_by_itself(made, probes(".git"), BUILDKIT)
    assert fix is not None
    assert (fix.patch is None) is beside
