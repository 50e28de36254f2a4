"""Package caches are recognised by their files, wherever they lie, and blamed on their layer."""

from __future__ import annotations

import re
import tarfile
from fnmatch import fnmatch

import pytest
from layer_maker import Member, add, layer

from pytest_dockercache.environments import tools
from pytest_dockercache.image import CacheKind, CachePart, CacheProof, package_caches, replay

CACHES = tools.caches()
PKGS = "opt/conda/pkgs"
ENV = "opt/conda/envs/app"


def linked_package(name: str, size: int = 1000) -> list[Member]:
    """An extracted package as conda leaves it: code linked into an environment, info not."""
    return [
        add(f"{PKGS}/{name}/lib/{name}.py", b"x" * size),
        add(f"{ENV}/lib/{name}.py", kind=tarfile.LNKTYPE, link=f"{PKGS}/{name}/lib/{name}.py"),
        add(f"{PKGS}/{name}/info/index.json", b"{}"),
    ]


def found(*layers: list[Member], own: set[int] | None = None) -> set[tuple[object, ...]]:
    """Kind, layer, directory, files and bytes of every finding."""
    view = replay([layer(*members) for members in layers])
    own = set(range(len(layers))) if own is None else own
    return {
        (item.kind, item.layer, item.path, item.files, item.bytes)
        for item in package_caches(view, own, CACHES)
    }


