"""How the image's Python is found, run and compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import Terminal, subject
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks.python_version import (
    expected_python,
    reported_python,
    satisfies,
    wrapper,
)
from pytest_dockercache.engines import Execution
from pytest_dockercache.errors import CacheAssertionError, Unverifiable
from pytest_dockercache.rebuild import Settings

DOCKERFILE = "FROM x\nCOPY environment.yml .\nRUN conda env update -f environment.yml\n"


def says(version: str) -> Execution:
    return Execution(0, f"Python {version}\n", "")


@pytest.mark.parametrize(
    ("entrypoint", "kept"),
    [
        ([], ()),
        (["python", "app.py"], ()),
        (["/usr/bin/tini", "--"], ("/usr/bin/tini", "--")),
        (["tini", "-g", "--", "jupyter", "lab"], ("tini", "-g", "--")),
        (["/usr/local/bin/_entrypoint.sh"], ("/usr/local/bin/_entrypoint.sh",)),
        (["conda", "run", "-n", "app"], ("conda", "run", "-n", "app")),
        (
            ["/opt/conda/bin/conda", "run", "--no-capture-output", "-n", "app", "python", "a.py"],
            ("/opt/conda/bin/conda", "run", "--no-capture-output", "-n", "app"),
        ),
        (["tini", "--", "conda", "run", "-p", "/e"], ("tini", "--", "conda", "run", "-p", "/e")),
        (["conda", "info"], ()),
        (["./docker-entrypoint.sh"], ()),
    ],
)
def test_only_what_prepares_an_environment_is_kept_of_an_entry_point(
    entrypoint: list[str], kept: tuple[str, ...]
) -> None:
    assert wrapper(entrypoint) == kept


@pytest.mark.parametrize(
    ("pin", "version", "holds"),
    [
        ("3.10", "3.10.4", True),
        ("3.1", "3.10.4", False),
        ("3.1", "3.1.5", True),
        ("3.10.*", "3.10.4", True),
        ("==3.10.4", "3.10.4", True),
        ("==3.10.4", "3.10.5", False),
        (">=3.10,<3.11", "3.10.4", True),
        (">=3.10,<3.11", "3.11.0", False),
        ("3.9.*|3.10.*", "3.10.4", True),
        ("~=3.10", "3.12.1", True),
    ],
)
def test_a_pin_is_a_match_spec(pin: str, version: str, holds: bool) -> None:
    assert satisfies(pin, version) is holds


def test_an_application_as_entry_point_is_overridden(tmp_path: Path) -> None:
    engine = Terminal({"python --version": says("3.10.4")}, {"Entrypoint": ["gunicorn"]})
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"
    assert engine.commands == ["python --version"]


def test_a_wrapper_as_entry_point_is_used(tmp_path: Path) -> None:
    engine = Terminal(
        {"conda run -n app python --version": says("3.10.4")},
        {"Entrypoint": ["conda", "run", "-n", "app"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_without_python_on_path_the_shell_of_the_image_is_asked(tmp_path: Path) -> None:
    engine = Terminal(
        {"conda run -n app /bin/bash -c python --version": says("3.10.4")},
        {"Shell": ["conda", "run", "-n", "app", "/bin/bash", "-c"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"
    assert engine.commands[0] == "python --version"


def test_an_image_without_python_fails_with_what_was_tried(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE})
    with pytest.raises(CacheAssertionError) as caught:
        reported_python(judged, "image")
    assert str(caught.value) == snapshot


def test_an_option_beats_the_pin_of_the_environment_file(tmp_path: Path) -> None:
    files = {"Dockerfile": DOCKERFILE, "environment.yml": "dependencies: [python=3.10]\n"}
    assert expected_python(subject(tmp_path, files)) == ("3.10", "environment.yml")
    named = subject(tmp_path, files, settings=Settings(python="3.11"))
    assert expected_python(named) == ("3.11", "--dockercache-python")


def test_without_a_pin_the_version_is_unverifiable(tmp_path: Path) -> None:
    files = {"Dockerfile": DOCKERFILE, "environment.yml": "dependencies: [numpy]\n"}
    with pytest.raises(Unverifiable, match=r"--dockercache-python=3\.10"):
        expected_python(subject(tmp_path, files))
