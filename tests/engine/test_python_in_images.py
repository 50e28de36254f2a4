"""``python --version`` in real images: through wrappers, past applications, through a SHELL."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_process import environment, run_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

WRAPPER = 'ENTRYPOINT ["conda", "run", "--no-capture-output", "-n", "base"]'
APPLICATION = """ENTRYPOINT ["python", "-c", "raise SystemExit('the application ran')"]"""
SHELL = """ENV PATH=/nowhere
SHELL ["/opt/conda/bin/conda", "run", "-n", "base", "/bin/bash", "-c"]"""
NOTHING = "ENV PATH=/nowhere"


def judge(project: Path, base: str, lines: str, pin: str) -> str:
    (project / "Dockerfile").write_text(f"FROM {base}\n{lines}\n")
    done = run_pytest(
        project,
        *("-p", "no:cacheprovider", "-rs", "-k", "python-version", f"--dockercache-python={pin}"),
        env=environment(COLUMNS="200"),
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "lines", [WRAPPER, APPLICATION, SHELL], ids=["wrapper", "application", "shell"]
)
def test_python_is_found_however_the_image_starts(
    lines: str, miniconda: str, tmp_path: Path
) -> None:
    said = judge(tmp_path, miniconda, lines, "3")
    assert "1 passed" in said, said
    said = judge(tmp_path, miniconda, lines, "3.1")
    assert "1 failed" in said, said
    assert "not 3.1" in said, said


def test_an_image_without_a_way_to_python_fails_with_what_was_tried(
    miniconda: str, tmp_path: Path
) -> None:
    said = judge(tmp_path, miniconda, NOTHING, "3")
    assert "python does not run in the image" in said, said
    assert "tried  python --version" in said, said
