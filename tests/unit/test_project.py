"""The facts about a project before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Project, Settings

UNREACHED = """\
FROM debian AS dev
COPY requirements.txt src/ ./
RUN pip install -r requirements.txt
FROM debian
COPY src/ src/
"""


@pytest.mark.parametrize(("every_stage", "readers"), [(False, []), (True, [(3,)])])
def test_a_stage_that_nothing_needs_installs_where_the_builder_builds_every_stage(
    tmp_path: Path, every_stage: bool, readers: list[tuple[int, ...]]
) -> None:
    (tmp_path / "src").mkdir()
    for name in ("requirements.txt", "src/main.py"):
        (tmp_path / name).touch()
    (tmp_path / "Dockerfile").write_text(UNREACHED)
    spec = BuildSpec(tmp_path / "Dockerfile", tmp_path)
    project = Project.read(spec, Settings(), every_stage=every_stage)
    assert [file.readers for file in project.environment_files] == readers
    assert [command.line for command in project.commands] == [line for (line,) in readers]


def project(root: Path, edit: str) -> Project:
    """A conda project whose ignore file keeps ``docs`` out."""
    files = {
        "Dockerfile": "FROM a\nCOPY environment.yml ./\nRUN conda env update\nCOPY src/ src/\n",
        ".dockerignore": "docs\n",
        "environment.yml": "name: app\n",
        "src/main.py": "print()\n",
        "docs/page.md": "text\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return Project.read(BuildSpec(root / "Dockerfile", root), Settings(edit=edit))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ("src/mian.py", "no such file in the build context ROOT; perhaps src/main.py is meant"),
        ("main.py", "no such file in the build context ROOT; perhaps src/main.py is meant"),
        ("lib/x", "no such file in the build context ROOT; paths are relative to the context"),
        ("src", "is a directory; name a file in it"),
        (".", "is the build context itself; name a file below ROOT"),
        ("../a.py", "lies outside the build context; name a file below ROOT"),
        ("/etc/passwd", "lies outside the build context ROOT; name a file below it"),
        (
            "docs/page.md",
            "is kept out of the build context by .dockerignore line 1 (docs), so no edit of it "
            "reaches the image; name a file that the image holds",
        ),
        (
            "environment.yml",
            "is an environment file (line 3 reads it), an edit of which has to rebuild the "
            "environment; name a source file",
        ),
    ],
)
def test_a_named_source_that_no_edit_can_be_made_of_is_refused_with_the_option(
    tmp_path: Path, edit: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        _ = project(tmp_path, edit).source
    expected = f"--dockercache-edit={edit}: {reason}"
    assert str(refused.value) == expected.replace("ROOT", str(tmp_path))


def test_a_named_source_is_relative_to_the_context_however_it_is_written(tmp_path: Path) -> None:
    for edit in ("src/main.py", "./src/main.py", str(tmp_path / "src/main.py"), "Dockerfile"):
        source = project(tmp_path, edit).source
        assert source.path in ("src/main.py", "Dockerfile")
        assert source.why == "named with --dockercache-edit"
