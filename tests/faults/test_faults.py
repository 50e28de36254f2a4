"""The fate and the traces of a run when the run or its daemon is mistreated."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from own_daemon import OwnDaemon, Trial, is_clean, require_no_traceback
from plugin_process import environment

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

ENGINES = ("buildx", "buildkit", "classic")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_end_cleans_up_itself(trial: Trial, number: signal.Signals) -> None:
    trial.renew(seconds=120)
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)  # else a run below nohup would rightly go on
    with trial.start() as run:
        trial.until(trial.is_building, run)
        began = time.monotonic()
        run.send_signal(number)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 2, said
    assert time.monotonic() - began < 60, said
    assert is_clean(trial)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_that_ends_during_a_build_is_named_and_its_next_run_is_clean(
    trial: Trial, engine: str, number: signal.Signals
) -> None:
    trial.renew(seconds=15)
    with trial.start(f"--dockercache-engine={engine}") as run:
        trial.until(trial.is_building, run)
        trial.daemon.kill(number)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 1, said
    assert "the Docker daemon went away during the build" in said
    assert "exit code 137" not in said.partition("went away")[0]
    assert " passed" not in said.splitlines()[-1]
    require_no_traceback(said)
    trial.daemon.start()
    code, said = trial.renew(seconds=0).run(f"--dockercache-engine={engine}")
    assert code == 0, said
    assert is_clean(trial)


def test_what_a_restarted_daemon_kept_is_removed_by_the_next_run(trial: Trial) -> None:
    trial.renew(seconds=0)
    (trial.project / "conftest.py").write_text(
        "import time\nfrom pathlib import Path\n\n\n"
        "def pytest_sessionfinish():\n"
        "    Path('judged').touch()\n"
        "    while not Path('ended').exists():\n"
        "        time.sleep(0.05)\n"
    )
    with trial.start() as run:
        trial.until((trial.project / "judged").exists, run)
        trial.daemon.kill()
        (trial.project / "ended").touch()
        said, _ = run.communicate(timeout=120)
    assert "2 passed" in said
    assert "left behind" in said
    assert "('" not in said, "a Python tuple is no sentence"
    trial.daemon.start()
    assert trial.daemon.left()[0] > 0
    code, said = trial.run()
    assert (code, "left behind" in said) == (0, False), said
    assert is_clean(trial)


@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_a_frozen_daemon_is_waited_for_once_as_long_as_the_user_says(
    trial: Trial, engine: str
) -> None:
    trial.renew(seconds=0)
    trial.daemon.freeze()
    began = time.monotonic()
    try:
        code, said = trial.run(f"--dockercache-engine={engine}", "--dockercache-timeout=3")
        took = time.monotonic() - began
    finally:
        trial.daemon.thaw()
    assert code == 1, said
    assert "did not answer within 3 s" in said
    assert "passed" not in said.splitlines()[-1]
    assert took < 30, said


@pytest.mark.parametrize("engine", ENGINES)
def test_a_daemon_that_freezes_during_a_build_ends_it_at_the_time_limit(
    trial: Trial, engine: str
) -> None:
    trial.renew(seconds=20)
    with trial.start(f"--dockercache-engine={engine}", "--dockercache-timeout=6") as run:
        trial.until(trial.is_building, run)
        trial.daemon.freeze()
        began = time.monotonic()
        try:
            said, _ = run.communicate(timeout=120)
            took = time.monotonic() - began
        finally:
            trial.daemon.thaw()
    assert run.returncode == 1, said
    require_no_traceback(said)
    assert took < 90, said
    code, said = trial.renew(seconds=0).run(f"--dockercache-engine={engine}")
    assert code == 0, said
    assert is_clean(trial)


HASTY = """\
import pytest_dockercache.engines.daemon as daemon
import pytest_dockercache.engines.watching as watching

