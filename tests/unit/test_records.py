"""The seconds of a project's steps that are remembered between runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pytest_dockercache.errors import (
    BuildFailed,
    BuildTimeout,
    ConfigError,
    DockerCacheError,
    EngineUnavailable,
)
from pytest_dockercache.model import Finding, Fix, Row, Step
from pytest_dockercache.records import BuildRecord, Durations, failure_of, read_record, write_record


@pytest.fixture
def durations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Durations:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Durations(tmp_path / "pytest-dockercache" / "durations" / "project.json")


def ran(line: int, stage: str, seconds: float | None, text: str = "RUN work") -> Step:
    return Step(line, stage, "RUN", text, status="miss", seconds=seconds)


def test_equal_commands_of_two_stages_have_each_their_own_seconds(durations: Durations) -> None:
    durations.remember([ran(4, "one", 0.4), ran(9, "two", 5.0)])
    durations.remember([ran(9, "two", 6.0)])
    assert durations.of(ran(4, "one", None)) == 0.4
    assert durations.of(ran(9, "two", None)) == 6.0
    assert durations.of(ran(5, "one", None)) is None


def test_a_step_that_has_moved_is_known_by_its_text_where_it_is_alone(
    durations: Durations,
) -> None:
    durations.remember([ran(4, "one", 0.4)])
    assert durations.of(ran(5, "one", None)) is None
    assert durations.of(ran(5, "one", None), alone=True) == 0.4
    assert durations.of(ran(5, "one", None, "RUN other"), alone=True) is None
    durations.remember([ran(9, "two", 5.0)])
    assert durations.of(ran(6, "one", None), alone=True) is None


def test_a_step_that_has_moved_more_than_once_has_the_seconds_of_its_last_execution(
    durations: Durations,
) -> None:
    for line, seconds in ((4, 0.4), (5, 0.5), (4, 0.7)):
        durations.remember([ran(line, "one", seconds)])
    assert durations.of(ran(8, "one", None), alone=True) == 0.7
    assert durations.of(ran(8, "one", None)) is None


def test_what_an_earlier_version_has_written_is_no_seconds_of_a_step(
    durations: Durations, tmp_path: Path
) -> None:
    path = tmp_path / "pytest-dockercache" / "durations" / "project.json"
    path.parent.mkdir(parents=True)
    for text in ('{"RUN work": 3.0}', "[1, 2]", "{"):
        path.write_text(text)
        assert durations.of(ran(4, "one", None), alone=True) is None
        durations.remember([ran(4, "one", 0.4)])
        assert durations.of(ran(4, "one", None)) == 0.4


def test_a_place_that_cannot_be_written_costs_the_memory_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    durations = Durations(tmp_path / "file" / "pytest-dockercache" / "durations" / "project.json")
    durations.remember([ran(4, "one", 0.4)])
    assert durations.of(ran(4, "one", None)) is None


FOUND = Finding(
    "no", line=3, rows=(Row("a", "3", "RUN x"),), why="because", fix=Fix("do"), log="one\ntwo"
)


@pytest.mark.parametrize(
    "problem",
    [
        BuildFailed(FOUND),
        BuildTimeout("too long", fix="give it longer"),
        ConfigError("no such file", why="it was deleted"),
        EngineUnavailable("no daemon", fix="start it", absent=True),
        EngineUnavailable("no answer", silent=True),
    ],
)
def test_another_process_raises_the_error_with_all_its_facts(
    tmp_path: Path, problem: DockerCacheError
) -> None:
    write_record(tmp_path / "1.json", BuildRecord(1, (), failure=failure_of(problem)))
    record = read_record(tmp_path / "1.json")
    assert record is not None
    with pytest.raises(type(problem)) as caught:
        record.result()
    assert caught.value.finding == problem.finding
    assert str(caught.value) == str(problem)
    assert failure_of(caught.value) == failure_of(problem)


def test_an_error_crosses_a_pickle_with_its_facts() -> None:
    copied = pickle.loads(pickle.dumps(EngineUnavailable("no daemon", fix="start", absent=True)))
    assert (copied.finding.fix, copied.absent) == (Fix("start"), True)
