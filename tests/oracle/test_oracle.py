"""The fixed part of the oracle: many rules in few builds, each held against the real builder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import bases
import pytest
from judging import Bench, Finding, bench
from world import Case, File

from pytest_dockercache.errors import EngineUnavailable
from pytest_dockercache.model import Edit

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

FILES = {
    "a.txt": File("alpha\n"),
    "b.txt": File("beta\n"),
    "src/main.py": File("main\n"),
    "src/sub/deep.txt": File("deep\n"),
    "lib/main.py": File("main\n"),
    "link.txt": File(link="a.txt"),
    "src/up.txt": File(link="../b.txt"),
    ".git/HEAD": File("ref\n"),
}

TEXTS = [
    ("RUN echo a", "# comment\nrun   echo a  "),
    ("RUN echo a \\\n  b", "RUN echo a \\\n    b"),
    ("RUN echo b", 'RUN ["/bin/sh", "-c", "echo b"]'),
    ("ENV A=1 B=2\nRUN true", "ENV B=2 A=1\nRUN true"),
    ("ENV A=1\nRUN true 2", "ARG A=1\nRUN true 2"),
    ("USER root\nRUN true", "USER 0\nRUN true"),
    ("WORKDIR /w\nRUN true", "WORKDIR /w/\nRUN true"),
    ("RUN <<EOF\ntrue 3\nEOF", "RUN <<END\ntrue 3\nEND"),
    ("RUN <<EOF\ntrue 4\nEOF", "RUN <<EOF\n# c\ntrue 4\nEOF"),
    (
        "RUN --mount=type=bind,source=src/main.py,target=/m true",
        "RUN --mount=target=/m,source=lib/main.py true",
    ),
    ("RUN --mount=type=cache,target=/m true", "RUN --mount=type=cache,target=/m/ true"),
    ("RUN --mount=type=cache,id=x,target=/m true", "RUN --mount=type=cache,id=y,target=/m true"),
    ("COPY a.txt /x", 'COPY ["./a.txt", "x"]'),
    ("COPY a.txt /y", "COPY a.txt /y/"),
    ("COPY src/main.py /z", "COPY lib/main.py /z"),
    ("COPY --chown=root a.txt /o", "COPY --chown=0 a.txt /o"),
    ("COPY --chown=0 a.txt /p", "COPY --chown=0:0 a.txt /p"),
    ("COPY --chmod=644 a.txt /q", "COPY --chmod=0644 a.txt /q"),
    ("COPY --link a.txt /l", "COPY a.txt /l"),
    ("COPY <<EOF /d/\ntext\nEOF", "COPY <<'EOF' /d/\ntext\nEOF"),
]
"""Pairs of ways to write a step; whether they are one to the builder, the builder says."""

COPIES = [
    "COPY src /x",
    "COPY src/main.py /x",
    "COPY src/* /x/",
    "COPY s*/main.py /x/",
    "COPY link.txt /x",
    "COPY *.txt /x/",
    "COPY . /x",
    "RUN --mount=type=bind,source=src,target=/m true",
]


@pytest.fixture(scope="module")
def buildx() -> Iterator[Bench]:
    """Generated cases are judged here; without a daemon the tests are skipped."""
    with _bench("buildx") as made:
        yield made


@pytest.fixture(scope="module")
def classic() -> Iterator[Bench]:
    """The agreement on the classic builder."""
    with _bench("classic") as made:
        yield made


class _bench:  # noqa: N801 - reads as the function that it wraps
    def __init__(self, name: str) -> None:
        self._context = bench(name)

    def __enter__(self) -> Bench:
        try:
            return self._context.__enter__()
        except (EngineUnavailable, bases.BasesUnavailableError) as problem:
            if os.environ.get("DOCKERCACHE_REQUIRE_ENGINE") == "1":
                pytest.fail(str(problem), pytrace=False)
            pytest.skip(str(problem))

    def __exit__(self, *problem: object) -> None:
        self._context.__exit__(None, None, None)


def many(steps: list[str]) -> str:
    """A Dockerfile with a stage for each step, all of them needed."""
    lines = []
    for number, step in enumerate(steps):
        lines += [f"FROM {bases.PLAIN} AS s{number}", "COPY nonce /.n", f"WORKDIR /s{number}", step]
    lines.append("FROM scratch")
    lines += [f"COPY --from=s{number} /.n /{number}" for number in range(len(steps))]
    return "\n".join(lines) + "\n"


def require_agreement(findings: tuple[Finding, ...]) -> None:
    wrong = [str(item) for item in findings if item.verdict not in ("agreed", "unknowable")]
    assert not wrong, "\n".join(wrong)
    assert {"hit", "miss"} <= {item.real for item in findings}


def test_every_way_to_write_a_step_counts_as_it_does_for_the_builder(buildx: Bench) -> None:
    case = Case(
        dockerfile=many([before for before, _ in TEXTS]),
        files=FILES,
        ignore="Dockerfile\n",
        edits=(Edit.dockerfile(many([after for _, after in TEXTS])),),
    )
    require_agreement(buildx.judge(case))


@pytest.mark.parametrize(
    "edit",
    [
        Edit.append("src/main.py"),
        Edit.create(".dockerignore", "src/sub\na.txt\n!a.txt\n"),
    ],
    ids=str,
)
def test_every_copy_sees_of_an_edit_what_the_builder_sees(buildx: Bench, edit: Edit) -> None:
    case = Case(dockerfile=many(COPIES), files=FILES, edits=(edit,))
    require_agreement(buildx.judge(case))


STAGES = f"""FROM {bases.PLAIN} AS builder
COPY nonce /.n
WORKDIR /app
ARG A1=1
COPY a.txt ./
RUN echo made > /made
COPY src /app/src
FROM {bases.CONFIGURED}
USER root
COPY nonce /.n
COPY --from=builder /made /made
RUN echo $A1 $FLAVOUR
COPY --from=builder /app/src/sub /sub
"""


@pytest.mark.parametrize(
    "edit",
    [Edit.append("src/main.py"), Edit.build_arg("A1")],
    ids=str,
)
def test_what_is_copied_from_a_stage_is_judged_by_its_content(buildx: Bench, edit: Edit) -> None:
    require_agreement(buildx.judge(Case(dockerfile=STAGES, files=FILES, edits=(edit,))))


SECRETS = f"""FROM {bases.PLAIN} AS same
COPY nonce /.n
RUN --mount=type=bind,source=src,target=/m ls /m > /list
RUN --mount=type=secret,id=one echo same
COPY a.txt /a.txt
FROM {bases.PLAIN} AS other
COPY nonce /.n
COPY src /src
WORKDIR /w
RUN --mount=type=ssh echo other
FROM scratch
COPY --from=same /.n /same
COPY --from=other /.n /other
"""


def test_a_command_with_a_secret_stands_on_content(buildx: Bench) -> None:
    case = Case(dockerfile=SECRETS, files=FILES, edits=(Edit.append("src/main.py"),))
    findings = buildx.judge(case)
    require_agreement(findings)
    seen = {item.step.line: (item.real, item.said) for item in findings}
    assert seen[3] == ("miss", "miss")
    assert seen[4] == seen[5] == ("hit", "unknown")
    assert seen[10] == ("miss", "miss")


ITSELF = f"""FROM {bases.PLAIN} AS s0
COPY nonce /.n
FROM s0 AS s1
ENV A=1
FROM s0 AS s2
COPY --from=s1 /etc /f1/
"""


@pytest.mark.parametrize("step", ["ENV A=2", "WORKDIR /w"])
def test_a_copy_from_its_own_state_is_another_step(buildx: Bench, step: str) -> None:
    case = Case(ITSELF, FILES, edits=(Edit.dockerfile(ITSELF.replace("ENV A=1", step)),))
    found = {item.step.line: item for item in buildx.judge(case)}
    assert found[6].verdict == "agreed", found[6]
    assert found[6].real == ("hit" if step.startswith("ENV") else "miss")


CLASSIC = f"""FROM {bases.PLAIN}
COPY nonce /.n
LABEL a=1
ARG A1=1
COPY src/main.py /m
RUN echo made
CMD ["sh"]
"""


@pytest.mark.parametrize(
    "edit",
    [
        Edit.build_arg("A1", "2"),
        Edit.dockerfile(CLASSIC.replace("COPY src", "COPY lib").replace("RUN", "run ")),
    ],
    ids=["build-arg", "another path"],
)
def test_the_classic_builder_is_read_by_its_own_rules(classic: Bench, edit: Edit) -> None:
    findings = classic.judge(Case(dockerfile=CLASSIC, files=FILES, edits=(edit,)))
    assert {item.verdict for item in findings} == {"agreed"}, "\n".join(map(str, findings))
