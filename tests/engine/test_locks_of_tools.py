"""Locks against images that the real tools made of them: the good one passes, others fail."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound
from filelock import FileLock

from plugin_process import environment as process_environment
from plugin_process import run_pytest
from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments.comparison import matches
from pytest_dockercache.environments.installed import environment
from pytest_dockercache.environments.requirements import read_requirements
from pytest_dockercache.environments.tools import recognised, runner_of
from pytest_dockercache.image import View, open_image
from pytest_dockercache.shell.running import step_commands

pytestmark = [pytest.mark.engine, pytest.mark.newest_python, pytest.mark.minutes]

HERE = Path(__file__).parent
BASE = "dockercache-test-installers:2"

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11,<3.12"
dependencies = ["packaging", "six; python_version < '3.12'"]

[project.optional-dependencies]
table = ["tabulate"]

[dependency-groups]
dev = ["attrs"]

[tool.uv]
package = false

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "here"
url = "http://127.0.0.1:8765/simple/"
priority = "primary"

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "http://127.0.0.1:8765/simple"
"""

ENVIRONMENT = """\
channels:
- conda-forge
dependencies:
- python=3.10
- packaging
- six
"""

PIPFILE = """\
[[source]]
url = "http://127.0.0.1:8765/simple"
verify_ssl = false
name = "here"

[packages]
packaging = "*"
six = {version = "*", markers = "python_version < '3.12'"}

[dev-packages]
attrs = "*"

[table]
tabulate = "*"
"""


@dataclass(frozen=True)
class Case:
    """A tool, what makes its lock, and the commands that install parts of that.

    ``good`` installs packaging and six, ``more`` attrs too; ``exact`` is whether the
    lock says what else is not there; ``later`` takes six away and brings tabulate.
    """

    name: str
    manifest: str
    lock: str
    locking: str
    good: str
    more: str
    prefix: str
    exact: bool = False
    setting: str = ""
    later: str = (
        "/opt/installers/uv/bin/uv pip uninstall --python {prefix}/bin/python six && cd /tmp && "
        "python -m zipfile -e /opt/wheels/tabulate-0.9.0-py3-none-any.whl "
        "$(ls -d {prefix}/lib/python3*/site-packages)"
    )


CONDA = "conda env create -q -p /opt/env -f environment.yml"
CONDA_LATER = (
    "conda remove -y -q -p {prefix} six && conda install -y -q -p {prefix} 'tabulate=0.9.0'"
)

CASES = [
    Case("uv", "pyproject.toml", "uv.lock", "uv lock", "uv sync --frozen --no-dev",
         "uv sync --frozen", "/app/.venv", exact=True),
    Case("uv-inexact", "pyproject.toml", "uv.lock", "uv lock",
         "uv sync --frozen --no-dev --inexact", "uv sync --frozen --inexact", "/app/.venv"),
    Case("poetry", "pyproject.toml", "poetry.lock", "poetry lock -n",
         "poetry install -n --only main", "poetry install -n", "/app/.venv",
         setting="ENV POETRY_VIRTUALENVS_IN_PROJECT=true"),
    Case("poetry-sync", "pyproject.toml", "poetry.lock", "poetry lock -n",
         "poetry sync -n --only main", "poetry sync -n", "/app/.venv", exact=True,
         setting="ENV POETRY_VIRTUALENVS_IN_PROJECT=true"),
    Case("pdm", "pyproject.toml", "pdm.lock", "pdm lock -G :all", "pdm sync --prod",
         "pdm sync -d", "/app/.venv"),
    Case("pdm-kept", "pyproject.toml", "pdm.lock", "pdm lock -G :all",
         "pdm sync --prod --only-keep", "pdm sync -d --only-keep", "/app/.venv",
         exact=True),
    Case("pdm-graph", "pyproject.toml", "pdm.lock", "pdm lock -G :all -S no_inherit_metadata",
         "pdm sync --prod", "pdm sync -d", "/app/.venv"),
    Case("pipenv", "Pipfile", "Pipfile.lock", "pipenv lock", "pipenv sync",
         "pipenv sync --dev", "/app/.venv", setting="ENV PIPENV_VENV_IN_PROJECT=1"),
    Case("pip", "pyproject.toml", "requirements.txt",
         "uv export --no-dev --no-header -o requirements.txt",
         "pip install --no-index --find-links /opt/wheels -r requirements.txt", "",
         "/opt/conda"),
    Case("pylock", "pyproject.toml", "pylock.toml",
         "uv export --no-dev --format pylock.toml -o pylock.toml",
         "uv venv -q && uv pip sync pylock.toml", "", "/app/.venv", exact=True),
    Case("conda-list", "environment.yml", "explicit.txt",
         f"{CONDA} && conda list -p /opt/env --explicit > explicit.txt",
         "conda create -y -q -p /opt/env --file explicit.txt", "", "/opt/env", exact=True,
         later=CONDA_LATER),
    Case("conda-export", "environment.yml", "export.yml",
         f"{CONDA} && conda env export --no-builds -p /opt/env > export.yml",
         "conda env create -q -p /opt/env -f export.yml", "", "/opt/env", exact=True,
         later=CONDA_LATER),
]  # fmt: skip
"""pip's own environment is conda's here; each other tool makes one of its own.

An export with builds is no case: the stand-in's conda does not install from one.
"""

