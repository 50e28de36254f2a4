"""The plugin in a pytest process of its own, in a project's directory, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pytest", "--dockercache")


def environment(**more: str) -> dict[str, str]:
    """The environment without the variables of this pytest, and with those that a test adds."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # The job that runs these tests is not told of the projects that they run pytest in.
        if not name.startswith("PYTEST") and name not in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
    }
    return {**kept, **more}


def start_pytest(
    project: Path,
    *options: str,
    env: Mapping[str, str],
    stderr: int = subprocess.STDOUT,
    new_session: bool = False,
) -> subprocess.Popen[str]:
    """Start the plugin; by default all output of the process comes from ``stdout``, in order."""
    return subprocess.Popen(
        [*COMMAND, *options],
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=new_session,
    )


def run_pytest(
    project: Path, *options: str, env: Mapping[str, str], stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run the plugin to its end; ``stderr=STDOUT`` joins both outputs."""
    with start_pytest(project, *options, env=env, stderr=stderr) as run:
        said, complaints = run.communicate()
    return subprocess.CompletedProcess(run.args, run.returncode, said, complaints)


def only_image(report: Path) -> dict[str, Any]:
    """The image of a JSON report on no more than one."""
    images: list[dict[str, Any]] = json.loads(report.read_text())["images"]
    (image,) = images
    return image