def test_an_installation_without_a_clean_leaves_archives_and_an_index() -> None:
    assert found(
        [
            *linked_package("numpy-1-0"),
            add(f"{PKGS}/numpy-1-0.conda", b"1" * 50),
            add(f"{PKGS}/six-1-0.tar.bz2", b"1" * 7),
            add(f"{PKGS}/cache/0a1b2c3d.json", b"{}"),
            add(f"{PKGS}/urls.txt", b"http"),
        ]
    ) == {
        ("conda-archives", 0, "/opt/conda/pkgs", 2, 57),
        ("conda-index", 0, "/opt/conda/pkgs", 1, 2),
        ("record", 0, "/opt/conda/pkgs", 1, 4),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


def test_what_conda_clean_all_leaves_fails_nothing() -> None:
    view = replay([layer(*linked_package("numpy-1-0"), add(f"{PKGS}/urls.txt", b"http"))])
    caches = package_caches(view, {0}, CACHES)
    assert caches
    assert not any(item.fails for item in caches)


def test_an_extracted_package_that_no_environment_links_to_fails_with_all_its_bytes() -> None:
    assert found(
        [
            *linked_package("numpy-1-0"),
            add(f"{PKGS}/old-1-0/lib/old.py", b"1" * 300),
            add(f"{PKGS}/old-1-0/info/index.json", b"{}"),
        ]
    ) == {
        ("conda-packages", 0, "/opt/conda/pkgs/old-1-0", 2, 302),
        ("linked", 0, "/opt/conda/pkgs", 1, 2),
    }


def test_links_among_extracted_packages_alone_are_no_environment() -> None:
    assert found(
        [
            add(f"{PKGS}/a-1-0/info/index.json", b"{}"),
            add(f"{PKGS}/a-1-0/one", b"12345"),
            add(f"{PKGS}/b-1-0/two", kind=tarfile.LNKTYPE, link=f"{PKGS}/a-1-0/one"),
            add("opt/conda/condabin/conda", b"#!"),
        ]
    ) == {
        ("conda-packages", 0, "/opt/conda/pkgs/a-1-0", 2, 7),
        ("conda-packages", 0, "/opt/conda/pkgs/b-1-0", 1, 0),
    }


def test_a_link_whose_environment_was_deleted_no_longer_counts() -> None:
    # The name in the environment went in the next layer: the bytes in pkgs/ are now the cost.
    conda = add("opt/conda/condabin/conda", b"#!")
    assert found([*linked_package("numpy-1-0"), conda], [add("opt/conda/.wh.envs")]) == {
        ("conda-packages", 0, "/opt/conda/pkgs/numpy-1-0", 2, 1002)
    }


def test_the_base_images_caches_are_the_base_images() -> None:
    base = [add(f"{PKGS}/base.conda", b"1" * 50), add(f"{PKGS}/urls.txt", b"x")]
    assert found(base, [add(f"{PKGS}/mine.conda", b"22")], own={1}) == {
        ("conda-archives", 1, "/opt/conda/pkgs", 1, 2)
    }


def test_caches_that_a_later_layer_removed_are_not_in_the_image() -> None:
    assert (
        found([add(f"{PKGS}/a.conda", b"1"), add(f"{PKGS}/urls.txt")], [add("opt/conda/.wh.pkgs")])
        == set()
    )


@pytest.mark.parametrize(
    "target", ["/c/uv/archive-v0/x/six.py", "../../../../c/uv/archive-v0/x/six.py"]
)
def test_a_cache_that_an_environment_is_symlinked_to_is_no_waste(target: str) -> None:
    cache = [
        add("c/uv/archive-v0/x/six.py", b"six"),
        add("c/uv/archive-v0/x/six-1.dist-info/METADATA", b"1"),
        add("c/uv/simple-v16/pypi/six.rkyv", b"1"),
    ]
    link = add("venv/lib/p/s/six.py", kind=tarfile.SYMTYPE, link=target)
    assert {item[0] for item in found([*cache, link])} == {"linked"}
    assert {item[0] for item in found(cache)} == {"uv"}


@pytest.mark.parametrize(
    "paths",
    [
        ["crawler/urls.txt", "crawler/cache/deadbeef.json"],
        ["fetch/urls.txt", "fetch/linux-5.10-rc1.tar.bz2"],
        ["pkgs/boost-1_82-src.tar.bz2"],
        ["sites/acme-eu-west/info/index.json"],
        ["mirror/pkgs/main/noarch/repodata.json.zst", "mirror/pkgs/main/noarch/six-1-0.conda"],
    ],
)
def test_a_project_with_names_like_condas_holds_no_cache(paths: list[str]) -> None:
    assert found([add(f"srv/{path}", b"x") for path in paths]) == set()


@pytest.mark.parametrize(
    "paths",
    [
        ["urls", "cache/0a1b2c3d.json"],
        ["urls.txt", "cache/0a1b2c3d.info.json"],
        ["urls", "six-1.17.0-py_0.tar.bz2"],
        ["six-1.17.0-py_0/info/index.json", "six-1.17.0-py_0/info/paths.json"],
    ],
)
def test_a_cache_of_condas_is_known_in_a_place_of_the_teams_own(paths: list[str]) -> None:
    kinds = {item[0] for item in found([add(f"var/c/{path}", b"x") for path in paths])}
    assert kinds & {"conda-index", "conda-archives", "conda-packages"}


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
    caches = package_caches(replay([layer(*members)]), {0}, CACHES)
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


HASH = "0123456789abcdef" * 4
ANSWER = "0/1/2/3/4/" + HASH[:56]
"""Where CacheControl keeps an answer: five letters of a SHA-224, then all 56."""
WHEEL = f"{HASH[:2]}/{HASH[2:4]}/{HASH[4:6]}/{HASH[6:56]}"


@pytest.mark.parametrize(
    ("path", "kind", "place"),
    [
        (f"root/.cache/pip/http-v2/{ANSWER}.body", "pip", "/root/.cache/pip"),
        (f"var/tmp/pc/http-v2/{ANSWER}", "pip", "/var/tmp/pc"),
        (f"http/{ANSWER}", "pip", "/"),
        (f"pipcache/selfcheck/{HASH[:56]}.json", "pip", "/pipcache"),
        (f"w/wheels/{WHEEL}/docopt-0.6.2-py2.py3-none-any.whl", "pip", "/w"),
        ("caches/uv/simple-v16/pypi/click.rkyv", "uv", "/caches/uv"),
        ("x/archive-v0/ubW3pI8--3W6iW6X/click-8.1.dist-info/RECORD", "uv", "/x"),
        (f"p/artifacts/{WHEEL}{HASH[:8]}/click.whl", "poetry", "/p"),
        ("root/.cache/pypoetry/cache/repositories/PyPI/x", "poetry", "/root/.cache/pypoetry"),
        ("c/pdm/packages/click-8.1-py3-none-any.whl.cache/.checksum", "pdm", "/c/pdm"),
        (f"c/pdm/http/{ANSWER}", "pdm", "/c/pdm"),
        (f"root/.cache/pipenv/http-v2/{ANSWER}.body", "pipenv", "/root/.cache/pipenv"),
        ("root/.cache/rattler/cache/repodata/0a1b2c3d.info.json", "pixi",
         "/root/.cache/rattler/cache"),
        (f"root/.npm/_cacache/content-v2/sha512/0a/1b/{HASH}", "npm", "/root/.npm"),
        (f"y/v6/npm-left-pad-1.3.0-{HASH[:40]}-integrity/node_modules/left-pad/"
         ".yarn-metadata.json", "yarn", "/y"),
        ("y/berry/metadata/npm/a3cd44/registry.yarnpkg.com/is-number.json", "yarn", "/y/berry"),
        (f"srv/store/v11/files/74/{HASH}{HASH[:62]}", "pnpm", "/srv/store"),
        (f"c/registry/src/index.crates.io-{HASH[:16]}/itoa-1.0/.cargo-ok", "cargo", "/c"),
        ("go/pkg/mod/cache/download/github.com/x/y/@v/v1.0.0.zip", "go", "/go/pkg/mod"),
        (f"root/.cache/go-build/0a/{HASH}-a", "go", "/root/.cache/go-build"),
        (f"usr/local/cargo/registry/cache/index.crates.io-{HASH[:16]}/serde-1.0.crate", "cargo",
         "/usr/local/cargo"),
        ("var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4",
         "apt", "/var/lib/apt/lists"),
        (f"c/git/checkouts/tool-{HASH[:16]}/0a1b2c3/.cargo-ok", "cargo", "/c"),
        ("var/cache/apt/archives/curl_7_amd64.deb", "apt", "/var/cache/apt"),
        # Where docker-clean was removed, "rm -rf /var/lib/apt/lists/*" leaves this.
        ("var/cache/apt/pkgcache.bin", "apt", "/var/cache/apt"),
    ],
)  # fmt: skip
def test_a_cache_is_known_by_what_it_holds_wherever_it_lies(
    path: str, kind: str, place: str
) -> None:
    view = replay([layer(add(path, b"123"))])
    (item,) = package_caches(view, {0}, CACHES)
    assert (item.kind, item.place, item.bytes, item.fails) == (kind, place, 3, True)


@pytest.mark.parametrize(
    "path",
    [
        "app/pkgs/cache/package.json",
        "app/pkgs/cache/0a1b2c3d.json",
        "app/pkgs/api/info/index.json",
        "app/http-v2/main.go",
        "app/http/a/b/server.py",
        "app/wheels/my-1.0-py3-none-any.whl",
        "app/selfcheck/report.json",
        "app/.cache/pip/notes.txt",
        "app/uv/archive-v2/readme.md",
        "app/artifacts/model.bin",
        "app/registry/cache/index/data.crate",
        "app/files/00/picture.png",
        "srv/lists/deb_Packages",
        "data/urls.txt",
        "data/set-1-2.tar.bz2",
        "root/.cache/pypoetry/virtualenvs/app-py3.10/bin/python",
    ],
)
def test_a_projects_directory_is_no_cache_whatever_its_name_is(path: str) -> None:
    assert found([add(path, b"123")]) == set()


def test_a_list_of_urls_beside_archives_of_data_is_no_conda_cache() -> None:
    members = [add("data/urls.txt", b"https://"), add("data/images.tar.bz2", b"1")]
    assert found(members) == set()


def test_files_that_are_not_the_caches_are_left_alone_in_its_directory() -> None:
    members = [add(f"tmp/http-v2/{ANSWER}", b"12"), add("tmp/report.txt", b"123456")]
    assert found(members) == {("pip", 0, "/tmp", 1, 2)}


def test_the_archives_that_plug_and_play_reads_are_only_reported() -> None:
    home = "root/.yarn/berry"
    view = replay(
        [
            layer(
                add(f"{home}/metadata/npm/a3cd44/registry.yarnpkg.com/is-number.json", b"1"),
                add(f"{home}/cache/is-number-npm-7.0.0-060086935c-10c0.zip", b"1234"),
            )
        ]
    )
    caches = package_caches(view, {0}, CACHES)
    assert {(item.kind, item.bytes, item.fails) for item in caches} == {
        ("yarn", 1, True),
        ("yarn-archives", 4, False),
    }


def test_the_environments_that_poetry_keeps_beside_its_cache_are_no_cache() -> None:
    home = "root/.cache/pypoetry"
    members = [
        add(f"{home}/artifacts/{WHEEL}{HASH[:8]}/click.whl", b"12"),
        add(f"{home}/virtualenvs/app-py3.10/lib/python3.10/site-packages/click.py", b"1234"),
    ]
    assert found(members) == {("poetry", 0, f"/{home}", 1, 2)}


def test_what_uv_links_into_an_environment_costs_nothing_in_its_cache() -> None:
    unit = "root/.cache/uv/archive-v0/ubW3pI8--3W6iW6X"
    members = [
        add(f"{unit}/click.py", b"x" * 100),
        add("venv/lib/click.py", kind=tarfile.LNKTYPE, link=f"{unit}/click.py"),
        add(f"{unit}/click-8.1.dist-info/RECORD", b"12"),
    ]
    assert found(members) == {("linked", 0, "/root/.cache/uv", 1, 2)}


def test_what_uv_copies_into_an_environment_stays_in_its_cache_a_second_time() -> None:
    unit = "root/.cache/uv/archive-v0/ubW3pI8--3W6iW6X"
    members = [
        add(f"{unit}/click.py", b"x" * 100),
        add("venv/lib/click.py", b"x" * 100),
        add(f"{unit}/click-8.1.dist-info/RECORD", b"12"),
    ]
    assert found(members) == {("uv", 0, f"/{unit}", 2, 102)}


def test_test_data_inside_an_extracted_package_is_no_cache_of_its_own() -> None:
    members = [
        *linked_package("pip-24-0"),
        add(f"{PKGS}/pip-24-0/tests/data/http-v2/{ANSWER}", b"12"),
    ]
    assert {item[0] for item in found(members)} == {"linked"}


def test_a_changed_owner_tears_the_links_and_the_copies_are_said_to_be_that() -> None:
    below = layer(*linked_package("numpy-1-0"))
    above = layer(
        add(f"{PKGS}/numpy-1-0/lib/numpy-1-0.py", b"x" * 1000, uid=1000),
        add(f"{PKGS}/numpy-1-0/info/index.json", b"{}", uid=1000),
        add(f"{ENV}/lib/numpy-1-0.py", b"x" * 1000, uid=1000),
    )
    (item,) = package_caches(replay([below, above]), {0, 1}, CACHES)
    assert (item.kind, item.layer, item.bytes, item.copied) == ("conda-packages", 1, 1002, 1002)


def test_a_cache_that_a_layer_only_fills_further_is_no_copy() -> None:
    below = layer(add(f"c/http-v2/{ANSWER}", b"12", mtime=5))
    above = layer(add(f"c/http-v2/{ANSWER}", b"34", mtime=6))
    (item,) = package_caches(replay([below, above]), {0, 1}, CACHES)
    assert (item.bytes, item.copied) == (2, 0)


def test_the_cache_of_an_invented_tool_is_found_by_its_description_alone() -> None:
    frobpack = CacheKind(
        tool="frobpack",
        proofs=(CacheProof(".frob\0", r"(?P<place>.*)/blobs/[0-9a-f]{8}\.frob"),),
        parts=(CachePart("frobpack", "frobpack's cache", "blobs/"),),
        avoid="frobpack --no-cache",
    )
    view = replay([layer(add("x/blobs/0a1b2c3d.frob", b"12"), add("x/notes", b"1"))])
    (item,) = package_caches(view, {0}, (frobpack,))
    assert (item.place, item.files, item.bytes, item.cache) == ("/x", 1, 2, frobpack)


def test_a_cache_below_a_path_with_odd_bytes_is_found_and_shown_escaped() -> None:
    (item,) = package_caches(replay([layer(add(f"o\ndd/http-v2/{ANSWER}", b"12"))]), {0}, CACHES)
    assert item.place == "/o\\ndd"


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease",
        "/var/cache/apt/archives/curl_7_amd64.deb",
        "/var/cache/apt/pkgcache.bin",
        "/var/cache/apt/srcpkgcache.bin",
    ],
)
def test_what_is_offered_for_apt_removes_each_file_that_fails(path: str) -> None:
    (kind,) = (kind for kind in tools.caches() if kind.tool == "apt")
    place = next(
        match["place"] for proof in kind.proofs
        if (match := re.fullmatch(proof.path, path)) is not None
    )  # fmt: skip
    assert any(part.pattern.match(path[len(place) + 1 :].encode()) for part in kind.parts)
    assert any(fnmatch(path, pattern) for pattern in kind.clean.split()[2:])