MANIFESTS = {"pyproject.toml": PYPROJECT, "Pipfile": PIPFILE, "environment.yml": ENVIRONMENT}


@pytest.fixture(scope="session")
def installers(miniconda: str, docker_daemon: docker.DockerClient, shared_directory: Path) -> str:
    """The stand-in with the real uv, poetry, pdm and pipenv, and an index of its wheels."""
    with FileLock(shared_directory / "installers.lock"):
        if docker_daemon.images.list(BASE):
            return BASE
        context = shared_directory / "installers"
        shutil.copytree(HERE / "installers", context)
        words = ("pip", "download", "-q", "--dest", str(context / "tools"), "--only-binary=:all:",
                 "--python-version", "3.11", *(word for name in ("2014", "_2_17", "_2_28")
                 for word in ("--platform", f"manylinux{name}_x86_64")),
                 "uv>=0.9", "poetry>=2.1", "pipenv>=2025.0",
                 # pdm 2.29 does not run with hishel 2.0, which it allows.
                 "pdm>=2.20", "hishel<2",
                 # pip reads markers for the Python that it runs on, not for the one asked for.
                 "importlib-metadata", "backports.tarfile", "zipp")  # fmt: skip
        got = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
        if got.returncode != 0:
            pytest.fail(f"the tools' wheels cannot be had:\n{got.stderr}", pytrace=False)
        docker_daemon.images.build(
            path=str(context), tag=BASE, rm=True, buildargs={"BASE": miniconda}
        )
    return BASE


@dataclass(frozen=True)
class Made:
    """The image that a tool made of its lock, and the project beside it."""

    case: Case
    root: Path
    view: View
    changed: View
    fuller: View | None

    def differences(
        self, command: str, text: str | None = None, *, view: View | None = None
    ) -> list[tuple[str, str]]:
        """Kind and name of each difference, for a command line and the lock's text."""
        lock = self.root / self.case.lock
        if text is not None:
            lock = self.root / "other" / self.case.lock
            lock.parent.mkdir(exist_ok=True)
            shutil.copy(self.root / self.case.manifest, lock.parent)
            lock.write_text(text)
        steps = plan(parse_dockerfile(f"FROM base\nWORKDIR /app\nRUN {command}\n"))
        found = [recognised(words, steps[-1]) for words in step_commands(steps[-1], runner_of)]
        installation = next(item for item in found if item is not None)
        wanted = read_requirements(lock, selection=installation.selection)
        outcome = matches(wanted, environment(view or self.view, self.case.prefix))
        assert not outcome.unverified
        return [(item.kind, item.name) for item in outcome.differences]


