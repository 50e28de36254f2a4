"""Values as JSON and back: what is not a value of the type is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.jsonable import from_jsonable, to_jsonable
from pytest_dockercache.model import Build, BuildSpec, Edit, Finding, Fix, Reason, Step
from pytest_dockercache.report import CheckResult, Ending

REASON = Reason("content", "contains a", 2, ("a",), changed="mode")
STEP = Step(2, "0", "COPY", "COPY . .", "source", "miss", 0.5, REASON)
FINDING = Finding("no", line=3, fix=Fix("do", "--- a"))
VALUES = (
    Build((Edit.append("a"), Edit.chmod("b", 0o755)), "stopped", 1, (STEP,), None, ("odd",)),
    BuildSpec(Path("/d"), Path("/c"), "stage", (("A", "1"), ("B", "2")), None, ("id=x",), ()),
    CheckResult(
        "builds",
        "Dockerfile::builds",
        Ending("failed", Finding("no", line=3, fix=Fix("do", "--- a"))),
    ),
)


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert from_jsonable(type(value), json.loads(json.dumps(to_jsonable(value)))) == value


def test_keys_that_nobody_knows_are_left_out_and_absent_ones_have_their_default() -> None:
    assert from_jsonable(Fix, {"text": "do", "colour": "red"}) == Fix("do")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"line": True}, "Step.line is not int: True"),
        ({"line": "2"}, "Step.line is not int: '2'"),
        ({"status": "perhaps"}, "Step.status is not"),
        ({"reason": {"kind": "text"}}, "Step.reason is not"),
        ({"reason": 5}, "Step.reason is not"),
        ({"seconds": "fast"}, "Step.seconds is not"),
    ],
)
def test_another_type_is_refused_with_its_place(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        from_jsonable(Step, {**to_jsonable(STEP), **change})


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"outcome": "built"}])
def test_what_is_no_record_at_all_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Build"):
        from_jsonable(Build, value)


def test_a_pair_is_neither_more_nor_less() -> None:
    spec = to_jsonable(VALUES[1])
    with pytest.raises(ValueError, match=r"BuildSpec.build_args\[0\] is not"):
        from_jsonable(BuildSpec, {**spec, "build_args": [["A", "1", "2"]]})
