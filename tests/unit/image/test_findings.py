"""Package caches, bytecode and hidden bytes are found, and blamed on the layer that added them."""

from __future__ import annotations

import tarfile

import pytest
from layer_maker import Member, add, layer

from pytest_dockercache.environments import tools
from pytest_dockercache.image import (
    bytecode,
    hidden,
    package_caches,
    replay,
    top_layers,
)

PKGS = "opt/conda/pkgs"
ENV = "opt/conda/envs/app"


def linked_package(name: str, size: int = 1000) -> list[Member]:
    """An extracted package as conda leaves it: code linked into an environment, info not."""
    return [
        add(f"{PKGS}/{name}/lib/{name}.py", b"x" * size),
        add(f"{ENV}/lib/{name}.py", kind=tarfile.LNKTYPE, link=f"{PKGS}/{name}/lib/{name}.py"),
        add(f"{PKGS}/{name}/info/index.json", b"{}"),
    ]


def found(*layers: list[Member], own: set[int] | None = None, env: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    """Kind, layer, directory, files and bytes of every finding."""
    view = replay([layer(*members) for members in layers])
    own = set(range(len(layers))) if own is None else own
    return {
        (item.kind, item.layer, item.path, item.files, item.bytes)
        for item in package_caches(view, own, env=env, caches=tools.caches())
    }


def test_an_installation_without_a_clean_leaves_archives_and_an_index() -> None:
    assert found(
        [
            *linked_package("numpy"),
            add(f"{PKGS}/numpy.conda", b"1" * 50),
            add(f"{PKGS}/six.tar.bz2", b"1" * 7),
            add(f"{PKGS}/cache/abc.json", b"{}"),
            add(f"{PKGS}/urls.txt", b"http"),
        ]
    ) == {
        ("conda-archives", 0, "/opt/conda/pkgs", 2, 57),
        ("conda-index", 0, "/opt/conda/pkgs/cache", 1, 2),
        ("record", 0, "/opt/conda/pkgs", 1, 4),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


def test_what_conda_clean_all_leaves_fails_nothing() -> None:
    view = replay([layer(*linked_package("numpy"), add(f"{PKGS}/urls.txt", b"http"))])
    caches = package_caches(view, {0})
    assert caches
    assert not any(item.fails for item in caches)


def test_an_extracted_package_that_no_environment_links_to_fails_with_all_its_bytes() -> None:
    assert found(
        [
            *linked_package("numpy"),
            add(f"{PKGS}/old/lib/old.py", b"1" * 300),
            add(f"{PKGS}/old/info/index.json", b"{}"),
        ]
    ) == {
        ("conda-packages", 0, "/opt/conda/pkgs/old", 2, 302),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


def test_links_among_extracted_packages_alone_are_no_environment() -> None:
    assert found(
        [
            add(f"{PKGS}/a/info/index.json", b"{}"),
            add(f"{PKGS}/a/one", b"12345"),
            add(f"{PKGS}/b/two", kind=tarfile.LNKTYPE, link=f"{PKGS}/a/one"),
        ]
    ) == {
        ("conda-packages", 0, "/opt/conda/pkgs/a", 2, 7),
        ("conda-packages", 0, "/opt/conda/pkgs/b", 1, 0),
    }


def test_a_link_whose_environment_was_deleted_no_longer_counts() -> None:
    # The name in the environment went in the next layer: the bytes in pkgs/ are now the cost.
    assert found(linked_package("numpy"), [add("opt/conda/.wh.envs")]) == {
        ("conda-packages", 0, "/opt/conda/pkgs/numpy", 2, 1002)
    }


def test_the_base_images_caches_are_the_base_images() -> None:
    base = [add(f"{PKGS}/base.conda", b"1" * 50), add(f"{PKGS}/urls.txt", b"x")]
    assert found(base, [add(f"{PKGS}/mine.conda", b"22")], own={1}) == {
        ("conda-archives", 1, "/opt/conda/pkgs", 1, 2)
    }


def test_caches_that_a_later_layer_removed_are_not_in_the_image() -> None:
    assert found([add(f"{PKGS}/a.conda", b"1")], [add("opt/conda/.wh.pkgs")]) == set()


NESTED = f"{PKGS}/https/conda.anaconda.org/conda-forge/linux-64"
"""Where libmamba 2.6 puts packages (mamba-org/mamba#4163)."""


def nested_package(name: str, place: str = NESTED) -> list[Member]:
    """An extracted package that is linked into an environment, in that layout."""
    return [
        add(f"{place}/{name}/info/repodata_record.json", b"{}"),
        add(f"{place}/{name}/lib/{name}.so", b"x" * 1000),
        add(f"{ENV}/lib/{name}.so", kind=tarfile.LNKTYPE, link=f"{place}/{name}/lib/{name}.so"),
    ]


@pytest.mark.parametrize("records", [("urls.txt",), ()], ids=["urls.txt", "no urls.txt"])
def test_packages_laid_out_by_channel_and_platform_are_judged_one_by_one(
    records: tuple[str, ...],
) -> None:
    assert found(
        [
            *(add(f"{PKGS}/{name}") for name in records),
            *nested_package("numpy-1-0"),
            add(f"{NESTED}/numpy-1-0.conda", b"1" * 50),
            add(f"{NESTED}/old-1-0/lib/old.so", b"1" * 300),
            add(f"{NESTED}/old-1-0/info/index.json", b"{}"),
            add(f"{NESTED}/broken-1-0/lib/broken.so", b"1" * 7),
        ]
    ) - {("record", 0, "/opt/conda/pkgs", 1, 0)} == {
        ("conda-archives", 0, "/opt/conda/pkgs", 1, 50),
        ("conda-packages", 0, f"/{NESTED}/old-1-0", 2, 302),
        ("conda-packages", 0, f"/{NESTED}/broken-1-0", 1, 7),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


@pytest.mark.parametrize(
    "channel", ["https/repo.anaconda.com/pkgs/main", "http/localhost_8000/ours", "conda-forge"]
)
def test_the_cache_of_a_channel_is_its_pkgs_directory_whatever_the_channels_url(
    channel: str,
) -> None:
    place = f"{PKGS}/{channel}/noarch"
    assert found([*nested_package("six-1-0", place), add(f"{place}/six-1-0.conda", b"1")]) == {
        ("conda-archives", 0, "/opt/conda/pkgs", 1, 1),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


def test_packages_laid_out_by_channel_that_are_all_linked_cost_nothing() -> None:
    members = [
        add(f"{PKGS}/urls.txt"),
        *nested_package("numpy-1-0"),
        add(f"{NESTED}/linux-64.lock"),
        add(f"{NESTED}/numpy-1-0/share/test/data.tar.bz2", b"1"),
        add(f"{NESTED}/numpy-1-0/share/recipe/info/index.json", b"{}"),
    ]
    caches = package_caches(replay([layer(*members)]), {0})
    assert {(item.kind, item.files) for item in caches} == {("record", 2), ("linked", 3)}
    assert not any(item.fails for item in caches)


def test_the_pkgs_directory_next_to_the_packages_is_the_cache() -> None:
    below = "home/pkgs/conda/pkgs"
    assert found(
        [
            *nested_package("numpy-1-0", f"{below}/conda-forge/linux-64"),
            add(f"{below}/conda-forge/linux-64/numpy-1-0.conda", b"1"),
            add("home/pkgs/notes.txt", b"12"),
        ]
    ) == {
        ("conda-archives", 0, f"/{below}", 1, 1),
        ("linked", 0, f"/{below}", 1, 2),
    }


def test_a_channel_that_is_served_from_a_directory_called_pkgs_is_no_cache() -> None:
    place = "srv/pkgs/main/linux-64"
    assert found([add(f"{place}/repodata.json", b"{}"), add(f"{place}/a-1-0.conda", b"2")]) == set()


def test_a_directory_called_pkgs_that_is_not_condas_is_left_alone() -> None:
    assert (
        found([add("srv/pkgs/readme.md", b"1"), add("srv/channel/linux-64/a.conda", b"2")]) == set()
    )


@pytest.mark.parametrize(
    ("path", "env", "kind"),
    [
        ("root/.cache/pip/http/ab", {}, "pip"),
        ("home/me/.cache/pip/wheels/x.whl", {}, "pip"),
        ("var/pipcache/http/ab", {"PIP_CACHE_DIR": "/var/pipcache/"}, "pip"),
        ("caches/pip/http/ab", {"XDG_CACHE_HOME": "/caches"}, "pip"),
        ("root/.cache/uv/archive/x", {}, "uv"),
        ("root/.cache/pypoetry/cache/x", {}, "poetry"),
        ("root/.cache/rattler/cache/x", {}, "pixi"),
        ("data/conda/a.conda", {"CONDA_PKGS_DIRS": "/data/conda"}, "conda-archives"),
    ],
)
def test_other_caches_are_found_by_place_and_by_variable(
    path: str, env: dict[str, str], kind: str
) -> None:
    assert [item[0] for item in found([add(path, b"123")], env=env)] == [kind]


def test_empty_directories_of_a_cache_are_no_finding() -> None:
    assert found([add("root/.cache/pip/"), add(f"{PKGS}/cache/"), add(f"{PKGS}/urls.txt")]) == {
        ("record", 0, "/opt/conda/pkgs", 1, 0)
    }


def test_bytecode_is_counted_by_layer_with_hard_links_once() -> None:
    view = replay(
        [
            layer(add("usr/lib/base.pyc", b"1234")),
            layer(
                add("opt/env/lib/a/__pycache__/x.pyc", b"12345"),
                add(
                    "opt/env/lib/b/y.pyc",
                    kind=tarfile.LNKTYPE,
                    link="opt/env/lib/a/__pycache__/x.pyc",
                ),
                add("opt/env/lib/b/y.py", b"1"),
                add("opt/gone.pyc", b"1"),
            ),
            layer(add("opt/.wh.gone.pyc")),
        ]
    )
    (item,) = bytecode(view, {1, 2})
    assert (item.layer, item.path, item.files, item.bytes) == (1, "/opt/env/lib", 2, 5)
    assert [item.layer for item in bytecode(view, {0, 1, 2})] == [0, 1]


def test_hidden_bytes_are_counted_among_own_layers_and_reported_for_the_base() -> None:
    view = replay(
        [
            layer(add("base/a", b"1" * 10)),
            layer(add("opt/pkgs/a", b"1" * 100), add("opt/pkgs/b", b"1" * 20), add("opt/c", b"1")),
            layer(add("opt/.wh.pkgs"), add(".wh.base"), add("opt/c", b"2" * 9)),
        ]
    )
    own, base = hidden(view, {1, 2})
    assert (own.layer, own.hidden_by, own.files, own.bytes, own.counted) == (1, 2, 3, 121, True)
    assert (own.deleted, own.replaced, own.path) == (120, 1, "/opt")
    assert own.examples[0] == "/opt/pkgs/a"
    assert (base.layer, base.bytes, base.counted) == (0, 10, False)
    assert hidden(view, {1}) == ()


def test_the_topmost_layers_are_counted_from_above() -> None:
    layers = [layer(add(name)) for name in "abc"]
    assert top_layers(layers, 2) == {1, 2}
    assert top_layers(layers, 9) == {0, 1, 2}
    assert top_layers(layers, 0) == frozenset()
