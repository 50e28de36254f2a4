"""The RUNs that are seen to install, the packages that they add, and the unreadable RUNs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_dockercache.context.entries import ContextEntry
from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import (
    ContainerFiles,
    environment_commands,
    unrecognised_installs,
)

PROJECT = '[project]\nname = "my.App"\nversion = "1"\ndependencies = ["six", "click>=8"]\n'
DYNAMIC = '[project]\nname = "app"\ndynamic = ["dependencies", "version"]\n'


def container_files(files: Mapping[str, str]) -> ContainerFiles:
    directories = {path.rpartition("/")[0] for path in files} - {""}
    entries = (
        *(ContextEntry(path, "dir", 0, 0o755, 0, 0, 0) for path in directories),
        *(ContextEntry(path, "file", 1, 0o644, 0, 0, 0) for path in files),
    )
    return ContainerFiles(lambda: entries, files.get)


def kinds(text: str, files: Mapping[str, str] | None = None) -> str:
    """One letter a RUN: E(nvironment), T(ools only), ?(installs, nobody knows what), - (none)."""
    steps = plan(parse_dockerfile(text), all_stages=True)
    there = None if files is None else container_files(files)
    doubtful = [one.step for one in unrecognised_installs(steps, None, there)]
    found = ""
    for step, command in zip(steps, environment_commands(steps, None, there), strict=True):
        if step.instruction.keyword == "RUN":
            known = "" if command is None else "T" if command.tools_only else "E"
            found += known or ("?" if step in doubtful else "-")
    return found


def runs(*commands: str, files: Mapping[str, str] | None = None) -> str:
    lines = "".join(
        line if line.startswith(("COPY ", "ENV ", "FROM ")) else f"RUN {line}"
        for line in (f"{command}\n" for command in commands)
    )
    return kinds(f"FROM base\nWORKDIR /app\n{lines}", files)


@pytest.mark.parametrize(
    "command",
    [
        "python -Im pip install -r r.txt",
        "python -W ignore -X utf8 -sm pip install -r r.txt",
        "$(which pip) install -r r.txt",
        "`command -v pip3` install -r r.txt",
        "$(which python) -m pip install -r r.txt",
        "find . -name 'requirements-*.txt' -exec pip install -r {} ';'",
        "find . -name r.txt -execdir python -m pip install -r {} \\; -o -name x -exec rm {} +",
        'f() { for i in 1 2; do "$@" && return; done; }; f pip install -r r.txt',
        "function f { shift; pip install -r $1; }; f r.txt",
        'f() { g "$@"; }; g() { timeout 9 "$@"; }; f uv sync',
        "pip download -r r.txt -d /packages",
        "pip wheel . -w /wheels",
        "pyenv exec pip install -r r.txt",
        "mise exec python@3.12 -- pip install -r r.txt",
        "runuser -u app -- pip install -r r.txt",
        "runuser app -c 'pip install -r r.txt'",
        "setpriv --reuid=1000 pip install -r r.txt",
        "chroot /x pip install -r r.txt",
        "poetry bundle venv /venv",
        "pixi run build",
        "pixi shell-hook -e prod > /hook.sh",
        "uv run python manage.py collectstatic",
        "uv run --group docs mkdocs build",
        "hatch run docs:build",
        "hatch env create docs",
        "create-env --conda=mamba /usr/local samtools=1.13",
        "env-execute create-env /opt/env -- --file e.txt",
        "python setup.py install",
        "cd lib && python3 ./setup.py develop",
        "pip install .",
        "pip install -e '.[dev]'",
        "uv pip install --system .",
        "pipx install .",
    ],
)
def test_an_install_is_seen_whatever_starts_it(command: str) -> None:
    assert runs(command) == "E"


@pytest.mark.parametrize(
    "command",
    [
        "pip install -U pip setuptools wheel",
        "python -m pip install build 'poetry==1.8' poetry-plugin-export",
        "conda install -n base -y conda-forge::mamba conda-lock",
        "conda update -n base conda",
        "pipx install poetry ruff",
        "uv tool install ruff",
        "curl -LO https://x.org/Miniconda3-latest-Linux-x86_64.sh && "
        "bash Miniconda3-latest-Linux-x86_64.sh -b -p /opt/conda",
        "wget -O ~/miniforge.sh https://x.org/y && sh ~/miniforge.sh -b -u -p /opt/conda",
        "/bin/bash ./Mambaforge-$(uname)-$(uname -m).sh -b",
    ],
)
def test_an_install_of_tools_is_a_step_of_its_own_and_hides_nothing(command: str) -> None:
    assert runs(command) == "T"
    assert runs(command, "COPY . .", "pip install .") == "TE"


@pytest.mark.parametrize(
    "above",
    [
        "pip install -r r.txt",
        "conda env update -f environment.yml",
        "uv sync --no-install-project",
        "pip install .",
        "pip-sync",
    ],
)
@pytest.mark.parametrize(
    "project",
    ["pip install .", "pip install -e .[dev]", "python setup.py develop", "pip install dist/*.whl"],
)
def test_below_a_manifest_the_project_alone_is_no_environment_step(
    above: str, project: str
) -> None:
    assert runs(above, "COPY . .", project) == "E-"


@pytest.mark.parametrize(
    "project",
    [
        "pip install --no-deps .",
        "PIP_NO_DEPS=1 pip install -e .",
        "python setup.py develop --no-deps",
        "poetry install --only-root",
        "pip wheel --no-deps -w /dist . && pip install --no-deps --find-links /dist my-app",
        "python -m build && pip install --no-deps --no-index -f dist my_app",
    ],
)
def test_without_dependencies_the_project_is_no_environment_step(project: str) -> None:
    assert runs("COPY . .", project) == "-"


def test_the_own_name_of_a_project_is_read_from_its_metadata() -> None:
    files = {"pyproject.toml": PROJECT, "requirements.txt": "six\n"}
    own = "pip install --find-links dist My_App"
    assert runs("pip install -r r.txt", "COPY . .", own, files=files) == "E-"
    assert runs("COPY . .", own, files=files) == "E"
    assert runs("pip install -r r.txt", "COPY . .", "pip install -f dist other") == "EE"


def test_named_packages_may_be_all_that_a_project_needs() -> None:
    project = ("COPY . .", "pip install .")
    assert runs("pip install six Click==8", *project, files={"pyproject.toml": PROJECT}) == "E-"
    assert runs("pip install six", *project, files={"pyproject.toml": PROJECT}) == "EE"
    assert runs("pip install six", *project, files={"pyproject.toml": DYNAMIC}) == "E?"
    assert runs("conda install -y python=3.10", *project, files={"setup.py": "setup()"}) == "EE"


EXTRA = """
[project]
name = "demo"
version = "1"
dependencies = ["click>=8", "tomli; python_version < '3.11'", "common"]
[project.optional-dependencies]
server = ["gunicorn"]
all = ["demo[server]"]
[tool.uv.sources]
common = { path = "common" }
"""


@pytest.mark.parametrize(
    ("requirements", "install", "kind", "lacking"),
    [
        ("click\n", "pip install .", "-", ()),
        ("click\n", "pip install .[server]", "?", ("gunicorn",)),
        ("click\n", "pip install -e '.[all,server]'", "?", ("gunicorn",)),
        ("click\n", "pip install --no-deps .[server]", "-", ()),
        ("click\ngunicorn==22 \\\n  --hash=sha256:0\n", "pip install .[server]", "-", ()),
        ("-r more.txt\n", "pip install .[server]", "-", ()),
        ("-r lost.txt\n", "pip install .[server]", "-", ()),
        ("-e ./lib\n", "pip install .[server]", "-", ()),
        ("https://x.org/a.whl\n", "pip install .[server]", "-", ()),
        ("gunicorn\n", "pip install .", "?", ("click",)),
        ("gunicorn\n", "python setup.py develop", "?", ("click",)),
        ("git+https://x.org/a#egg=click\n", "pip install .", "-", ()),
        ("--index-url https://x.org\n-c more.txt\nclick  # c\n", "pip install .", "-", ()),
        ("-c more.txt\n", "pip install .", "?", ("click",)),
    ],
)
def test_a_project_that_needs_more_than_the_manifests_name_is_not_known(
    requirements: str, install: str, kind: str, lacking: tuple[str, ...]
) -> None:
    files = {
        "r.txt": requirements,
        "more.txt": "click\ngunicorn\n",
        "pyproject.toml": EXTRA,
        "setup.py": "setup()",
        "lib/setup.py": "",
    }
    steps = ("COPY . .", "pip install -r r.txt", install)
    assert runs(*steps, files=files) == f"E{kind}"
    text = "FROM a\nWORKDIR /w\nCOPY . .\nRUN pip install -r r.txt\nRUN " + install
    plan_ = plan(parse_dockerfile(text), all_stages=True)
    found = unrecognised_installs(plan_, None, container_files(files))
    assert [one.lacking for one in found] == ([lacking] if lacking else [])


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        ("[click]", "-"),
        ("[{pip: [click]}]", "-"),
        ("[python-click]", "-"),
        ("[click-base]", "-"),
        ("['conda-forge::click=8']", "-"),
        ("[python, {pip: ['-r lost.txt']}]", "-"),
        ("[python=3.10, six]", "?"),
        ("5", "-"),
    ],
)
def test_a_package_of_conda_may_have_another_name_than_that_of_the_index(
    listed: str, kind: str
) -> None:
    files = {"environment.yml": f"dependencies: {listed}\n", "pyproject.toml": EXTRA}
    steps = ("COPY . .", "conda env update -f environment.yml", "pip install -e .")
    assert runs(*steps, files=files) == f"E{kind}"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("git clone https://x.org/r /t/r && cd /t/r && pip install .", "E"),
        ("git clone -b v1 --depth 1 git@x.org:a/r.git && pip install ./r", "E"),
        ("git clone https://x.org/r /t/r && pip install .", "-"),
        ("git clone . /t/r && pip install .", "-"),
    ],
)
def test_a_cloned_project_of_others_is_an_install_of_its_own(command: str, kind: str) -> None:
    files = {"r.txt": "click\n", "pyproject.toml": EXTRA}
    assert runs("COPY . .", "pip install -r r.txt", command, files=files) == f"E{kind}"


@pytest.mark.parametrize(
    "command",
    [
        "sh < install.sh",
        "cat install.sh | bash -eux",
        "sed s/x/y/ install.sh | tr -d x | sh -s -- -v",
        "bash -s r.txt < install.sh",
        "sh /dev/stdin < install.sh",
        "echo 'pip install -r r.txt' | sh",
    ],
)
def test_a_script_on_the_standard_input_of_a_shell_is_read(command: str) -> None:
    script = {"install.sh": "pip install -r r.txt\r\n", "other.sh": "true\n"}
    assert runs("COPY . .", command, files=script) == "E"
    assert runs("COPY . .", command.replace("install", "other"), files=script) == "-"


def test_what_a_makefile_includes_is_read() -> None:
    files = {
        "Makefile": "-include lost.mk\ninclude mk/a.mk  # all\nall: deps\n\ttrue\n",
        "mk/a.mk": "include mk/a.mk mk/b.mk\n",
        "mk/b.mk": "deps:\n\tpip install -r r.txt\n",
    }
    assert runs("COPY . .", "make all", files=files) == "E"


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("uv sync --no-install-project --no-dev", "uv sync --no-dev", "-"),
        ("uv sync --no-install-project --no-dev", "uv sync", "E"),
        ("uv sync --no-install-project", "uv sync --extra gpu", "E"),
        ("uv sync", "uv run pytest", "-"),
        ("uv sync --no-dev", "uv run pytest", "E"),
        ("uv sync --no-dev", "uv run --no-sync pytest", "-"),
        ("uv sync", "uv sync --frozen", "-"),
        ("uv sync", "cd other && uv sync", "E"),
        ("poetry install --no-root --only main", "poetry install --only main", "-"),
        ("poetry install --no-root --only main", "poetry install", "E"),
        ("poetry install --no-root", "poetry install -E gpu", "E"),
        ("pdm sync --no-self --prod", "pdm sync", "E"),
        ("pdm install --check --no-self", "pdm install --check", "-"),
        ("pixi install", "pixi run build", "-"),
        ("pixi install", "pixi run -e prod build", "E"),
        ("pixi install -e prod", "pixi shell-hook -e prod", "-"),
        ("hatch env create", "hatch run x", "-"),
        ("pip install -r r.txt", "pixi run x", "E"),
    ],
)
def test_a_second_install_counts_if_it_brings_more(first: str, second: str, kind: str) -> None:
    assert runs(first, "COPY . .", second) == f"E{kind}"


def test_a_project_that_brings_its_dependencies_reads_its_own_metadata() -> None:
    for command in ("pip install .", "uv pip install -e .[dev]", "pipx install ."):
        found = environment_commands(
            plan(parse_dockerfile(f"FROM base\nWORKDIR /a\nRUN {command}"))
        )
        assert found[-1] is not None
        assert found[-1].manifests == ("/a/pyproject.toml", "/a/setup.py", "/a/setup.cfg")
        assert not found[-1].named


WHEELS = "FROM base AS wheels\nCOPY r.txt .\nRUN pip {action} -r r.txt {into} /wheels\nFROM base\n"


@pytest.mark.parametrize(
    ("action", "into"), [("wheel", "-w"), ("download", "-d"), ("wheel", "--wheel-dir")]
)
@pytest.mark.parametrize(
    "install",
    [
        "COPY --from=wheels /wheels /w\nRUN pip install --no-index /w/*",
        "COPY --from=wheels /wheels/*.whl /w/\nRUN pip install /w/*.whl",
        "RUN --mount=type=bind,from=wheels,source=/wheels,target=/w pip install /w/*.whl",
        "COPY --from=0 / /rest\nRUN pip install --find-links=/rest /rest/wheels/*",
    ],
)
def test_wheels_that_another_stage_prepared_are_an_environment(
    action: str, into: str, install: str
) -> None:
    assert kinds(WHEELS.format(action=action, into=into) + install) == "EE"


def test_the_metadata_of_a_project_are_its_manifests_and_an_archive_has_none() -> None:
    steps = plan(
        parse_dockerfile(
            WHEELS.format(action="wheel", into="-w")
            + "COPY --from=wheels /wheels /w\nRUN pip install /w/*\nRUN pip install /srv\n"
        )
    )
    archives, project = environment_commands(steps)[-2:]
    assert archives is not None
    assert (archives.manifests, archives.unresolved, archives.named) == ((), (), False)
    assert project is None


def test_a_tool_with_an_environment_of_its_own_leaves_the_dependencies_of_others_to_them() -> None:
    assert runs("pip install -r r.txt", "pipx install .") == "EE"
    assert runs("pipx install .", "pip install .") == "EE"


def test_wheels_that_an_earlier_step_prepared_are_an_environment() -> None:
    assert runs("pip wheel -r r.txt -w wheels", "COPY . .", "pip install wheels/*") == "EE"


def test_a_wheel_of_the_project_from_another_stage_is_none_below_its_dependencies() -> None:
    build = "FROM base AS build\nCOPY . .\nRUN python -m build\nFROM base\n"
    wheel = "COPY --from=build /dist/*.whl /tmp/\nRUN pip install /tmp/*.whl\n"
    assert kinds(f"{build}COPY r.txt .\nRUN pip install -r r.txt\n{wheel}") == "-E-"
    assert kinds(f"{build}{wheel}") == "-?"


@pytest.mark.parametrize(
    ("copied", "kind"),
    [
        ("/opt/venv /opt/venv", "-"),
        ("/usr/local /usr/local", "-"),
        ("/root/.local /root/.local", "-"),
        ("/somewhere/else /x", "?"),
    ],
)
def test_an_environment_that_is_copied_from_another_stage_is_there(copied: str, kind: str) -> None:
    text = (
        "FROM base AS deps\nRUN pip install -r r.txt\nFROM base\n"
        f"COPY --from=deps {copied}\nCOPY . .\nRUN pip install .\n"
    )
    assert kinds(text) == f"E{kind}"


SCRIPT = '#!/bin/bash\nset -e\ncd "$(dirname "$0")"\n. ./lib.sh\npip install -r "$1" -c c.txt\n'


@pytest.mark.parametrize(
    "command",
    [
        "./tools/install.sh r.txt",
        "bash -eux tools/install.sh r.txt",
        ". tools/install.sh r.txt",
        "cd tools && sh install.sh r.txt",
        "sh -c 'tools/install.sh r.txt'",
    ],
)
def test_a_script_of_the_context_is_read_as_the_run_is(command: str) -> None:
    files = {"tools/install.sh": SCRIPT, "tools/lib.sh": "echo\n", "tools/r.txt": "six\n"}
    text = f"FROM base\nWORKDIR /app\nCOPY tools tools\nRUN {command}\n"
    steps = plan(parse_dockerfile(text))
    found = environment_commands(steps, None, container_files(files))[-1]
    assert found is not None
    assert found.manifests == ("/app/tools/r.txt", "/app/tools/c.txt")


def test_a_script_that_installs_nothing_is_not_doubted_for_its_name() -> None:
    files = {"install.sh": "echo hello\n", "setup-dirs.sh": "mkdir /x\n"}
    assert runs("COPY . .", "./install.sh", "bash setup-dirs.sh", files=files) == "--"
    assert runs("COPY . .", "./install.sh", "bash setup-dirs.sh") == "??"


def test_a_script_in_the_path_and_a_heredoc_are_read() -> None:
    files = {"deps": "#!/bin/sh\npip install -r /r.txt\n"}
    assert runs("COPY deps /usr/local/bin/deps", "deps", files=files) == "E"
    assert runs("COPY <<EOF /x.sh\npip install -r /r.txt\nEOF", "sh /x.sh", files=files) == "E"


MAKEFILE = """\
PY ?= python3
REQ = requirements.txt
.PHONY: install
install: venv  ## everything
\t@$(PY) -m pip install -r $(REQ)
venv:
\tmkdir -p $$HOME/x
lint: ; ruff check
"""


@pytest.mark.parametrize(
    ("command", "kind"),
    [("make install", "E"), ("make", "E"), ("make lint", "-"), ("make -C sub install", "?")],
)
def test_a_makefile_of_the_context_is_read(command: str, kind: str) -> None:
    assert runs("COPY . .", command, files={"Makefile": MAKEFILE}) == kind


TASKS = {
    "tasks.py": "@task\ndef prep(c):\n    c.run('pip install -r r.txt')\n\n"
    "@task(pre=[prep])\ndef build_all(c):\n    c.run('x')\n\n@task\ndef docs(c):\n    c.run('y')\n",
    "justfile": "lint:\n    # pip install ruff\n    ruff check\nprep:\n    uv sync\n"
    "all: prep\n    x\n",
    "Taskfile.yml": "tasks:\n  prep:\n    cmds:\n      - poetry install\n"
    "  all:\n    deps: [prep]\n  docs:\n    cmds: [x]\n",
    "run.py": "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip',\n"
    "    'install', '-r', 'r.txt'])\n",
    "manage.py": "try:\n    import x\nexcept ImportError:\n    raise Exception('pip install x')\n"
    "main()\n",
}


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("invoke build-all", "?"),
        ("invoke docs", "-"),
        ("just all", "?"),
        ("just lint", "-"),
        ("task all", "?"),
        ("task docs", "-"),
        ("python run.py", "?"),
        ("python manage.py migrate", "-"),
    ],
)
def test_a_file_of_tasks_and_a_program_are_searched_for_installations(
    command: str, kind: str
) -> None:
    assert runs("COPY . .", command, files=TASKS) == kind


@pytest.mark.parametrize(
    ("project", "kind"),
    [
        ("[project]\nname = 'a'\ndependencies = []\ndynamic = ['version']\n", "-"),
        ("[project]\nname = 'a'\n", "-"),
        ("[project]\nname = 'a'\ndependencies = ['six']\n", "E"),
        ("[project]\nname = 'a'\n[project.optional-dependencies]\nd = ['six']\n", "E"),
        ("[project]\nname = 'a'\ndynamic = ['dependencies']\n", "E"),
    ],
)
def test_a_project_that_depends_on_nothing_installs_nothing_else(project: str, kind: str) -> None:
    assert runs("COPY . .", "pip install .", files={"pyproject.toml": project}) == kind


def test_the_triggers_of_a_stage_of_the_same_file_are_judged() -> None:
    text = (
        "FROM base AS own\nWORKDIR /app\nONBUILD COPY . .\nONBUILD RUN pip install -r r.txt\n"
        "ONBUILD RUN nix build\nFROM own\n"
    )
    assert kinds(text) == "E?"


@pytest.mark.parametrize(
    "command",
    [
        "R CMD INSTALL stringi_1.8.tar.gz",
        "Rscript install.R",
        'python -c \'import subprocess; subprocess.run(["pip", "install", "x"])\'',
        "python -m spacy download en_core_web_sm",
        "pre-commit install-hooks",
        "playwright install chromium",
        "snakemake --use-conda --conda-create-envs-only",
        "tox run -e py",
        "tox -e py --notest",
        "nox -s tests --install-only",
        "jupyter labextension install x",
        "./bin/buildout -c prod.cfg",
        "docker-php-ext-install pdo",
        "cpanm --installdeps .",
        "cpanm Foo::Bar",
        "deno cache main.ts",
        "flutter pub get",
        "nix build",
        """python -c "import pip; pip.main(['install', 'x'])\"""",
        "invoke setup",
        "make deps",
        "<<E\n#!/usr/bin/env python3\nimport os\nos.system('pip install six')\nE",
        "python3 - <<E\nimport os\nos.system('pip install six')\nE",
        "./scripts/install-deps.sh",
        "python scripts/bootstrap.py",
        "curl -fsSL https://x.org/install | bash",
        'bash -c "$(curl -fsSL https://x.org/y)"',
        "curl -fsSLo m.sh https://x.org/m.sh && bash m.sh -b",
        "wget https://x.org/go.sh; sh go.sh",
        "frobnicate install",
    ],
)
def test_words_that_install_are_listed_where_nobody_can_read_them(command: str) -> None:
    assert runs(command) == "?"


