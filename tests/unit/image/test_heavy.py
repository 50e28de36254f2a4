"""Where the bytes of a layer lie: few places, which together are all of its bytes."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockercache.image.heavy import heavy_places
from pytest_dockercache.image.index import LayerIndex, build_index


def layer(files: Mapping[str, int], inodes: Mapping[str, int] | None = None) -> LayerIndex:
    rows = [
        (path.encode(), 0, 0o644, 0, 0, size, 0, (inodes or {}).get(path, 0), b"")
        for path, size in files.items()
    ]
    return build_index("sha256:0", rows, {})


CONDA = {
    "opt/conda/lib/libmkl.so": 700,
    "opt/conda/lib/python3.10/site-packages/numpy/core.so": 200,
    "opt/conda/lib/python3.10/site-packages/numpy/__pycache__/core.pyc": 50,
    "opt/conda/bin/python": 100,
    "etc/hosts": 1,
}


def test_a_chain_of_directories_is_named_by_its_end() -> None:
    assert heavy_places(layer({"srv/app/src/main.py": 10})) == ((b"srv/app/src", 10),)


def test_the_places_are_together_the_bytes_of_the_layer() -> None:
    found = dict(heavy_places(layer(CONDA)))
    assert sum(found.values()) == 1051
    assert found[b"opt/conda/lib"] == 700
    assert found[b"opt/conda/bin"] == 100


def test_there_are_few_places_however_many_directories_there_are() -> None:
    crowd = {f"usr/lib/{a}/{b}/file": 10 + a for a in range(50) for b in range(20)}
    found = heavy_places(layer(crowd))
    assert len(found) <= 12
    assert sum(size for _, size in found) == sum(crowd.values())


def test_a_hard_link_is_counted_once() -> None:
    twice = layer({"a/x": 100, "b/x": 100, "c/y": 5}, {"a/x": 7, "b/x": 7})
    assert sum(size for _, size in heavy_places(twice)) == 105


def test_what_is_shown_elsewhere_is_taken_away_where_it_lies() -> None:
    found = dict(heavy_places(layer(CONDA), [(b"opt/conda/lib/python3.10", 50, True)]))
    assert sum(found.values()) == 1001
    assert not any(path.endswith(b"__pycache__") for path in found)
    assert sum(dict(heavy_places(layer(CONDA), [(b"", 1051, False)])).values()) == 0


def test_a_layer_without_bytes_has_no_place() -> None:
    assert heavy_places(layer({"etc/empty": 0})) == ()
    assert heavy_places(layer({})) == ()
