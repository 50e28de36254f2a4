"""An installation on a stage that has the source: the stage is cut, and every image stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended, site_of

from pytest_dockercache.cache import CLASSIC
from pytest_dockercache.fixing.reinstalling import reordered
from pytest_dockercache.model import Edit

FILES = {
    "requirements.txt": "click\n",
    "dev.txt": "six\n",
    "src/main.py": "1\n",
    "pyproject.toml": "[project]\nname = 'a'\n",
    "uv.lock": "",
}
ARGUMENT = Edit.build_arg("SHA")
INSTALL = "RUN pip install -r requirements.txt"
BASE = "FROM debian AS base\nWORKDIR /app\nCOPY . .\n"


def test_a_stage_is_cut_above_its_source_and_keeps_its_image(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "# The ground.\nFROM debian AS base\nWORKDIR /app\n\n# All.\nCOPY . .\nRUN ls\n\n"
        f"FROM base AS test\nRUN true\n\n# Ships.\nFROM base as prod\n{INSTALL}\nCMD x\n",
        FILES,
    )
    assert found.text == (
        "# The ground.\nFROM debian AS base-without-source\nWORKDIR /app\n\n"
        "FROM base-without-source AS base\n\n# All.\nCOPY . .\nRUN ls\n\n"
        "FROM base AS test\nRUN true\n\n# Ships.\nFROM base-without-source as prod\n"
        f"COPY requirements.txt ./\n{INSTALL}\n# All.\nCOPY . .\nRUN ls\nCMD x\n"
    )
    assert found.words == (
        "cut stage base above line 6, and build stage prod on its upper half, base-without-source",
        'COPY requirements.txt ./ before line 14 and move "COPY . ." (line 6) and "RUN ls" '
        "(line 7) below it",
    )


def test_a_stage_that_begins_with_its_source_needs_no_half_without_it(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "ARG TAG=12\nFROM --platform=linux/amd64 debian:$TAG AS base\nARG SHA=a\nENV V=$SHA\n"
        "FROM base\nRUN pip install six\n",
        FILES, ARGUMENT,
    )  # fmt: skip
    assert found.text == (
        "ARG TAG=12\nFROM --platform=linux/amd64 debian:$TAG AS base\nARG SHA=a\nENV V=$SHA\n"
        "FROM --platform=linux/amd64 debian:$TAG\nRUN pip install six\nARG SHA=a\nENV V=$SHA\n"
    )
    assert found.words[0] == "build stage 1 on debian:12 instead of stage base"


def test_stages_between_are_cut_too_each_with_its_own_installation(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        f"{BASE}FROM base AS dev\nRUN pip install -r dev.txt\nFROM dev AS prod\n{INSTALL}\n",
        FILES,
    )
    assert found.text == (
        "FROM debian AS base-without-source\nWORKDIR /app\n\n"
        "FROM base-without-source AS base\nCOPY . .\n"
        "FROM base-without-source AS dev-without-source\nCOPY dev.txt ./\n"
        "RUN pip install -r dev.txt\n\nFROM dev-without-source AS dev\nCOPY . .\n"
        f"FROM dev-without-source AS prod\nCOPY requirements.txt ./\n{INSTALL}\nCOPY . .\n"
    )


def test_a_project_is_installed_below_the_copy_of_the_other_stage(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian AS base\nADD . /code\nWORKDIR /code\nFROM base AS main\nRUN uv sync\n",
        FILES,
    )
    assert found.text == (
        "FROM debian AS base\nADD . /code\nWORKDIR /code\nFROM debian AS main\nWORKDIR /code\n"
        "COPY pyproject.toml uv.lock ./\nRUN uv sync --no-install-project\nADD . /code\n"
        "RUN uv sync\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        # A number of a stage would be the number of another one.
        f"{BASE}FROM base AS prod\n{INSTALL}\nFROM debian\nCOPY --from=1 /app /app\n",
        f"{BASE}FROM base AS prod\nRUN --mount=type=bind,from=0,target=/m ls /m\n{INSTALL}\n",
        # Which stage it stands on is chosen at each build.
        f"ARG ON=base\n{BASE}FROM $ON AS prod\n{INSTALL}\n",
        # An ENTRYPOINT drops the CMD of a stage below it, and not of its own.
        f"FROM debian AS base\nWORKDIR /app\nCMD x\nCOPY . .\nFROM base AS prod\n{INSTALL}\n"
        "ENTRYPOINT y\n",
        f"{BASE}ONBUILD RUN ls\nFROM base AS prod\n{INSTALL}\n",
        # The name of the new stage is taken, or a name means two stages.
        f"FROM debian AS base-without-source\n{BASE}FROM base AS prod\n{INSTALL}\n",
        f"{BASE}FROM base AS prod\n{INSTALL}\nFROM prod AS base\nRUN true\n",
        # The installation needs what the other stage made of the source.
        f"{BASE}RUN make it\nFROM base AS prod\n{INSTALL}\n",
        f"{BASE}RUN sed s/a/b/ src/main.py > requirements.txt\nFROM base AS prod\n{INSTALL}\n",
        f"{BASE}USER app\nFROM base AS prod\nRUN make it && pip install six\n",
    ],
)
def test_a_stage_is_not_cut_where_an_image_could_become_another(tmp_path: Path, text: str) -> None:
    found = mended(tmp_path, text, FILES)
    assert found.text is None, found.text


def test_the_classic_builder_gives_no_stage_the_arguments_of_another(tmp_path: Path) -> None:
    text = f"FROM debian AS base\nARG A=b\nWORKDIR /app\nCOPY . .\nFROM base AS prod\n{INSTALL}\n"
    site = site_of(tmp_path, text, FILES)
    found = reordered(site, [Edit.append("src/main.py")], CLASSIC)
    assert found.text is None
    assert 'cut the stages so that "RUN pip install' in found.words[0]


def test_where_to_install_by_name_alone_is_the_authors_choice(tmp_path: Path) -> None:
    found = mended(tmp_path, f"{BASE}FROM base AS prod\nRUN pip install gunicorn\n", FILES)
    assert found.text is None, found.text
    assert 'cut the stages so that "RUN pip install gunicorn" stands on one' in found.words[0]
