"""When a build may be stopped: only once the verdict is in, and then at once."""

from __future__ import annotations

import pytest

from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import Role, Status, Step
from pytest_dockercache.stopping import Stop, decided
from pytest_dockercache.testing.docker_cache import find_steps


def step(
    line: int,
    status: Status,
    text: str = "RUN true",
    role: Role = "other",
    stage: str = "0",
    end_line: int = 0,
) -> Step:
    return Step(line, stage, text.split()[0], text, role, status, end_line=end_line)


def install(line: int, status: Status, stage: str = "0") -> Step:
    return step(line, status, "RUN conda env update", "environment", stage)


def copy(line: int, status: Status, stage: str = "0") -> Step:
    return step(line, status, "COPY src src", "source", stage)


def test_a_build_without_a_stop_runs_to_its_end() -> None:
    assert not decided([install(3, "miss")], None)


def test_an_environment_step_that_starts_to_execute_ends_the_build() -> None:
    assert decided([copy(2, "miss"), install(3, "miss")], Stop("miss"))


def test_hits_alone_do_not_end_a_build_because_the_edit_may_not_have_arrived() -> None:
    assert not decided([install(3, "hit"), copy(4, "not-reached")], Stop("miss"))


def test_a_miss_behind_hits_of_every_environment_step_ends_the_build() -> None:
    assert decided([install(3, "hit"), copy(4, "miss")], Stop("miss"))


def test_one_environment_step_without_a_verdict_keeps_the_build_going() -> None:
    steps = [install(3, "hit"), copy(4, "miss"), install(9, "not-reached", "other")]
    assert not decided(steps, Stop("miss"))


def test_a_missed_copy_is_not_enough_because_the_step_below_it_can_be_observed() -> None:
    assert not decided([copy(2, "miss"), install(3, "not-reached")], Stop("miss"))


def test_a_missed_run_is_enough_because_waiting_for_it_could_take_minutes() -> None:
    assert decided([step(2, "miss"), install(3, "not-reached")], Stop("miss"))


def test_a_run_that_missed_in_another_stage_says_nothing_about_this_one() -> None:
    steps = [step(2, "miss", stage="tests"), install(3, "not-reached", "app")]
    assert not decided(steps, Stop("miss"), {"app": frozenset({"app"})})


def test_a_run_that_missed_in_the_stage_below_decides_the_stage_built_from_it() -> None:
    steps = [step(2, "miss", stage="base"), install(3, "not-reached", "app")]
    assert decided(steps, Stop("miss"), {"app": frozenset({"app", "base"})})


@pytest.mark.parametrize("mount", ["type=secret,id=token", "id=token,type=ssh"])
def test_below_a_run_that_missed_one_that_mounts_a_secret_may_still_hit(mount: str) -> None:
    secret = step(3, "not-reached", f"RUN --mount={mount} pip install", "environment")
    assert not decided([step(2, "miss"), secret], Stop("miss"))
    above = step(3, "not-reached", f"RUN --mount={mount} true")
    assert not decided([step(2, "miss"), above, install(4, "not-reached")], Stop("miss"))
    ran = step(3, "miss", f"RUN --mount={mount} true")
    assert decided([step(2, "miss"), ran, install(4, "not-reached")], Stop("miss"))


def test_the_negative_control_ends_with_the_first_reader_that_was_reused() -> None:
    steps = [copy(2, "miss"), install(3, "hit"), install(5, "not-reached", "other")]
    assert decided(steps, Stop("hit", (3, 5)))


def test_the_negative_control_ends_when_the_first_of_two_readers_executes() -> None:
    assert decided([install(3, "miss"), install(5, "not-reached")], Stop("hit", (3, 5)))


def test_an_unknown_status_never_ends_a_build() -> None:
    assert not decided([copy(2, "miss"), install(3, "unknown")], Stop("miss"))
    assert not decided([copy(2, "miss"), install(3, "unknown")], Stop("decided"))


def test_any_miss_ends_a_build_that_must_have_none() -> None:
    assert decided([copy(2, "miss")], Stop("any-miss"))
    assert not decided([copy(2, "hit")], Stop("any-miss"))


def test_steps_are_found_by_line_text_expression_and_role() -> None:
    steps = [copy(2, "hit"), step(3, "hit", "RUN a &&\\\n b", end_line=5), install(7, "hit")]
    assert [found.line for found in find_steps(steps, 4)] == [3]
    assert [found.line for found in find_steps(steps, "conda env update")] == [7]
    assert [found.line for found in find_steps(steps, r"^COPY\s+src")] == [2]
    assert [found.line for found in find_steps(steps, role="environment")] == [7]


def test_a_step_that_nothing_matches_is_an_error_that_lists_the_steps() -> None:
    with pytest.raises(ConfigError, match=r"(?s)no step of this build matches 'pip install'.*COPY"):
        find_steps([copy(2, "hit")], "pip install")


def test_an_unknown_role_is_an_error_that_names_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="valid: base, environment, source, other"):
        find_steps([copy(2, "hit")], role="env")
