"""Folding vertices and finding their lines: recorded builds, and mappings that must be doubted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from recorded import RECORDINGS, dockerfile, observation, rawjson, statuses, trace

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.engines.cancelling import Starting
from pytest_dockercache.engines.progress import Event, LogEvent, VertexEvent
from pytest_dockercache.engines.vertices import Observation, Vertex, VertexName, match, parse_name
from pytest_dockercache.model import Step

SECOND = 10**9


def vertex(
    name: str,
    *,
    digest: str | None = None,
    inputs: tuple[str, ...] = ("base",),
    cached: bool = False,
    start: int | None = None,
    end: int | None = None,
    error: str = "",
) -> VertexEvent:
    """An event with times in seconds."""
    return VertexEvent(
        digest or name,
        name,
        inputs,
        cached,
        None if start is None else start * SECOND,
        None if end is None else end * SECOND,
        error,
    )


def step_at(steps: tuple[Step, ...], line: int) -> Step:
    return next(step for step in steps if step.line == line)


# -- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("[2/3] RUN a", VertexName(None, None, 2, 3, "RUN a")),
        ("[builder 2/3] RUN a", VertexName(None, "builder", 2, 3, "RUN a")),
        ("[stage-1  2/10] RUN a", VertexName(None, "stage-1", 2, 10, "RUN a")),
        ("[ 2/10] RUN a", VertexName(None, None, 2, 10, "RUN a")),
        (
            "[linux/arm64 stage-0 2/3] COPY a b",
            VertexName("linux/arm64", "stage-0", 2, 3, "COPY a b"),
        ),
        ("[linux/amd64->arm64 b 2/3] RUN a", VertexName("linux/amd64->arm64", "b", 2, 3, "RUN a")),
        ("[linux/arm/v7 2/3] RUN a", VertexName("linux/arm/v7", None, 2, 3, "RUN a")),
        ("[b 2/3] LINK COPY --link a b", VertexName(None, "b", 2, 3, "COPY --link a b", True)),
        ("[2/3] RUN <<E (a...)", VertexName(None, None, 2, 3, "RUN <<E (a...)")),
        ("[2/3] RUN a\nb", VertexName(None, None, 2, 3, "RUN a\nb")),
        ("[internal] load build context", None),
        ("[internal] load metadata for docker.io/library/x:1", None),
        ("exporting to image", None),
        ("[auth] library/x:pull token for registry-1.docker.io", None),
    ],
)
def test_a_vertex_name_is_platform_stage_ordinal_and_text(
    name: str, expected: VertexName | None
) -> None:
    assert parse_name(name) == expected


# -- folding


def test_a_start_without_cached_is_an_execution_at_once_and_for_good() -> None:
    begun = Vertex("d", "n").after(vertex("n", start=1))
    ended = begun.after(vertex("n", start=1, end=3))
    assert begun.executed
    assert begun.running
    assert begun.seconds is None
    assert ended.after(vertex("n", cached=True, start=4, end=4)).executed
    assert not ended.running
    assert ended.seconds == 2


def test_only_cached_starts_are_a_hit() -> None:
    folded = Vertex("d", "n").after(vertex("n")).after(vertex("n", cached=True, start=1, end=1))
    assert not folded.executed
    assert folded.cached_at == SECOND


def test_a_vertex_without_inputs_computes_its_key_before_it_runs() -> None:
    keyed = Vertex("d", "n").after(vertex("n", inputs=(), start=1, end=2))
    ran = keyed.after(vertex("n", inputs=(), start=3, end=7))
    assert not keyed.executed
    assert ran.executed
    assert ran.seconds == 4


# -- recorded builds


def test_a_first_build_misses_every_step() -> None:
    found = observation(dockerfile("two-stages"), rawjson("buildx-0.13.1-cold"))
    steps = found.steps(ended=True)
    assert statuses(steps) == [(line, "miss") for line in (4, 5, 6, 11, 12, 13)]
    assert [step.stage for step in steps] == ["builder"] * 3 + ["1"] * 3
    assert all(step.seconds is not None and not step.running for step in steps)


@pytest.mark.parametrize("source", ["buildx", "engine"])
def test_an_edited_source_misses_its_copy_and_what_runs_on_it(source: str) -> None:
    if source == "buildx":
        events = rawjson("buildx-0.29.1-edited")
    else:
        events = trace("engine-26.1.5-edited")
    steps = observation(dockerfile("two-stages"), events).steps(ended=True)
    assert statuses(steps) == [
        (4, "hit"), (5, "hit"), (6, "hit"), (11, "hit"), (12, "miss"), (13, "miss"),
    ]  # fmt: skip
    assert step_at(steps, 6).seconds is None


def test_identical_keys_of_two_stages_are_one_execution_not_a_hit() -> None:
    found = observation(dockerfile("twins"), rawjson("buildx-0.13.1-twins"))
    steps = found.steps(ended=True)
    assert [step_at(steps, line).status for line in (4, 8)] == ["miss", "miss"]
    notes = [step.note for step in steps if step.note]
    assert notes in (
        ["ran as one with line 8, whose cache key is equal"],
        ["ran as one with line 4, whose cache key is equal"],
    )
    assert step_at(steps, 4).seconds == step_at(steps, 8).seconds


def test_onbuild_triggers_shift_the_ordinals_and_are_steps_of_their_own() -> None:
    found = observation(dockerfile("onbuild"), rawjson("buildx-0.13.1-onbuild"))
    steps = found.steps(ended=True)
    assert [(step.line, step.instruction, step.text) for step in steps] == [
        (1, "ONBUILD", "ONBUILD RUN echo trig"),
        (1, "ONBUILD", "ONBUILD COPY f /f"),
        (2, "RUN", steps[2].text),
        (3, "RUN", "RUN echo b"),
    ]
    assert [step.status for step in steps] == ["hit", "hit", "miss", "miss"]


@pytest.mark.parametrize(("state", "status"), [("cold", "miss"), ("warm", "hit")])
def test_a_step_on_scratch_without_inputs_is_judged_by_its_second_start(
    state: str, status: str
) -> None:
    events = rawjson(f"buildx-0.13.1-scratch-{state}")
    steps = observation(dockerfile("scratch"), events).steps(ended=True)
    assert statuses(steps) == [(2, status), (3, status)]


@pytest.mark.parametrize("source", ["buildx-0.13.1", "buildx-0.29.1", "engine-26.1.5"])
def test_a_failure_names_the_line_and_has_the_log_of_its_step(source: str) -> None:
    name = f"{source}-failing"
    events = trace(name) if source.startswith("engine") else rawjson(name)
    failure = observation(dockerfile("failing"), events).failure()
    assert failure is not None
    assert failure.line == 3
    assert "exit code: 3" in failure.error
    assert failure.log == "before the end\n"


def test_the_observation_of_every_prefix_never_takes_a_verdict_back() -> None:
    for recorded in (rawjson("buildx-0.13.1-cold"), rawjson("buildx-0.29.1-edited")):
        found = Observation(plan(parse_dockerfile(dockerfile("two-stages"))), {})
        before = [step.status for step in found.steps()]
        for event in recorded:
            found.take([event])
            after = [step.status for step in found.steps()]
            assert all(
                old == new or old == "not-reached" for old, new in zip(before, after, strict=True)
            )
            before = after


def test_a_step_that_began_is_a_miss_and_running() -> None:
    found = observation(
        "FROM a\nRUN x\nRUN y\n",
        [vertex("[2/3] RUN x", cached=True, start=1, end=1), vertex("[3/3] RUN y", start=2)],
    )
    steps = found.steps()
    assert [(step.status, step.running) for step in steps] == [("hit", False), ("miss", True)]
    assert steps[1].seconds is None


def test_a_step_that_the_builder_never_mentioned_is_unknown_at_the_end() -> None:
    events = [vertex("[2/3] RUN x", start=1, end=2)]
    steps = observation("FROM a\nRUN x\nRUN y\n", events).steps(ended=True)
    assert [step.status for step in steps] == ["miss", "unknown"]
    assert steps[1].note == "the builder said nothing about this step"


def test_a_command_that_printed_has_started() -> None:
    found = observation("FROM a\nRUN x\nCOPY a b\n", [vertex("[2/3] RUN x", digest="r", start=1)])
    assert found.starting() == {"r": Starting("x", begun=True)}
    found.take([LogEvent("r", "hello")])
    assert found.starting() == {}


def test_a_command_may_start_when_no_other_has_to_end_before() -> None:
    names = ("[2/5] COPY a b", "[3/5] RUN x", "[4/5] COPY c d", "[5/5] RUN y")
    copied, x, again, _ = announced = [
        vertex(name, digest=name, inputs=(before,))
        for before, name in zip(("base", *names), names, strict=False)
    ]
    found = observation("FROM a\nCOPY a b\nRUN x\nCOPY c d\nRUN y\n", announced)
    assert found.starting() == {names[1]: Starting("x", begun=False)}
    found.take([replace(copied, started=SECOND)])
    assert found.starting() == {names[1]: Starting("x", begun=False)}
    found.take([replace(copied, started=SECOND, completed=2 * SECOND)])
    assert found.starting() == {names[1]: Starting("x", begun=False)}
    found.take([replace(x, started=2 * SECOND, cached=True)])
    assert found.starting() == {names[3]: Starting("y", begun=False)}
    found.take([replace(again, started=2 * SECOND, error="missing")])
    assert found.starting() == {}


@pytest.mark.parametrize(
    ("run", "command"),
    [
        ("RUN <<EOF\nmake\nEOF", "make\n"),
        ("RUN <<EOF\n#!/bin/python\nx\nEOF", "/dev/pipes/EOF"),
        ("RUN python - <<A && cat <<B\nx\nA\ny\nB", "python - <<A && cat <<B\nx\nA\ny\nB"),
        ('RUN ["make", "all"]', "make all"),
    ],
)
def test_the_command_is_what_the_builder_executes(run: str, command: str) -> None:
    found = observation(f"FROM a\n{run}\n", [vertex(f"[2/2] {run}", digest="r", start=1)])
    assert found.starting() == {"r": Starting(command, begun=True)}


def test_a_long_chain_of_steps_is_no_matter() -> None:
    names = [f"[{k}/1500] COPY a b" for k in range(2, 1500)] + ["[1500/1500] RUN x"]
    announced = [
        vertex(name, digest=name, inputs=(before,))
        for before, name in zip(("base", *names), names, strict=False)
    ]
    found = observation("FROM a\n" + "COPY a b\n" * 1498 + "RUN x\n", announced)
    assert found.starting() == {names[-1]: Starting("x", begun=False)}


# -- mapping


def names(*texts: str) -> dict[str, str]:
    return {f"v{number}": text for number, text in enumerate(texts)}


def mapped(text: str, vertices: dict[str, str]) -> dict[int, tuple[str, ...]]:
    planned = plan(parse_dockerfile(text))
    found = match(planned, vertices)
    return {planned[position].line: digests for position, digests in found.digests.items()}


def doubted(text: str, vertices: dict[str, str]) -> set[int]:
    planned = plan(parse_dockerfile(text))
    return {planned[position].line for position in match(planned, vertices).doubts}


def test_workdir_slash_counts_in_n_but_not_in_k() -> None:
    text = "FROM a\nRUN x\nWORKDIR /\nRUN y\n"
    assert mapped(text, names("[2/4] RUN x", "[3/4] RUN y")) == {2: ("v0",), 4: ("v1",)}


def test_a_stage_without_an_image_begins_at_one() -> None:
    text = "FROM scratch\nCOPY a b\nFROM a AS t\nRUN x\nCOPY --from=0 b c\n"
    vertices = names("[stage-0 1/1] COPY a b", "[t 2/3] RUN x", "[t 3/3] COPY --from=0 b c")
    assert mapped(text, vertices) == {2: ("v0",), 4: ("v1",), 5: ("v2",)}


def test_stage_names_are_compared_in_lower_case() -> None:
    text = "FROM a AS Deps\nRUN x\nFROM a\nCOPY --from=deps b c\n"
    vertices = names("[deps 2/2] RUN x", "[stage-1 2/2] COPY --from=deps b c")
    assert set(mapped(text, vertices)) == {2, 4}


def test_a_masked_secret_in_the_text_does_not_break_the_mapping() -> None:
    text = "FROM a\nARG TOKEN=abc\nRUN curl $TOKEN\nRUN y\n"
    assert set(mapped(text, names("[2/3] RUN curl ****"))) == {3}


def test_a_swapped_order_is_doubted_not_guessed() -> None:
    text = "FROM a\nRUN x\nCOPY b c\n"
    assert doubted(text, names("[2/3] COPY b c", "[3/3] RUN x")) == {2, 3}


def test_a_text_that_differs_while_ordinals_are_missing_is_doubted() -> None:
    text = "FROM a\nRUN x\nRUN y\nRUN z\n"
    assert doubted(text, names("[2/4] RUN other")) == {2, 3, 4}


def test_triggers_that_fit_by_keyword_only_are_found_by_their_number() -> None:
    text = "FROM a\nRUN x\nRUN y\n"
    vertices = names("[2/3] RUN trigger", "[3/3] RUN x", "[4/3] RUN y")
    planned = plan(parse_dockerfile(text))
    found = match(planned, vertices)
    assert mapped(text, vertices) == {2: ("v1",), 3: ("v2",)}
    assert [trigger.text for trigger in found.triggers] == ["RUN trigger"]


def test_triggers_are_marked_since_docker_engine_28() -> None:
    vertices = names("[2/4] ONBUILD RUN t", "[3/4] RUN x", "[4/4] RUN y")
    assert mapped("FROM a\nRUN x\nRUN y\n", vertices) == {2: ("v1",), 3: ("v2",)}


def test_two_stages_of_one_name_are_doubted() -> None:
    text = "FROM a AS s\nRUN x\nFROM s AS s\nRUN y\n"
    assert doubted(text, names("[s 2/2] RUN x", "[s 1/1] RUN y")) == {2, 4}


NAMED_LIKE_THE_UNNAMED = """\
FROM a AS Stage-1
RUN install
FROM b
COPY --from=stage-1 x x
RUN test
"""
"""BuildKit calls an unnamed stage stage-<index>, and so the second one here like the first."""


def test_a_stage_named_as_builders_call_an_unnamed_one_leaves_both_unknown() -> None:
    events: list[Event] = [
        vertex("[stage-1 2/2] RUN install", digest="i", cached=True, start=1, end=1),
        vertex("[stage-1 2/3] COPY --from=stage-1 x x", digest="c", start=2, end=3),
        vertex("[stage-1 3/3] RUN test", digest="t", start=3, end=4),
    ]
    for count in range(1, len(events) + 1):  # in any order of the builder's news
        steps = observation(NAMED_LIKE_THE_UNNAMED, events[-count:]).steps(ended=True)
        assert statuses(steps) == [(2, "unknown"), (4, "unknown"), (5, "unknown")]
        assert {step.note for step in steps} == {
            "the builder's output calls the stages of lines 1 and 3 both stage-1: "
            "give that of line 3 a name (FROM … AS name)"
        }


def test_a_stage_that_cannot_be_told_by_its_name_is_not_blamed_for_a_failure() -> None:
    failed = vertex("[stage-1 1/3] FROM docker.io/library/b", start=1, end=2, error="denied")
    failure = observation(NAMED_LIKE_THE_UNNAMED, [failed]).failure()
    assert failure is not None
    assert failure.line is None
    alone = observation("FROM a AS s\nRUN x\nFROM b\nCOPY --from=s x x\n", [failed]).failure()
    assert alone is not None
    assert alone.line == 3


def test_the_from_vertex_of_a_concurrent_build_is_no_ambiguity() -> None:
    text = "FROM a AS s\nRUN x\nFROM a\nCOPY --from=s b c\n"
    vertices = names(
        "[1/5] FROM docker.io/library/a", "[s 2/2] RUN x", "[stage-1 2/2] COPY --from=s b c"
    )
    assert set(mapped(text, vertices)) == {2, 4}


def test_the_names_of_another_frontend_leave_every_step_unknown() -> None:
    found = observation("FROM a\nRUN x\n", [vertex("step one", start=1, end=2)])
    assert [step.status for step in found.steps(ended=True)] == ["unknown"]


def test_every_platform_has_a_vertex_and_one_miss_is_a_miss() -> None:
    events: list[Event] = [
        vertex("[linux/amd64 2/2] RUN x", cached=True, start=1, end=1),
        vertex("[linux/arm64 2/2] RUN x", start=1, end=2),
    ]
    assert statuses(observation("FROM a\nRUN x\n", events).steps(ended=True)) == [(2, "miss")]


def test_a_link_is_judged_by_its_copy_not_by_its_merge() -> None:
    events: list[Event] = [
        vertex(
            "[2/2] COPY --link a b", digest="copy", inputs=("ctx",), cached=True, start=1, end=1
        ),
        vertex("[2/2] LINK COPY --link a b", digest="merge", start=1, end=2),
    ]
    steps = observation("FROM a\nCOPY --link a b\n", events).steps(ended=True)
    assert statuses(steps) == [(2, "hit")]


def test_a_download_is_not_the_step_that_adds_it() -> None:
    events: list[Event] = [
        vertex("[2/2] ADD https://e.org/a /a", digest="get", inputs=(), start=1, end=2),
        vertex("[2/2] ADD https://e.org/a /a", digest="get", inputs=(), start=3, end=4),
        vertex("[2/2] ADD https://e.org/a /a", digest="add", cached=True, start=5, end=5),
    ]
    found = observation("FROM a\nADD https://e.org/a /a\n", events)
    assert statuses(found.steps(ended=True)) == [(2, "hit")]


def test_identical_steps_share_the_one_vertex_that_the_builder_makes() -> None:
    text = "FROM a AS x\nRUN i\nFROM a AS y\nRUN i\nFROM a\nCOPY --from=x p q\nCOPY --from=y p q\n"
    events: list[Event] = [
        vertex("[y 2/2] RUN i", start=1, end=2),
        vertex("[stage-2 2/3] COPY --from=x p q", start=3, end=4),
        vertex("[stage-2 3/3] COPY --from=y p q", start=5, end=6),
    ]
    steps = observation(text, events).steps(ended=True)
    assert [step.status for step in steps] == ["miss"] * 4
    assert step_at(steps, 2).note == "runs once together with the identical line 4"


def test_steps_that_differ_in_their_environment_do_not_share_a_vertex() -> None:
    text = "FROM a AS x\nENV E=1\nRUN i\nFROM a\nRUN i\nCOPY --from=x p q\n"
    events: list[Event] = [
        vertex("[stage-1 2/3] RUN i", cached=True, start=1, end=2),
        vertex("[stage-1 3/3] COPY --from=x p q", start=3, end=4),
    ]
    steps = observation(text, events).steps(ended=True)
    assert step_at(steps, 3).status == "unknown"


def test_a_hit_said_before_its_twin_ended_is_a_hit() -> None:
    text = dockerfile("twins")
    stamp = text.split("STAMP=")[1].split()[0]
    events: list[Event] = [
        vertex("[a 2/3] COPY a/f /f", digest="ca", cached=True, start=1, end=1),
        vertex("[b 2/3] COPY b/f /f", digest="cb", start=1, end=2),
        vertex(
            f"[a 3/3] RUN sleep 0.5; echo two {stamp}", digest="ra", cached=True, start=1, end=1
        ),
        vertex(f"[b 3/3] RUN sleep 0.5; echo two {stamp}", digest="rb", start=2, end=5),
    ]
    steps = observation(text, events).steps()
    assert step_at(steps, 4).status == "hit"
    assert step_at(steps, 8).status == "miss"


# -- provenance


def provenance() -> dict[str, object]:
    record = json.loads((RECORDINGS / "buildx-0.29.1-metadata.json").read_text("utf-8"))
    return dict(record["buildx.build.provenance"])


def test_the_provenance_confirms_the_mapping_by_name() -> None:
    found = observation(dockerfile("two-stages"), rawjson("buildx-0.29.1-edited"))
    before = found.steps(ended=True)
    found.confirm(provenance())
    assert found.steps(ended=True) == before
    assert all(step.status in ("hit", "miss") for step in before)


def test_a_provenance_that_contradicts_makes_the_step_unknown() -> None:
    shifted = dockerfile("two-stages").replace("ENV MODE=test", "ENV MODE=test\n\n")
    found = observation(shifted, rawjson("buildx-0.29.1-edited"))
    found.confirm(provenance())
    steps = found.steps(ended=True)
    assert [step.status for step in steps][:3] == ["hit"] * 3
    assert step_at(steps, 15).status == "unknown"
    assert "its provenance line 13" in str(step_at(steps, 15).note)


@pytest.mark.parametrize("record", [{}, {"buildConfig": None}, {"buildConfig": {}, "metadata": 3}])
def test_a_provenance_of_another_shape_is_ignored(record: dict[str, object]) -> None:
    found = observation(dockerfile("two-stages"), rawjson("buildx-0.29.1-edited"))
    before = found.steps(ended=True)
    found.confirm(record)
    assert found.steps(ended=True) == before


def test_a_failure_of_the_base_is_the_line_of_its_from() -> None:
    name = "[internal] load metadata for docker.io/library/none:latest"
    found = observation("FROM b AS x\nFROM none\nCOPY --from=x a b\n", [])
    found.take([replace(vertex(name), inputs=(), error="no such host")])
    failure = found.failure()
    assert failure is not None
    assert failure.line == 2


def test_a_step_that_was_cancelled_beside_the_failing_one_is_not_to_blame() -> None:
    found = observation(
        "FROM a AS x\nRUN slow\nFROM a\nRUN bad\nCOPY --from=x a b\n",
        [
            vertex("[x 2/2] RUN slow", start=1, end=2, error="exit code: 137: context canceled"),
            vertex("[stage-1 2/3] RUN bad", start=1, end=2, error="exit code: 1"),
        ],
    )
    failure = found.failure()
    assert failure is not None
    assert failure.line == 4
