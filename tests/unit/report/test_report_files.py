"""A report reaches the place that the user named, whatever it is, and replaces no device."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_dockercache.report.files import require_writable, write_text


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    with path.open() as reader:
        write_text(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["report.json"]


def test_directories_above_a_new_file_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.json"
    require_writable(path)
    assert not (tmp_path / "a").exists()
    write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "elsewhere" / "report.json"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(target)
    require_writable(link)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_through(tmp_path: Path) -> None:
    require_writable(Path("/dev/null"))
    write_text(Path("/dev/null"), "x" * 100_000)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(OSError, match="No space left"):
        write_text(Path("/dev/full"), "x")


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    # Opened for both: a reader that is there before the writer, without a race.
    handle = os.open(pipe, os.O_RDWR)
    text = "x" * 200_000  # more than a pipe holds

    def reader() -> None:
        while sum(map(len, read)) < len(text):
            read.append(os.read(handle, 65536).decode())

    thread = threading.Thread(target=reader)
    thread.start()
    require_writable(pipe)
    write_text(pipe, text)
    thread.join()
    os.close(handle)
    assert "".join(read) == text
    assert pipe.is_fifo()


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device or address"):
        write_text(pipe, "x")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("directory", IsADirectoryError),
        ("file/report.json", NotADirectoryError),
        ("x" * 300, OSError),
        ("/proc/report.json", OSError),
    ],
)
def test_a_place_that_cannot_be_written_is_known_before(
    tmp_path: Path, name: str, kind: type[OSError]
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(kind):
        require_writable(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["directory", "file"]
