"""Bytecode and hidden bytes are found, and blamed on the layer that added them."""

from __future__ import annotations

import tarfile

import pytest
from layer_maker import Member, add, layer

from pytest_dockercache.image import bytecode, hidden, moved_base, replay


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
                add("opt/env/lib/a/x.py", b"1"),
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


def pyc(*paths: str) -> list[Member]:
    """Bytecode at these paths, each beside a source."""
    members = []
    for path in paths:
        head, _, name = path.rpartition("/")
        head = head.removesuffix("__pycache__").rstrip("/")
        members.append(add(path, b"12"))
        members.append(add(f"{head}/{name.partition('.')[0]}.py".lstrip("/"), b"1"))
    return members


SITE = "opt/conda/envs/app/lib/python3.10/site-packages"


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        ((f"{SITE}/a/__pycache__/x.cpython-310.pyc", f"{SITE}/b/__pycache__/y.cpython-310.pyc"),
         ["/" + SITE]),
        ((f"{SITE}/__pycache__/x.cpython-310.pyc", "app/__pycache__/y.cpython-310.pyc"),
         ["/app", "/" + SITE]),
        (("opt/conda/envs/app/lib/python3.10/__pycache__/os.cpython-310.pyc",),
         ["/opt/conda/envs/app/lib/python3.10"]),
        (("opt/a/x/__pycache__/m.cpython-310.pyc", "opt/b/__pycache__/m.cpython-310.pyc"),
         ["/opt/a/x", "/opt/b"]),
        (("app/a/__pycache__/m.cpython-310.pyc", "app/b/c/__pycache__/m.cpython-310.pyc"),
         ["/app"]),
        (("__pycache__/main.cpython-310.pyc",), ["/__pycache__"]),
        (("main.pyc",), ["/main.pyc"]),
        (("libs/x/__pycache__/m.cpython-310.pyc", "main/__pycache__/m.cpython-310.pyc"),
         ["/libs/x", "/main"]),
    ],
)  # fmt: skip
def test_bytecode_is_told_apart_by_place_and_never_said_to_be_in_the_root(
    paths: tuple[str, ...], places: list[str]
) -> None:
    found = bytecode(replay([layer(*pyc(*paths))]), {0})
    assert sorted(item.path for item in found) == places


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app/main.pyc", "app/main.py"),
        ("app/__pycache__/main.cpython-310.pyc", "app/main.py"),
        ("app/__pycache__/main.cpython-310.opt-2.pyc", "app/main.py"),
        ("app/__pycache__/main.pypy39.pyc", "app/main.py"),
    ],
)
def test_bytecode_without_its_source_is_the_program(path: str, source: str) -> None:
    (alone,) = bytecode(replay([layer(add(path, b"1"))]), {0})
    assert not alone.has_source
    # The source may lie in another layer; it counts only while the final image shows it.
    (beside,) = bytecode(replay([layer(add(source)), layer(add(path, b"1"))]), {1})
    assert beside.has_source
    head, _, name = source.rpartition("/")
    deleted = [layer(add(source)), layer(add(path, b"1")), layer(add(f"{head}/.wh.{name}"))]
    (gone,) = bytecode(replay(deleted), {1})
    assert not gone.has_source


@pytest.mark.parametrize(
    "name",
    [
        "test_a.cpython-310-pytest-8.3.4.pyc",
        "test_a.cpython-310-pytest-8.3.4.opt-1.pyc",
        "test_a.cpython-310.opt-beartype0v18v5.pyc",
        "test_a.pypy310-pytest-7.4.pyc",
    ],
)
def test_bytecode_that_a_hook_wrote_at_an_import_has_the_source_of_its_name(name: str) -> None:
    # "RUN pytest" leaves these: pytest rewrites assertions and marks the file with its version.
    members = [add("app/test_a.py", b"x"), add(f"app/__pycache__/{name}", b"12")]
    (item,) = bytecode(replay([layer(*members)]), {0})
    assert item.has_source


