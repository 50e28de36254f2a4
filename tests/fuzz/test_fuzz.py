"""A few changed inputs for every reader; ``tox run -e fuzz -- --minutes N`` tries many."""

from __future__ import annotations

from typing import Any

import pytest
from bounds import bounded
from hypothesis import HealthCheck, Phase, given, settings
from readers import READERS, Reader


def search(reader: Reader, examples: int, **more: Any) -> None:
    """Look for an input that a reader does not stand."""

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        **more,
    )
    @given(reader.given)
    def stands(value: Any) -> None:
        with bounded():
            reader.try_it(value)

    stands()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_stands_what_it_is_given_or_refuses_it_in_its_own_words(name: str) -> None:
    search(READERS[name], 15, derandomize=True, phases=(Phase.generate, Phase.shrink))
