"""Every bad input has an answer in words, soon and with little memory; nothing else changes."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from bad_inputs import BadInput, bad_inputs, write_project

from own_daemon import OwnDaemon
from plugin_process import COMMAND, environment

SECONDS = 10
"""Of processor time of the run and its commands."""
BYTES = 300 * 10**6
HANGS = 120
"""Seconds after which a run that does nothing is ended, on a machine however busy."""


@dataclass(frozen=True)
class Answer:
    """The result of one run. ``seconds`` are of processor time, ``peak`` are bytes."""

    code: int
    said: str
    seconds: float
    peak: int


def answer(project: Path, options: tuple[str, ...], env: Mapping[str, str]) -> Answer:
    """Run the checks; one that hangs is ended."""
    output = project.parent / "output"
    with output.open("wb") as file:
        run = subprocess.Popen(
            [*COMMAND, "-p", "no:cacheprovider", *options],
            cwd=project,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + HANGS
    while True:
        pid, status, used = os.wait4(run.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            os.killpg(run.pid, signal.SIGKILL)
            _, status, used = os.wait4(run.pid, 0)
            break
        time.sleep(0.02)
    run.returncode = os.waitstatus_to_exitcode(status)
    return Answer(
        run.returncode,
        output.read_text("utf-8", "replace"),
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * 1024,
    )


def state_of(directory: Path) -> dict[str, tuple[object, ...]]:
    """Mode, size, times and link of everything below a directory."""
    found: dict[str, tuple[object, ...]] = {}
    for place, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = os.path.join(place, name)
            if "__pycache__" in path:
                continue
            try:
                status = os.lstat(path)
            except OSError:  # deeper than a path may be
                continue
            link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino, link)
    return {path: value for path, value in found.items() if not stat.S_ISDIR(int(str(value[0])))}


def faults(item: BadInput, found: Answer) -> list[str]:
    """The faults of an answer."""
    wrong = []
    if "Traceback (most recent call last)" in found.said or "INTERNALERROR" in found.said:
        wrong.append("a traceback")
    if re.search(r"pytest_dockercache/\S+\.py:\d+", found.said):
        wrong.append("a line of ours")
    if found.code not in (0, 1, 2, 4, 5):
        wrong.append(f"exit code {found.code}")
    if item.refused and found.code == 0:
        wrong.append("green")
    if found.code != 0 and not re.search(r"(?i)error|fail|dockercache", found.said):
        wrong.append("not a word")
    if found.seconds > SECONDS or found.peak > BYTES:
        wrong.append(f"{found.seconds:.1f} s, {found.peak / 1e6:.0f} MB")
    if "SECRETPW" in found.said:
        wrong.append("a password is shown")
    if "\x1b" in found.said or "\u202e" in found.said:
        wrong.append("a control character is sent")
    if "root:x:0" in found.said:
        wrong.append("a file of the host is shown")
    return wrong


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory for the project, the cache and something precious."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("precious")
    write_project(tmp_path / "project")
    return tmp_path


@pytest.mark.parametrize("item", bad_inputs(), ids=lambda item: item.name)
def test_a_bad_input_has_an_answer(
    item: BadInput, directory: Path, request: pytest.FixtureRequest
) -> None:
    project = directory / "project"
    item.change(project)
    host = "unix:///nobody"
    if item.builds:
        daemon: OwnDaemon = request.getfixturevalue("own_daemon")
        daemon.start()
        host = daemon.host
    given = {
        "DOCKER_HOST": host, "XDG_CACHE_HOME": str(directory / "cache"), "COLUMNS": "120",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    env = environment(**{**given, **item.env})
    if env.get("DOCKER_CONFIG") == "DOCKER":
        env["DOCKER_CONFIG"] = str(project / "docker")
    before = state_of(project)
    found = answer(project, item.options, env)
    wrong = faults(item, found)
    if state_of(project) != before and "here" not in env["XDG_CACHE_HOME"]:
        wrong.append("the project has changed")
    if not (directory / "precious" / "file").exists():
        wrong.append("something precious is gone")
    assert wrong == [], f"{item.name}\n{found.said[-3000:]}"


def test_there_are_three_hundred_bad_inputs() -> None:
    assert len(bad_inputs()) >= 300
    assert sys.platform == "linux"
