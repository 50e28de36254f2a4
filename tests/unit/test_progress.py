"""The output while a build runs, to the byte."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_dockercache._pytest.progress import LiveProgress, PlainProgress
from pytest_dockercache._pytest.relay import Relay, RelayedProgress
from pytest_dockercache.model import Step
from pytest_dockercache.runs import Run
from pytest_dockercache.subject import WAITING

STEPS = (
    Step(3, "0", "COPY", "COPY environment.yml ./", status="hit"),
    Step(4, "0", "RUN", "RUN conda env update -n base -f environment.yml"),
)
RUNNING = (STEPS[0], replace(STEPS[1], status="miss", running=True))
PREDICTED = (STEPS[0], replace(STEPS[1], status="miss"))
DONE = (STEPS[0], replace(STEPS[1], status="miss", seconds=94.1))


@dataclass
class Screen:
    """A terminal that remembers its output."""

    width: int = 60
    column: int = 0
    begun: bool = True
    written: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.written.append(text)

    def end_line(self) -> None:
        begun, self.begun = self.begun, False
        if begun:
            self.written.append("\n")

    def resume(self) -> None:
        self.begun = True
        self.written.append("Dockerfile ")

    @property
    def text(self) -> str:
        return "".join(self.written)


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_a_log_gets_one_line_when_a_step_starts(screen: Screen) -> None:
    progress = PlainProgress(screen)
    for steps in (STEPS, RUNNING, RUNNING, DONE):
        progress("first build", steps)
    progress.close("Dockerfile")
    assert screen.text.splitlines() == [
        "",
        "  first build: line 4 RUN conda env update -n base -f envir…",
        "Dockerfile ",
    ]


def test_a_log_gets_nothing_for_a_build_of_hits(screen: Screen) -> None:
    progress = PlainProgress(screen)
    progress("first build", STEPS)
    progress.close("Dockerfile")
    assert screen.text == ""


def test_a_log_gets_nothing_for_a_prediction(screen: Screen) -> None:
    progress = PlainProgress(screen)
    progress("first build", PREDICTED)
    progress.close("Dockerfile")
    assert screen.text == ""


def test_a_log_names_a_line_again_in_the_next_build(screen: Screen) -> None:
    progress = PlainProgress(screen)
    progress("first build", RUNNING)
    progress("after src/main.py", RUNNING)
    assert screen.text.count("line 4") == 2


def test_a_terminal_gets_one_line_that_is_redrawn_and_taken_away(screen: Screen) -> None:
    now = 100.0
    screen.column = 12
    progress = LiveProgress(screen, clock=lambda: now)
    progress("first build", STEPS)
    progress("first build", RUNNING)
    now = 161.0
    progress.draw()
    progress.close("Dockerfile")
    assert screen.written == [
        "\n  first build …",
        "\r\x1b[K  first build: line 4 RUN conda env update -n base …  0.0 s",
        "\r\x1b[K  first build: line 4 RUN conda env update -n …  1 min 01 s",
        "\r\x1b[K\x1b[A\x1b[12C",
    ]


def test_after_closing_nothing_is_drawn_any_more(screen: Screen) -> None:
    progress = LiveProgress(screen, clock=lambda: 0.0)
    progress("first build", RUNNING)
    progress.close()
    written = list(screen.written)
    progress.draw()
    progress.close()
    assert screen.written == written


def test_the_line_never_fills_the_last_column(screen: Screen) -> None:
    screen.width = 30
    progress = LiveProgress(screen, clock=lambda: 0.0)
    progress("after src/a/very/long/path/of/a/source/file.py", RUNNING)
    progress.close()
    assert len(screen.written[0].removeprefix("\n")) == 29


# --- waiting, and workers ------------------------------------------------------------------------


def test_a_log_says_once_that_a_build_waits(screen: Screen) -> None:
    progress = PlainProgress(screen)
    progress(WAITING, ())
    progress(WAITING, ())
    assert screen.text == "\n  waits for another build on this builder\n"


def test_a_terminal_says_for_how_long_a_build_waits(screen: Screen) -> None:
    now = [100.0]
    progress = LiveProgress(screen, clock=lambda: now[0])
    progress(WAITING, ())
    now[0] += 12.2
    progress.draw()
    progress.close()
    assert "  waits for another build on this builder, 12 s" in screen.text


def test_what_a_worker_builds_is_shown_by_the_controller(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = Run.start()
    shown = PlainProgress(screen)
    relay = Relay(run, shown)
    builds, waits = (RelayedProgress(lambda: run, name) for name in ("gw0", "gw1"))
    waits(WAITING, ())
    relay.look()
    builds("first build", RUNNING)
    relay.look()
    relay.look()
    builds.close("Dockerfile::builds")
    waits.close()
    relay.look()
    assert screen.text.splitlines()[1:] == [
        "  waits for another build on this builder",
        "  first build: line 4 RUN conda env update -n base -f envir…",
    ]
    assert list((run.directory / "progress").iterdir()) == []
    run.finish()


def test_pytest_writes_while_the_line_is_away(screen: Screen) -> None:
    progress = LiveProgress(screen, clock=lambda: 0.0)
    progress("first build", RUNNING)
    with progress.paused():
        assert screen.written[-1] == "\r\x1b[K\x1b[A"
        screen.write("gw0 PASSED")
    progress.draw()
    assert screen.written[-1].startswith("\n  first build: line 4")
    progress.close()
