"""A run's journal: the objects in it, and no others, are removed at the end or by the next run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_dockercache.cache_home import cache_home
from pytest_dockercache.engines.registry import ENGINES, Registration
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import EngineInfo
from pytest_dockercache.runs import (
    Run,
    builder_lock,
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
        "from pytest_dockercache.cache_home import cache_home;"
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

        def remove_soon(self, traces: list[str]) -> None:
            return None

        def remove_traces(self, traces: list[str]) -> int:
            given[self.info.name] = list(traces)
            return 0

        def close(self) -> None:
            pass

    run = Run.start()
    for name in ("buildx", "classic"):
        listening = Registration(lambda *_, name=name: Listening(name))  # type: ignore
        monkeypatch.setitem(ENGINES, name, listening)
        run.note("engine", [name, None, "unix:///the.sock"])
        run.note("traces", [name, "unix:///the.sock", [f"of {name}"]])
    assert run.finish().stuck == ()
    assert given == {"buildx": ["of buildx"], "classic": ["of classic"]}


class Stubborn:
    """An engine that cannot remove an image as long as ``stuck`` says so."""

    info = EngineInfo("stubborn", "", "", "", "unix:///the.sock")
    stuck: tuple[str, ...] = ("image 0123: connection refused",)

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        return self.stuck

    def remove_soon(self, traces: list[str]) -> None:
        return None

    def remove_traces(self, traces: list[str]) -> int:
        assert all(trace["name"] for trace in traces)  # type: ignore[index]
        return 0

    def close(self) -> None:
        pass


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Stubborn:
    """A registered engine that removes nothing until it is told to."""
    engine = Stubborn()
    made = Registration(lambda why, builder, timeout: engine)  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(ENGINES, "stubborn", made)
    return engine


def test_what_was_stuck_at_the_end_of_a_run_is_removed_by_the_next(
    home: Path, stubborn: Stubborn
) -> None:
    run = Run.start()
    run.note("engine", ["stubborn", None, "unix:///the.sock"])
    assert run.finish().stuck == stubborn.stuck
    journal = home / "runs" / run.id / "journal"
    assert journal.exists()
    stubborn.stuck = ()
    following = Run.start()
    following.sweep()
    assert not journal.exists()
    assert [item.stem for item in (home / "runs").glob("*.alive")] == [following.id]
    following.finish()


def test_a_run_whose_traces_stay_stuck_is_given_up_after_a_month(
    home: Path, stubborn: Stubborn
) -> None:
    run = Run.start()
    run.note("engine", ["stubborn", None, "unix:///the.sock"])
    run.finish()
    alive = home / "runs" / f"{run.id}.alive"
    for days, kept in ((29, True), (31, False)):
        os.utime(alive, (time.time() - days * 86400,) * 2)
        following = Run.start()
        following.sweep()
        assert alive.exists() is kept
        following.finish()


class Making(Stubborn):
    """An engine with empty builders: those of ``there``, of which ``held`` cannot be removed."""

    stuck = ()

    def __init__(self) -> None:
        self.there: set[str] = {"of-the-user"}
        self.held: set[str] = set()

    def build(self, request: object, watch: object) -> object:
        raise NotImplementedError

    def read_manifest(self, reference: str) -> object:
        return None

    def exports_caches(self) -> bool:
        return True

    def empty_builder(self, *arguments: object, **more: object) -> object:
        raise NotImplementedError

    def remove_empty_builder(self, name: str) -> str | None:
        if name in self.held:
            return f"container {name}: it is in use"
        self.there.discard(name)
        return None


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Making:
    """A registered engine with empty builders."""
    engine = Making()
    made = Registration(lambda why, builder, timeout: engine)  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(ENGINES, "stubborn", made)
    return engine


def a_run_with_builders(making: Making, *purposes: str, beside: str = "unix:///the.sock") -> Run:
    """A run that has made an empty builder for each purpose."""
    run = Run.start()
    run.note("engine", ["stubborn", None, "unix:///the.sock"])
    for purpose in purposes:
        name, directory = run.empty_builder(beside, purpose)
        assert directory.parent.name == run.id
        making.there.add(name)
    return run


def test_every_empty_builder_of_a_run_has_a_name_of_its_own_and_is_removed_at_its_end(
    home: Path, making: Making
) -> None:
    run = a_run_with_builders(making, "first", "second", "first")
    assert len(making.there) == 3
    assert run.finish().stuck == ()
    assert making.there == {"of-the-user"}
    assert not (home / "runs" / run.id).exists()


def test_an_empty_builder_that_stays_is_told_and_removed_by_the_next_run(
    home: Path, making: Making
) -> None:
    run = a_run_with_builders(making, "first", "second")
    name, _ = run.empty_builder("unix:///the.sock", "first")
    making.held = {name}
    assert run.finish().stuck == (f"container {name}: it is in use",)
    assert making.there == {"of-the-user", name}
    making.held = set()
    following = Run.start()
    following.sweep()
    assert making.there == {"of-the-user"}
    following.finish()


def test_a_journal_removes_no_builder_of_another_name_or_beside_another_daemon(
    making: Making,
) -> None:
    run = a_run_with_builders(making, "first", beside="unix:///another.sock")
    run.note("empty builder", ["of-the-user", "unix:///the.sock"])
    before = set(making.there)
    assert run.finish().stuck == ()
    assert making.there == before


@pytest.mark.parametrize(
    "line",
    [
        '["staging", "{outside}"]',
        '["staging", "{home}/staging/../../outside"]',
        '["staging", "{home}/staging/.."]',
        '["staging", "{home}/staging"]',
        '["staging", "{home}/staging/link/../../../outside"]',
        '["staging", ["{outside}"]]',
        '["staging", 5]',
        '["engine", 5]',
        '["engine", ["x"]]',
        '["engine", [1, 2, 3]]',
        '["engine", {{"name": "buildx"}}]',
        '[["engine"], ["a", "b", "c"]]',
        '{{"engine": 1}}',
        "5",
        "null",
        "\0\ufffd",
        "[" * 100_000,
    ],
)
def test_a_journal_removes_nothing_outside_the_plugins_own_directory_and_stops_no_run(
    home: Path, tmp_path: Path, line: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("the user's")
    (home / "staging").mkdir(parents=True)
    (home / "staging" / "other").mkdir()
    (home / "staging" / "link").symlink_to(outside)
    dead_run(home, "left")
    (journal,) = (home / "runs").glob("*/journal")
    with journal.open("a", encoding="utf-8", errors="surrogateescape") as lines:
        lines.write(
            "\n"
            + line.replace("{{", "{")
            .replace("}}", "}")
            .replace("{outside}", str(outside))
            .replace("{home}", str(home))
            + "\n"
        )
    run = Run.start()
    run.sweep()
    run.finish()
    assert (outside / "precious").read_text() == "the user's"
    assert (home / "staging" / "other").is_dir()
    assert not (home / "staging" / "left").exists()


def test_a_staged_context_that_became_a_link_is_not_followed(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("the user's")
    path = dead_run(home, "left")
    path.rmdir()
    path.symlink_to(outside)
    run = Run.start()
    run.sweep()
    run.finish()
    assert (outside / "precious").exists()


def test_traces_that_no_engine_has_written_are_passed_over(home: Path, stubborn: Stubborn) -> None:
    stubborn.stuck = ()
    run = Run.start()
    run.note("engine", ["stubborn", None, "unix:///the.sock"])
    run.note("traces", ["stubborn", "unix:///the.sock", [5, None, "text"]])
    assert run.finish().stuck == ()


@pytest.mark.parametrize("name", ["...alive", "..alive", "x.alive", "0123456789AB.alive"])
def test_a_file_that_is_no_life_of_a_run_is_passed_over(home: Path, name: str) -> None:
    (home / "runs").mkdir(parents=True)
    (home / "layers").mkdir()
    (home / "runs" / name).touch()
    run = Run.start()
    run.sweep()
    run.finish()
    assert (home / "runs").is_dir()
    assert (home / "layers").is_dir()


def test_a_directory_in_the_place_of_a_lock_costs_the_sweep_and_not_the_run(home: Path) -> None:
    (home / "runs" / "sweep.lock").mkdir(parents=True)
    (home / "runs" / "0123456789ab.alive").mkdir()
    run = Run.start()
    run.sweep()
    run.finish()


def test_only_the_user_may_look_into_what_runs_keep(home: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        run = Run.start()
        write_json(run.directory / "specs" / "spec.json", {"build_args": [["TOKEN", "secret"]]})
        run.note("staging", str(staged(run, "a")))
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    for path in (*run.directory.rglob("*"), *(home / "runs").glob("*/journal")):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path
    run.finish()


def test_a_cache_directory_that_an_earlier_version_left_open_is_closed(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    Run.start().finish()
    assert home.stat().st_mode & 0o777 == 0o700


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
