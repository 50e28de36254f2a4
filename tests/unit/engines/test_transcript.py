"""The steps in the classic builder's text, recorded or made up to mislead."""

from __future__ import annotations

import pytest
from recorded import dockerfile, records, statuses

from pytest_dockercache.dockerfile import parse_dockerfile, resolve_stage
from pytest_dockercache.engines.classic import Transcript, numbered


def transcript(text: str, target: str | None = None, *, labels: bool = True) -> Transcript:
    parsed = parse_dockerfile(text)
    instructions = numbered(parsed, resolve_stage(parsed, target).index)
    stages = {stage.index: stage.label for stage in parsed.stages}
    return Transcript(instructions, stages, {}, labels=labels)


def recorded(text: str, name: str, target: str | None = None) -> Transcript:
    found = transcript(text, target)
    for now, record in enumerate(records(name)):
        found.take(str(record.get("stream") or ""), float(now))
    return found


def said(text: str, *lines: str, labels: bool = False) -> Transcript:
    found = transcript(text, labels=labels)
    for now, line in enumerate(lines):
        found.take(line, float(now))
    return found


def test_every_instruction_after_from_is_a_step() -> None:
    steps = recorded(dockerfile("two-stages"), "classic-26.1.5-cold").steps()
    assert [step.instruction for step in steps] == [
        "ARG", "WORKDIR", "COPY", "RUN", "ENV", "COPY", "COPY", "RUN", "CMD",
    ]  # fmt: skip
    assert {step.status for step in steps} == {"miss"}
    assert all(step.seconds is not None for step in steps)


def test_an_edited_source_misses_its_copy_and_all_below() -> None:
    steps = recorded(dockerfile("two-stages"), "classic-26.1.5-edited").steps()
    assert [line for line, status in statuses(steps) if status == "miss"] == [12, 13, 14]
    assert [line for line, status in statuses(steps) if status == "hit"] == [3, 4, 5, 6, 10, 11]


def test_a_target_ends_the_numbering() -> None:
    steps = recorded(dockerfile("two-stages"), "classic-26.1.5-target", "builder").steps()
    assert statuses(steps) == [(line, "hit") for line in (3, 4, 5, 6)]


def test_the_triggers_of_a_base_are_one_step_at_its_from() -> None:
    steps = recorded(dockerfile("onbuild"), "classic-26.1.5-onbuild").steps()
    assert (steps[0].line, steps[0].instruction) == (1, "ONBUILD")
    assert steps[0].text == "ONBUILD (2 triggers of engines-onbuild)"


def test_a_failing_command_leaves_its_line_and_log() -> None:
    found = recorded(dockerfile("failing"), "classic-26.1.5-failing")
    assert found.line == 3
    assert found.log == "before the end\n"


def test_a_command_that_prints_the_builders_words_does_not_fool_us() -> None:
    found = said(
        "FROM a\nRUN x\nRUN y\n",
        "Step 1/3 : FROM a", "\n", " ---> aaaaaaaaaaaa\n",
        "Step 2/3 : RUN x", "\n", " ---> Running in cccccccccccc\n",
        " ---> Using cache\n", "Step 3/3 : RUN y", " ---> Using cache\n",
    )  # fmt: skip
    assert statuses(found.steps()) == [(2, "miss"), (3, "not-reached")]
    assert found.steps()[0].running


def test_a_copy_is_a_miss_when_its_image_appears_without_the_cache() -> None:
    found = said(
        "FROM a\nCOPY x y\n",
        "Step 1/2 : FROM a", "\n", " ---> aaaaaaaaaaaa\n",
        "Step 2/2 : COPY x y", "\n",
    )  # fmt: skip
    assert statuses(found.steps()) == [(2, "not-reached")]
    found.take(" ---> bbbbbbbbbbbb\n", 9.0)
    assert statuses(found.steps()) == [(2, "miss")]
    assert found.made() == ("bbbbbbbbbbbb",)


def test_a_hit_on_what_this_very_build_made_is_not_a_hit() -> None:
    found = said(
        "FROM a AS s\nRUN x\nFROM a\nRUN x\n",
        "Step 1/4 : FROM a AS s", "\n", " ---> aaaaaaaaaaaa\n",
        "Step 2/4 : RUN x", "\n", " ---> Running in cccccccccccc\n", " ---> bbbbbbbbbbbb\n",
        "Step 3/4 : FROM a", "\n", " ---> aaaaaaaaaaaa\n",
        "Step 4/4 : RUN x", "\n", " ---> Using cache\n", " ---> bbbbbbbbbbbb\n",
    )  # fmt: skip
    assert statuses(found.steps()) == [(2, "miss"), (4, "miss")]
    assert found.steps()[1].note == "ran as one with line 2, whose cache key is equal"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Step 1/5 : FROM a", "the builder counts 5 steps, the Dockerfile 2"),
        ("Step 1/2 : RUN a", "the builder's step 1 is RUN, the Dockerfile's FROM"),
    ],
)
def test_a_count_that_is_not_ours_is_doubted(line: str, reason: str) -> None:
    steps = said("FROM a\nRUN x\n", line).steps()
    assert [(step.status, step.note) for step in steps] == [("unknown", reason)]


def test_the_container_of_a_step_that_has_not_ended_is_known() -> None:
    begun = ("Step 1/2 : FROM a", " ---> 0123456789ab\n", "Step 2/2 : RUN b")
    running = (*begun, " ---> Running in 123456789abc\n", "b says")
    assert said("FROM a\nRUN b\n", *begun).container is None
    assert said("FROM a\nRUN b\n", *running).container == "123456789abc"
    assert said("FROM a\nRUN b\n", *running, " ---> 23456789abcd\n").container is None