@pytest.mark.parametrize("name", ["main.cpython-310.pyc", "main.cpython-310.opt-1.pyc"])
def test_bytecode_below_a_pycache_prefix_has_its_source_elsewhere(name: str) -> None:
    # PYTHONPYCACHEPREFIX=/var/pyc: what Python writes again when needed, not the program.
    members = [add("app/src/main.py", b"x"), add(f"var/pyc/app/src/{name}", b"12")]
    (item,) = bytecode(replay([layer(*members)]), {0})
    assert item.has_source
    (item,) = bytecode(replay([layer(add(f"var/pyc/app/src/{name}", b"12"))]), {0})
    assert not item.has_source


def test_a_changed_owner_copies_the_bases_files_and_the_copy_counts() -> None:
    view = replay(
        [
            layer(add("opt/a", b"1" * 100), add("opt/b", b"1" * 20), add("opt/c", b"1" * 3)),
            layer(add("opt/a", b"1" * 100, uid=7), add("opt/b", b"1" * 20)),
        ]
    )
    copied, base = hidden(view, {1})
    assert (copied.copies, copied.counted, copied.bytes, copied.files) == (True, True, 120, 2)
    assert (copied.layer, copied.hidden_by, copied.path) == (0, 1, "/opt")
    assert (base.copies, base.counted, base.bytes) == (False, False, 120)


def test_what_replaces_a_base_file_with_other_content_is_no_copy() -> None:
    view = replay([layer(add("opt/a", b"12")), layer(add("opt/a", b"34", mtime=1_700_000_001))])
    assert [item.counted for item in hidden(view, {1})] == [False]


def test_a_copy_of_the_base_that_a_later_layer_hides_counts_once() -> None:
    base, first = layer(add("opt/a", b"12")), layer(add("opt/a", b"12", uid=7))
    view = replay([base, first, layer(add("opt/.wh.a"))])
    assert [(item.bytes, item.copies) for item in hidden(view, {1, 2}) if item.counted] == [
        (2, False)
    ]
    twice = replay([base, first, layer(add("opt/a", b"12", uid=8))])
    counted = [item for item in hidden(twice, {1, 2}) if item.counted]
    assert sorted((item.layer, item.hidden_by, item.copies) for item in counted) == [
        (0, 2, True),
        (1, 2, False),
    ]


def test_a_linked_file_of_the_base_whose_links_are_torn_counts_with_every_copy() -> None:
    link = add("opt/b", kind=tarfile.LNKTYPE, link="opt/a")
    view = replay(
        [
            layer(add("opt/a", b"12"), link),
            layer(add("opt/a", b"12", uid=7), add("opt/b", b"12", uid=7)),
        ]
    )
    assert [item.bytes for item in hidden(view, {1}) if item.copies] == [4]


def test_what_a_step_moves_out_of_the_base_is_stored_again() -> None:
    base = layer(
        add("opt/conda/bin/a", b"1" * 100),
        add("opt/conda/bin/b", kind=b"1", link="opt/conda/bin/a"),
        add("opt/conda/lib/c", b"1" * 20),
        add("opt/conda/lib/d", b""),
        add("opt/other", b"1" * 7),
    )
    moved = layer(
        add("opt/.wh.conda"),
        add("srv/conda/bin/a", b"1" * 100),
        add("srv/conda/bin/b", kind=b"1", link="srv/conda/bin/a"),
        add("srv/conda/lib/c", b"1" * 20, uid=7),
        add("srv/conda/lib/d", b""),
        add("srv/other", b"1" * 7),  # a copy: the original is still there
        add("srv/new/c", b"1" * 20, mtime=1),
    )
    view = replay([base, moved])
    (item,) = moved_base(view, {1}, {1})
    assert (item.layer, item.hidden_by, item.path) == (0, 1, "/opt/conda")
    assert (item.bytes, item.moved, item.counted) == (120, 120, True)
    assert moved_base(view, {1}, set()) == ()
    # Moved between own layers, the first layer's bytes are hidden: nothing is counted twice.
    assert moved_base(view, {0, 1}, {0, 1}) == ()
