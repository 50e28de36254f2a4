"""The RUNs that install the environment, with their tools and files."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import (
    EnvironmentCommand,
    environment_commands,
    roles_of,
)
from pytest_dockercache.errors import ConfigError


def commands_of(text: str, pattern: str | None = None) -> list[EnvironmentCommand | None]:
    """The environment commands of a Dockerfile's RUNs."""
    steps = plan(parse_dockerfile(text))
    found = environment_commands(steps, pattern)
    return [
        command
        for step, command in zip(steps, found, strict=True)
        if step.instruction.keyword == "RUN"
    ]


def only(run: str, before: str = "WORKDIR /app") -> EnvironmentCommand | None:
    """The environment command of one RUN after ``before``."""
    return commands_of(f"FROM base\n{before}\n{run}\n")[-1]


INSTALLATIONS = r"""
conda env update -f environment.yml
    conda: environment.yml
conda env update --file environment.yml --prune
    conda: environment.yml
conda env create --file=/tmp/environment.yml
    conda: /tmp/environment.yml
conda env create -n x -qf env.yml && conda clean -afy
    conda: env.yml
conda env create -fenv.yml
    conda: env.yml
conda env create
    conda: environment.yml environment.yaml
conda env update -n base
    conda: environment.yml environment.yaml
conda-env update -f e.yaml
    conda: e.yaml
/opt/conda/bin/conda env update -f e.yaml
    conda: e.yaml
conda install -y numpy
    conda: by name
conda install -y -c conda-forge python=3.10 numpy && conda clean -ya
    conda: by name
conda install --yes --file requirements.txt
    conda: requirements.txt
conda install --yes --file a.txt --file=b.txt six
    conda: a.txt b.txt
conda install -f numpy
    conda: by name
conda create -n tools -y python=3.10 black
    conda: by name
conda create --name x --file spec-list.txt
    conda: spec-list.txt
conda create --name copy --clone base
    conda: by name
conda update -y --all
    conda: by name
conda update -n base -c defaults conda
    conda: by name
conda --no-plugins install -y numpy
    conda: by name
mamba env update -n base -f /tmp/env.yml
    mamba: /tmp/env.yml
mamba install -y numpy
    mamba: by name
mamba install -yn base -f env.yml
    mamba: env.yml
micromamba install -y -n base -f /tmp/env.yaml
    micromamba: /tmp/env.yaml
micromamba install --yes --name base --file /tmp/env.yaml && micromamba clean --all -y
    micromamba: /tmp/env.yaml
micromamba create -y -f conda-lock.yml -n x
    micromamba: conda-lock.yml
micromamba -r /opt/mamba install -y numpy
    micromamba: by name
micromamba env create -f env.yml
    micromamba: env.yml
conda-lock install --name x conda-lock.yml
    conda-lock: conda-lock.yml
conda-lock install -p /opt/env
    conda-lock: conda-lock.yml
conda lock install l.yml
    conda-lock: l.yml
anaconda-project prepare --env-spec default
    anaconda-project: anaconda-project.yml anaconda-project-lock.yml conda-project.yml
pip install --no-cache-dir -r requirements.txt
    pip: requirements.txt
pip install -r requirements.txt -c constraints.txt
    pip: requirements.txt constraints.txt
pip install --requirement=requirements/prod.txt
    pip: requirements/prod.txt
pip install -Ur requirements.txt
    pip: requirements.txt
pip install -rrequirements.txt
    pip: requirements.txt
pip3 install numpy==1.26
    pip: by name
pip3.10 install 'numpy>=1.2'
    pip: by name
pip install "uvicorn[standard]"
    pip: by name
pip install --upgrade pip setuptools wheel
    pip: by name
python -m pip install numpy
    pip: by name
python3 -mpip install numpy
    pip: by name
python3.11 -I -m pip --no-cache-dir install -r r.txt
    pip: r.txt
/opt/venv/bin/python -m pip install -r r.txt
    pip: r.txt
/opt/venv/bin/pip install -r r.txt
    pip: r.txt
pip --timeout 100 install -r r.txt
    pip: r.txt
pip install -r requirements.txt .
    pip: requirements.txt
pip install -e . -r requirements.txt
    pip: requirements.txt
pip install . pytest
    pip: by name
pip install git+https://example.org/x/y.git@main#egg=y
    pip: by name
pip install -e git+https://example.org/x/y.git#egg=y
    pip: by name
pip install 'y @ git+https://example.org/x/y.git'
    pip: by name
pip install https://example.org/x-1.0-py3-none-any.whl
    pip: by name
pip install -r https://example.org/r.txt six
    pip: by name
pip install --group dev
    pip: pyproject.toml
pip install --group sub/pyproject.toml:dev
    pip: sub/pyproject.toml
pip install torch --index-url https://download.example.org/whl/cpu
    pip: by name
pip install --no-index --find-links=/wheels -r r.txt
    pip: r.txt
pip install --no-deps -r r.txt
    pip: r.txt
pip wheel --wheel-dir /wheels -r r.txt
    pip: r.txt
pip install $PACKAGES
    pip: by name
PIP_NO_CACHE_DIR=1 pip install -r r.txt
    pip: r.txt
PIP_CONSTRAINT=/c.txt pip install -r r.txt
    pip: r.txt /c.txt
pip install -r requirements/*.txt
    pip: requirements/*.txt
pip-sync
    pip-sync: requirements.txt
pip-sync a.txt b.txt
    pip-sync: a.txt b.txt
python -m piptools sync a.txt
    pip-sync: a.txt
pipx install poetry
    pipx: by name
easy_install numpy
    easy_install: by name
cat requirements.txt | xargs -n 1 pip install
    pip: requirements.txt
xargs -a requirements.txt -L 1 pip install
    pip: requirements.txt
xargs pip install < requirements.txt
    pip: requirements.txt
pip install $(cat requirements.txt)
    pip: requirements.txt
pip install $(grep -v '^torch' requirements.txt)
    pip: requirements.txt
uv sync --frozen --no-install-project
    uv: pyproject.toml uv.lock
uv sync
    uv: pyproject.toml uv.lock
uv sync --project /srv
    uv: /srv/pyproject.toml /srv/uv.lock
uv --directory sub sync --locked
    uv: sub/pyproject.toml sub/uv.lock
uv pip install --system -r requirements.txt
    uv: requirements.txt
uv pip install -r pyproject.toml --extra dev
    uv: pyproject.toml
uv pip install --system numpy
    uv: by name
uv pip sync requirements.txt --system
    uv: requirements.txt
uv pip install -r r.txt --override o.txt -b b.txt
    uv: r.txt o.txt b.txt
uv add requests
    uv: by name
uv tool install ruff
    uv: by name
python -m uv pip install numpy
    uv: by name
--mount=type=bind,source=uv.lock,target=uv.lock uv sync --locked --no-install-project
    uv: pyproject.toml uv.lock
poetry install --no-root --only main
    poetry: pyproject.toml poetry.lock
poetry install
    poetry: pyproject.toml poetry.lock
poetry sync --no-interaction
    poetry: pyproject.toml poetry.lock
poetry install -C /srv
    poetry: /srv/pyproject.toml /srv/poetry.lock
poetry add numpy
    poetry: by name
poetry run pip install numpy
    pip: by name
poetry export -f requirements.txt | pip install -r /dev/stdin
    pip: pyproject.toml poetry.lock
poetry export -o r.txt && pip install -r r.txt
    pip: r.txt pyproject.toml poetry.lock
pdm sync --prod --no-self
    pdm: pyproject.toml pdm.lock
pdm add numpy
    pdm: by name
pixi install --locked
    pixi: pixi.toml pyproject.toml pixi.lock
pixi install -e prod --manifest-path /srv/pixi.toml
    pixi: /srv/pixi.toml /srv/pixi.lock
pixi install --manifest-path /srv
    pixi: /srv/pixi.toml /srv/pyproject.toml /srv/pixi.lock
pixi global install bat
    pixi: by name
pixi add numpy
    pixi: by name
pipenv install --deploy --system
    pipenv: Pipfile Pipfile.lock
pipenv sync
    pipenv: Pipfile Pipfile.lock
pipenv install -r r.txt
    pipenv: r.txt
pipenv install requests
    pipenv: by name
pipenv requirements > r.txt && pip install -r r.txt
    pip: r.txt Pipfile Pipfile.lock
pip-compile requirements.in && pip install -r requirements.txt
    pip: requirements.txt requirements.in
uv pip compile r.in -o r.txt && uv pip sync r.txt
    uv: r.txt r.in
uv export > r.txt; pip install -r r.txt
    pip: r.txt pyproject.toml uv.lock
rye sync --no-lock
    rye: pyproject.toml requirements.lock requirements-dev.lock
hatch env create
    hatch: pyproject.toml hatch.toml
apt-get update && apt-get install -y gcc && pip install -r r.txt && rm -rf /var/lib/apt
    pip: r.txt
set -eux; pip install -r r.txt; rm r.txt
    pip: r.txt
cd /srv && pip install -r r.txt
    pip: /srv/r.txt
cd sub/dir; cd ..; pip install -r r.txt
    pip: sub/r.txt
(cd /srv && make) && pip install -r r.txt
    pip: r.txt
cd /srv && (cd x; pip install -r r.txt)
    pip: /srv/x/r.txt
cd && pip install -r r.txt
    pip: /root/r.txt
pip install -r ~/r.txt
    pip: /root/r.txt
if [ -f r.txt ]; then pip install -r r.txt; fi
    pip: r.txt
test -f r.txt || true && { pip install -r r.txt; }
    pip: r.txt
for f in a.txt b.txt; do pip install -r $f; done
    pip: a.txt b.txt
for p in numpy six; do pip install "$p"; done
    pip: by name
while true; do pip install -r r.txt && break; done
    pip: r.txt
case "$(uname -m)" in x86_64) pip install -r r.txt ;; *) true ;; esac
    pip: r.txt
. /opt/venv/bin/activate && pip install -r r.txt
    pip: r.txt
source activate x && pip install -r r.txt
    pip: r.txt
bash -c 'source activate x && pip install -r r.txt'
    pip: r.txt
bash -euxo pipefail -c "pip install -r r.txt"
    pip: r.txt
/bin/bash -lc "cd /srv && conda env update -f e.yml"
    conda: /srv/e.yml
/bin/bash -o pipefail -c "pip install six"
    pip: by name
eval "pip install six"
    pip: by name
su jovyan -c 'pip install six'
    pip: by name
sudo -H -u jovyan pip install -r r.txt
    pip: r.txt
env A=1 B=2 pip install -r r.txt
    pip: r.txt
A=1 exec pip install -r r.txt
    pip: r.txt
time pip install -r r.txt
    pip: r.txt
timeout -k 5 300 pip install -r r.txt
    pip: r.txt
nice -n 10 pip install six
    pip: by name
! pip install six
    pip: by name
conda run -n x pip install -r r.txt
    pip: r.txt
conda run --no-capture-output -n x bash -c 'pip install -r r.txt'
    pip: r.txt
conda run --cwd /srv -p /env pip install -r r.txt
    pip: /srv/r.txt
micromamba run -n base pip install -r r.txt
    pip: r.txt
/usr/local/bin/_entrypoint.sh pip install -r r.txt
    pip: r.txt
pip install -r r.txt 2>&1 | tee log.txt
    pip: r.txt
pip install -r r.txt >/dev/null
    pip: r.txt
echo start; pip install -r r.txt # comment
    pip: r.txt
F=r.txt && pip install -r $F
    pip: r.txt
export F=r.txt && pip install -r ${F}
    pip: r.txt
pip install -r ${F:-r.txt}
    pip: r.txt
x=$(date) && pip install -r r.txt
    pip: r.txt
install_it() { pip install -r r.txt; }; install_it
    pip: r.txt
pip install \⏎    --no-cache-dir \⏎    # why⏎    -r r.txt
    pip: r.txt
["pip", "install", "-r", "r.txt"]
    pip: r.txt
["/bin/bash", "-c", "pip install -r r.txt"]
    pip: r.txt
["conda", "run", "-n", "x", "pip", "install", "six"]
    pip: by name
<<EOF⏎set -e⏎cd /srv⏎pip install -r r.txt⏎EOF
    pip: /srv/r.txt
<<-'EOF'⏎	pip install \⏎	  -r r.txt⏎	EOF
    pip: r.txt
<<EOF⏎#!/bin/bash⏎pip install six⏎EOF
    pip: by name
<<EOF⏎#!/usr/bin/env bash⏎pip install six⏎EOF
    pip: by name
bash <<EOF⏎pip install six⏎EOF
    pip: by name
bash -ex <<EOF⏎pip install six⏎EOF
    pip: by name
cat <<EOF > r.txt && pip install -r r.txt⏎six⏎EOF
    pip: r.txt
<<EOF⏎cat <<INNER > r.txt⏎six⏎INNER⏎pip install -r r.txt⏎EOF
    pip: r.txt
--mount=type=cache,target=/root/.cache/pip
... --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt
... pip install --requirement /tmp/requirements.txt
    pip: /tmp/requirements.txt
"""
"""A RUN's command (⏎ is a new line, ... goes on), then the tool and what it reads below /app."""


