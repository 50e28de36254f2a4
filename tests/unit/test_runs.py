"""A run's journal: what it names is removed at the end, or by the next run, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_dockercache.engines.registry import ENGINES, Registration
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import EngineInfo
from pytest_dockercache.runs import (
    Run,
    builder_lock,
    cache_home,
    digest,
    in_turn,
    read_json,
    write_json,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pytest-dockercache"


def staged(run: Run, name: str) -> Path:
    path = cache_home() / "staging" / name
    path.mkdir(parents=True)
    (path / "file").write_text("staged")
    run.note("staging", str(path))
    return path


def dead_run(home: Path, name: str) -> Path:
    """The traces of a run whose process was killed."""
    program = (
        "import os, sys; from pytest_dockercache.runs import *; run = Run.start();"
        f"path = cache_home() / 'staging' / {name!r}; path.mkdir(parents=True);"
        "run.note('staging', str(path)); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    return home / "staging" / name


def test_a_run_removes_what_its_journal_names_and_the_journal() -> None:
    run = Run.start()
    path = staged(run, "a")
    leftovers = run.finish()
    assert not path.exists()
    assert leftovers.stuck == ()
    assert not list((cache_home() / "runs").glob(f"{run.id}*"))


def test_a_run_removes_nothing_that_its_journal_does_not_name() -> None:
    run = Run.start()
    other = cache_home() / "staging" / "other"
    other.mkdir(parents=True)
    run.finish()
    assert other.exists()


def test_the_next_run_sweeps_what_a_killed_one_left(home: Path) -> None:
    path = dead_run(home, "left")
    assert path.exists()
    run = Run.start()
    run.sweep()
    assert not path.exists()
    assert [item.stem for item in (home / "runs").glob("*.alive")] == [run.id]
    run.finish()


def test_a_running_run_is_not_swept(home: Path) -> None:
    run = Run.start()
    path = staged(run, "held")
    program = "from pytest_dockercache.runs import *; run = Run.start(); run.sweep(); run.finish()"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert path.exists()
    run.finish()


def test_a_run_sweeps_once_however_many_processes_ask(home: Path) -> None:
    run = Run.start()
    run.sweep()
    path = dead_run(home, "late")
    Run.from_json(run.to_json()).sweep()
    assert path.exists()
    run.finish()


def test_a_dead_run_whose_engine_does_not_answer_is_kept_for_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    dead_run(home, "left")
    (journal,) = (home / "runs").glob("*/journal")
    with journal.open("a") as lines:
        lines.write(json.dumps(["engine", ["buildkit", None, "a daemon"]]) + "\n")
    run = Run.start()
    run.sweep()
    assert journal.exists()
    run.finish()


def test_engines_of_one_builder_are_each_given_their_own_traces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, list[str]] = {}

    class Listening:
        def __init__(self, name: str) -> None:
            self.info = EngineInfo(name, "", "", "", "unix:///the.sock")

        def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
            return ()

        def remove_traces(self, traces: list[str]) -> int:
            given[self.info.name] = list(traces)
            return 0

        def close(self) -> None:
            pass

    run = Run.start()
    for name in ("buildx", "classic"):
        listening = Registration(lambda why, builder, name=name: Listening(name))  # type: ignore
        monkeypatch.setitem(ENGINES, name, listening)
        run.note("engine", [name, None, "unix:///the.sock"])
        run.note("traces", [name, "unix:///the.sock", [f"of {name}"]])
    assert run.finish().stuck == ()
    assert given == {"buildx": ["of buildx"], "classic": ["of classic"]}


def test_a_half_written_journal_line_costs_only_that_line(home: Path) -> None:
    path = dead_run(home, "left")
    (journal,) = (home / "runs").glob("*/journal")
    with journal.open("a") as lines:
        lines.write('["staging", "/nonex')
    run = Run.start()
    run.sweep()
    assert not path.exists()
    run.finish()


def test_a_worker_joins_the_run_and_shares_its_directory(tmp_path: Path) -> None:
    run = Run.start(tmp_path / "shared")
    joined = Run.from_json(json.loads(json.dumps(run.to_json())))
    assert joined == run
    run.finish()


def test_json_is_written_whole_and_damage_reads_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    write_json(path, {"name": "ü\udcff"})
    assert read_json(path) == {"name": "ü\udcff"}
    path.write_text("{")
    assert read_json(path) is None
    assert read_json(tmp_path / "missing.json") is None


def test_whoever_waits_for_a_lock_is_told_so_once(tmp_path: Path) -> None:
    program = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]):\n  print('held', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "builder.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    told: list[str] = []

    def waiting() -> None:
        told.append("waiting")
        holder.stdin.close()  # type: ignore[union-attr]

    with in_turn(path, waiting):
        assert told == ["waiting"]
    holder.wait()
    holder.stdout.close()


def test_who_waits_comes_before_one_that_wants_the_lock_again(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from pytest_dockercache.runs import in_turn\n"
        "path = Path(sys.argv[1])\n"
        "for number in range(100):\n"
        "  with in_turn(path):\n"
        "    path.with_suffix('.next').write_text(str(number))\n"
        "    path.with_suffix('.next').replace(path.with_suffix('.held'))\n"
        "    print(flush=True); time.sleep(0.3)"
    )
    path = tmp_path / "builder.lock"
    held = path.with_suffix(".held")
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    ) as builder:
        assert builder.stdout is not None
        builder.stdout.readline()
        began = int(held.read_text())
        with in_turn(path):
            meanwhile = int(held.read_text()) - began
        builder.kill()
    # The build that was going on, and one that may have been before us in the queue.
    assert meanwhile <= 3


def test_a_relative_cache_home_is_ignored_as_the_standard_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_home() == Path.home() / ".cache" / "pytest-dockercache"


def test_a_digest_tells_parts_apart() -> None:
    assert len({digest("a", "b"), digest("ab"), digest("b", "a")}) == 3


def test_a_cache_directory_that_cannot_be_written_is_named_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for attempt, place in ((Run.start, "runs"), (lambda: builder_lock("default"), "locks")):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert str(caught.value) == (
            f"cannot write to {tmp_path}/file/pytest-dockercache/{place}: Not a directory; "
            "set XDG_CACHE_HOME to a directory that can be written"
        )


def test_a_user_without_a_home_directory_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(ConfigError, match="no home directory; set XDG_CACHE_HOME to a directory"):
        Run.start()
