"""Stages and steps: what is reached, what each step starts with, how its vertex is named."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_dockercache.dockerfile import (
    BaseImage,
    PlannedStep,
    Transfer,
    parse_dockerfile,
    paths_in_final_stage,
    plan,
    reachable_stages,
    resolve_stage,
    resolved_stages,
)
from pytest_dockercache.dockerfile.platforms import default_platform
from pytest_dockercache.errors import ConfigError


def steps(text: str, *args: Any, **kwargs: Any) -> tuple[PlannedStep, ...]:
    return plan(parse_dockerfile(text), *args, **kwargs)


def last(text: str, *args: Any, **kwargs: Any) -> PlannedStep:
    return steps(text, *args, **kwargs)[-1]


def vertex_name(step: PlannedStep) -> str | None:
    """How BuildKit names the vertex of a step, as ``dockerfile/naming`` says."""
    if step.ordinal is None:
        return None
    label = f"{step.label} " if step.label else ""
    return f"[{label}{step.ordinal:>{len(str(step.total))}}/{step.total}] {step.expanded}"


def vertices(text: str, **kwargs: Any) -> list[str]:
    return [name for step in steps(text, **kwargs) if (name := vertex_name(step))]


STAGES = """\
ARG BASE=debian:12
FROM ${BASE} AS Base
RUN a
FROM base AS tools
RUN b
FROM alpine AS unused
FROM base
COPY --from=TOOLS /x /x
RUN --mount=from=helper,target=/h c
FROM busybox AS helper
FROM scratch AS last
COPY --from=3 /x /
"""


def test_stages_are_connected_by_name_and_bases_expanded() -> None:
    stages = parse_dockerfile(STAGES).stages
    assert [stage.base for stage in stages] == [
        "debian:12", "base", "alpine", "base", "busybox", "scratch",
    ]  # fmt: skip
    assert [stage.parent for stage in stages] == [None, 0, None, 0, None, None]
    assert [stage.label for stage in stages] == ["base", "tools", "unused", "3", "helper", "last"]


@pytest.mark.parametrize(
    ("target", "reached"), [(None, [0, 1, 3, 4, 5]), ("tools", [0, 1]), ("Unused", [2])]
)
def test_only_what_the_target_needs_is_reached(target: str | None, reached: list[int]) -> None:
    found = reachable_stages(parse_dockerfile(STAGES), target)
    assert [stage.index for stage in found] == reached


def test_the_classic_builder_takes_every_stage_up_to_the_target() -> None:
    found = steps(STAGES, "unused", all_stages=True)
    assert sorted({step.stage.index for step in found}) == [0, 1, 2]


def test_triggers_of_the_parent_stage_reach_stages_too() -> None:
    text = "FROM a AS src\nFROM a AS parent\nONBUILD COPY --from=src /x /x\nFROM parent AS child\n"
    assert [stage.index for stage in reachable_stages(parse_dockerfile(text))] == [0, 1, 2]


def test_a_later_stage_of_the_same_name_counts() -> None:
    dockerfile = parse_dockerfile("FROM a AS x\nFROM b AS x\nFROM x\n")
    assert resolve_stage(dockerfile, "X").index == 1
    assert dockerfile.stages[2].parent == 1


def test_an_unknown_target_names_the_valid_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        steps(STAGES, "nope")
    assert str(caught.value).split("\n")[0] == (
        "Dockerfile: unknown target stage 'nope'; valid: base, tools, unused, helper, last"
    )
    with pytest.raises(ConfigError, match="unknown target stage '0': no stage has a name"):
        steps("FROM a\n", "0")


def test_build_arguments_change_bases() -> None:
    dockerfile = parse_dockerfile(STAGES)
    assert resolved_stages(dockerfile, {"BASE": "x:1"})[0].base == "x:1"
    assert reachable_stages(dockerfile, "base", {"BASE": "scratch"})[0].base == "scratch"


def test_an_empty_base_says_which_argument_to_give() -> None:
    text = "ARG IMAGE\nFROM ${IMAGE}\n"
    assert parse_dockerfile(text).stages[0].base == ""
    with pytest.raises(ConfigError) as caught:
        steps(text)
    first, fix = str(caught.value).split("\n")
    assert first == "Dockerfile:2: no base image from ${IMAGE}: it is empty"
    assert "--dockercache-build-arg=IMAGE=IMAGE" in fix
    assert steps(text, None, {"IMAGE": "a"})[0].stage.base == "a"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("FROM ${A:?needed}\n", "Dockerfile:1: no base image from ${A:?needed}: A: needed"),
        ("FROM a${\n", "Dockerfile:1: no base image from a${: missing '}'"),
        ("ARG A=${\nFROM a\n", "Dockerfile: an ARG before the first FROM cannot be expanded"),
        ("FROM a\nENV A=${B:?no}\n", "Dockerfile:2: ENV cannot be expanded: B: no"),
        ("FROM a\nCOPY ${ /x\n", "Dockerfile:2: COPY cannot be expanded"),
    ],
)
def test_what_builders_cannot_expand_is_refused(text: str, verdict: str) -> None:
    dockerfile = parse_dockerfile(text)
    with pytest.raises(ConfigError) as caught:
        plan(dockerfile)
    assert str(caught.value).startswith(verdict)


def test_environment_and_arguments_stand_in_one_list_and_the_later_wins() -> None:
    text = (
        "ARG G=global\nARG UNUSED=u\nFROM a\nENV A=1 B=$A\nARG A=2\nARG G\nARG NONE\n"
        "ARG HTTP_PROXY\nENV C=$G.$A B=9\nRUN x\n"
    )
    step = last(text)
    assert step.environment == (("A", "2"), ("G", "global"), ("C", "global.2"), ("B", "9"))
    assert step.declared_args == ("A", "G", "NONE", "HTTP_PROXY")


def test_build_arguments_beat_defaults_and_need_a_declaration() -> None:
    text = "ARG G=1\nFROM a\nARG G\nARG L=$G-x\nRUN x\n"
    given = {"G": "9", "L": "l", "OTHER": "o"}
    assert last(text, None, given).environment == (("G", "9"), ("L", "l"))
    assert last(text).environment == (("G", "1"), ("L", "1-x"))


def test_for_the_classic_builder_env_is_stronger_and_arguments_end_with_the_stage() -> None:
    text = "FROM a AS b\nENV V=env\nARG V=arg\nARG W=w\nRUN x\nFROM b\nRUN y\n"
    found = steps(text, all_stages=True)
    assert found[4].environment == (("W", "w"), ("V", "env"))
    assert found[-1].environment == (("V", "env"),)
    assert found[-1].declared_args == ()
    assert last(text).environment == (("V", "arg"), ("W", "w"))


def test_platform_arguments_exist_for_buildkit_only() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS b\nARG TARGETARCH TARGETSTAGE\nRUN x\n"
    step = last(text, platform="linux/arm/v7")
    assert step.environment == (("TARGETARCH", "arm"), ("TARGETSTAGE", "b"))
    assert step.stage.platform == default_platform()
    assert last(text, all_stages=True).environment == ()
    assert last(text, None, {"TARGETARCH": "mine"}).environment[0] == ("TARGETARCH", "mine")


@pytest.mark.parametrize(
    ("asked", "platform", "variant"),
    [
        ("linux/x86_64", "linux/amd64", ""),
        ("linux/arm64/v8", "linux/arm64", ""),
        ("aarch64", "linux/arm64", ""),
        ("linux/arm", "linux/arm/v7", "v7"),
        ("linux/amd64/v2", "linux/amd64/v2", "v2"),
        ("local", default_platform(), ""),
    ],
)
def test_another_name_of_a_platform_gives_the_arguments_of_its_own(
    asked: str, platform: str, variant: str
) -> None:
    step = last("FROM a\nARG TARGETPLATFORM TARGETVARIANT\nRUN x\n", platform=asked)
    assert dict(step.environment) == {"TARGETPLATFORM": platform, "TARGETVARIANT": variant}


def test_working_directory_shell_and_user_follow_the_instructions() -> None:
    text = (
        'FROM a AS b\nWORKDIR /w/\nWORKDIR x/../y\nSHELL ["/bin/bash", "-c"]\nUSER ${U:-me}\n'
        "WORKDIR $UNSET\nFROM b\nRUN z\n"
    )
    found = steps(text)
    assert [step.workdir for step in found] == ["/", "/", "/w", *["/w/y"] * 5]
    assert found[2].cwd == "/w/"
    assert found[-1].shell == ("/bin/bash", "-c")
    assert found[-1].user == "me"


def test_a_known_base_brings_its_environment_and_triggers() -> None:
    base = BaseImage(
        environment=(("X", "1"),),
        workdir="/base",
        shell=("/bin/ash", "-c"),
        onbuild=("ENV T=$X", "COPY --chown=1 a.txt ."),
        user="u",
    )
    found = steps("FROM img\nRUN echo $X $T\n", bases={"img": base})
    assert [step.triggered for step in found] == [False, True, True, False]
    assert [step.line for step in found] == [1, 1, 1, 2]
    assert found[2].transfers[0].destination == "/base/"
    assert found[3].expanded == "RUN echo 1 1"
    assert found[3].known_base
    assert dict(found[3].environment)["PATH"].startswith("/usr/local/sbin")
    assert (found[3].shell, found[3].user) == (("/bin/ash", "-c"), "u")
    assert [step.ordinal for step in found] == [1, None, 2, 3]
    assert not last("FROM img\nRUN x\n").known_base
    assert dict(last("FROM scratch\nRUN x\n").environment)["PATH"]


def test_triggers_run_in_the_next_stage_and_no_further() -> None:
    text = "FROM a AS b\nONBUILD WORKDIR /q\nFROM b AS c\nRUN x\nFROM c\nRUN y\n"
    found = steps(text)
    assert [(step.line, step.expanded) for step in found if step.triggered] == [(3, "WORKDIR /q")]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY a.txt /x", Transfer("copy", ("a.txt",), "/x")),
        ("COPY a.txt .", Transfer("copy", ("a.txt",), "/w/")),
        ("COPY a.txt sub/", Transfer("copy", ("a.txt",), "/w/sub/")),
        ("COPY a b /", Transfer("copy", ("a", "b"), "/")),
        ("COPY a b d", Transfer("copy", ("a", "b"), "/w/d/")),
        ('COPY ["a b", "c"]', Transfer("copy", ("a b",), "/w/c")),
        ("COPY $D/*.py ${D}/", Transfer("copy", ("dir/*.py",), "/w/dir/")),
        ("COPY --exclude=*.md --exclude=x --parents ./a /x",
         Transfer("copy", ("./a",), "/x", exclude=("*.md", "x"), parents=True)),
        ("COPY --parents=false a /x", Transfer("copy", ("a",), "/x")),
        ("COPY --from=one /a /x", Transfer("copy", ("/a",), "/x", origin=0)),
        ("COPY --from=0 /a /x", Transfer("copy", ("/a",), "/x", origin=0)),
        ("COPY --from=9 /a /x", Transfer("copy", ("/a",), "/x", origin="9")),
        ("COPY --from=img:1 /a /x", Transfer("copy", ("/a",), "/x", origin="img:1")),
        ("ADD https://example.org/x.tgz a.tgz /x/",
         Transfer("add", ("https://example.org/x.tgz", "a.tgz"), "/x/")),
        ("COPY <<E b /x\nbody\nE", Transfer("copy", ("b",), "/x/")),
        ("RUN --mount=source=r.txt,target=r.txt x", Transfer("bind", ("r.txt",), "/w/r.txt")),
        ("RUN --mount=type=bind,target=/src x", Transfer("bind", (".",), "/src")),
        ("RUN --mount=type=bind,from=one,dst=/$D x", Transfer("bind", ("/",), "/dir", origin=0)),
    ],
)  # fmt: skip
def test_a_step_says_what_it_brings_in(instruction: str, expected: Transfer) -> None:
    text = f"FROM a AS one\nFROM b\nENV D=dir\nWORKDIR /w\n{instruction}\n"
    assert last(text).transfers == (expected,)


@pytest.mark.parametrize(
    "instruction", ["RUN --mount=type=cache,target=/c x", "COPY a", "ENV A=1", "RUN x"]
)
def test_other_steps_bring_nothing_in(instruction: str) -> None:
    assert last(f"FROM a\n{instruction}\n").transfers == ()


# Names that Docker Engine 26.1.5 with BuildKit 0.13 gave to these Dockerfiles.
def test_vertices_are_named_as_the_builder_names_them() -> None:
    assert vertices("FROM i\nWORKDIR /\nWORKDIR /w\nRUN true\nCOPY a.txt .\n") == [
        "[1/5] FROM i", "[2/5] WORKDIR /w", "[3/5] RUN true", "[4/5] COPY a.txt .",
    ]  # fmt: skip
    assert vertices(
        'FROM i\nENV A=va B="x y"\nworkdir /w/${A}\nRUN echo $A "$B" $UNSET \\$A \'$A\'\n'
        'COPY --chown=0:0 a.txt /${A}/"$B"/\ncopy ["a.txt", "/j/"]\nrun   echo  a   \\\n    b\n'
    )[1:] == [
        "[2/6] WORKDIR /w/va",
        "[3/6] RUN echo va \"x y\" $UNSET $A '$A'",
        "[4/6] COPY --chown=0:0 a.txt /va/x y/",
        "[5/6] COPY [a.txt, /j/]",
        "[6/6] RUN   echo  a       b",
    ]
    assert vertices(
        "FROM i\nRUN <<EOF\n\n  echo 1\necho 2\nEOF\nRUN cat <<E1 > /x\n1\nE1\n"
        "COPY <<F1 /d/\na\nF1\nRUN <<X\none\nX\n"
    )[1:] == [
        "[2/5] RUN <<EOF (echo 1...)",
        "[3/5] RUN cat <<E1 > /x",
        "[4/5] COPY <<F1 /d/",
        "[5/5] RUN <<X (one)",
    ]
    assert vertices("FROM i\nRUN --mount=type=cache,target=/c x\n")[0] == "[stage-0 1/2] FROM i"
    assert vertices("FROM i AS Foo\nRUN --network=none x\n")[1] == "[2/2] RUN --network=none x"
    assert vertices("FROM i AS Foo\nCOPY --from=j /a /b\n")[0] == "[foo 1/2] FROM i"
    assert vertices("FROM i AS A\nRUN a\nFROM scratch\nCOPY --from=a /x /\nFROM a\nRUN b\n") == [
        "[a 1/2] FROM i", "[a 2/2] RUN a", "[stage-2 1/1] RUN b",
    ]  # fmt: skip
    assert vertices("FROM i\n" + "RUN x\n" * 9)[8:] == ["[ 9/10] RUN x", "[10/10] RUN x"]
    assert vertices("FROM i\nRUN ${#A} $((1+2)) $PATH\n")[1] == "[2/2] RUN ${#A} $((1+2)) $PATH"


@pytest.mark.parametrize("path", ["//", "/./", "/w/.."])
def test_only_a_plain_root_makes_no_vertex(path: str) -> None:
    assert len(vertices(f"FROM scratch\nWORKDIR {path}\nCOPY a b\n")) == 2


@pytest.mark.parametrize("path", ["/", "..", "./", "$UNSET"])
def test_a_working_directory_that_is_the_root_makes_no_vertex(path: str) -> None:
    assert vertices(f"FROM scratch\nWORKDIR {path}\nCOPY a b\n") == ["[1/2] COPY a b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a AS b\n", [("/", "/")]),
        ("FROM a AS b\nFROM b\n", [("/", "/")]),
        ("FROM a AS b\nFROM a\n", []),
        ("FROM a AS b\nFROM a\nCOPY --from=b /x /y\n", [("/x", "/y")]),
        ("FROM a AS b\nFROM a\nCOPY --from=b /x/ /z /y/\n", [("/x", "/y"), ("/z", "/y")]),
        ("FROM a AS b\nFROM a\nCOPY --from=b --parents /x/z /y/\n", [("/x/z", "/y/x/z")]),
        ("FROM a AS b\nFROM a\nCOPY --from=b /x/* /y\n", [("", "/y")]),
        ("FROM a AS b\nFROM a AS c\nCOPY --from=b /x /y\nFROM a\nCOPY --from=c /y/d /z\n",
         [("/x/d", "/z")]),
        ("FROM a AS b\nFROM a AS c\nCOPY --from=b /x /y\nFROM a\nCOPY --from=c / /z\n",
         [("/x", "/z/y")]),
        ("FROM a AS b\nFROM a AS c\nCOPY --from=b /x /y\nFROM a\nCOPY --from=c /w /z\n", []),
        ("FROM a AS b\nFROM b AS c\nFROM a AS d\nCOPY --from=c /x /y\nFROM d\n", [("/x", "/y")]),
        ("FROM a AS b\nFROM a\nRUN --mount=type=bind,from=b,target=/b cp -r /b/x /\n",
         [("/", "")]),
    ],
)  # fmt: skip
def test_what_the_final_stage_holds_of_another(text: str, expected: list[tuple[str, str]]) -> None:
    dockerfile = parse_dockerfile("# syntax=docker/dockerfile:1-labs\n" + text)
    steps = plan(dockerfile, all_stages=True)
    assert list(paths_in_final_stage(steps, 0, dockerfile.stages[-1].index)) == expected