def _built(client: docker.DockerClient, root: Path, lines: str) -> str:
    (root / "Dockerfile").write_text(lines)
    image, _ = client.images.build(path=str(root), rm=True, forcerm=True)
    return str(image.id)


def dockerfile(case: Case, base: str, command: str) -> str:
    return (
        f"FROM {base}\nWORKDIR /app\n{case.setting}\nCOPY {case.manifest} {case.lock} ./\n"
        f"RUN {command}\n"
    )


def change(case: Case) -> str:
    """A later step that takes six away and brings tabulate."""
    return f"RUN {case.later.format(prefix=case.prefix)}\n"


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def made(
    request: pytest.FixtureRequest,
    installers: str,
    docker_daemon: docker.DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Made]:
    case: Case = request.param
    root = tmp_path_factory.mktemp(case.name)
    (root / case.manifest).write_text(MANIFESTS[case.manifest])
    locked = docker_daemon.containers.run(
        installers,
        ["sh", "-c", f"({case.locking}) >&2 && cat {case.lock}"],
        volumes={str(root): {"bind": "/project", "mode": "ro"}},
        working_dir="/locked",
        entrypoint=["sh", "-c", 'cp /project/* . && "$@"', "sh"],
        network_mode="none",
        remove=True,
    )
    (root / case.lock).write_bytes(locked)
    good = _built(docker_daemon, root, dockerfile(case, installers, case.good))
    images = [good, _built(docker_daemon, root, f"FROM {good}\n{change(case)}")]
    if case.more:
        images.append(_built(docker_daemon, root, dockerfile(case, installers, case.more)))
    views = [open_image(image, client=docker_daemon).view for image in images]
    yield Made(case, root, views[0], views[1], views[2] if case.more else None)
    for image in reversed(images):
        with contextlib.suppress(ImageNotFound):  # the one goes with the other, being untagged
            docker_daemon.images.remove(image, force=True)


def test_the_lock_that_the_image_was_made_of_passes(made: Made) -> None:
    assert made.differences(made.case.good) == []


def test_another_version_in_the_lock_is_one_row(made: Made) -> None:
    text = (made.root / made.case.lock).read_text().replace("25.0", "24.2")
    assert made.differences(made.case.good, text) == [("differing", "packaging")]


def test_a_package_that_is_missing_and_one_that_is_extra_are_a_row_each(made: Made) -> None:
    extra = [("extra", "tabulate")] if made.case.exact else []
    assert made.differences(made.case.good, view=made.changed) == [("missing", "six"), *extra]


def test_a_group_that_is_not_installed_is_a_row_for_each_package(made: Made) -> None:
    if not made.case.more:
        pytest.skip("a list of requirements has no groups")
    assert made.differences(made.case.more) == [("missing", "attrs")]


def test_a_group_that_is_installed_and_was_not_chosen_is_a_row_where_the_command_removes(
    made: Made,
) -> None:
    if made.fuller is None:
        pytest.skip("a list of requirements has no groups")
    assert made.differences(made.case.more, view=made.fuller) == []
    superfluous = [("extra", "attrs")] if made.case.exact else []
    assert made.differences(made.case.good, view=made.fuller) == superfluous


def test_the_plugin_passes_the_image_and_fails_it_when_a_later_step_changes_it(
    made: Made, installers: str
) -> None:
    project = made.root / "project"
    project.mkdir()
    for name in (made.case.manifest, made.case.lock):
        shutil.copy(made.root / name, project)
    said = _judged(project, dockerfile(made.case, installers, made.case.good))
    assert "1 passed" in said, said
    said = _judged(project, dockerfile(made.case, installers, made.case.good) + change(made.case))
    assert "1 failed" in said, said
    assert "six" in said, said
    assert ("tabulate  extra" in said) is made.case.exact, said


def _judged(project: Path, lines: str) -> str:
    (project / "Dockerfile").write_text(lines)
    done = run_pytest(
        project,
        *("-p", "no:cacheprovider", "-rA", "Dockerfile::environment-matches", "--dockercache"),
        env=process_environment(COLUMNS="200"),
    )
    return done.stdout + done.stderr