def installations() -> list[tuple[str, str, list[str]]]:
    """The table, taken apart: RUN, tool, absolute manifests."""
    cases = []
    run = ""
    for line in INSTALLATIONS.strip().splitlines():
        if line.startswith("... "):
            run += line[3:]
        elif not line.startswith("    "):
            run = f"RUN {line}".replace("⏎", "\n")
        else:
            tool, _, files = line.strip().partition(": ")
            paths = [] if files == "by name" else files.split()
            cases.append((run, tool, [str(PurePosixPath("/app") / path) for path in paths]))
    return cases


@pytest.mark.parametrize(
    ("run", "tool", "manifests"), installations(), ids=[case[0] for case in installations()]
)
def test_an_installation_is_an_environment_step(run: str, tool: str, manifests: list[str]) -> None:
    found = only(run)
    assert found is not None
    assert found.tool == tool
    assert list(found.manifests) == manifests
    assert found.named is not bool(manifests)
    assert found.unresolved == ()
    assert found.line == 3


OTHERS = [
    "RUN pip install --no-deps .",
    "RUN pip install --no-deps -e /app",
    "RUN pip install dist/*.whl",
    "RUN pip install /wheels/*",
    "RUN pip install $(ls dist/*.whl)",
    "RUN uv pip install --no-deps .",
    "RUN pip wheel --no-deps -w /dist .",
    "RUN poetry install --only-root",
    "RUN pip",
    "RUN pip install",
    "RUN pip --version",
    "RUN pip list && pip freeze && pip check",
    "RUN pip cache purge",
    "RUN pip config set global.index-url https://example.org",
    "RUN pip uninstall -y numpy",
    "RUN pip install --dry-run -r requirements.txt",
    "RUN pip install --help",
    "RUN conda clean -afy",
    "RUN conda init bash && conda config --set auto_activate_base false",
    "RUN conda config --add channels conda-forge",
    "RUN conda activate x",
    "RUN conda env list && conda env remove -n x && conda env",
    "RUN conda env export > environment.yml",
    "RUN conda list | grep numpy",
    "RUN conda remove -y numpy",
    "RUN conda create -n x",
    "RUN conda install --dry-run numpy",
    "RUN conda search numpy",
    "RUN conda",
    "RUN conda run -n x python -c 'import numpy'",
    "RUN conda run",
    "RUN micromamba clean -a -y",
    "RUN micromamba shell init -s bash",
    "RUN conda-lock -f environment.yml -p linux-64",
    "RUN conda lock --help",
    "RUN uv lock",
    "RUN uv venv /opt/venv",
    "RUN uv python install 3.12",
    "RUN uv pip compile requirements.in -o requirements.txt",
    "RUN uv pip list",
    "RUN uv export > requirements.txt",
    "RUN uv sync --dry-run",
    "RUN uv",
    "RUN poetry config virtualenvs.create false",
    "RUN poetry lock",
    "RUN poetry export > requirements.txt",
    "RUN poetry",
    "RUN pdm lock",
    "RUN pdm export",
    "RUN pdm",
    "RUN pixi",
    "RUN pixi global list",
    "RUN pipenv lock",
    "RUN pipenv",
    "RUN hatch build",
    "RUN hatch dep show requirements > r.txt",
    "RUN rye build",
    "RUN rye",
    "RUN pipx list",
    "RUN pipx",
    "RUN python -m piptools compile",
    "RUN pip-sync --dry-run",
    "RUN anaconda-project list",
    "RUN apt-get update && apt-get install -y python3-pip python3-numpy",
    "RUN npm run build && npm install -g serve",
    "RUN apk add --no-cache py3-pip",
    "RUN yarn build && bundle exec rake && cargo install x && go install a.b/c@latest",
    "RUN curl -sSL https://install.example.org | python3 -",
    "RUN curl -fsSLo m.sh https://example.org/m.sh && bash m.sh -b -p /opt/conda",
    'RUN echo "pip install -r requirements.txt"',
    "RUN echo pip install -r requirements.txt",
    "RUN echo 'RUN conda env update -f environment.yml' >> README",
    "RUN printf '%s\\n' 'pip install six' > hint.txt",
    "RUN true # pip install -r requirements.txt",
    "RUN cat requirements.txt",
    "RUN grep 'pip install' README.md",
    "RUN git commit -m 'pip install six'",
    "RUN ls pip install",
    "RUN which pip && command -v conda",
    "RUN chmod +x /usr/bin/pip",
    "RUN rm -rf /root/.cache/pip",
    "RUN alias install='x'",
    "RUN python -c \"import os; os.system('x')\"",
    "RUN python - <<EOF\npip install six\nEOF",
    "RUN <<EOF\n#!/usr/bin/env python\npip install six\nEOF",
    "RUN cat <<EOF > /install.sh\npip install six\nEOF",
    "RUN <<EOF\ncat <<INNER > /install.sh\npip install six\nINNER\ntrue\nEOF",
    'RUN ["echo", "pip install six"]',
    "RUN []",
    "RUN bash",
    "RUN bash script.sh -c 'pip install six'",
    "RUN bash --version",
    "RUN su jovyan",
    "RUN sudo",
    "RUN xargs",
    "RUN arch",
    "RUN export A=1 B",
    "RUN A=1",
    "RUN cd /nowhere",
    "RUN for x; do true; done",
]


