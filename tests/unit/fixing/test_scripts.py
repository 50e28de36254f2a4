"""A RUN whose script is a heredoc, and comments within a chain: parted with all that they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended

from growth import LINEAR, growth
from pytest_dockercache.model import Edit

FILES = {
    "requirements.txt": "click\n",
    "src/main.py": "1\n",
    "setup.py": "1\n",
    "VERSION": "1\n",
    "pyproject.toml": "[project]\nname = 'a'\n",
    "uv.lock": "",
}
ABOVE = "FROM debian\nWORKDIR /app\nCOPY . .\n"


@pytest.mark.parametrize(
    ("run", "copied", "first", "second"),
    [
        (
            "<<EOF\nset -e\n# Third parties.\npip install -r requirements.txt\n# Ours.\n"
            "pip install --no-deps -e .\nEOF",
            "requirements.txt",
            "<<EOF\nset -e\n# Third parties.\npip install -r requirements.txt\nEOF",
            "<<EOF\nset -e\n# Ours.\npip install --no-deps -e .\nEOF",
        ),
        (
            "<<EOF\napt-get update\napt-get install -y \\\n    gcc\n"
            "pip install -r requirements.txt -e .\nrm -rf /root/.cache/pip\nEOF",
            "requirements.txt",
            "<<EOF\napt-get update\napt-get install -y \\\n    gcc\n"
            "pip install -r requirements.txt\n"
            "rm -rf /root/.cache/pip\nEOF",
            "<<EOF\npip install -e .\nrm -rf /root/.cache/pip\nEOF",
        ),
        (
            "--mount=type=cache,target=/root/.cache/uv <<-'END'\n#!/bin/bash -e\n"
            "export UV_LINK_MODE=copy\nuv sync --locked\n\tEND",
            "pyproject.toml uv.lock",
            "--mount=type=cache,target=/root/.cache/uv <<-'END'\n#!/bin/bash -e\n"
            "export UV_LINK_MODE=copy\nuv sync --no-install-project --locked\n\tEND",
            "--mount=type=cache,target=/root/.cache/uv <<-'END'\n#!/bin/bash -e\n"
            "export UV_LINK_MODE=copy\nuv sync --locked\n\tEND",
        ),
        (
            "<<EOF\npip install -r requirements.txt && pip install -e .\nEOF",
            "requirements.txt",
            "<<EOF\npip install -r requirements.txt\nEOF",
            "<<EOF\npip install -e .\nEOF",
        ),
        (
            "pip install -r requirements.txt \\\n    # Ours.\n    && pip install -e . \\\n"
            "    # Done.\n    && true",
            "requirements.txt",
            "pip install -r requirements.txt",
            "pip install -e . \\\n    # Done.\n    && true",
        ),
    ],
)
def test_a_run_is_parted_and_keeps_its_options_and_comments(
    tmp_path: Path, run: str, copied: str, first: str, second: str
) -> None:
    found = mended(tmp_path, f"{ABOVE}RUN {run}\n", FILES)
    comment = "# Ours.\n" if run.startswith("pip") else ""
    assert found.text == (
        f"FROM debian\nWORKDIR /app\nCOPY {copied} ./\nRUN {first}\nCOPY . .\n"
        f"{comment}RUN {second}\n"
    ), found.words


def test_a_heredoc_is_parted_before_what_uses_an_argument(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nARG SHA=a\nRUN <<EOF\nset -eux\npip install click\necho $SHA > /v\nEOF\n",
        FILES, Edit.build_arg("SHA"),
    )  # fmt: skip
    assert found.text == (
        "FROM debian\nRUN <<EOF\nset -eux\npip install click\nEOF\n"
        "ARG SHA=a\nRUN <<EOF\nset -eux\necho $SHA > /v\nEOF\n"
    )
    assert found.words[0] == 'part line 3 before "echo $SHA > /v"'


@pytest.mark.parametrize(
    "run",
    [
        # The second half needs a variable that only the first half's shell knows.
        "<<EOF\nset -e\nV=$(cat VERSION)\npip install -r requirements.txt\n"
        "pip install -e .[$V]\nEOF",
        "<<EOF\nset -e\nread V < VERSION\npip install -r requirements.txt\npip install -e .\nEOF",
        "<<EOF\ntest -d x && cd x\npip install -r requirements.txt\npip install -e .\nEOF",
        # More than a plain command, or more than one document.
        "<<EOF\nfor i in 1 2; do\npip install -r requirements.txt\ndone\npip install -e .\nEOF",
        "<<EOF\nf() {\npip install -r requirements.txt\n}\nf\npip install -e .\nEOF",
        "<<EOF\npip install -r requirements.txt\ncat <<X > /y\nz\nX\npip install -e .\nEOF",
        "<<EOF\nset -e\necho 'a\nb'\npip install -r requirements.txt\npip install -e .\nEOF",
        "<<EOF\npip install -r requirements.txt # third parties\npip install -e .\nEOF",
        "bash <<EOF\npip install -r requirements.txt\npip install -e .\nEOF",
        "<<EOF\n#!/usr/bin/env python3\nimport os\nEOF",
    ],
)
def test_a_heredoc_that_is_not_plain_is_not_parted(tmp_path: Path, run: str) -> None:
    found = mended(tmp_path, f"{ABOVE}RUN {run}\n", FILES)
    assert found.text is None, found.text


def test_two_cuts_are_made_only_where_one_is_not_enough(tmp_path: Path) -> None:
    run = "pip install click && echo $SHA > /v && pip install six"
    found = mended(tmp_path, f"FROM debian\nARG SHA=a\nRUN {run}\n", FILES, Edit.build_arg("SHA"))
    assert found.text == (
        "FROM debian\nRUN pip install click\nRUN pip install six\nARG SHA=a\nRUN echo $SHA > /v\n"
    )


@pytest.mark.parametrize(
    "moves",
    [
        "test -d src && cd src;",
        "[ -d src ] && cd src;",
        "test -d src || cd src;",
        "if test -d src; then cd src; fi;",
        "for d in src; do cd $d; done;",
    ],
)
def test_a_directory_that_depends_on_a_test_is_not_known(tmp_path: Path, moves: str) -> None:
    run = f"{moves} pip install -r requirements.txt"
    found = mended(tmp_path, f"{ABOVE}RUN {run}\n", FILES)
    assert found.text is None, found.text
    assert "in which directory line 4 works is not known" in found.words[0]


def test_a_long_run_that_cannot_be_parted_is_given_up_soon(tmp_path: Path) -> None:
    def give_up(size: int) -> None:
        commands = ["make a", *(f"pip install p{number}" for number in range(size)), "make b"]
        assert mended(tmp_path, f"{ABOVE}RUN {' && '.join(commands)}\n", FILES).text is None

    assert growth(give_up, 2) < LINEAR


def test_a_script_that_goes_on_after_a_failure_is_parted_behind_an_installation_only(
    tmp_path: Path,
) -> None:
    run = "pip install click\ntest -d /nothing\necho $SHA > /v\nEOF\n"
    found = mended(
        tmp_path, f"FROM debian\nARG SHA=a\nRUN <<EOF\n{run}", FILES, Edit.build_arg("SHA")
    )
    assert found.text == (
        "FROM debian\nRUN <<EOF\npip install click\nEOF\nARG SHA=a\n"
        "RUN <<EOF\ntest -d /nothing\necho $SHA > /v\nEOF\n"
    )
