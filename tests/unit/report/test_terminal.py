"""The terminal's output, as text and colours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_dockercache.checks.layer_summary import LayerSummary
from pytest_dockercache.model import Build, Edit, EngineInfo, Finding, Fix, Reason, Step
from pytest_dockercache.report import CheckResult, Ending, ImageReport, SessionReport
from pytest_dockercache.report.pages import page_of
from pytest_dockercache.report.terminal import Line, engine_line, live_line, started_line, summary
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


LAYERS = (
    LayerSummary(None, "/bin/sh -c #(nop) ADD file:0", 80_000_000, True, 0, 0, 0, ()),
    LayerSummary(None, "RUN install conda", 140_800_000, True, 51_200_000, 8_100_000, 1_200, (4,)),
    LayerSummary(2, "WORKDIR /opt/app", 0, False, 0, 0, 0, ()),
    LayerSummary(3, LONG, 1_234_500_000, False, 512_000_000, 31_000, 512_040_960, (4,)),
    LayerSummary(4, "RUN conda clean -afy", 12_345, False, 0, 0, 0, ()),
    LayerSummary(5, "COPY src/ src/", 62, False, 0, 0, 0, ()),
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
        "MISS: the environment is installed again",
        "below: stands below a step that ran, so it runs too; nobody waited for it",
        "unknown: the builder's report cannot be read safely",
        "edit: src/main.py (+1 comment line), stopped after 0.3 s, first miss line 2",
    ]


def test_what_the_model_does_not_know_is_no_fault_of_a_builder_s_report() -> None:
    steps = (FIRST.steps[0], replace(FIRST.steps[1], status="hit"), FIRST.steps[3])
    after = replace(AFTER, edits=(Edit.delete("a.py"),), outcome="predicted", steps=steps)
    lines = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, builds=(after,)),)))))
    assert "unknown: the model cannot tell whether the step runs again" in lines
    assert not any("report cannot be read" in line for line in lines)


def test_a_step_that_cannot_be_judged_is_not_called_a_hit() -> None:
    steps = (FIRST.steps[0], replace(FIRST.steps[1], status="hit"), FIRST.steps[3])
    after = replace(AFTER, edits=(Edit.delete("a.py"),), outcome="built", steps=steps)
    last = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, builds=(after,)),)))))[-1]
    assert last == "edit: a.py (deleted), built in 0.3 s, no miss, line 4 unknown"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200, 300])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    long = replace(IMAGE, layers=LAYERS, node="a/" * 200)
    lines = text(list(summary(SessionReport(BUILDX, (long,)), width)))
    assert max(map(len, lines)) <= min(max(width, 60), 200)


@pytest.mark.parametrize(("width", "shown"), [(80, LONG[:40] + "…"), (160, LONG)])
def test_a_row_uses_the_width_that_there_is(width: int, shown: str) -> None:
    lines = text(list(summary(SessionReport(BUILDX, (IMAGE,)), width)))
    assert next(line for line in lines if "conda" in line)[6:].startswith(f"{shown} ")


def test_a_step_shows_its_command_before_its_flags() -> None:
    run = "RUN --mount=type=cache,target=/root/.cache/uv --network=none uv sync --locked"
    first = replace(FIRST, steps=(replace(FIRST.steps[2], text=run),))
    lines = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, builds=(first,)),)))))
    assert lines[2].startswith("   3  RUN uv sync --locked [--mount=type=cache…")
    assert started_line("first build", first.steps[0], 80) == (
        "  first build: line 3 RUN uv sync --locked [--mount=type=cache,target=/root/.ca…"
    )


def test_the_model_has_no_first_build() -> None:
    predicted = replace(IMAGE, builds=tuple(replace(b, outcome="predicted") for b in IMAGE.builds))
    lines = text(list(summary(SessionReport(BUILDX, (predicted,)))))
    assert "first build" not in lines[1]
    assert lines[4].split()[-2:] == ["MISS", "94.1"]


def test_the_page_of_a_failing_check_is_named_once() -> None:
    failed = CheckResult("builds", "Dockerfile::builds", Ending("failed", Finding("no")))
    image = replace(IMAGE, checks=(failed,))
    lines = text(list(summary(SessionReport(BUILDX, (image, image)))))
    assert [line for line in lines if line.startswith("about")] == [
        f"about builds: {page_of('builds')}"
    ]


def test_what_stops_a_check_is_not_about_it() -> None:
    stopped = CheckResult("builds", "Dockerfile::builds", Ending("error", Finding("no daemon")))
    lines = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, checks=(stopped,)),)))))
    assert not [line for line in lines if line.startswith("about")]


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


def test_the_layers_are_shown_below_the_builds_with_what_they_waste() -> None:
    lines = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, layers=LAYERS),)))))
    assert lines[10:] == [
        "line  layer                              size   caches bytecode   hidden by line",
        "base  2 layers of the base image     220.8 MB  51.2 MB   8.1 MB   1.2 kB 4",
        "   3  RUN conda env update -n base …   1.2 GB 512.0 MB  31.0 kB 512.0 MB 4",
        "   4  RUN conda clean -afy            12.3 kB",
        "   5  COPY src/ src/                     62 B",
        "      all layers                       1.5 GB 563.2 MB   8.1 MB 512.0 MB 4",
    ]


def test_only_what_the_dockerfile_wastes_is_coloured() -> None:
    lines = list(summary(SessionReport(BUILDX, (replace(IMAGE, builds=(), layers=LAYERS),))))
    assert marked(lines, yellow=True) == ["512.0 MB", "31.0 kB", "512.0 MB"]


def test_layers_whose_origin_nobody_knows_have_their_numbers() -> None:
    unknown = tuple(replace(layer, line=None, base=None, hidden_by=()) for layer in LAYERS)
    image = ImageReport("app:1", None, ".", image="app:1", layers=unknown)
    lines = text(list(summary(SessionReport(BUILDX, (image,)))))
    assert lines[0] == "app:1  (image, not built here)"
    assert [line[:6].strip() for line in lines[1:]] == ["line", "#1", "#2", "#4", "#5", "#6", ""]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_row_of_the_layers_is_wider_than_the_terminal(width: int) -> None:
    crowd = (*LAYERS, replace(LAYERS[3], hidden_by=tuple(range(4, 99))))
    lines = text(list(summary(SessionReport(BUILDX, (replace(IMAGE, layers=crowd),)), width)))
    assert max(map(len, lines)) <= width


def test_a_build_that_failed_is_neither_a_table_nor_a_hit() -> None:
    failed = Build((), "failed", 0.0, ())
    edited = replace(failed, edits=AFTER.edits, seconds=2.5)
    lines = text(list(summary(SessionReport(None, (replace(IMAGE, builds=(failed, edited)),)))))
    assert lines == [
        "Dockerfile",
        "first build: failed",
        "edit: src/main.py (+1 comment line), failed after 2.5 s",
    ]


def test_a_few_bytes_of_build_cache_are_not_worth_a_line() -> None:
    assert list(summary(SessionReport(None, (), Leftovers(cache_bytes=999_999)))) == []


def test_nothing_verified_is_said_with_the_reason() -> None:
    skipped = CheckResult(
        "builds",
        "Dockerfile::builds",
        Ending("skipped", Finding("no daemon", fix=Fix("…")), "not-verified"),
    )
    other = replace(skipped, ending=Ending("skipped", Finding("no pin"), "does-not-apply"))
    image = replace(IMAGE, builds=(), checks=(skipped, other))
    assert text(list(summary(SessionReport(None, (image,))))) == [
        "nothing was verified: every check was skipped: not verified: no daemon: … (and 1 more)"
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


def test_a_build_after_many_edits_still_names_its_step() -> None:
    edits = [Edit.create(f"packages/{name}/src/module.py") for name in ("one", "two", "three")]
    title = "after " + ", ".join(map(str, edits))
    step = replace(FIRST.steps[2], line=12)
    assert started_line(title, step, 80) == (
        "  after packages/one/src/module.py (new file)…: line 12 RUN conda env update -n…"
    )
    assert live_line(title, step, 3.21, 60) == (
        "  after packages/o…: line 12 RUN conda env update -n…  3.2 s"
    )
    short = replace(step, text="COPY . .")
    assert started_line(title, short, 60).endswith("…: line 12 COPY . .")


def test_a_long_edit_is_shown_by_its_path() -> None:
    edits = tuple(Edit.create(f".git/{name}-pytest-dockercache-probe") for name in ("one", "two"))
    build = replace(AFTER, edits=edits)
    report = SessionReport(BUILDX, (replace(IMAGE, builds=(FIRST, AFTER, build)),))
    also = next(line for line in text(list(summary(report, 80))) if line.startswith("also:"))
    assert also.startswith("also: .git/one-pytest-docke")
    assert "… and 1 more" in also
    assert "(" not in also.partition(" and ")[0]