@pytest.mark.parametrize(
    "command",
    [
        "npm run build",
        "yarn build",
        "yarn --cwd web build",
        "invoke docs",
        "yarn --version",
        "go vet ./... || true # none",
        "git submodule add x && git fetch",
        "install -d -m 755 /x",
        "rsync -a a b",
        "systemctl enable x",
        "python manage.py collectstatic",
        "chmod +x install.sh",
        "cp install.sh /usr/local/bin/",
        "cat requirements.txt",
        "echo npm install",
        "make clean",
        "python -m ipykernel install --user",
        "pip uninstall -y x",
        "pyenv global 3.12",
        "runuser -u app -- true",
        "jupyter kernelspec list",
        "deno run main.ts",
        "pip install --dry-run x",
        "conda config --add channels x",
        "curl -fsSLo x.tgz https://x.org/x.tgz && tar xf x.tgz",
    ],
)
def test_other_words_are_no_reason_for_doubt(command: str) -> None:
    assert runs("nix build", command) == "?-"


@pytest.mark.parametrize(
    ("fetch", "build"),
    [
        ("go mod download", "go build ./..."),
        ("cargo chef cook", "cargo build --release"),
        ("dotnet restore", "dotnet publish -c Release"),
        ("mvn dependency:go-offline", "mvn package"),
        ("gradle dependencies", "gradle bootJar"),
        ("npm install", "npm install"),
        ("yarn install --production", "yarn install --production"),
        ("pnpm fetch", "pnpm install --offline"),
        ("bundle install", "bundle check || bundle install"),
        ("composer install --no-scripts --no-autoloader", "composer install"),
        ("mix deps.get && mix deps.compile", "mix deps.compile"),
        ("Rscript -e 'renv::restore()'", "R CMD INSTALL ."),
    ],
)
def test_a_build_below_the_fetching_of_its_dependencies_installs_nothing(
    fetch: str, build: str
) -> None:
    assert runs(fetch, "COPY . .", build) == "E-"