@pytest.mark.parametrize("run", OTHERS)
def test_anything_else_is_no_environment_step(run: str) -> None:
    assert only(run) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("uv sync --frozen --no-install-project", "uv sync --frozen"),
        ("uv sync --no-install-workspace", "uv sync --no-dev"),
        ("UV_NO_INSTALL_PROJECT=1 uv sync", "uv sync"),
        ("poetry install --no-root", "poetry install --only main"),
        ("pdm sync --no-self", "pdm install"),
    ],
)
def test_the_project_half_of_a_split_installation_is_no_environment_step(
    first: str, second: str
) -> None:
    before, after = commands_of(f"FROM base\nRUN {first}\nCOPY . .\nRUN {second}\n")
    assert before is not None
    assert before.without_project
    assert after is None


def test_the_dependency_half_counts_in_a_stage_built_from_it() -> None:
    text = "FROM base AS deps\nRUN uv sync --no-install-project\nFROM deps\nRUN uv sync\n"
    first, second = commands_of(text)
    assert first is not None
    assert second is None


def test_the_dependency_half_of_an_unrelated_stage_does_not_count() -> None:
    text = (
        "FROM base AS deps\nRUN uv sync --no-install-project\n"
        "FROM base\nCOPY --from=deps /x /x\nRUN uv sync\n"
    )
    first, second = commands_of(text)
    assert first is not None
    assert second is not None


