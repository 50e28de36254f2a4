"""The plan's vertex names against those of the builder that answers."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from pytest_dockercache.dockerfile import may_be_named, parse_dockerfile, plan, vertex_name

pytestmark = pytest.mark.engine

SINGLE = """\
FROM {base}
ENV A=va B="x y"
WORKDIR /
WORKDIR //
workdir /w/${{A}}
RUN echo $A "$B" ${{UNSET}} \\$A '$A' $((1+2)) \\
  && true
COPY --chown=0:0 a.txt /${{A}}/"$B"/
copy ["a.txt", "/j/"]
LABEL nonce={nonce}
ADD   a.txt    /t
RUN <<EOF

  echo 1
  echo $A
EOF
COPY <<F1 <<"F2" /d/
a $PATH
F1
b
F2
WORKDIR ..
"""

STAGES = """\
ARG G=one
FROM {base} AS Deps
ONBUILD RUN echo trigger
RUN --mount=type=cache,target=/m echo {nonce} > /c
FROM scratch
COPY --from=deps /c /c
FROM deps
ARG G
ARG H=$G-h
RUN echo ${{G}} ${{H:+set}} ${{PATH%%:*}}
COPY --from=1 /c /c2
FROM deps AS unused
RUN false
FROM scratch AS Last
COPY --from=2 /c2 /x-${{G}}
COPY a.txt /
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with one file."""
    (tmp_path / "a.txt").write_text("a\n")
    return tmp_path


@pytest.fixture
def names(
    docker_daemon: docker.DockerClient, context: Path
) -> Iterator[Callable[[str], list[str]]]:
    """Build a Dockerfile's text; return its vertices' names, FROM and internal ones left out."""
    label = f"dockercache-test={uuid.uuid4().hex}"

    def build(text: str) -> list[str]:
        (context / "Dockerfile").write_text(text)
        command = ["docker", "buildx", "build", "--progress=rawjson", f"--label={label}", "."]
        done = subprocess.run(command, cwd=context, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        decoder = json.JSONDecoder()
        found: dict[str, str] = {}
        start = done.stderr.find("{")
        while start >= 0:
            record, end = decoder.raw_decode(done.stderr, start)
            found.update((item["digest"], item["name"]) for item in record.get("vertexes") or ())
            start = done.stderr.find("{", end)
        steps = re.compile(r"\[(?!internal)[^]]*\d+/\d+\] (?!FROM )")
        return sorted(name for name in found.values() if steps.match(name))

    yield build
    for image in docker_daemon.images.list(filters={"label": label}, all=True):
        docker_daemon.images.remove(image.id, noprune=True)


def test_a_single_stage_is_named_exactly(names: Callable[[str], list[str]], miniconda: str) -> None:
    text = SINGLE.format(base=miniconda, nonce=uuid.uuid4().hex)
    steps = [step for step in plan(parse_dockerfile(text)) if step.instruction.keyword != "FROM"]
    assert names(text) == sorted(name for step in steps if (name := vertex_name(step)))


def test_stages_and_ordinals_find_the_step_and_the_text_fits(
    names: Callable[[str], list[str]], miniconda: str
) -> None:
    text = STAGES.format(base=miniconda, nonce=uuid.uuid4().hex)
    steps = plan(parse_dockerfile(text))
    expected = {
        (step.label, step.ordinal): step
        for step in steps
        if step.ordinal is not None and step.instruction.keyword != "FROM"
    }
    found = {}
    for name in names(text):
        parsed = re.fullmatch(r"\[(\S+) +(\d+)/\d+\] (.*)", name, re.DOTALL)
        assert parsed is not None
        step = expected[parsed[1], int(parsed[2])]
        assert may_be_named(step, parsed[3]), name
        found[parsed[1], int(parsed[2])] = step
    assert found == expected
