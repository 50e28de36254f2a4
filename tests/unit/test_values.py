"""A dataclass whose methods are written late is the dataclass that Python itself would make."""

# The decorator is a parameter, which mypy cannot follow.
# mypy: disable-error-code="call-arg, type-var, misc"

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_dockercache import values

MAKERS = [pytest.param(values.dataclass, id="late"), pytest.param(dataclasses.dataclass, id="now")]
"""Each expectation holds for Python's own decorator too."""


@values.dataclass(frozen=True)
class Place:
    """A value of a module, as pickle needs it."""

    path: str
    line: int = 1


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_frozen_value_has_the_methods_of_a_frozen_dataclass(maker: Any) -> None:
    @maker(frozen=True)
    class Step:
        """A step."""

        line: int
        text: str = ""
        notes: list[str] = dataclasses.field(default_factory=list, compare=False)

    step = Step(3, text="RUN x")
    assert repr(step).endswith("Step(line=3, text='RUN x', notes=[])")
    assert step == Step(3, "RUN x", ["noted"])
    assert step != Step(4, "RUN x")
    assert hash(step) == hash(Step(3, "RUN x"))
    assert dataclasses.replace(step, line=4) == Step(4, "RUN x")
    assert Step.__doc__ == "A step."
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.line = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        del step.line
    with pytest.raises(TypeError, match="line"):
        Step()
    assert not hasattr(Step, "notes")
    match step:
        case Step(line, text):
            assert (line, text) == (3, "RUN x")


def test_its_fields_can_be_asked_for_before_there_is_a_value(maker: Any) -> None:
    @maker(frozen=True)
    class Step:
        line: int
        kinds: ClassVar[int] = 2

    assert dataclasses.is_dataclass(Step)
    assert [field.name for field in dataclasses.fields(Step)] == ["line"]


@pytest.mark.parametrize("below", MAKERS)
def test_a_class_inherits_fields_of_a_class_that_nobody_has_used(maker: Any, below: Any) -> None:
    @maker(frozen=True)
    class Event:
        name: str

    @below(frozen=True)
    class Failure(Event):
        error: str = "?"

    assert Failure("x", "no space") == Failure(name="x", error="no space")
    assert Event("x") != Failure("x")


def test_a_class_below_it_may_call_its_init(maker: Any) -> None:
    @maker
    class Counter:
        start: int = 0

        def __post_init__(self) -> None:
            self.now = self.start

    class Twice(Counter):
        def __init__(self, start: int) -> None:
            super().__init__(2 * start)

    assert Twice(4).now == 8
    assert Counter(1).now == 1


def test_what_the_class_defines_itself_stays(maker: Any) -> None:
    @maker(frozen=True)
    class Text:
        words: str
        _seen: int = dataclasses.field(default=0, repr=False)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Text) and other.words.lower() == self.words.lower()

        def __hash__(self) -> int:
            return hash(self.words.lower())

        @cached_property
        def length(self) -> int:
            return len(self.words)

        @property
        def upper(self) -> str:
            return self.words.upper()

    text = Text("Run")
    assert (text, text.length, text.upper) == (Text("RUN"), 3, "RUN")
    assert len({text, Text("rUn")}) == 1


def test_other_options_hold(maker: Any) -> None:
    @maker(order=True)
    class Version:
        major: int
        minor: int = 0

    @maker(frozen=True, eq=False)
    class Handle:
        name: str

    assert sorted([Version(2), Version(1, 5)]) == [Version(1, 5), Version(2)]
    assert Handle("x") != Handle("x")


def test_a_value_is_copied_and_pickled() -> None:
    assert pickle.loads(pickle.dumps(Place("Dockerfile", 4))) == Place("Dockerfile", 4)
    assert copy.deepcopy(Place("Dockerfile")) == Place("Dockerfile")


def test_slots_are_refused_because_they_make_another_class() -> None:
    with pytest.raises(TypeError, match=r"dataclasses\.dataclass"):
        values.dataclass(slots=True)


def test_threads_may_call_a_class_first_at_the_same_time() -> None:
    def once() -> None:
        @values.dataclass(frozen=True)
        class Pair:
            one: int
            two: int = 2

        barrier = threading.Barrier(4)
        made: list[object] = []

        def call(make: Callable[[int], object] = Pair) -> None:
            barrier.wait()
            made.append(make(1))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [Pair(1, 2)] * 4

    for _ in range(100):
        once()


def test_methods_are_written_at_the_first_use() -> None:
    @values.dataclass(frozen=True)
    class Idle:
        name: str

    assert "__eq__" not in vars(Idle)
    Idle("x")
    assert "__eq__" in vars(Idle)


def test_a_class_outlives_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest run inside a process forgets at its end the modules that it has imported."""
    (tmp_path / "gone.py").write_text(
        "from __future__ import annotations\n"
        "from typing import ClassVar\n"
        "from pytest_dockercache.values import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Step:\n"
        "    line: int\n"
        "    kind: ClassVar[str] = 'RUN'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("gone").Step
    del sys.modules["gone"]
    assert repr(made(3)) == "Step(line=3)"
    assert "gone" not in sys.modules