@pytest.mark.parametrize(
    "build",
    [
        "go build ./...",
        "cargo build",
        "dotnet publish",
        "mvn package",
        "gradle build",
        "gem i a.gem",
    ],
)
def test_a_build_of_a_project_that_nobody_can_read_is_a_doubt(build: str) -> None:
    assert runs("COPY . .", build) == "?"
    assert runs("COPY . .", build, "COPY . .", build) == "?-"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("npm ci", "npm ci"),
        ("npm install", "npm ci --omit=dev"),
        ("npm install --production", "npm install --include=dev"),
        ("bundle install --without test", "bundle install"),
        ("composer install --no-dev", "composer install"),
        ("cargo fetch", "cargo install ripgrep"),
        ("mix deps.get", "mix deps.compile"),
        ("cd web && npm install", "cd admin && npm install"),
        ("npm install", "yarn install"),
    ],
)
def test_an_install_of_something_else_is_an_environment_step_of_its_own(
    first: str, second: str
) -> None:
    kinds_of = runs(first, "COPY . .", second)
    assert kinds_of in ("EE", "ET")


def test_a_recognised_step_is_never_doubted() -> None:
    assert runs("apt-get install -y gcc && pip install -r r.txt") == "E"
    assert runs("COPY . .", "apt-get install -y gcc && pip install -r r.txt") == "E"
