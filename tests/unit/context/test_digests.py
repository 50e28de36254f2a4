"""Content digests: what counts, what does not, and when a file is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_dockercache.context import ContextEntry, Digests, context_files

OLD = 1_500_000_000_000_000_000


def entry(root: Path, path: str) -> ContextEntry:
    return next(item for item in context_files(root) if item.path == path)


def digest(root: Path, path: str) -> str:
    return Digests().digest(root, entry(root, path))


def test_bytes_mode_kind_and_link_text_count_and_times_do_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to("a")
    before, link = digest(tmp_path, "a"), digest(tmp_path, "link")
    os.utime(tmp_path / "a", ns=(OLD, OLD))
    assert digest(tmp_path, "a") == before
    (tmp_path / "a").chmod(0o755)
    assert digest(tmp_path, "a") != before
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "a").write_text("y")
    assert digest(tmp_path, "a") != before
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    assert digest(tmp_path, "a") != before
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert digest(tmp_path, "link") != link


def test_a_name_is_no_part_of_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    assert digest(tmp_path, "a") == digest(tmp_path, "b")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of the test be older than the clock's doubt."""
    import time

    now = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now + 10**12)


def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, store = tmp_path / "p", tmp_path / "cache" / "digests.json"
    root.mkdir()
    (root / "a").write_text("x")
    first = Digests(store)
    expected = first.of(root, context_files(root))
    first.save()
    entries = list(context_files(root))

    def refuse(*arguments: object) -> int:
        raise AssertionError("the file was opened")

    remembered = Digests(store)
    monkeypatch.setattr("os.open", refuse)
    assert remembered.of(root, entries) == expected


def test_a_change_that_keeps_size_and_mtime_is_seen(tmp_path: Path, settled: None) -> None:
    root, store = tmp_path / "p", tmp_path / "digests.json"
    root.mkdir()
    (root / "a").write_text("x")
    os.utime(root / "a", ns=(OLD, OLD))
    first = Digests(store)
    before = first.of(root, context_files(root))
    first.save()
    (root / "a").unlink()
    (root / "a").write_text("y")
    os.utime(root / "a", ns=(OLD, OLD))
    assert Digests(store).of(root, context_files(root)) != before


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    root, store = tmp_path / "p", tmp_path / "digests.json"
    root.mkdir()
    (root / "a").write_text("x")
    first = Digests(store)
    first.of(root, context_files(root))
    first.save()
    assert not store.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 0}', b'{"version": 1}', b"[1]"])
def test_a_store_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "digests.json"
    store.write_bytes(content)
    (tmp_path / "a").write_text("x")
    assert Digests(store).digest(tmp_path, entry(tmp_path, "a")) == digest(tmp_path, "a")
