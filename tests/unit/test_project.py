"""What is known of a project before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.model import BuildSpec
from pytest_dockercache.rebuild import Project, Settings

UNREACHED = """\
FROM debian AS dev
COPY requirements.txt src/ ./
RUN pip install -r requirements.txt
FROM debian
COPY src/ src/
"""


@pytest.mark.parametrize(
    ("engine", "readers"), [("buildx", []), ("buildkit", []), ("classic", [(3,)])]
)
def test_only_the_classic_builder_installs_in_a_stage_that_nothing_needs(
    tmp_path: Path, engine: str, readers: list[tuple[int, ...]]
) -> None:
    (tmp_path / "src").mkdir()
    for name in ("requirements.txt", "src/main.py"):
        (tmp_path / name).touch()
    (tmp_path / "Dockerfile").write_text(UNREACHED)
    spec = BuildSpec(tmp_path / "Dockerfile", tmp_path)
    project = Project.read(spec, Settings(engine=engine))
    assert [file.readers for file in project.environment_files] == readers
    assert [command.line for command in project.commands] == [line for (line,) in readers]
