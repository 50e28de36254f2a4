"""The steps that move below the installation, and the files that are copied above it first."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended

from pytest_dockercache.model import Edit

PIP = {"requirements.txt": "click\n", "src/main.py": "print(1)\n"}
CONDA = {"environment.yml": "dependencies: [numpy]\n", "src/main.py": "print(1)\n"}


def test_the_article_ends_as_its_reader_would_write_it(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM continuumio/miniconda3\n"
        "WORKDIR /opt/app\n"
        "\n"
        "# The code.\n"
        "COPY src/ src/\n"
        "COPY environment.yml ./\n"
        "RUN conda env update -n base -f environment.yml \\\n"
        "    && conda clean -afy\n"
        "\n"
        'CMD ["python", "src/main.py"]\n',
        CONDA,
    )
    assert found.text == (
        "FROM continuumio/miniconda3\n"
        "WORKDIR /opt/app\n"
        "\n"
        "COPY environment.yml ./\n"
        "RUN conda env update -n base -f environment.yml \\\n"
        "    && conda clean -afy\n"
        "# The code.\n"
        "COPY src/ src/\n"
        "\n"
        'CMD ["python", "src/main.py"]\n'
    )
    assert found.words == ('move "COPY src/ src/" (line 5) below line 7',)


def test_what_the_installation_reads_is_copied_first_with_all_that_it_includes(
    tmp_path: Path,
) -> None:
    files = {**PIP, "requirements/prod.txt": "-r base.txt\n-c ../limits.txt\n"}
    files |= {"requirements/base.txt": "click\n", "limits.txt": "click<9\n"}
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements/prod.txt\n",
        files,
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\n"
        "COPY limits.txt ./\n"
        "COPY requirements/base.txt requirements/prod.txt requirements/\n"
        "RUN pip install -r requirements/prod.txt\n"
        "COPY . .\n"
    )


def test_a_copy_keeps_its_owner_where_its_inputs_go_first(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY --chown=1000:1000 . .\n"
        "RUN pip install -r requirements.txt\n",
        PIP,
    )
    assert "COPY --chown=1000:1000 requirements.txt ./\nRUN pip" in (found.text or "")


def test_a_file_with_a_blank_in_its_name_is_copied_in_the_json_form(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN pip install -r 'my list.txt'\n",
        {"my list.txt": "click\n", "src/main.py": "1\n"},
    )
    assert 'COPY ["my list.txt", "./"]\nRUN pip' in (found.text or "")


def test_several_copies_move_at_once_and_keep_their_order(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY a a\nCOPY src src\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\nRUN echo done\n",
        {**PIP, "a/x.py": "1\n"},
        "src/main.py",
        "a/x.py",
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\nCOPY a a\nCOPY src src\nRUN echo done\n"
    )


def test_what_uses_a_file_that_moves_goes_with_it(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nCOPY run.sh /run.sh\nRUN chmod +x /run.sh\n"
        "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        {**PIP, "run.sh": "#!/bin/sh\nexec python\n"},
        "run.sh",
    )
    assert found.text == (
        "FROM debian\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        "COPY run.sh /run.sh\nRUN chmod +x /run.sh\n"
    )


def test_a_script_that_prepares_the_system_stays_above_and_is_given_its_file(
    tmp_path: Path,
) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN bash scripts/system.sh\n"
        "RUN pip install -r requirements.txt\n",
        {**PIP, "scripts/system.sh": "apt-get update\napt-get install -y gcc\n"},
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY scripts/system.sh scripts/\nRUN bash scripts/system.sh\n"
        "COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\n"
    )


def test_an_argument_moves_with_the_variable_that_gives_it_on(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nARG GIT_SHA=dev\nENV SHA=$GIT_SHA\nLABEL sha=$SHA\nRUN mkdir /data\n"
        "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        PIP,
        Edit.build_arg("GIT_SHA"),
    )
    assert found.text == (
        "FROM debian\nRUN mkdir /data\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\n"
        "ARG GIT_SHA=dev\nENV SHA=$GIT_SHA\nLABEL sha=$SHA\n"
    )


def test_a_run_that_uses_an_argument_after_its_install_is_parted(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nARG GIT_SHA=dev\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt && echo $GIT_SHA > /version\n",
        PIP,
        Edit.build_arg("GIT_SHA"),
    )
    assert found.text == (
        "FROM debian\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        "ARG GIT_SHA=dev\nRUN echo $GIT_SHA > /version\n"
    )


@pytest.mark.parametrize(
    ("command", "files", "first"),
    [
        ("uv sync --locked", ("pyproject.toml", "uv.lock"), "uv sync --no-install-project"),
        ("poetry install", ("poetry.lock", "pyproject.toml"), "poetry install --no-root"),
        ("pdm sync", ("pdm.lock", "pyproject.toml"), "pdm sync --no-self"),
    ],
)
def test_a_tool_that_installs_the_project_too_is_run_without_it_first(
    tmp_path: Path, command: str, files: tuple[str, ...], first: str
) -> None:
    texts = {"pyproject.toml": "[project]\nname = 'a'\n", "src/main.py": "1\n"}
    texts |= {name: "" for name in files if name not in texts}
    found = mended(tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\nRUN {command}\n", texts)
    assert found.text is not None
    lines = found.text.splitlines()
    assert lines[2] == f"COPY {' '.join(files)} ./"
    assert lines[3].startswith(f"RUN {first}")
    assert lines[4:] == ["COPY . .", f"RUN {command}"]


def test_the_clean_stays_with_the_installation_that_is_parted(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\n"
        "RUN pip install -r requirements.txt \\\n    && pip install -e . \\\n"
        "    && rm -rf /root/.cache/pip\n",
        {**PIP, "setup.py": "1\n"},
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY requirements.txt ./\n"
        "RUN pip install -r requirements.txt \\\n    && rm -rf /root/.cache/pip\n"
        "COPY . .\nRUN pip install -e . \\\n    && rm -rf /root/.cache/pip\n"
    )


@pytest.mark.parametrize(
    ("dockerfile", "files", "words"),
    [
        (
            "WORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n",
            {**PIP, "requirements.txt": "-e .\n", "setup.py": ""},
            r"requirements.txt installs a part of the project itself (-e .): install it apart",
        ),
        (
            "WORKDIR /app\nCOPY . .\nRUN make deps && pip install -r requirements.txt\n",
            {**PIP, "Makefile": "deps:\n\ttrue\n"},
            "line 4 runs make, and what that reads is not known",
        ),
        (
            "WORKDIR /app\nCOPY . .\nRUN python tool.py\nRUN pip install -r requirements.txt\n",
            {**PIP, "tool.py": "import os\n"},
            "what that reads is not known",
        ),
        (
            "COPY src /app/src\nRUN cd /app/src && pip install click\n",
            PIP,
            "line 3 works in /app/src, which only line 2 makes",
        ),
    ],
)
def test_where_it_cannot_be_known_there_are_words_and_no_patch(
    tmp_path: Path, dockerfile: str, files: dict[str, str], words: str
) -> None:
    found = mended(tmp_path, f"FROM debian\n{dockerfile}", files)
    assert found.text is None
    assert words in found.words[0]
    assert not found.words[0].startswith(("move", "join", "append", "drop", "COPY", "add"))


def test_a_copy_that_would_bury_what_the_installation_made_stays(tmp_path: Path) -> None:
    files = {"uv.lock": "", "pyproject.toml": "", ".venv/pyvenv.cfg": "home = x\n"}
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN uv sync --no-install-project\n",
        {**files, "src/main.py": "1\n"},
    )
    assert found.text is None
    assert ".venv" in found.words[0]


def test_a_copy_passes_a_working_directory_with_its_destination_in_full(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY src src/\nWORKDIR /deps\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\n",
        PIP,
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nWORKDIR /deps\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\nCOPY src /app/src/\n"
    )


def test_a_file_that_two_copies_bring_is_the_later_ones(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nCOPY docker/requirements.txt requirements.txt\n"
        "RUN pip install -r requirements.txt\n",
        {**PIP, "docker/requirements.txt": "numpy\n"},
    )
    assert found.text is None or found.text.count("docker/requirements.txt") >= 1
    if found.text is not None:
        above = found.text.partition("RUN pip")[0]
        assert "COPY requirements.txt ./" not in above


def test_two_stages_are_mended_one_after_the_other(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian AS tools\nWORKDIR /t\nCOPY src src\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\n"
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
        "COPY --from=tools /usr/local /usr/local\n",
        PIP,
    )
    assert found.text == (
        "FROM debian AS tools\nWORKDIR /t\nCOPY requirements.txt .\n"
        "RUN pip install -r requirements.txt\nCOPY src src\n"
        "FROM debian\nWORKDIR /app\nCOPY requirements.txt ./\n"
        "RUN pip install -r requirements.txt\nCOPY . .\n"
        "COPY --from=tools /usr/local /usr/local\n"
    )


def test_a_directory_that_the_installation_mounts_becomes_the_files_that_it_reads(
    tmp_path: Path,
) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\n"
        "RUN --mount=type=cache,target=/c --mount=type=bind,target=/src \\\n"
        "    pip install -r /src/requirements/prod.txt\nCOPY . .\n",
        {**PIP, "requirements/prod.txt": "-r base.txt\n", "requirements/base.txt": "click\n"},
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\n"
        "RUN --mount=type=cache,target=/c "
        "--mount=type=bind,source=requirements/base.txt,target=/src/requirements/base.txt \\\n"
        "    --mount=type=bind,source=requirements/prod.txt,target=/src/requirements/prod.txt \\\n"
        "    pip install -r /src/requirements/prod.txt\nCOPY . .\n"
    )


def test_what_the_installation_mounts_itself_is_not_copied_for_it(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\n"
        "RUN --mount=type=bind,source=requirements.txt,target=requirements.txt "
        "pip install -r requirements.txt\n",
        PIP,
    )
    assert found.text is not None
    assert found.text.splitlines()[2].startswith("RUN --mount")


def test_a_workspace_is_installed_from_the_manifests_of_its_members_first(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
        "uv.lock": "",
        "packages/api/pyproject.toml": "[project]\nname = 'api'\n",
        "packages/api/api.py": "1\n",
    }
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /w\nCOPY pyproject.toml uv.lock ./\nCOPY packages packages\n"
        "RUN uv sync --frozen\n",
        files,
        "packages/api/api.py",
    )
    assert found.text == (
        "FROM debian\nWORKDIR /w\nCOPY pyproject.toml uv.lock ./\n"
        "COPY packages/api/pyproject.toml packages/api/\n"
        "RUN uv sync --no-install-workspace --frozen\n"
        "COPY packages packages\nRUN uv sync --frozen\n"
    )


def test_a_command_that_was_to_go_along_and_cannot_stays_and_is_given_its_file(
    tmp_path: Path,
) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN cp conf/pip.conf /etc/pip.conf\n"
        "RUN pip install -r requirements.txt\n",
        {**PIP, "conf/pip.conf": "[global]\n"},
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY conf/pip.conf conf/\n"
        "RUN cp conf/pip.conf /etc/pip.conf\nCOPY requirements.txt ./\n"
        "RUN pip install -r requirements.txt\nCOPY . .\n"
    )


@pytest.mark.parametrize("name", ["CACHE_DATE", "CACHEBUST", "cache_bust", "FORCE_REBUILD"])
def test_an_argument_that_is_there_to_install_again_is_left_where_it_is(
    tmp_path: Path, name: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\nARG {name}\nRUN pip install six\n", PIP, Edit.build_arg(name)
    )
    assert found.text is None
    assert found.words == (
        f"build argument {name} seems to be there to install again on purpose: move it yourself "
        "if it is not",
    )


def test_a_project_that_is_installed_with_all_its_dependencies_has_none_of_them_apart(
    tmp_path: Path,
) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN pip install .\n",
        {"pyproject.toml": "[project]\nname='a'\ndependencies=['six']\n", "src/main.py": "1\n"},
    )
    assert found.text is None
    assert found.words == (
        "line 4 installs the project itself together with all that it depends on: list its "
        "dependencies in a file, and install that in a step above the source",
    )
