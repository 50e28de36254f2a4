"""Files held against images that pip and conda really filled, and that a later step changed."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from plugin_process import environment, only_image, run_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def wheel(directory: Path, name: str, version: str) -> None:
    """A wheel that holds one empty package."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def judged(project: Path, base: str, lines: str) -> tuple[str, list[str]]:
    """The outcome of ``environment-matches``, and the rows of its message that name packages."""
    (project / "Dockerfile").write_text(f"FROM {base}\n{lines}")
    report = project / "report.json"
    done = run_pytest(
        project,
        *("-p", "no:cacheprovider", "-k", "builds or environment-matches"),
        f"--dockercache-report=json:{report}",
        env=environment(),
    )
    checks = {check["id"]: check for check in only_image(report)["checks"]}
    assert checks["builds"]["outcome"] == "passed", done.stdout
    check = checks["environment-matches"]
    message = check["message"] or ""
    rows = re.findall(r"^  (\S+) +(missing|extra|differing) ", message, re.MULTILINE)
    return check["outcome"], [" ".join(row) for row in rows]


PIP = """\
RUN conda create -y -n app python=3.10 pip
COPY wheels/ /wheels/
COPY requirements.txt ./
RUN /opt/conda/envs/app/bin/pip install --no-index --find-links /wheels -r requirements.txt
"""
LATER = "RUN /opt/conda/envs/app/bin/pip "


@pytest.mark.parametrize(
    ("later", "outcome", "rows"),
    [
        ("", "passed", []),
        (f"{LATER}install --no-index /wheels/alpha-1.1*", "failed", ["alpha differing"]),
        (f"{LATER}uninstall -y alpha", "failed", ["alpha missing"]),
        (f"{LATER}install --no-index /wheels/gamma*", "passed", []),
        (
            f"{LATER}install --no-index --no-deps -t /elsewhere /wheels/alpha-1.1*",
            "passed",
            [],
        ),
    ],
    ids=["good", "changed", "removed", "more", "elsewhere"],
)
def test_requirements_are_held_against_what_pip_left(
    miniconda: str, tmp_path: Path, later: str, outcome: str, rows: list[str]
) -> None:
    for name, version in (("alpha", "1.0"), ("alpha", "1.1"), ("beta", "2.0"), ("gamma", "3.0")):
        wheel(tmp_path / "wheels", name, version)
    (tmp_path / "requirements.txt").write_text("alpha==1.0\nbeta>=2\n")
    assert judged(tmp_path, miniconda, f"{PIP}{later}\n") == (outcome, rows)


REMOVE = "RUN rm -r /opt/conda/envs/app/lib/python3.10/site-packages"
"""The stand-in's packages have no RECORD by which pip could remove them."""

CONDA = """\
COPY wheels/ /wheels/
COPY environment.yml ./
RUN conda env create -n app -f environment.yml
"""


@pytest.mark.parametrize(
    ("later", "outcome", "rows"),
    [
        ("", "passed", []),
        (f"{LATER}install -I --no-index --no-deps /wheels/*", "failed", ["click differing"]),
        (f"{REMOVE}/click*", "failed", ["click missing"]),
        ("RUN conda install -y -n app six", "failed", ["six extra"]),
        ("RUN conda install -y -n base six", "passed", []),
    ],
    ids=["good", "changed by pip", "removed", "one too many", "in base"],
)
def test_an_export_is_held_against_what_conda_and_pip_left(
    miniconda: str, tmp_path: Path, later: str, outcome: str, rows: list[str]
) -> None:
    wheel(tmp_path / "wheels", "click", "8.1.7")
    (tmp_path / "environment.yml").write_text(
        "name: app\nchannels: [conda-forge]\n"
        "dependencies:\n- python=3.10.4\n- click=8.1.8\n- pip=25.2\n- setuptools=80.9.0\n"
        "- wheel=0.45.1\nprefix: /opt/conda/envs/app\n"
    )
    assert judged(tmp_path, miniconda, f"{CONDA}{later}\n") == (outcome, rows)
