"""``--dockercache-fix``: the files that a patch changes, and an interrupted proof's traces."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import docker
import pytest

from plugin_process import environment, run_pytest, start_pytest
from pytest_dockercache.runs import RUN_LABEL

pytestmark = pytest.mark.engine

INSTALL = "RUN cat requirements.txt > /environment"
OPTIONS = (
    *("-p", "no:cacheprovider", "--dockercache-env-step=/environment"),
    *("--dockercache-skip=no-hidden-bytes", "--dockercache-skip=env-change-rebuilds"),
)


def project_at(root: Path, files: dict[str, str]) -> Path:
    """A git repository with these files, all committed."""
    for path, text in {"src/main.py": "1\n", "requirements.txt": "click\n", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", *command.split()], cwd=root, check=True)
    return root


def proven(root: Path, tmp_path: Path, *options: str) -> str:
    """What the run prints; its patch is ``fix.patch`` in the project."""
    ended = run_pytest(
        root, *OPTIONS, "--dockercache-fix=fix.patch", *options,
        env=environment(XDG_CACHE_HOME=str(tmp_path / "cache"), COLUMNS="150"),
    )  # fmt: skip
    return ended.stdout + ended.stderr


def applied(root: Path) -> None:
    subprocess.run(["git", "apply", "fix.patch"], cwd=root, check=True)


def test_one_patch_mends_two_dockerfiles_each_with_its_own_line_ends_and_ignore_file(
    tmp_path: Path, tiny: str
) -> None:
    first = f"FROM {tiny}\r\nWORKDIR /app\r\nCOPY . .\r\n{INSTALL}\r\n"
    second = f"FROM {tiny}\nWORKDIR /two\nCOPY . .\nRUN <<EOF\nset -e\n{INSTALL[4:]}\nEOF\n"
    ignored = ".git\n.pytest_cache\n**/__pycache__\nfix.patch\n"
    root = project_at(
        tmp_path / "project",
        {
            "Dockerfile": first,
            ".dockerignore": ignored,
            "docker/Dockerfile": second,
            "docker/Dockerfile.dockerignore": ".pytest_cache\n**/__pycache__\nfix.patch",
            "pytest.ini": "[pytest]\n",
        },
    )
    output = proven(
        root, tmp_path, "--dockercache-dockerfile=Dockerfile",
        "--dockercache-dockerfile=docker/Dockerfile,context=.",
    )  # fmt: skip
    assert "fixes: 3 fixes are proven by building: git apply fix.patch" in output, output
    assert "Dockerfile::env-layer-cached" in output
    assert "on every commit" in output
    applied(root)
    assert (root / "Dockerfile").read_bytes().decode() == (
        f"FROM {tiny}\r\nWORKDIR /app\r\nCOPY requirements.txt ./\r\n{INSTALL}\r\nCOPY . .\r\n"
    )
    assert (root / "docker/Dockerfile").read_text() == (
        f"FROM {tiny}\nWORKDIR /two\nCOPY requirements.txt ./\n"
        f"RUN <<EOF\nset -e\n{INSTALL[4:]}\nEOF\nCOPY . .\n"
    )
    ignore = (root / "docker/Dockerfile.dockerignore").read_text()
    assert ignore == ".pytest_cache\n**/__pycache__\nfix.patch\n.git\n"


MINUTES = pytest.mark.minutes
"""The gate proves with one engine of each kind; ``tox run -e minutes`` with all."""


@pytest.mark.parametrize(
    "engine",
    ["buildx", pytest.param("buildkit", marks=MINUTES), pytest.param("classic", marks=MINUTES)],
)
def test_a_patch_of_workers_applies_too(tmp_path: Path, tiny: str, engine: str) -> None:
    pytest.importorskip("xdist")
    root = project_at(
        tmp_path / "project",
        {
            "app/Dockerfile": f"FROM {tiny}\nWORKDIR /app\nCOPY . .\n{INSTALL}\n",
            "app/.dockerignore": "Dockerfile\n",
            "app/src/main.py": "1\n",
            "app/requirements.txt": "click\n",
            "pytest.ini": "[pytest]\n",
        },
    )
    output = proven(
        root, tmp_path, "-n2", f"--dockercache-engine={engine}", "-k", "builds or layer",
        "--dockercache-dockerfile=app/Dockerfile",
    )  # fmt: skip
    assert "fixes: 1 fix is proven by building: git apply fix.patch" in output, output
    applied(root)
    assert "COPY requirements.txt ./\nRUN cat" in (root / "app/Dockerfile").read_text()


def test_the_patch_of_a_nested_project_applies_where_pytest_was_started(
    tmp_path: Path, tiny: str
) -> None:
    root = project_at(
        tmp_path / "repository",
        {
            "images/app/Dockerfile": f"FROM {tiny}\nWORKDIR /app\nCOPY . .\n{INSTALL}\n",
            "images/app/.dockerignore": "Dockerfile\n",
            "images/app/src/main.py": "1\n",
            "images/app/requirements.txt": "click\n",
            "images/app/pytest.ini": "[pytest]\n",
        },
    )
    output = proven(root, tmp_path, "-k", "builds or layer", "images/app/Dockerfile")
    command = "git apply --directory=images/app fix.patch"
    assert f"fixes: 1 fix is proven by building: {command}\n" in output, output
    subprocess.run(command.split(), cwd=root, check=True)
    assert "COPY requirements.txt ./\nRUN cat" in (root / "images/app/Dockerfile").read_text()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="buildx", marks=MINUTES),
        pytest.param(
            ("--dockercache-engine=buildkit", "-n2"), id="buildkit-workers", marks=MINUTES
        ),
        pytest.param(("--dockercache-engine=classic",), id="classic"),
    ],
)
def test_an_interrupted_proof_leaves_nothing_and_says_what_was_judged(
    tmp_path: Path, tiny: str, docker_daemon: docker.DockerClient, options: tuple[str, ...]
) -> None:
    if "-n2" in options:
        pytest.importorskip("xdist")
    dockerfile = f"FROM {tiny}\nWORKDIR /app\nCOPY . .\n{INSTALL}\nRUN sleep 3; cat src/main.py\n"
    root = project_at(tmp_path / "project", {"Dockerfile": dockerfile, "pytest.ini": "[pytest]\n"})
    (root / "fix.patch").write_text("of an earlier run\n")
    cache = tmp_path / "cache"
    run = start_pytest(
        root, *OPTIONS, *options, "-k", "builds or layer-cached", "--dockercache-fix=fix.patch",
        env=environment(XDG_CACHE_HOME=str(cache), COLUMNS="150"), new_session=True,
    )  # fmt: skip
    assert run.stdout is not None
    lines: list[str] = []
    for line in run.stdout:
        lines.append(line)
        if line.lstrip().startswith("fixes: first build"):
            os.killpg(run.pid, signal.SIGINT)
            break
    rest, _ = run.communicate(timeout=120)
    output = "".join(lines) + rest
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "fixes: interrupted: no patch is written" in output
    assert "env layer was rebuilt: src/" in output
    assert "Traceback" not in output
    assert (root / "fix.patch").read_text() == "of an earlier run\n"
    runs = cache / "pytest-dockercache" / "runs"
    assert not runs.exists() or not any(path.is_dir() for path in runs.iterdir())
    labelled = docker_daemon.api.images(all=True, filters={"label": [RUN_LABEL]})
    ours = [image for image in labelled if str(root) in str(image.get("Labels"))]
    assert ours == []
