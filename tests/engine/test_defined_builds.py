"""Services of a repository, judged with no configuration: compose and bake define the builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plugin_process import environment, run_pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

NODES = [
    *(f"compose.yaml::{name}" for name in ("api", "worker", "reports")),
    *(f"docker-bake.hcl::{name}" for name in ("jobs", "web", "gateway")),
]
"""What is judged; the worker of the bake file is the compose file's."""

BROKEN = "compose.yaml::reports::env-layer-cached"

pytestmark = pytest.mark.engine


@pytest.mark.minutes
@pytest.mark.newest_python
def test_exactly_the_broken_service_of_the_monorepo_fails(miniconda: str, tmp_path: Path) -> None:
    root = tmp_path / "monorepo"
    shutil.copytree(FIXTURES / "monorepo", root)
    report = tmp_path / "report.json"
    ended = run_pytest(
        root,
        *("-p", "no:cacheprovider"),
        f"--dockercache-build-arg=BASE={miniconda}",
        f"--dockercache-report=json:{report}",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 1, output
    images = json.loads(report.read_text())["images"]
    assert [image["node"] for image in images] == NODES
    checks = [check for image in images for check in image["checks"]]
    wrong = {check["nodeid"]: check for check in checks if check["outcome"] in ("failed", "error")}
    assert list(wrong) == [BROKEN], output
    assert wrong[BROKEN]["line"] == 6
    assert "services/ is copied before it" in wrong[BROKEN]["message"]
    assert wrong[BROKEN]["fix"]["patch"] is not None


NAMED = {
    "app/Dockerfile": """\
FROM {base} AS env
WORKDIR /opt/app
COPY requirements.txt ./
RUN echo pip install -r requirements.txt > installed
FROM env
COPY --from=shared lib.txt ./
COPY main.txt ./
""",
    "app/requirements.txt": "six\n",
    "app/main.txt": "main\n",
    "shared/lib.txt": "lib\n",
    "shared/.dockerignore": "secret\n",
    "compose.yaml": """\
services:
  app:
    build:
      context: app
      additional_contexts: {shared: ./shared}
""",
}


def test_a_named_context_is_built_and_its_files_are_edited_with_the_others(
    tiny: str, tmp_path: Path
) -> None:
    for name, text in NAMED.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{base}", tiny))
    report = tmp_path / "report.json"
    ended = run_pytest(
        tmp_path / "project",
        *("-p", "no:cacheprovider"),
        "--dockercache-env-step=pip install",
        f"--dockercache-report=json:{report}",
        "-k",
        "layer-cached or builds and not change",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    [image] = json.loads(report.read_text())["images"]
    assert {check["id"]: check["outcome"] for check in image["checks"]} == {
        "builds": "passed",
        "env-layer-cached": "passed",
    }, output
    edited = image["builds"][1]
    statuses = {step["line"]: step["status"] for step in edited["steps"]}
    assert (statuses[4], statuses[6]) == ("hit", "miss")
