"""What the terminal shows, as text and colours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_dockercache.model import Build, Edit, EngineInfo, Reason, Step
from pytest_dockercache.report import CheckResult, ImageReport, SessionReport
from pytest_dockercache.report.terminal import Line, engine_line, summary
from pytest_dockercache.runs import Leftovers

BUILDX = EngineInfo("buildx", "0.13.1", "26.1.5", "the buildx plugin answers", "default")
LONG = "RUN conda env update -n base -f environment.yml && conda clean --all --yes && true"
FIRST = Build(
    (),
    "built",
    96.2,
    (
        Step(1, "0", "FROM", "FROM debian", role="base", status="hit"),
        Step(2, "0", "COPY", "COPY . .", role="source", status="miss", seconds=0.1),
        Step(3, "0", "RUN", LONG, role="environment", status="miss", seconds=94.1),
        Step(4, "0", "RUN", "RUN true", status="unknown"),
        Step(5, "0", "CMD", 'CMD ["python"]'),
    ),
)
BELOW = Reason("parent", "runs on top of line 2", 2)
AFTER = replace(
    FIRST,
    edits=(Edit.append("src/main.py"),),
    outcome="stopped",
    seconds=0.31,
    steps=(
        FIRST.steps[0],
        FIRST.steps[1],
        replace(FIRST.steps[2], seconds=None),
        replace(FIRST.steps[3], status="not-reached", reason=BELOW),
        FIRST.steps[4],
    ),
)
IMAGE = ImageReport(
    "Dockerfile", "Dockerfile", ".", builds=(FIRST, AFTER), source="src/main.py", seconds={3: 94.1}
)


def text(lines: list[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def marked(lines: list[Line], **markup: bool) -> list[str]:
    return [piece.strip() for line in lines for piece, how in line if how == markup]


def test_the_table_shows_both_builds_and_what_a_step_costs() -> None:
    assert text(list(summary(SessionReport(BUILDX, (IMAGE,))))) == [
        "Dockerfile  (buildx 0.13.1, Docker Engine 26.1.5)",
        "line  step                                      first build after edit   seconds",
        "   1  FROM debian",
        "   2  COPY . .                                  miss        miss",
        "   3  RUN conda env update -n base -f environm… miss        MISS            94.1",
        "   4  RUN true                                  unknown     below",
        "edit: src/main.py (+1 comment line), stopped after 0.3 s, first miss line 2",
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    lines = text(list(summary(SessionReport(BUILDX, (IMAGE,)), width)))
    assert max(len(line) for line in lines[1:]) <= max(width, 59)


def test_a_rebuilt_environment_is_red_and_hits_are_green() -> None:
    hit = replace(AFTER, steps=(replace(FIRST.steps[1], status="hit"),))
    lines = list(summary(SessionReport(BUILDX, (IMAGE, replace(IMAGE, builds=(hit,))))))
    assert marked(lines, red=True, bold=True) == ["MISS"]
    assert marked(lines, green=True) == ["hit"]
    assert marked(lines, purple=True) == ["unknown"]


def test_a_complete_rebuild_is_shown_rather_than_a_stopped_one() -> None:
    complete = replace(AFTER, outcome="built", seconds=95.0)
    lines = text(
        list(summary(SessionReport(BUILDX, (replace(IMAGE, builds=(FIRST, AFTER, complete)),))))
    )
    assert "edit: src/main.py (+1 comment line), built in 1 min 35 s, first miss line 2" in lines
    assert "also: src/main.py (+1 comment line), stopped after 0.3 s, first miss line 2" in lines


def test_a_prediction_is_never_shown_as_a_build() -> None:
    predicted = replace(IMAGE, builds=tuple(replace(b, outcome="predicted") for b in IMAGE.builds))
    lines = text(list(summary(SessionReport(BUILDX, (predicted,)))))
    assert lines[0] == "Dockerfile  (predicted: nothing was built)"
    assert lines[-1] == "edit: src/main.py (+1 comment line), predicted, first miss line 2"


def test_nothing_verified_is_said_with_the_reason() -> None:
    skipped = CheckResult("builds", "Dockerfile::builds", "skipped", None, "no daemon\n  fix …")
    image = replace(IMAGE, builds=(), checks=(skipped, replace(skipped, message="another")))
    assert text(list(summary(SessionReport(None, (image,))))) == [
        "nothing was verified: every check was skipped: no daemon (and 1 more)"
    ]


def test_what_was_left_behind_is_named_with_its_size() -> None:
    leftovers = Leftovers(("kept:1",), ("container 0123",), 12_345_678)
    assert text(list(summary(SessionReport(None, (), leftovers)))) == [
        "kept: kept:1",
        "left behind: container 0123",
        "left behind: 12.3 MB of build cache that the edits made",
    ]


def test_a_session_that_built_nothing_has_no_summary() -> None:
    assert list(summary(SessionReport(BUILDX, ()))) == []


def test_the_engine_line_says_why_it_was_chosen() -> None:
    assert engine_line(BUILDX) == (
        "buildx 0.13.1, Docker Engine 26.1.5 (the buildx plugin answers)"
    )
