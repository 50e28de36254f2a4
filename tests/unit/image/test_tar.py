"""A layer's tar becomes the entries that an engine would make of it, or is refused."""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_maker import Member, add, chunked, index, layer, tar_of

from pytest_dockercache.errors import InvalidImage
from pytest_dockercache.image.index import Kind, LayerIndex
from pytest_dockercache.image.limits import Budget, Limits
from pytest_dockercache.image.stream import ByteStream
from pytest_dockercache.image.tar import headers, index_tar, padded


def kinds(found: LayerIndex) -> dict[bytes, Kind]:
    return {entry.path: entry.kind for entry in found}


def raw_header(name: bytes, *, size: bytes = b"00000000000", kind: bytes = b"0") -> bytes:
    """A header whose fields a writer would refuse."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124 : 124 + len(size)] = size
    block[136:147] = b"14524770400"
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_gives_the_same_entries(form: int) -> None:
    found = index(
        tar_of(
            [
                add("etc/"),
                add("etc/passwd", b"root", mode=0o600, uid=7),
                add("etc/link", kind=tarfile.SYMTYPE, link="passwd"),
                add("dev-null", kind=tarfile.CHRTYPE),
                add("pipe", kind=tarfile.FIFOTYPE),
                add("disk", kind=tarfile.BLKTYPE),
            ],
            form,
        )
    )
    assert kinds(found) == {
        b"dev-null": Kind.CHARACTER_DEVICE,
        b"disk": Kind.BLOCK_DEVICE,
        b"etc": Kind.DIRECTORY,
        b"etc/link": Kind.SYMLINK,
        b"etc/passwd": Kind.FILE,
        b"pipe": Kind.FIFO,
    }
    passwd = found.entry(found.position(b"etc/passwd") or 0)
    assert (passwd.size, passwd.mode, passwd.uid, passwd.mtime) == (4, 0o600, 7, 1_700_000_000)
    assert found.entry(found.position(b"etc/link") or 0).target == b"passwd"
    assert found.size == 4


names = st.binary(min_size=1, max_size=150).filter(
    lambda name: (
        not set(name) & {0, ord("/")} and name not in (b".", b"..") and not name.startswith(b".wh.")
    )
)


@settings(deadline=None)
@given(
    files=st.dictionaries(names, st.binary(max_size=1500), max_size=8),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    chunk=st.integers(1, 3000),
)
def test_any_name_and_any_chunking_survive(
    files: dict[bytes, bytes], form: int, chunk: int
) -> None:
    members = [add(name.decode("utf-8", "surrogateescape"), text) for name, text in files.items()]
    found = index(tar_of(members, form), chunk=chunk)
    assert {entry.path: entry.size for entry in found} == {
        name: len(text) for name, text in files.items()
    }


def test_a_name_with_a_newline_is_shown_on_one_line() -> None:
    found = layer(add("a\nb", b"x"), add("caf\udce9", b"y"))
    assert [entry.path for entry in found] == [b"a\nb", b"caf\xe9"]
    assert [entry.name for entry in found] == ["/a\\nb", "/caf\\xe9"]


def test_a_very_long_path_survives() -> None:
    path = "/".join(["d" * 200] * 20)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        found = index(tar_of([add(path, b"deep")], form))
        assert found.paths[-1] == path.encode()
        assert len(found) == 20, "the parents that the tar leaves out are implied"


def test_parents_that_are_not_in_the_tar_are_implied() -> None:
    assert kinds(layer(add("a/b/c", b"x")))[b"a/b"] == Kind.DIRECTORY


def test_dots_slashes_and_a_root_entry_are_cleaned_away() -> None:
    found = layer(add("./"), add("./a//b/./c", b"x"), add("/abs", b"y"), add("d/../e", b"z"))
    assert list(found.paths) == [b"a", b"a/b", b"a/b/c", b"abs", b"e"]


def test_a_file_above_eight_gigabytes_has_its_size_in_base_256_or_in_a_pax_record() -> None:
    size = 9 << 30
    base256 = raw_header(b"huge", size=b"\x80" + size.to_bytes(11, "big"))
    pax = add("huge", size=size)[0].tobuf(tarfile.PAX_FORMAT)
    for start in (base256, pax):
        zeros = bytes(1 << 20)

        def stream(start: bytes = start, zeros: bytes = zeros):  # type: ignore[no-untyped-def]
            yield start
            yield from (zeros for _ in range(9 << 10))
            yield bytes(1024)

        found = index_tar(ByteStream(stream(), "huge"), "")
        assert list(found.sizes) == [size]


def test_sparse_files_count_with_their_real_size() -> None:
    old = bytearray(raw_header(b"old", size=b"00000001000", kind=b"S"))
    old[257:265] = b"ustar  \0"
    old[386:398] = b"00000000000\0"
    old[398:410] = b"00000001000\0"
    old[482] = 1
    old[483:495] = b"00040000000\0"
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    records += b"23 GNU.sparse.name=new\n33 GNU.sparse.realsize=123456789\n"
    new = raw_header(b"pax", size=b"%011o" % len(records), kind=b"x")
    new += records.ljust(padded(len(records)), b"\0")
    new += raw_header(b"GNUSparseFile.0/new", size=b"00000002000") + bytes(1024)
    archive = bytes(old) + bytes(512) + bytes(512) + new + bytes(1024)
    found = index(archive)
    assert dict(zip(found.paths, found.sizes, strict=True)) == {b"new": 123456789, b"old": 1 << 23}


def test_one_directory_may_hold_a_hundred_thousand_entries() -> None:
    def stream() -> Iterator[bytes]:
        for number in range(100_000):
            yield raw_header(b"d/%06d" % number)
        yield bytes(1024)

    found = index_tar(ByteStream(stream(), "many"), "")
    assert len(found) == 100_001
    assert found.position(b"d/099999") == 100_000


def test_an_empty_layer_has_no_entries() -> None:
    assert len(index(bytes(1024))) == 0
    assert len(index(bytes(10240))) == 0


def test_hard_links_share_a_group_and_count_once() -> None:
    found = layer(
        add("pkgs/a", b"12345"),
        add("envs/a", kind=tarfile.LNKTYPE, link="pkgs/a"),
        add("alone", b"1"),
    )
    groups = {entry.path: entry.group for entry in found if entry.kind == Kind.FILE}
    assert groups == {b"alone": 0, b"envs/a": 1, b"pkgs/a": 1}
    assert [entry.size for entry in found if entry.path.endswith(b"/a")] == [5, 5]
    assert found.size == 6


def test_a_link_keeps_what_it_pointed_to_when_the_target_is_written_again() -> None:
    found = layer(
        add("a", b"old"),
        add("b", kind=tarfile.LNKTYPE, link="a"),
        add("a", b"newer"),
    )
    assert {entry.path: (entry.size, entry.group) for entry in found} == {
        b"a": (5, 0),
        b"b": (3, 0),
    }


def test_a_hard_links_own_attributes_count_for_all_its_names() -> None:
    found = layer(
        add("a", b"1", mode=0o755),
        add("b", kind=tarfile.LNKTYPE, link="a", mode=0o600, uid=5),
    )
    assert [(entry.mode, entry.uid) for entry in found] == [(0o600, 5), (0o600, 5)]


def test_a_hard_link_into_a_layer_below_is_kept_as_such() -> None:
    entry = next(iter(layer(add("b", kind=tarfile.LNKTYPE, link="lower/a"))))
    assert (entry.kind, entry.target) == (Kind.LINK, b"lower/a")


def test_the_last_of_repeated_entries_counts() -> None:
    found = layer(
        add("a", b"1"), add("d/"), add("d/x", b"22"), add("a", b"333"), add("d/", mode=0o700)
    )
    assert {entry.path: entry.size for entry in found} == {b"a": 3, b"d": 0, b"d/x": 2}
    assert found.entry(1).mode == 0o700


def test_a_file_that_replaces_a_directory_of_the_same_layer_removes_what_was_in_it() -> None:
    found = layer(add("d/x", b"1"), add("d/y/z", b"1"), add("d", b"file"))
    assert kinds(found) == {b"d": Kind.FILE}
    found = layer(add("d/"), add("d/x", b"1"), add("d", b"file"), add("d/"), add("d/new", b"2"))
    assert kinds(found) == {b"d": Kind.DIRECTORY, b"d/new": Kind.FILE}


def test_an_entry_below_a_link_of_the_same_layer_goes_where_the_link_leads() -> None:
    found = layer(
        add("lib", kind=tarfile.SYMTYPE, link="usr/lib"),
        add("usr/lib/"),
        add("lib/libc.so", b"elf"),
    )
    assert kinds(found)[b"usr/lib/libc.so"] == Kind.FILE
    assert b"lib/libc.so" not in found.paths


def test_whiteouts_and_opaque_directories_are_read_from_their_names() -> None:
    found = layer(add("d/.wh.gone"), add("o/.wh..wh..opq"), add(".wh..wh.plnk"), add(".wh.top"))
    assert kinds(found) == {
        b"d": Kind.DIRECTORY,
        b"d/gone": Kind.WHITEOUT,
        b"o": Kind.DIRECTORY,
        b"top": Kind.WHITEOUT,
    }
    assert [entry.path for entry in found if entry.opaque] == [b"o"]


def test_a_whiteout_beside_its_own_replacement_hides_only_what_is_below() -> None:
    for order in (1, -1):
        found = layer(*[add(".wh.d"), add("d/new", b"x")][::order])
        assert kinds(found) == {b"d": Kind.DIRECTORY, b"d/new": Kind.FILE}
        assert found.entry(0).opaque


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([add("../../etc/passwd", b"x")], "leaves the image"),
        ([add("a/../../b", b"x")], "leaves the image"),
        ([add("a", kind=tarfile.LNKTYPE, link="../../etc/shadow")], "leaves the image"),
        ([add("a", kind=tarfile.LNKTYPE, link="a")], "hard link to itself"),
        ([add("d/"), add("a", kind=tarfile.LNKTYPE, link="d")], "hard link to a directory"),
        ([add("a", b"x"), add("a/b", b"y")], "not a directory"),
        ([add("a", kind=b"Z")], "unknown type 'Z'"),
        (
            [
                add("a", kind=tarfile.SYMTYPE, link="b"),
                add("b", kind=tarfile.SYMTYPE, link="a"),
                add("a/x", b"1"),
            ],
            "loop of symbolic links",
        ),
    ],
)
def test_what_no_engine_would_unpack_is_refused(members: list[Member], reason: str) -> None:
    with pytest.raises(InvalidImage, match=reason):
        layer(*members)


def test_a_symbolic_link_out_of_the_image_is_only_text() -> None:
    found = layer(add("a", kind=tarfile.SYMTYPE, link="../../../../etc/shadow"))
    assert found.entry(0).target == b"../../../../etc/shadow"


@pytest.mark.parametrize("cut", [100, 512, 700, 1536])
def test_a_truncated_tar_is_refused(cut: int) -> None:
    whole = tar_of([add("a", b"x" * 600), add("b", b"y")], tarfile.GNU_FORMAT)
    with pytest.raises(InvalidImage, match="truncated"):
        index(whole[:cut])


def test_a_damaged_header_is_refused() -> None:
    whole = bytearray(tar_of([add("a", b"x")], tarfile.GNU_FORMAT))
    whole[3] ^= 0xFF
    with pytest.raises(InvalidImage, match="checksum"):
        index(bytes(whole))


def test_an_endless_extended_header_is_refused_before_it_is_read() -> None:
    for kind in (b"x", b"L", b"g"):
        with pytest.raises(InvalidImage, match="extended tar header of 8589934591 bytes"):
            index(raw_header(b"a", size=b"77777777777", kind=kind))


def test_more_entries_than_the_limit_are_refused() -> None:
    with pytest.raises(InvalidImage, match="more than 2 entries"):
        index(tar_of([add("a"), add("b"), add("c")]), limits=Limits(entries=2))


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(InvalidImage):
        index(content)


@settings(deadline=None)
@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(
        tar_of([add("dir/" + "n" * 120, b"x" * 700), add("l", kind=tarfile.SYMTYPE, link="é")])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        for header in headers(ByteStream(chunked(bytes(whole)), "damaged"), Budget()):
            assert header.size >= 0
        index(bytes(whole))
    except InvalidImage:
        pass