def test_both_halves_in_one_step_are_one_environment_step() -> None:
    found = only("RUN poetry install --no-root && poetry install")
    assert found is not None
    assert found.tool == "poetry"


def test_a_shell_prefix_changes_nothing() -> None:
    found = only(
        "RUN pip install -r r.txt",
        'SHELL ["conda", "run", "-n", "x", "/bin/bash", "-c"]\nWORKDIR /app',
    )
    assert found is not None
    assert found.manifests == ("/app/r.txt",)


def test_paths_follow_the_working_directory_and_the_variables_of_the_step() -> None:
    found = only(
        'RUN conda env update -n ${NAME} -f "${DIR}/env-$KIND.yml"',
        "ENV DIR=conf\nARG KIND=prod\nWORKDIR /srv\nWORKDIR ../opt/./app",
    )
    assert found is not None
    assert found.manifests == ("/opt/app/conf/env-prod.yml",)


@pytest.mark.parametrize(
    "run",
    [
        "RUN pip install -r $WHO_KNOWS/r.txt",
        'RUN pip install -r "$(find / -name r.txt)"',
        "RUN cd $WHO_KNOWS && pip install -r r.txt",
        "RUN cd `whoami`/x; cd y; pip install -r r.txt",
        "RUN conda env update -f ${WHO_KNOWS}",
        "RUN pixi install --manifest-path $WHO_KNOWS",
        "RUN X=$(date); pip install -r $X",
    ],
)
def test_a_path_that_only_the_container_knows_is_said_to_be_unresolved(run: str) -> None:
    found = only(run)
    assert found is not None
    assert found.manifests == ()
    assert found.unresolved
    assert not found.named


