"""A file that the Dockerfile copies and the build context does not hold, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_process import environment, run_pytest

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM {base}
COPY environment.yml /
RUN conda env update -f /environment.yml
"""


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
@pytest.mark.parametrize(
    ("ignored", "answer", "fix"),
    [
        (
            None,
            "environment.yml is not in the build context, but Dockerfile:2 copies it",
            "fix    correct line 2 (the build context has environment.yaml), "
            "or create environment.yml in ",
        ),
        (
            "# local\n*.yml\n",
            "environment.yml is kept out of the build context by .dockerignore line 2 (*.yml), "
            "but Dockerfile:2 copies it",
            "fix    add '!environment.yml' at the end of .dockerignore",
        ),
    ],
)
def test_the_missing_file_is_the_first_line_then_the_builder_speaks_then_the_fix(
    tiny: str, tmp_path: Path, engine: str, ignored: str | None, answer: str, fix: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text(DOCKERFILE.format(base=tiny))
    if ignored is None:
        (project / "environment.yaml").write_text("name: app\n")
    else:
        (project / "environment.yml").write_text("name: app\n")
        (project / ".dockerignore").write_text(ignored)
    env = environment(COLUMNS="100", XDG_CACHE_HOME=str(tmp_path / "cache"))
    said = run_pytest(project, f"--dockercache-engine={engine}", "-rs", env=env).stdout
    lines = [line.strip() for line in said.splitlines()]
    place = lines.index(f"the image does not build: {answer}")
    assert lines[place + 1] == "2  COPY environment.yml /"
    assert lines[place + 2].startswith("why    the builder says: ")
    assert "environment.yml" in lines[place + 2]
    assert lines[place + 3].startswith(fix)
    # Every other check needs that image, and says where to look.
    assert "1 failed, 9 skipped" in said
    assert "see Dockerfile::builds" in said