watching._QUIET_SECONDS, daemon._PING_SECONDS = 2.0, 3.0
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_daemon_that_freezes_during_a_build_is_missed_without_a_time_limit(
    trial: Trial, engine: str
) -> None:
    trial.renew(seconds=20)
    (trial.project / "conftest.py").write_text(HASTY)
    with trial.start(f"--dockercache-engine={engine}") as run:
        trial.until(trial.is_building, run)
        trial.daemon.freeze()
        try:
            said, _ = run.communicate(timeout=120)
        finally:
            trial.daemon.thaw()
    assert run.returncode == 1, said
    assert "did not answer within 3 s" in said
    assert "passed" not in said.splitlines()[-1]
    require_no_traceback(said)
    code, said = trial.renew(seconds=0).run(f"--dockercache-engine={engine}")
    assert code == 0, said
    assert is_clean(trial)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory to mount a small file system on."""
    place = tmp_path / "small"
    place.mkdir()
    yield place
    subprocess.run(["umount", "-l", place], capture_output=True)


@pytest.fixture
def small_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    """A daemon whose disk has 300 MB."""
    daemon = OwnDaemon(tmp_path_factory.mktemp("small"))
    data = daemon.root / "data"
    data.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(data)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.remove()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_disk_of_the_daemon_is_named_and_the_next_run_is_clean(
    small_daemon: OwnDaemon, tmp_path: Path, engine: str
) -> None:
    env = environment(
        DOCKER_HOST=small_daemon.host, XDG_CACHE_HOME=str(tmp_path / "cache"), COLUMNS="200"
    )
    trial = Trial(small_daemon, tmp_path, env).renew(seconds=0)
    dockerfile = trial.project / "Dockerfile"
    honest = dockerfile.read_text()
    dockerfile.write_text(
        honest.replace("sleep 0", "dd if=/dev/zero of=/large bs=1M count=400 && sleep 0")
    )
    code, said = trial.run(f"--dockercache-engine={engine}")
    assert code == 1, said
    assert "the disk of the Docker daemon seems to be full: Dockerfile:4: RUN" in said
    assert " passed" not in said.splitlines()[-1]
    require_no_traceback(said)
    # A disk that is full before the run, until somebody frees space.
    filler = small_daemon.root / "data" / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1M"], capture_output=True)
    dockerfile.write_text(honest.replace("sleep 0", "dd if=/dev/zero of=/a bs=1M count=1"))
    code, said = trial.run(f"--dockercache-engine={engine}")
    assert code == 1, said
    assert re.search(r"disk of the Docker daemon seems to be full", said), said
    assert " passed" not in said.splitlines()[-1]
    require_no_traceback(said)
    filler.unlink()
    code, said = trial.run(f"--dockercache-engine={engine}")
    assert (code, "2 passed" in said) == (0, True), said
    assert is_clean(trial)


@pytest.mark.parametrize("size", ["4k", "16k", "64k", "256k", "1m"])
def test_a_full_cache_directory_is_said_in_one_line(trial: Trial, small: Path, size: str) -> None:
    trial.renew(seconds=0)
    (trial.project / "src" / "large").write_bytes(b"0" * 1_500_000)
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    if subprocess.run(mounted, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    full = trial.with_cache(small)
    code, said = full.run("--tb=short")
    assert code != 0
    assert "No space left on device; set XDG_CACHE_HOME" in said
    require_no_traceback(said)
    assert re.search(r"\.py:\d", said) is None, said


def test_a_cache_directory_that_becomes_full_in_the_middle_is_said_in_one_line(
    trial: Trial, small: Path
) -> None:
    trial.renew(seconds=2)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=True)
    full = trial.with_cache(small)
    with full.start() as run:
        full.until(full.is_building, run)
        with (small / "filler").open("wb") as filler:
            try:
                while True:
                    filler.write(b"0" * 4096)
                    filler.flush()
            except OSError:
                pass
        said, _ = run.communicate(timeout=120)
    require_no_traceback(said)
    assert "seems to be full" not in said, "it is not the daemon's disk"
    (small / "filler").unlink()
    code, said = full.run()
    assert code == 0, said
    assert is_clean(full)


def test_a_cache_directory_that_is_read_only_is_said_in_one_line(trial: Trial, small: Path) -> None:
    trial.renew(seconds=0)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(small)], check=True)
    full = trial.with_cache(small)
    code, said = full.run()
    assert code == 4, said
    assert "Read-only file system; set XDG_CACHE_HOME" in said
    require_no_traceback(said)
