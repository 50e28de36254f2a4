"""Stacked layers show the files of an overlay mount, and waste the bytes of hidden files."""

from __future__ import annotations

import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st
from layer_maker import add, index, layer, tar_of
from layer_trees import Tree, members_of, plain_replay, trees

from pytest_dockercache.image.replay import View, replay


def shown(view: View) -> dict[str, int]:
    """Files of the final view: which layer each comes from."""
    return {found.name: found.layer for found in view.files()}


def wasted(view: View) -> dict[tuple[int, int], int]:
    """Hidden bytes by wasting and hiding layer."""
    sums: dict[tuple[int, int], int] = {}
    for file in view.hidden:
        key = (file.layer, file.hidden_by)
        sums[key] = sums.get(key, 0) + file.size
    return sums


def test_a_whiteout_of_a_directory_hides_every_byte_below_it() -> None:
    view = replay(
        [
            layer(add("opt/pkgs/a/x", b"123"), add("opt/pkgs/b", b"4567"), add("opt/keep", b"8")),
            layer(add("opt/.wh.pkgs")),
        ]
    )
    assert shown(view) == {"/opt/keep": 0}
    assert wasted(view) == {(0, 1): 7}
    assert {file.name for file in view.hidden} == {"/opt/pkgs/a/x", "/opt/pkgs/b"}
    assert view.changes[1].deleted == 2


def test_an_opaque_directory_hides_what_is_below_and_shows_what_is_in_its_layer() -> None:
    view = replay(
        [
            layer(add("d/old", b"123"), add("d/same", b"1")),
            layer(add("d/.wh..wh..opq"), add("d/same", b"22")),
        ]
    )
    assert shown(view) == {"/d/same": 1}
    assert wasted(view) == {(0, 1): 4}


def test_an_opaque_root_hides_everything() -> None:
    view = replay(
        [layer(add("a", b"1"), add("d/b", b"22")), layer(add(".wh..wh..opq"), add("c", b"3"))]
    )
    assert shown(view) == {"/c": 1}
    assert wasted(view) == {(0, 1): 3}


def test_a_file_that_becomes_a_directory_and_the_reverse() -> None:
    view = replay(
        [
            layer(add("a", b"1"), add("b/x", b"22"), add("b/y/z", b"333")),
            layer(add("a/inside", b"4"), add("b", b"55555")),
        ]
    )
    assert shown(view) == {"/a/inside": 1, "/b": 1}
    assert wasted(view) == {(0, 1): 6}


def test_a_file_that_is_added_again_is_hidden_by_its_first_deletion() -> None:
    view = replay(
        [
            layer(add("a", b"1")),
            layer(add(".wh.a")),
            layer(add("a", b"22")),
            layer(add("a", b"333")),
        ]
    )
    assert shown(view) == {"/a": 3}
    assert wasted(view) == {(0, 1): 1, (2, 3): 2}
    assert [(change.added, change.replaced, change.deleted) for change in view.changes] == [
        (1, 0, 0),
        (0, 0, 1),
        (1, 0, 0),
        (0, 1, 0),
    ]


def test_a_copy_that_changes_only_the_mode_or_the_owner_is_told_apart() -> None:
    below = layer(add("a", b"123"), add("b", b"123"), add("c", b"123"), add("d", b"123"))
    above = layer(
        add("a", b"123", mode=0o755),
        add("b", b"123", uid=1000),
        add("c", b"123", mtime=1_800_000_000),
        add("d", b"1234", mode=0o755),
    )
    how = {file.name: file.how for file in replay([below, above]).hidden}
    assert how == {"/a": "attributes", "/b": "attributes", "/c": "replaced", "/d": "replaced"}


def test_hard_links_are_hidden_when_their_last_name_is_and_count_once() -> None:
    below = layer(
        add("pkgs/a", b"12345"),
        add("env/a", kind=tarfile.LNKTYPE, link="pkgs/a"),
        add("env/b", kind=tarfile.LNKTYPE, link="pkgs/a"),
    )
    once = replay([below, layer(add(".wh.pkgs"))])
    assert wasted(once) == {(0, 1): 0}
    assert once.size() == 5
    both = replay([below, layer(add(".wh.pkgs")), layer(add("env/.wh.a")), layer(add("env/.wh.b"))])
    assert [(file.name, file.size, file.hidden_by) for file in both.hidden] == [
        ("/pkgs/a", 0, 1),
        ("/env/a", 0, 2),
        ("/env/b", 5, 3),
    ]


def test_a_hard_link_into_a_layer_below_keeps_its_bytes_in_sight() -> None:
    below = layer(add("a", b"12345"))
    link = layer(add("b", kind=tarfile.LNKTYPE, link="a"))
    view = replay([below, link, layer(add(".wh.a"))])
    assert wasted(view) == {(0, 2): 0}
    view = replay([below, link, layer(add(".wh.a")), layer(add(".wh.b"))])
    assert wasted(view) == {(0, 2): 0, (0, 3): 5}


def test_a_whiteout_of_nothing_hides_nothing() -> None:
    view = replay([layer(add("a", b"1")), layer(add(".wh.b"), add("c/.wh.d"))])
    assert shown(view) == {"/a": 0}
    assert view.hidden == ()


def test_the_same_layer_twice_hides_its_own_first_copy() -> None:
    same = layer(add("a", b"123"))
    view = replay([same, same])
    assert shown(view) == {"/a": 1}
    assert wasted(view) == {(0, 1): 3}


def test_links_are_followed_inside_the_image() -> None:
    view = replay(
        [
            layer(
                add("usr/lib/python3", b"elf"),
                add("lib", kind=tarfile.SYMTYPE, link="usr/lib"),
                add("abs", kind=tarfile.SYMTYPE, link="/lib/python3"),
                add("out", kind=tarfile.SYMTYPE, link="../../../usr/lib/python3"),
                add("loop", kind=tarfile.SYMTYPE, link="loop"),
            )
        ]
    )
    for path in ("/lib/python3", "/abs", "/out", "usr/lib/python3"):
        found = view.resolve(path)
        assert found is not None
        assert found.name == "/usr/lib/python3"
    assert view.resolve("/loop") is None
    assert view.resolve("/lib/none") is None


def test_paths_come_parents_first_and_the_root_is_not_one_of_them() -> None:
    view = replay([layer(add("b/c", b""), add("a", b""))])
    assert [found.name for found in view] == ["/a", "/b", "/b/c"]
    assert view.get("/") is None
    assert "/b/c" in view
    assert view.names("/b") == (b"c",)


@settings(max_examples=300, deadline=None)
@given(st.lists(trees(), min_size=1, max_size=5))
def test_any_layers_give_what_a_plain_replay_gives(layers: list[Tree]) -> None:
    indexes = [index(tar_of(members_of(tree))) for tree in layers]
    view = replay(indexes)
    files, hidden = plain_replay(layers)
    got = {
        found.entry.path.decode(): (found.layer, found.entry.kind, found.entry.size)
        for found in view
    }
    assert got == files
    assert {key: size for key, size in wasted(view).items() if size} == hidden
    # Every byte is either seen or hidden, exactly once.
    assert view.size() + sum(hidden.values()) == sum(item.size for item in indexes)
