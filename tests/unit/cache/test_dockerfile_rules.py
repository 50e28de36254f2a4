"""The changes of a Dockerfile's text that change a cache key, as real builders showed."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparing import Project

from pytest_dockercache.cache import CLASSIC
from pytest_dockercache.model import Edit

HIT, MISS = "hit", "miss"


def swapped(tmp_path: Path, before: str, after: str, below: str = "RUN probe") -> str:
    """The verdict of the step ``below`` a change, or of the changed step itself if it is one."""
    project = Project(tmp_path, f"FROM base\n{before}\n{below}\n")
    forecasts = project.after(Edit.dockerfile(f"FROM base\n{after}\n{below}\n"))
    missed = [item.status for item in forecasts.values() if item.status != "hit"]
    return missed[0] if missed else HIT


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # Text that no builder reads.
        ("RUN a", "# comment\n\nRUN a", HIT),
        ("RUN a", "run   a  ", HIT),
        ("RUN a \\\n  b", "RUN a \\\n# comment\n  b", HIT),
        ("RUN a \\\n  b", "RUN a   b", HIT),
        ("RUN a \\\n  b", "RUN a \\\n    b", MISS),
        ("RUN a", "RUN a # comment", MISS),
        ("RUN a", "RUN a  b", MISS),
        ("RUN a", 'RUN ["/bin/sh", "-c", "a"]', HIT),
        ("RUN a", 'RUN ["a"]', MISS),
        # Settings.
        ("LABEL a=1", "LABEL a=2", HIT),
        ("CMD a", 'CMD ["b"]', HIT),
        ("EXPOSE 1", "EXPOSE 2", HIT),
        ("ENV A=1", "ENV A=2", MISS),
        ("ENV A=1 B=2", "ENV A=1\nENV B=2", HIT),
        ("ENV A=1 B=2", "ENV B=2 A=1", MISS),
        ("ENV A=1", "ARG A=1", HIT),
        ("ENV A=1", "ENV A 1", HIT),
        ("ARG A", "LABEL x=1", HIT),
        ("ARG A=1", "ARG A=2", MISS),
        ("ARG A=1", "ARG A=1\nARG B", HIT),
        ('SHELL ["/bin/sh", "-c"]', "LABEL x=1", HIT),
        ('SHELL ["/bin/sh", "-ec"]', "LABEL x=1", MISS),
        ("USER root", "USER 0", MISS),
        ("USER root", "LABEL x=1", MISS),
        ("WORKDIR /w", "WORKDIR /w/", MISS),
        ("WORKDIR /w", "WORKDIR w", HIT),
        ("WORKDIR /", "LABEL x=1", HIT),
        ("WORKDIR /w/x", "WORKDIR /w\nWORKDIR x", MISS),
        # COPY.
        ("COPY a.txt /x", 'COPY ["a.txt", "/x"]', HIT),
        ("COPY a.txt /x", "COPY ./a.txt /x", HIT),
        ("COPY a.txt /x", "COPY /a.txt /x", HIT),
        ("COPY a.txt /x", "COPY a.txt x", HIT),
        ("COPY a.txt /x", "COPY a.txt /x/", MISS),
        ("COPY a.txt /x", "COPY b.txt /x", MISS),
        ("COPY src/main.py /x", "COPY lib/main.py /x", HIT),
        ("COPY src/ /x", "COPY src /x", HIT),
        ("COPY a.txt /x/", "COPY a.tx? /x/", MISS),
        ("COPY a.txt b.txt /x/", "COPY b.txt a.txt /x/", MISS),
        ("COPY a.txt b.txt /x/", "COPY a.txt /x/\nCOPY b.txt /x/", MISS),
        ("COPY a.txt /x", "ADD a.txt /x", MISS),
        ("COPY --chown=root a.txt /x", "COPY --chown=0 a.txt /x", HIT),
        ("COPY --chown=0 a.txt /x", "COPY --chown=0:0 a.txt /x", MISS),
        ("COPY --chmod=644 a.txt /x", "COPY --chmod=0644 a.txt /x", HIT),
        ("COPY --chmod=644 a.txt /x", "COPY a.txt /x", MISS),
        ("COPY --link a.txt /x", "COPY a.txt /x", HIT),
        # Heredocs.
        ("RUN <<EOF\na\nEOF", "RUN <<END\na\nEND", HIT),
        ("RUN <<EOF\na\nEOF", "RUN <<EOF\na\n# c\nEOF", MISS),
        ("RUN cat <<EOF\na\nEOF", "RUN cat <<END\na\nEND", MISS),
        ("COPY <<EOF /x/\na\nEOF", "COPY <<END /x/\na\nEND", MISS),
        ("COPY <<EOF /x/\na\nEOF", "COPY <<'EOF' /x/\na\nEOF", HIT),
        # Mounts.
        (
            "RUN --mount=type=bind,source=src,target=/m a",
            "RUN --mount=target=/m,src=./src/ a",
            HIT,
        ),
        (
            "RUN --mount=type=bind,source=src/main.py,target=/m a",
            "RUN --mount=type=bind,source=lib/main.py,target=/m a",
            HIT,
        ),
        ("RUN --mount=type=cache,target=/m a", "RUN --mount=type=cache,target=/m/ a", MISS),
        ("RUN --mount=type=cache,id=x,target=/m a", "RUN --mount=type=cache,id=y,target=/m a", HIT),
        ("RUN --mount=type=cache,target=/m a", "RUN --mount=type=cache,id=x,target=/m a", MISS),
        ("RUN --mount=type=secret,id=x a", "RUN --mount=type=secret,id=y a", MISS),
        (
            "RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/m a",
            "RUN --mount=type=cache,target=/m --mount=type=tmpfs,target=/t a",
            HIT,
        ),
        ("RUN --network=default a", "RUN a", HIT),
        ("RUN --network=none a", "RUN a", MISS),
    ],
)
def test_a_change_of_the_text_misses_exactly_when_it_enters_the_key(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    assert swapped(tmp_path, before, after) == expected


def test_a_copy_does_not_see_the_environment_unless_it_expands_it(tmp_path: Path) -> None:
    before = "FROM base\nENV A=1 B=x\nCOPY a.txt /x\nCOPY a.txt /$B\n"
    after = "FROM base\nENV A=2 B=y\nCOPY a.txt /x\nCOPY a.txt /$B\n"
    said = Project(tmp_path, before).after(Edit.dockerfile(after))
    assert {line: item.status for line, item in said.items()} == {3: HIT, 4: MISS}
    assert said[4].reason is not None
    assert said[4].reason.message == 'ENV B changed in line 2: "x" → "y"'


def test_a_stage_may_be_renamed_and_moved(tmp_path: Path) -> None:
    one = "FROM base AS one\nRUN one\n"
    other = "FROM base AS other\nRUN other\n"
    last = "FROM base\nCOPY --from=one /x /\nCOPY --from=other /y /\n"
    project = Project(tmp_path, one + other + last)
    moved = (other + one + last).replace("one", "first").replace("RUN first", "RUN one")
    assert set(project.statuses(Edit.dockerfile(moved)).values()) == {HIT}


def test_an_unreachable_stage_is_not_part_of_the_build(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base AS idle\nRUN idle\nFROM base\nRUN a\n")
    assert project.statuses(Edit.touch("a.txt")) == {4: HIT}


def test_the_classic_builder_builds_every_stage_and_every_instruction(tmp_path: Path) -> None:
    text = "FROM base AS idle\nRUN idle\nFROM base\nLABEL a=1\nRUN a\n"
    project = Project(tmp_path, text, dialect=CLASSIC)
    assert project.statuses(Edit.dockerfile(text.replace("a=1", "a=2"))) == {
        2: HIT,
        4: MISS,
        5: MISS,
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("LABEL a=1", "label  a=1", HIT),
        ("ENV A=1", "ARG A=1", MISS),
        ("ENV A=1 B=2", "ENV A=1\nENV B=2", MISS),
        ("ARG A", "ARG A=1", MISS),
        ("COPY a.txt /x", "COPY ./a.txt /x", HIT),
        ("COPY a.txt /x", "COPY a.txt x", MISS),
        ("COPY src/main.py /x", "COPY lib/main.py /x", MISS),
        ("EXPOSE 1 2", "EXPOSE 2 1", HIT),
        ("CMD a", 'CMD ["/bin/sh", "-c", "a"]', HIT),
        ("HEALTHCHECK CMD a", "HEALTHCHECK --interval=30s CMD a", MISS),
    ],
)
def test_the_classic_builder_has_rules_of_its_own(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    project = Project(tmp_path, f"FROM base\n{before}\n", dialect=CLASSIC)
    statuses = project.statuses(Edit.dockerfile(f"FROM base\n{after}\n"))
    assert (MISS if MISS in statuses.values() else HIT) == expected


def test_a_build_argument_of_the_classic_builder_reaches_runs_only(tmp_path: Path) -> None:
    text = "FROM base\nARG A=1\nCOPY a.txt /x\nRUN a\n"
    project = Project(tmp_path, text, dialect=CLASSIC)
    assert project.statuses(Edit.build_arg("A", "2")) == {2: HIT, 3: HIT, 4: MISS}


def test_an_env_of_the_classic_builder_hides_an_argument(tmp_path: Path) -> None:
    text = "FROM base\nARG A=1\nENV A=3\nRUN a\n"
    project = Project(tmp_path, text, dialect=CLASSIC)
    assert set(project.statuses(Edit.build_arg("A", "2")).values()) == {HIT}


def test_the_classic_builder_counts_that_there_is_a_proxy_and_not_which(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nRUN a\n", dialect=CLASSIC)
    assert project.statuses(Edit.build_arg("HTTP_PROXY", "one")) == {2: MISS}
    given = Project(tmp_path, "FROM base\nRUN a\n", dialect=CLASSIC, args={"HTTP_PROXY": "other"})
    assert given.statuses(Edit.build_arg("HTTP_PROXY", "one")) == {2: HIT}
