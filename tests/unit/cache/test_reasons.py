"""Reasons of real misses: the builder's verdict stands, and a guess is called one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.cache import Forecast, advice, explain
from pytest_dockercache.dockerfile import PlannedStep, parse_dockerfile, plan
from pytest_dockercache.model import Build, Edit, Reason, Status, Step

TEXT = "FROM base\nCOPY src /x\nRUN a\nRUN b\n"
EDIT = Edit.append("src/main.py")


def planned() -> tuple[PlannedStep, ...]:
    return plan(parse_dockerfile(TEXT, Path("Dockerfile")))


def build(*statuses: Status, edit: Edit = EDIT) -> Build:
    steps = [step for step in planned() if step.ordinal and step.line > 1]
    return Build(
        (edit,),
        "built",
        1.0,
        tuple(
            Step(step.line, "0", step.instruction.keyword, step.instruction.text, status=status)
            for step, status in zip(steps, statuses, strict=True)
        ),
    )


def forecast(line: int, status: str, reason: Reason | None = None, note: str = "") -> Forecast:
    step = next(step for step in planned() if step.line == line)
    return Forecast(step, status, reason, note or None)  # type: ignore[arg-type]


def reasons(made: Build, *said: Forecast) -> list[str | None]:
    explained = explain(made, planned(), lambda: said)
    return [step.reason.message if step.reason else None for step in explained.steps]


def test_the_models_reason_is_given_where_it_expected_the_same_miss() -> None:
    because = Reason("content", "contains src/main.py, whose mode changed", 2, ("src/main.py",))
    assert reasons(build("miss", "miss", "not-reached"), forecast(2, "miss", because)) == [
        "contains src/main.py, whose mode changed",
        "runs on top of line 2",
        "runs on top of line 2",
    ]


def test_the_model_is_not_asked_when_nothing_missed() -> None:
    def asked() -> tuple[Forecast, ...]:
        raise AssertionError("asked")

    explain(build("hit", "hit", "hit"), planned(), asked)


def test_a_miss_that_the_model_did_not_expect_is_explained_as_a_guess() -> None:
    assert reasons(build("miss", "miss", "miss"), forecast(2, "hit"))[0] == (
        "contains src/main.py; that is a guess: the model expected a hit"
    )
    assert reasons(build("hit", "miss", "miss"), forecast(3, "hit"))[1] == (
        "the builder ran it again, and the model sees no change that it depends on"
    )


def test_a_modification_time_is_no_reason_whatever_the_builder_did() -> None:
    touched = build("miss", "miss", "miss", edit=Edit.touch("src/main.py"))
    assert reasons(touched, forecast(2, "hit"))[0] == (
        "the builder ran it again, and the model sees no change that it depends on"
    )


def test_a_miss_that_was_expected_for_another_reason_is_a_guess_too() -> None:
    parent = Reason("parent", "runs on top of line 2", 2)
    assert reasons(build("hit", "miss", "miss"), forecast(3, "miss", parent))[1] == (
        "the builder ran it again; the model's best guess: it runs on top of line 2"
    )


def test_what_the_model_could_not_know_has_come_out() -> None:
    note = "hits only if /x of stage one, where line 3 runs again, comes out the same"
    assert reasons(build("hit", "miss", "miss"), forecast(3, "unknown", note=note))[1] == (
        f"what it depends on came out differently: it {note}"
    )


def test_without_a_model_the_edit_itself_is_asked() -> None:
    assert reasons(build("miss", "miss", "miss"))[0] == "contains src/main.py"
    assert reasons(build("hit", "miss", "miss"))[1] == (
        "the builder ran it again; the edit does not explain why"
    )


def test_a_first_build_has_no_reasons() -> None:
    first = Build((), "built", 1.0, build("miss", "miss", "miss").steps)
    assert explain(first, planned()) == first


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, None),
        (Reason("text", "its text changed", 2), None),
        (
            Reason("content", "contains a", 2, ("a",)),
            "copy a below the steps that do not need it, or ignore it",
        ),
        (
            Reason("content", "contains a: its mode is another", 2, ("a",), changed="mode"),
            "keep the mode of a: in the repository, and in the umask of CI",
        ),
        (
            Reason("argument", "build argument A is declared in line 2", 2, argument="A"),
            "move line 2 below the steps that do not need the argument",
        ),
        (Reason("argument", "the builder's hostname changed", 2), None),
        (
            Reason("base", "the base image changed: a → b", 1),
            "pin the base image by its digest if it should not move",
        ),
    ],
)
def test_advice_follows_from_the_reason(reason: Reason | None, expected: str | None) -> None:
    assert advice(reason) == expected
