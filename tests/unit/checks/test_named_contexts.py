"""Where files of a named context leave a check open, and where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.checks.named_contexts import (
    require_main_context,
    require_no_named_directory,
)
from pytest_dockercache.errors import Unverifiable
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Project, Settings

INSTALL = "COPY requirements.txt ./\nRUN pip install -r requirements.txt\n"


def project(root: Path, dockerfile: str, *contexts: tuple[str, str]) -> Project:
    """A project with a directory ``shared`` beside its context, which is a named context."""
    for name, text in {
        "app/Dockerfile": dockerfile,
        "app/requirements.txt": "six\n",
        "app/main.py": "",
        "shared/lib.py": "",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    named = contexts or (("shared", str(root / "shared")),)
    spec = BuildSpec(root / "app/Dockerfile", root / "app", contexts=named)
    return Project.read(spec, Settings())


@pytest.mark.parametrize(
    ("text", "line", "place"),
    [
        (f"FROM python\nCOPY --from=shared lib.py ./\n{INSTALL}", 4, 2),
        ("FROM python\nRUN --mount=from=shared,target=/s pip install -r /s/r.txt\n", 2, 2),
        (
            "FROM python AS libs\nCOPY --from=shared . /l\n"
            f"FROM python\nCOPY --from=libs /l /l\n{INSTALL}",
            6,
            2,
        ),
        (f"FROM shared\n{INSTALL}", 3, 1),
    ],
)
def test_an_environment_that_stands_on_named_files_is_not_verified(
    tmp_path: Path, text: str, line: int, place: int
) -> None:
    with pytest.raises(Unverifiable) as raised:
        require_main_context(project(tmp_path, text))
    assert raised.value.verdict == (
        f"line {line} stands on line {place}, which takes files of the named context shared; "
        "what an edit of these installs is not known"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"FROM python\n{INSTALL}COPY --from=shared lib.py ./\n",
        f"FROM python AS env\n{INSTALL}FROM env\nCOPY --from=shared lib.py ./\n",
        f"FROM python\n{INSTALL}",
        f"FROM python\nCOPY --from=debian /etc/hostname ./\n{INSTALL}",
    ],
)
def test_an_environment_above_named_files_is_judged(tmp_path: Path, text: str) -> None:
    require_main_context(project(tmp_path, text))


def test_an_image_by_another_name_is_as_steady_as_a_base_image(tmp_path: Path) -> None:
    text = f"FROM python\nCOPY --from=tool /bin/tool /bin/\n{INSTALL}"
    require_main_context(project(tmp_path, text, ("tool", "docker-image://debian")))


def test_a_directory_of_a_named_context_may_hold_what_changes_by_itself(tmp_path: Path) -> None:
    require_no_named_directory(project(tmp_path, "FROM python\nCOPY --from=shared lib.py ./\n"))
    with pytest.raises(Unverifiable, match="line 2 takes a directory of the named context shared"):
        require_no_named_directory(project(tmp_path, "FROM python\nCOPY --from=shared . ./\n"))


def test_a_named_context_in_place_of_a_stage_is_not_judged(tmp_path: Path) -> None:
    text = "FROM python AS Env\nRUN true\nFROM env\n"
    with pytest.raises(Unverifiable, match="env takes the place of the stage env"):
        project(tmp_path, text, ("env", "docker-image://debian"))