def test_home_is_unknown_for_another_user_than_root() -> None:
    found = only("RUN pip install -r ~/r.txt", "USER jovyan")
    assert found is not None
    assert found.manifests == ()


def test_the_pattern_names_a_step_that_is_not_recognised() -> None:
    text = "FROM base\nRUN ./install-deps.sh --all\nRUN true\nRUN conda env update -f e.yml\n"
    first, second, third = commands_of(text, r"install-deps\.sh")
    assert first == EnvironmentCommand("install-deps.sh", 2)
    assert second is None
    assert third is not None
    assert third.tool == "conda"


def test_the_pattern_also_finds_expanded_text_and_heredoc_bodies() -> None:
    text = "FROM base\nENV S=deps\nRUN ./$S.sh\nRUN <<EOF\n./deps.sh\nEOF\n"
    assert all(commands_of(text, "deps.sh"))


def test_a_pattern_that_is_not_a_regular_expression_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"\A--dockercache-env-step=\(: not a regular expression"):
        commands_of("FROM base\nRUN true\n", "(")


def test_every_step_has_a_role() -> None:
    text = (
        "FROM base AS b\nCOPY environment.yml .\nRUN conda env update -f environment.yml\n"
        "COPY src /src\nADD https://example.org/x /x\nENV A=1\nRUN make\n"
        "FROM base\nCOPY --from=b /opt /opt\nCOPY <<E /x\nbody\nE\nCMD run\n"
    )
    assert roles_of(plan(parse_dockerfile(text))) == (
        "base",
        "source",
        "environment",
        "source",
        "source",
        "other",
        "other",
        "base",
        "other",
        "other",
        "other",
    )


