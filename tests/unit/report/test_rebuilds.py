"""What an edit costs, as every report says it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sessions import IMAGE

from pytest_dockercache.report.rebuilds import edit_cost

COSTS = edit_cost(IMAGE)


def test_seconds_are_those_of_the_steps_that_run_again() -> None:
    assert COSTS is not None
    assert (COSTS.again, COSTS.steps, COSTS.unknown) == (3, 4, 0)
    assert COSTS.seconds == pytest.approx(94.3)
    assert COSTS.total == pytest.approx(94.34)


def test_an_install_whose_seconds_nobody_saw_costs_no_tenth_of_a_second() -> None:
    seen = {line: took for line, took in IMAGE.seconds.items() if line != 6}
    cost = edit_cost(replace(IMAGE, seconds=seen))
    assert cost is not None
    assert (cost.seconds, cost.total, cost.again, cost.unknown) == (0.0, 0.0, 3, 1)


def test_a_copy_whose_seconds_nobody_saw_makes_the_sum_a_lower_bound() -> None:
    seen = {line: took for line, took in IMAGE.seconds.items() if line != 4}
    cost = edit_cost(replace(IMAGE, seconds=seen))
    assert cost is not None
    assert cost.seconds == pytest.approx(94.2)
    assert cost.unknown == 1
