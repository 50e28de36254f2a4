"""Kept indexes come back the same, or not at all."""

from __future__ import annotations

import os
import re
import tarfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_maker import add, digest, index, layer, tar_of
from layer_trees import Tree, members_of, trees

from pytest_dockercache.image.store import LayerStore, decode, default_directory, encode

SAMPLE = layer(
    add("a\nb", b"123"),
    add("env/conda-meta/x-1-0.json", b'{"name": "x", "version": "1"}'),
    add("hard", kind=tarfile.LNKTYPE, link="a\nb"),
    add("soft", kind=tarfile.SYMTYPE, link="to/\udce9"),
    add("low", kind=tarfile.LNKTYPE, link="below"),
    add("d/.wh.gone"),
    add("o/.wh..wh..opq"),
)


def files(store: LayerStore) -> list[Path]:
    return [path for path in store.directory.rglob("*") if path.is_file()]


def test_an_index_comes_back_as_it_was(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)
    store.save(SAMPLE)
    found = LayerStore(tmp_path).load(SAMPLE.diff_id)
    assert found == SAMPLE
    assert found is not None
    assert found.kept == {b"env/conda-meta/x-1-0.json": b'{"name": "x", "version": "1"}'}


@settings(deadline=None)
@given(trees())
def test_any_index_survives(tree: Tree) -> None:
    found = index(tar_of(members_of(tree)))
    assert decode(encode(found), found.diff_id) == found


def test_an_unknown_layer_is_none(tmp_path: Path) -> None:
    assert LayerStore(tmp_path / "missing").load(SAMPLE.diff_id) is None
    assert LayerStore(tmp_path).load("../../etc/passwd") is None


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_as_good_as_none_and_goes_away(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store = LayerStore(tmp_path_factory.mktemp("store"))
    store.save(SAMPLE)
    (path,) = files(store)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    found = store.load(SAMPLE.diff_id)
    # The compressed form has bits that mean nothing.
    assert found is None or found == SAMPLE
    assert len(files(store)) == (found is not None)


def test_a_file_of_another_version_is_not_used(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)
    store.save(SAMPLE)
    (path,) = files(store)
    path.write_bytes(re.sub(rb"dockercache layer \d+", b"dockercache layer 0", path.read_bytes()))
    assert store.load(SAMPLE.diff_id) is None


def test_an_index_under_another_layers_name_is_not_used(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)
    store.save(SAMPLE)
    (path,) = files(store)
    other = digest(b"other")
    path.rename(path.with_name(path.name.replace(SAMPLE.diff_id[7:], other[7:])))
    assert store.load(other) is None


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    layers = [layer(add(f"{number}-{'x' * 90}", b"1")) for number in range(4)]
    store = LayerStore(tmp_path, bound=3 * len(encode(layers[0])) + 20)
    for number, item in enumerate(layers[:3]):
        store.save(item)
        path = max(files(store), key=lambda path: path.stat().st_mtime_ns)
        os.utime(path, (number + 1, number + 1))
    assert store.load(layers[0].diff_id) is not None, "a load makes it recent"
    store.save(layers[3])
    left = [number for number, item in enumerate(layers) if store.load(item.diff_id)]
    assert left == [0, 2, 3]


def test_a_directory_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LayerStore(tmp_path / "file" / "below")
    store.save(SAMPLE)
    assert store.load(SAMPLE.diff_id) is None


def test_concurrent_writers_leave_whole_files_and_no_others(tmp_path: Path) -> None:
    stores = [LayerStore(tmp_path) for _ in range(4)]
    wrong: list[object] = []

    def work(store: LayerStore) -> None:
        for _ in range(30):
            store.save(SAMPLE)
            if store.load(SAMPLE.diff_id) != SAMPLE:
                wrong.append(store)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(files(stores[0])) == 1


def test_the_directory_follows_the_users_cache_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_directory() == Path("/somewhere/pytest-dockercache/layers")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_directory() == Path("/home/me/.cache/pytest-dockercache/layers")
