"""Edits of many kinds in one build, and of a Dockerfile under other spellings, on real builders."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from plugin_process import environment, run_pytest

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM {base}
ARG A=1
ARG B=2
RUN echo {nonce} > /first
COPY one/ /one/
COPY two/rows.csv two/data.json two/model.bin /two/
RUN test -n "$B" && wc -l /two/rows.csv
COPY three /three
"""

TESTS = """
import pytest
from pytest_dockercache import Edit

MANY = [
    Edit.append("one/deep/main.py"), Edit.append("two/model.bin"), Edit.append("two/data.json"),
    Edit.append("two/rows.csv"), Edit.build_arg("A"), Edit.build_arg("B"),
    Edit.chmod("three/run.sh", 0o700), Edit.rename("three/old", "three/new"),
]


def test_many_edits_miss_every_step_that_takes_one(dockercache):
    again = dockercache.rebuild(*MANY)
    assert [(step.line, step.status) for step in again.steps if step.line > 3] == [
        (4, "miss"), (5, "miss"), (6, "miss"), (7, "miss"), (8, "miss")
    ]


def test_many_edits_below_a_step_leave_it_a_hit(dockercache):
    again = dockercache.rebuild(*[edit for edit in MANY if edit.kind != "build-arg"])
    assert [(step.line, step.status) for step in again.steps if step.line > 3] == [
        (4, "hit"), (5, "miss"), (6, "miss"), (7, "miss"), (8, "miss")
    ]


@pytest.mark.parametrize("spelling", ["Dockerfile", "one/../Dockerfile", "docker/Dockerfile"])
def test_the_steps_are_those_of_the_edited_dockerfile(dockercache, spelling):
    text = f"wc -c /two/rows.csv && : {spelling}"
    again = dockercache.rebuild(Edit.replace(spelling, "wc -l /two/rows.csv", text))
    again.assert_hit("COPY two")
    again.assert_miss("wc -c")
    (step,) = [step for step in again.steps if step.line == 7]
    assert "wc -c" in step.text
    assert step.reason.kind == "text", step.reason
"""


@pytest.mark.parametrize("engine", ["buildx", "classic", "model"])
def test_edits_of_all_kinds_are_made_in_one_build(tiny: str, tmp_path: Path, engine: str) -> None:
    project = tmp_path / "project"
    files = {
        "docker/Dockerfile": DOCKERFILE.format(base=tiny, nonce=uuid.uuid4().hex),
        "one/deep/main.py": "print()\n",
        "two/rows.csv": "a,b\n1,2\n",
        "two/data.json": "{}",
        "two/model.bin": "\0\1",
        "three/run.sh": "#!/bin/sh\n",
        "three/old": "old\n",
        "test_it.py": TESTS,
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "Dockerfile").symlink_to("docker/Dockerfile")
    done = run_pytest(
        project,
        "test_it.py",
        f"--dockercache-engine={engine}",
        env=environment(XDG_CACHE_HOME=str(project.parent / "cache")),
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr
