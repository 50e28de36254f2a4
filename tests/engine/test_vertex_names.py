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

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.engines.vertices import match, parse_name

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
) -> Iterator[Callable[[str], dict[str, str]]]:
    """Build a Dockerfile's text; return its steps' vertices: digest to name."""
    label = f"dockercache-test={uuid.uuid4().hex}"

    def build(text: str) -> dict[str, str]:
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
        return {digest: name for digest, name in found.items() if steps.match(name)}

    yield build
    for image in docker_daemon.images.list(filters={"label": label}, all=True):
        docker_daemon.images.remove(str(image.id), noprune=True)


def test_the_steps_of_a_single_stage_are_found_by_ordinal_and_exact_text(
    names: Callable[[str], dict[str, str]], miniconda: str
) -> None:
    require_all_found(names, SINGLE.format(base=miniconda, nonce=uuid.uuid4().hex), exact=True)


def test_the_steps_of_several_stages_are_found_by_stage_and_ordinal(
    names: Callable[[str], dict[str, str]], miniconda: str
) -> None:
    require_all_found(names, STAGES.format(base=miniconda, nonce=uuid.uuid4().hex), exact=False)


def require_all_found(names: Callable[[str], dict[str, str]], text: str, *, exact: bool) -> None:
    """Every step has one vertex, every vertex is a step's, and nothing is doubted."""
    steps = plan(parse_dockerfile(text))
    named = names(text)
    found = match(steps, named)
    assert found.doubts == {}
    expected = {
        position
        for position, step in enumerate(steps)
        if step.ordinal is not None and step.instruction.keyword != "FROM" and not step.triggered
    }
    triggered = sum(step.triggered for step in steps)
    own = {position for position in found.digests if not steps[position].triggered}
    assert own == expected
    taken = [digest for digests in found.digests.values() for digest in digests]
    taken += [digest for trigger in found.triggers for digest in trigger.digests]
    assert sorted(taken) == sorted(named)
    assert len(taken) == len(expected) + triggered
    for position, (digest,) in found.digests.items():
        parsed = parse_name(named[digest])
        assert parsed is not None
        assert not exact or parsed.text == steps[position].expanded
