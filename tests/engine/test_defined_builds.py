"""Services of a repository, judged with no configuration: compose and bake define the builds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from plugin_process import environment, run_pytest
from pytest_dockercache.dockerfile.platforms import default_platform

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


INLINE = """\
FROM {base} AS env
WORKDIR /opt/app
COPY requirements.txt ./
RUN echo pip install -r requirements.txt > installed
COPY main.txt ./
"""

DEFINED = """\
services:
  app:
    build:
      context: .
      network: none
      extra_hosts: ["index.local=10.0.0.1"]
      shm_size: 96m
      ulimits: {{nofile: {{soft: 1000, hard: 2000}}}}
      platforms: [{foreign}, {own}]
      dockerfile_inline: |
{text}"""


def test_a_service_finds_what_its_own_build_left_in_the_cache(tiny: str, tmp_path: Path) -> None:
    own, foreign = default_platform(), "linux/s390x"
    text = INLINE.format(base=tiny)
    root = tmp_path / "project"
    root.mkdir()
    (root / "requirements.txt").write_text("six\n")
    (root / "main.txt").write_text("main\n")
    indented = textwrap.indent(text, "        ")
    (root / "compose.yaml").write_text(DEFINED.format(foreign=foreign, own=own, text=indented))
    options = [
        *("--network=none", "--add-host=index.local:10.0.0.2", "--shm-size=96m"),
        *("--ulimit=nofile=1000:2000", f"--platform={own}", "--file=-"),
    ]
    subprocess.run(
        ["docker", "buildx", "build", *options, str(root)],
        input=text.encode(),
        check=True,
        capture_output=True,
    )
    report = tmp_path / "report.json"
    ended = run_pytest(
        root,
        *("-p", "no:cacheprovider", "-rs"),
        "--dockercache-env-step=pip install",
        f"--dockercache-report=json:{report}",
        "-k",
        "layer-cached or builds and not change",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    images = {image["node"]: image for image in json.loads(report.read_text())["images"]}
    judged = images[f"compose.yaml::app,{own}"]
    assert {check["id"]: check["outcome"] for check in judged["checks"]} == {
        "builds": "passed",
        "env-layer-cached": "passed",
    }, output
    steps = {step["line"]: step["status"] for step in judged["builds"][0]["steps"]}
    assert steps == {12: "hit", 13: "hit", 14: "hit", 15: "hit"}, output
    other = images[f"compose.yaml::app,{foreign}"]
    assert {check["skip"] for check in other["checks"]} == {"not-verified"}
    assert f"{foreign} cannot be built here: the builder executes no programs of that" in output


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--network=none", True),
        ("--add-host=a:10.0.0.1", True),
        ("--shm-size=96m", True),
        ("--ulimit=nofile=1000:2000", True),
        ("--allow=network.host", False),
        ("--label=a=b", False),
        ("--tag=pytest-dockercache-test-of-keys", False),
        ("--output=type=cacheonly", False),
        ("--attest=type=provenance,disabled=true", False),
    ],
)
def test_what_a_definition_sets_enters_the_key_of_a_run_or_not(
    tiny: str, tmp_path: Path, option: str, key: bool
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {tiny}\nRUN echo {tmp_path} {option}\n")
    command = ["docker", "buildx", "build", "--progress=plain", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    again = subprocess.run([*command, option], check=True, capture_output=True, text=True)
    if "--tag" in option:
        tag = option.partition("=")[2]
        subprocess.run(["docker", "rmi", tag], check=True, capture_output=True)
    ran = re.search(r"^#(\d+) \[2/2\] RUN[^\n]*$", again.stderr, re.MULTILINE)
    assert ran is not None
    assert (f"#{ran[1]} CACHED" not in again.stderr) is key, again.stderr
