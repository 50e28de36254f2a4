"""The files and settings that a step reads or makes without naming them, and moves across it."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended, site_of

from pytest_dockercache.cache import BUILDKIT, Snapshot
from pytest_dockercache.fixing.reinstalling import reordered
from pytest_dockercache.fixing.site import Site
from pytest_dockercache.model import Edit

FILES = {
    "requirements.txt": "click\n",
    "src/main.py": "print(1)\n",
    "VERSION": "1.2\n",
    "apt.txt": "gcc\n",
    "conf/pip.conf": "[global]\n",
    "certs/ca.pem": "x\n",
    "bin/pip": "#!/bin/sh\nexec /usr/bin/tool\n",
}
INSTALL = "RUN pip install -r requirements.txt"


@pytest.mark.parametrize(
    "run",
    [
        "RUN ls src > /list",
        "RUN echo src/* > /list",
        "RUN grep -r main src > /list",
        "RUN if [[ -f src/main.py ]]; then touch /has; fi",
        "RUN test -e src/main.py && touch /has",
        "RUN wc -l < src/main.py > /count",
        "RUN while read l; do echo $l >> /copy; done < src/main.py",
        "RUN xargs -a src/main.py echo",
        "RUN tar cf /src.tar src",
        "RUN echo 1 > /app/src/version",
        "RUN mkdir src/data",
        "VOLUME /app/src",
    ],
)
def test_a_step_that_needs_the_source_goes_below_with_it(tmp_path: Path, run: str) -> None:
    found = mended(
        tmp_path, f"FROM debian\nWORKDIR /app\nCOPY src src\n{run}\nCOPY requirements.txt .\n"
        f"{INSTALL}\n", FILES,
    )  # fmt: skip
    assert found.text == (
        f"FROM debian\nWORKDIR /app\nCOPY requirements.txt .\n{INSTALL}\nCOPY src src\n{run}\n"
    ), found.words


@pytest.mark.parametrize(
    "step", ["RUN ls > /list", "RUN echo * > /list", "RUN grep -r main > /list", "VOLUME /app"]
)
def test_a_step_that_needs_a_whole_directory_sees_no_other_file_in_it(
    tmp_path: Path, step: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\nWORKDIR /app\nCOPY src src\n{step}\nCOPY requirements.txt .\n"
        f"{INSTALL}\n", FILES,
    )  # fmt: skip
    assert found.text == (
        f"FROM debian\nWORKDIR /app\nCOPY requirements.txt ./\n{INSTALL}\nCOPY src src\n{step}\n"
        "COPY requirements.txt .\n"
    ), found.words


@pytest.mark.parametrize(
    ("run", "file"),
    [
        ("RUN read V < VERSION && echo $V > /version", "VERSION"),
        ("RUN xargs -a apt.txt apt-get install -y", "apt.txt"),
        ("RUN xargs apt-get install -y < apt.txt", "apt.txt"),
        ("RUN apt-get install -y $(cat apt.txt)", "apt.txt"),
    ],
)
def test_what_prepares_the_system_is_given_the_file_that_it_reads(
    tmp_path: Path, run: str, file: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n{INSTALL}\n", FILES
    )  # fmt: skip
    assert found.text == (
        f"FROM debian\nWORKDIR /app\nCOPY {file} ./\n{run}\nCOPY requirements.txt ./\n"
        f"{INSTALL}\nCOPY . .\n"
    ), found.words


@pytest.mark.parametrize(
    ("env", "run", "copies"),
    [
        ("", "RUN pip install --cert certs/ca.pem -r requirements.txt", "COPY certs/ca.pem certs/"),
        ("ENV PIP_CONFIG_FILE=/app/conf/pip.conf\n", INSTALL, "COPY conf/pip.conf conf/"),
        ("ENV SSL_CERT_FILE=/app/certs/ca.pem\n", INSTALL, "COPY certs/ca.pem certs/"),
        ("", f"RUN PIP_CERT=certs/ca.pem {INSTALL[4:]}", "COPY certs/ca.pem certs/"),
    ],
)
def test_a_file_that_an_option_or_a_variable_names_is_copied_first(
    tmp_path: Path, env: str, run: str, copies: str
) -> None:
    found = mended(tmp_path, f"FROM debian\n{env}WORKDIR /app\nCOPY . .\n{run}\n", FILES)
    assert found.text == (
        f"FROM debian\n{env}WORKDIR /app\n{copies}\nCOPY requirements.txt ./\n{run}\nCOPY . .\n"
    ), found.words


def test_the_settings_of_uv_are_copied_first(tmp_path: Path) -> None:
    files = {**FILES, "pyproject.toml": "[tool.uv]\nno-index = true\n"}
    run = "RUN uv pip install -r requirements.txt"
    found = mended(tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n", files)
    assert found.text == (
        f"FROM debian\nWORKDIR /app\nCOPY pyproject.toml requirements.txt ./\n{run}\nCOPY . .\n"
    )


def test_a_script_finds_files_by_its_own_place(tmp_path: Path) -> None:
    script = '#!/bin/sh\nset -e\ncd "$(dirname "$0")/.."\npip install -r requirements.txt\n'
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\nRUN sh scripts/install.sh\n",
        {**FILES, "scripts/install.sh": script},
    )
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY requirements.txt ./\n"
        "COPY scripts/install.sh scripts/\nRUN sh scripts/install.sh\nCOPY . .\n"
    )


def test_a_program_of_the_project_on_the_search_path_is_no_program_of_the_base(
    tmp_path: Path,
) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nCOPY bin/ /usr/local/bin/\nCOPY requirements.txt .\n" + INSTALL,
        FILES,
        "bin/pip",
    )
    assert found.text is None
    assert "line 4 runs tool" in found.words[0]


def test_a_file_is_copied_into_a_directory_only_where_one_is(tmp_path: Path) -> None:
    install = "RUN pip install -r /req/requirements.txt"
    found = mended(
        tmp_path, f"FROM debian\nCOPY src /req\nCOPY requirements.txt /req\n{install}\n", FILES
    )
    assert found.text == (
        f"FROM debian\nCOPY requirements.txt /req/\n{install}\n"
        "COPY src /req\nCOPY requirements.txt /req\n"
    )


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("COPY . /app\nUSER app\nWORKDIR /app", "line 2 makes /app for root, and line 4 would"),
        ("COPY --chown=app . /app\nWORKDIR /app", "line 2 makes /app for app, and line 3 would"),
        ("COPY . /app\nRUN useradd -m -d /app app\nWORKDIR /app", "both touch /app/"),
        ("COPY --chown=app . /app\nRUN usermod -u 7 app", "both touch the names of users"),
    ],
)
def test_a_directory_and_a_user_keep_their_owner_and_number(
    tmp_path: Path, steps: str, words: str
) -> None:
    found = mended(tmp_path, f"FROM debian\n{steps}\nRUN pip install click\n", FILES)
    assert found.text is None, found.text
    assert words in found.words[0]


def test_who_copies_for_a_user_is_free_of_what_installs(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nRUN useradd app\nWORKDIR /app\nCOPY --chown=app . .\n" + INSTALL + "\n",
        FILES,
    )
    assert found.text == (
        "FROM debian\nRUN useradd app\nWORKDIR /app\nCOPY --chown=app requirements.txt ./\n"
        f"{INSTALL}\nCOPY --chown=app . .\n"
    )


ARGUMENT = Edit.build_arg("SHA")


@pytest.mark.parametrize(
    "run",
    [
        "V=$(cat VERSION) && {install} && echo $V-$SHA > /v",
        "cd $(mktemp -d) && {install} && echo $SHA > v",
        "read V < VERSION && {install} && echo $V-$SHA > /v",
        "trap 'rm -f /x' EXIT && {install} && echo $SHA > /v",
        "--mount=type=tmpfs,target=/t echo a > /t/f && {install} && cp /t/f /f && echo $SHA > /v",
    ],
)
def test_a_run_is_not_parted_where_its_second_half_needs_what_the_first_made(
    tmp_path: Path, run: str
) -> None:
    step = "RUN " + run.format(install="pip install click")
    found = mended(tmp_path, f"FROM debian\nARG SHA=a\n{step}\n", FILES, ARGUMENT)
    assert found.text is None, found.text


def test_the_lists_of_apt_stay_for_an_apt_get_behind_the_cut(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nARG SHA=a\nRUN apt-get update && pip install click "
        "&& echo $SHA > /v && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*\n",
        FILES,
        ARGUMENT,
    )
    first, _, rest = (found.text or "").partition("ARG SHA")
    assert "lists" not in first
    assert found.text is None or "apt-get install -y gcc" in rest


def test_a_step_that_shows_all_variables_uses_them(tmp_path: Path) -> None:
    found = mended(
        tmp_path, "FROM debian\nARG SHA=a\nRUN env > /v\nRUN pip install click\n", FILES, ARGUMENT
    )
    assert found.text == "FROM debian\nRUN pip install click\nARG SHA=a\nRUN env > /v\n"


@pytest.mark.parametrize(
    ("lines", "above", "below"),
    [
        ("ARG SHA=a PIP_INDEX_URL=b", "ARG PIP_INDEX_URL=b", "ARG SHA=a"),
        ("ARG SHA=a\nENV A=$SHA HOME=/h", "ENV HOME=/h", "ARG SHA=a\nENV A=$SHA"),
    ],
)
def test_a_line_that_declares_too_much_becomes_several(
    tmp_path: Path, lines: str, above: str, below: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\n{lines}\nRUN pip install six\nCOPY src src\n", FILES, ARGUMENT
    )
    assert found.text == (f"FROM debian\n{above}\nRUN pip install six\n{below}\nCOPY src src\n"), (
        found.words
    )
    assert "give each variable" in found.words[0]


def test_a_line_whose_variables_refer_to_each_other_is_not_parted(tmp_path: Path) -> None:
    found = mended(
        tmp_path, "FROM debian\nARG SHA=a\nENV SHA=$SHA PATH=/x:$PATH\nRUN pip install six\n",
        FILES, ARGUMENT,
    )  # fmt: skip
    assert found.text is None


LOCAL = {
    "requirements.txt": "libs/foo\n",
    "libs/foo/pyproject.toml": "[project]\nname = 'foo'\n",
    "src/main.py": "1\n",
}


def test_an_argument_passes_the_installation_of_a_local_project_that_does_not_name_it(
    tmp_path: Path,
) -> None:
    text = f"FROM debian\nCOPY . .\nARG SHA=a\n{INSTALL}\nLABEL sha=$SHA\n"
    found = mended(tmp_path, text, LOCAL, ARGUMENT)
    assert found.text == f"FROM debian\nCOPY . .\n{INSTALL}\nARG SHA=a\nLABEL sha=$SHA\n"


def test_an_argument_that_the_local_project_names_stays(tmp_path: Path) -> None:
    files = {**LOCAL, "libs/foo/setup.py": "import os\nos.environ['SHA']\n"}
    found = mended(tmp_path, f"FROM debian\nCOPY . .\nARG SHA=a\n{INSTALL}\n", files, ARGUMENT)
    assert found.text is None
    assert found.words == ("line 4 uses SHA: separate that from the installation",)


def test_a_dockerfile_that_is_copied_too_tells_a_run_no_value(tmp_path: Path) -> None:
    run = "RUN pip install click && find . -name 'x-*.txt' -exec pip install -r {} ';'"
    text = f"FROM debian\nCOPY . .\nARG SHA=a\n{run}\n"
    site = site_of(tmp_path, text, FILES)
    (tmp_path / ".dockerignore").unlink()
    site = Site(Snapshot.read(site.spec), site.spec, text)
    found = reordered(site, [ARGUMENT], BUILDKIT)
    assert found.text == f"FROM debian\nCOPY . .\n{run}\nARG SHA=a\n"


@pytest.mark.parametrize(
    ("options", "moves"),
    [("", True), ("-nv ", True), ("-P src ", False), ("-i urls.txt ", False), ("-r ", False)],
)
def test_a_download_under_its_own_name_touches_nothing_else(
    tmp_path: Path, options: str, moves: bool
) -> None:
    run = f"RUN wget {options}https://example.org/a/tool.sh && pip install click"
    found = mended(tmp_path, f"FROM debian\nWORKDIR /app\nCOPY src src\n{run}\n", FILES)
    expected = f"FROM debian\nWORKDIR /app\n{run}\nCOPY src src\n" if moves else None
    assert found.text == expected


WHEELS = {**FILES, "wheels/a.whl": "x", "e.yml": "dependencies: [numpy]\n"}


@pytest.mark.parametrize(
    ("env", "run", "first"),
    [
        ("ENV PIP_FIND_LINKS=wheels\n", INSTALL, "requirements.txt"),
        ("ENV PIP_INDEX_URL=file:///app/wheels\n", INSTALL, "requirements.txt"),
        ("", f"{INSTALL} --no-index -f wheels", "requirements.txt"),
        ("", f"{INSTALL} --extra-index-url=file:///app/wheels", "requirements.txt"),
        ("", "RUN conda env update -f e.yml -c ./wheels", "e.yml"),
    ],
)
def test_a_directory_in_which_packages_are_looked_for_is_copied_first(
    tmp_path: Path, env: str, run: str, first: str
) -> None:
    found = mended(tmp_path, f"FROM debian\n{env}WORKDIR /app\nCOPY . .\n{run}\n", WHEELS)
    assert found.text == (
        f"FROM debian\n{env}WORKDIR /app\nCOPY {first} ./\nCOPY wheels/ wheels/\n{run}\nCOPY . .\n"
    ), found.words


@pytest.mark.parametrize(
    ("name", "text", "run"),
    [
        ("conf/pip.conf", "[global]\nfind-links = wheels\n", INSTALL),
        ("conf/pip.conf", "[global]\nindex-url = file:///app/wheels\n", INSTALL),
        (".condarc", "channels:\n  - conda-forge\n  - file:///app/wheels\n", "RUN conda install a"),
        (".condarc", "channels: [./wheels]\n", "RUN conda install a"),
        ("e.yml", "channels: [file:///app/wheels]\ndependencies: [a]\n",
         "RUN conda env update -f e.yml"),
        ("pyproject.toml", "[tool.uv]\nfind-links = ['./wheels']\n", "RUN uv pip install a"),
        ("uv.toml", "[[index]]\nurl = 'wheels/'\n", "RUN uv pip install a"),
    ],
)  # fmt: skip
def test_settings_that_name_a_directory_of_packages_hold_everything_up(
    tmp_path: Path, name: str, text: str, run: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n", {**WHEELS, name: text}
    )
    assert found.text is None, found.text
    assert f"{name} looks for packages in " in found.words[0]


@pytest.mark.parametrize(
    ("name", "text", "run"),
    [
        ("conf/pip.conf", "[global]\nindex-url = https://example.org/simple\n", INSTALL),
        (".condarc", "channels:\n  - conda-forge\n  - https://example.org/c\n",
         "RUN conda install a"),
        ("e.yml", "channels: [conda-forge, pytorch]\ndependencies: [a]\n",
         "RUN conda env update -f e.yml"),
        ("pyproject.toml", "[[tool.uv.index]]\nurl = 'https://example.org'\n",
         "RUN uv pip install a"),
    ],
)  # fmt: skip
def test_settings_that_name_a_server_hold_nothing_up(
    tmp_path: Path, name: str, text: str, run: str
) -> None:
    found = mended(
        tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n", {**WHEELS, name: text}
    )
    assert found.text is not None, found.words


@pytest.mark.parametrize(
    ("run", "moves"),
    [
        # What an archive holds is not known: it may bring another requirements.txt.
        ("tar xf /t/a.tar", False),
        ("cd /app && unzip -o /t/a.zip", False),
        ("patch -p1 < /t/a.diff", False),
        ("tar xf /t/a.tar -C /app/src", True),
        ("gunzip -f src.gz", True),
        ("dd if=/dev/zero of=src count=1", True),
    ],
)
def test_what_unpacks_beside_the_source_stays_below_it(
    tmp_path: Path, run: str, moves: bool
) -> None:
    files = {"requirements.txt": "click\n", "src": "1\n", "src.gz": "x"}
    files |= dict.fromkeys(("t/a.tar", "t/a.zip", "t/a.diff"), "x")
    found = mended(
        tmp_path,
        f"FROM debian\nCOPY t /t\nWORKDIR /app\nCOPY . .\nRUN {run}\n{INSTALL}\n",
        files,
        "src",
    )
    if moves:
        assert found.text == (
            "FROM debian\nCOPY t /t\nWORKDIR /app\nCOPY requirements.txt ./\n"
            f"{INSTALL}\nCOPY . .\nRUN {run}\n"
        ), found.words
    else:
        assert found.text is None, found.text
        assert "touch" in found.words[0]


@pytest.mark.parametrize(
    ("manifest", "text", "run"),
    [
        ("requirements.txt", "a @ file:///app/pkgs/a\n", INSTALL),
        ("requirements.txt", "a @ file:pkgs/a.whl\n", INSTALL),
        ("requirements.txt", "--index-url file:///app/pkgs\nsix\n", INSTALL),
        ("e.yml", "dependencies:\n- file:///app/pkgs/x.conda\n", "RUN conda env update -f e.yml"),
        ("spec.txt", "@EXPLICIT\nfile:///app/pkgs/x.conda\n",
         "RUN conda create -n x --file spec.txt"),
        ("pyproject.toml", "[project]\ndependencies = ['a @ file:///${PROJECT_ROOT}/pkgs/a']\n",
         "RUN pdm sync --no-self"),
        ("pyproject.toml", "[dependency-groups]\ndev = ['a @ file:///app/pkgs/a']\n",
         "RUN uv sync --no-install-project"),
        ("pyproject.toml", "[tool.poetry.dependencies]\na = {file = 'pkgs/a.whl'}\n",
         "RUN poetry install --no-root"),
        ("Pipfile", "[packages]\na = {file = 'pkgs/a.whl'}\n", "RUN pipenv install"),
    ],
)  # fmt: skip
def test_a_package_that_a_manifest_names_by_its_file_is_a_part_of_the_project(
    tmp_path: Path, manifest: str, text: str, run: str
) -> None:
    files = {**FILES, manifest: text, "pkgs/a.whl": "x", "pkgs/a/setup.py": ""}
    files |= {"uv.lock": "", "pdm.lock": "", "poetry.lock": "", "Pipfile.lock": "{}"}
    found = mended(tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n", files)
    assert found.text is None, found.text
    assert found.words[0].startswith(f"{manifest} installs a part of the project itself (")


@pytest.mark.parametrize(
    ("manifest", "text", "run"),
    [
        ("requirements.txt", "# file:///app/pkgs/a\nsix  # as file:x\n", INSTALL),
        ("e.yml", "dependencies:\n- pip:\n  - -r file:requirements.txt\n",
         "RUN conda env update -f e.yml"),
        ("pyproject.toml", "[project]\nreadme = {file = 'README.md'}\n",
         "RUN uv sync --no-install-project"),
        ("Pipfile", "[packages]\na = {file = 'https://example.org/a.whl'}\n",
         "RUN pipenv install"),
    ],
)  # fmt: skip
def test_other_files_that_a_manifest_names_hold_nothing_up(
    tmp_path: Path, manifest: str, text: str, run: str
) -> None:
    files = {**FILES, manifest: text, "uv.lock": "", "Pipfile.lock": "{}"}
    found = mended(tmp_path, f"FROM debian\nWORKDIR /app\nCOPY . .\n{run}\n", files)
    assert found.text is not None, found.words


@pytest.mark.parametrize(
    ("name", "moves"),
    [("USE_CUDA", False), ("LLAMA_CMAKE_ARGS", False), ("BUILD_DATE", True), ("GIT_SHA", True)],
)
def test_an_argument_by_which_packages_are_built_stays_above(
    tmp_path: Path, name: str, moves: bool
) -> None:
    text = f"FROM debian\nARG {name}=1\nRUN pip install six\n"
    found = mended(tmp_path, text, FILES, Edit.build_arg(name))
    assert (found.text is not None) is moves, found.words