@pytest.mark.parametrize(
    ("run", "environment"),
    [
        ("conda env create -n app -f e.yml", "app"),
        ("conda env update --name=app --file e.yml", "app"),
        ("mamba env create -qp env -f e.yml", "/app/env"),
        ("micromamba install -yn base -f e.yml", "base"),
        ("conda-lock install -n app e.yml", "app"),
        ("conda env create -f e.yml", None),
        ("NAME=app; conda env create -n $NAME -f e.yml", "app"),
        ("pip --python /venv install -r e.txt", "/venv"),
        ("uv pip install -p 3.12 -r e.txt", None),
        ("VIRTUAL_ENV=/venv uv pip sync e.txt", "/venv"),
        ("VIRTUAL_ENV=/venv uv pip install --system -r e.txt", None),
    ],
)
def test_a_command_names_the_environment_it_installs_into(
    run: str, environment: str | None
) -> None:
    found = only(f"RUN {run}")
    assert found is not None
    (installation,) = found.installations
    named = installation.environment
    assert (named.text if named else None) == environment
    assert named is None or named.known


@pytest.mark.parametrize(
    ("run", "active"),
    [
        ("conda run -n app pip install -r r.txt", "app"),
        ("conda run -p ./env pip install -r r.txt", "/app/env"),
        ("conda run pip install -r r.txt", None),
        ("conda activate app && pip install -r r.txt", "app"),
        ("conda activate && pip install -r r.txt", "base"),
        ("conda activate --stack app && pip install -r r.txt", "app"),
        ("source activate app && pip install -r r.txt", "app"),
        (". /opt/conda/bin/activate app; pip install -r r.txt", "app"),
        (". /opt/conda/bin/activate; pip install -r r.txt", "/opt/conda"),
        (". .venv/bin/activate; pip install -r r.txt", "/app/.venv"),
        (". .venv/bin/activate; deactivate; pip install -r r.txt", None),
        ("conda activate app; conda deactivate; pip install -r r.txt", None),
        (".venv/bin/pip install -r r.txt", "/app/.venv"),
        ("/venv/bin/python -m pip install -r r.txt", "/venv"),
        ("/usr/local/bin/pip install -r r.txt", "/usr/local"),
        ("/root/.local/bin/pip install -r r.txt", None),
        ("/opt/conda/bin/conda install --file r.txt", None),
    ],
)
def test_a_command_runs_in_the_environment_that_the_script_activates(
    run: str, active: str | None
) -> None:
    found = only(f"RUN {run}")
    assert found is not None
    (installation,) = found.installations
    assert (installation.active.text if installation.active else None) == active


@pytest.mark.parametrize(
    ("run", "before"),
    [
        ("bash -lc 'pip install -r r.txt'", ""),
        ("pip install -r r.txt", 'SHELL ["/bin/bash", "--login", "-c"]'),
        ("pip install -r r.txt", 'SHELL ["/usr/local/bin/_dockerfile_shell.sh"]'),
        ("$VENV/bin/pip install -r r.txt", ""),
        ("/usr/bin/pip install -r r.txt", ""),
        ("conda activate $(cat name) && pip install -r r.txt", ""),
    ],
)
def test_what_only_the_container_activates_is_not_known(run: str, before: str) -> None:
    found = only(f"RUN {run}", before)
    assert found is not None
    active = found.installations[0].active
    assert active is not None
    assert not active.known


def test_constraints_are_read_and_kept_apart() -> None:
    found = only("RUN pip install -r r.txt -r both.txt -c c.txt -c both.txt -c $WHO/k.txt")
    assert found is not None
    assert found.manifests == ("/app/r.txt", "/app/both.txt", "/app/c.txt")
    assert found.installations[0].constraints == ("/app/c.txt", "$WHO/k.txt")
