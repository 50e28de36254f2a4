"""Archives, OCI directories and streams give the same image, or a clear refusal."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layer_maker import (
    add,
    chunked,
    config_of,
    digest,
    docker_archive,
    oci_blobs,
    oci_index,
    tar_of,
)

from pytest_dockercache.errors import ConfigError, InvalidImage
from pytest_dockercache.image import ImageLayers, LayerStore, Limits, open_image
from pytest_dockercache.image.archive import (
    read_content_store,
    read_save_stream,
)
from pytest_dockercache.image.store import KnownLayers

zstandard = pytest.importorskip("zstandard")

LOWER = tar_of([add("etc/a", b"1" * 5000), add("opt/b", b"22")])
UPPER = tar_of([add("opt/.wh.b"), add("etc/a", b"1" * 5000, mode=0o600)])
EMPTY = bytes(1024)
LAYERS = [LOWER, UPPER, EMPTY, UPPER]


def zstd(content: bytes) -> bytes:
    return bytes(zstandard.ZstdCompressor().compress(content))


def two_members(content: bytes) -> bytes:
    """Gzip as pigz and estargz write it: several members in a row."""
    return gzip.compress(content[:1000]) + gzip.compress(content[1000:])


def oci_archive(compress: Any) -> bytes:
    blobs, descriptor = oci_blobs(LAYERS, compress=compress)
    return tar_of(oci_index(blobs, [descriptor]))


ARCHIVES = {
    "docker save before 25": lambda: docker_archive(LAYERS),
    "docker save with links": lambda: docker_archive(LAYERS, links=True),
    "docker save, compressed layers": lambda: docker_archive(LAYERS, compress=gzip.compress),
    "docker save | gzip": lambda: gzip.compress(docker_archive(LAYERS)),
    "docker save | zstd": lambda: zstd(docker_archive(LAYERS)),
    "OCI, plain layers": lambda: oci_archive(bytes),
    "OCI, gzip layers": lambda: oci_archive(gzip.compress),
    "OCI, gzip layers of several members": lambda: oci_archive(two_members),
    "OCI, zstd layers": lambda: oci_archive(zstd),
}


@pytest.fixture(params=ARCHIVES)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(ARCHIVES[request.param]())
    return path


def expected() -> ImageLayers:
    layers = [(LOWER, 4), (UPPER, 4), (EMPTY, 0), (UPPER, 4)]
    assert [len(content) > 0 for content, _ in layers]
    return open_image_of(docker_archive(LAYERS))


def open_image_of(content: bytes, **options: Any) -> ImageLayers:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image.tar"
        path.write_bytes(content)
        return open_image(path, **options)


def test_every_archive_format_gives_the_same_image(archive: Path) -> None:
    image = open_image(archive)
    want = expected()
    assert image.layers == want.layers
    assert [layer.diff_id for layer in image.layers] == [digest(item) for item in LAYERS]
    assert image.id == want.id == digest(config_of(LAYERS))
    assert image.history == want.history
    assert [found.name for found in image.view.files()] == ["/etc/a"]
    assert sum(file.size for file in image.view.hidden) == 5002 + 5000


def test_files_are_read_from_the_archive_again(archive: Path) -> None:
    image = open_image(archive)
    assert image.read("/etc/a") == b"1" * 5000
    with pytest.raises(FileNotFoundError, match="no regular file /opt/b"):
        image.read("/opt/b")


def test_an_oci_directory_gives_the_same_image(tmp_path: Path) -> None:
    blobs, descriptor = oci_blobs(LAYERS)
    for info, content in oci_index(blobs, [descriptor]):
        path = tmp_path / info.name
        if info.isdir():
            path.mkdir(parents=True)
        else:
            path.write_bytes(content)
    image = open_image(tmp_path)
    assert image.layers == expected().layers
    assert image.source == "directory"
    assert image.read("etc/a") == b"1" * 5000


def test_a_containerd_content_store_gives_the_same_image(tmp_path: Path) -> None:
    blobs, descriptor = oci_blobs(LAYERS)
    for name, content in blobs.items():
        (tmp_path / name.removeprefix("sha256:")).write_bytes(content)
    manifest, layers = read_content_store(tmp_path, descriptor["digest"], KnownLayers())
    assert layers == expected().layers
    assert manifest.config.document == expected().config.document


def test_a_trusted_stream_gives_the_same_layers_without_hashing() -> None:
    for content in (docker_archive(LAYERS, links=True), oci_archive(bytes)):
        manifest, layers = read_save_stream(
            chunked(content), "the stream", KnownLayers(), trusted=True
        )
        assert layers == expected().layers
        assert manifest.config.diff_ids == tuple(digest(item) for item in LAYERS)


def test_the_image_of_this_machine_is_chosen_among_platforms_and_attestations_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    blobs, arm = oci_blobs([LOWER])
    more, intel = oci_blobs([UPPER])
    statement, attestation = oci_blobs([EMPTY])
    inner = json.dumps(
        {
            "schemaVersion": 2,
            "manifests": [
                {**intel, "platform": {"os": "linux", "architecture": "amd64"}},
                {**arm, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                {
                    **attestation,
                    "platform": {"os": "unknown", "architecture": "unknown"},
                    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
                },
            ],
        }
    ).encode()
    everything = {**blobs, **more, **statement, digest(inner): inner}
    image = open_image_of(tar_of(oci_index(everything, [{"digest": digest(inner)}])))
    assert [layer.diff_id for layer in image.layers] == [digest(LOWER)]
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ConfigError, match=r"holds 2 images \(linux/amd64, linux/arm64/v8\)"):
        open_image_of(tar_of(oci_index(everything, [{"digest": digest(inner)}])))


def test_several_images_in_one_archive_need_a_tag() -> None:
    members = oci_index(*_two_images())
    archive = tar_of(members)
    with pytest.raises(ConfigError, match="holds 2 images"):
        open_image_of(archive)
    assert open_image_of(archive, tag="two").layers[0].diff_id == digest(UPPER)


def _two_images() -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    blobs, one = oci_blobs([LOWER])
    more, two = oci_blobs([UPPER])
    name = "org.opencontainers.image.ref.name"
    return {**blobs, **more}, [
        {**one, "annotations": {name: "one"}},
        {**two, "annotations": {name: "two"}},
    ]


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", "truncated"),
        (b"not an image at all" * 100, "checksum"),
        (tar_of([add("hello", b"x")]), "neither manifest.json"),
        (tar_of([add("manifest.json", b"{")]), "not JSON"),
        (tar_of([add("manifest.json", b"[]")]), "lists no image"),
        (tar_of([add("manifest.json", b'[{"Config":"c.json","Layers":[]}]')]), "has no c.json"),
        (
            tar_of([add("manifest.json", b'[{"Config":"../../etc/passwd","Layers":[]}]')]),
            "leaves the image",
        ),
        (
            tar_of([add("manifest.json", b'[{"Config":"c","Layers":[]}]'), add("c", b"[1]")]),
            "it is a list, not an object",
        ),
        (docker_archive(LAYERS)[:20_000], "truncated"),
        (docker_archive(LAYERS, config=config_of([LOWER])), "has 4 layers, .* names 1"),
        (docker_archive(LAYERS, config=config_of([EMPTY, *LAYERS[1:]])), "diff ID promises"),
        (docker_archive([LOWER], compress=lambda c: gzip.compress(c)[:-900]), "truncated"),
        (
            docker_archive([LOWER], compress=lambda c: gzip.compress(c)[:50] + bytes(900)),
            "damaged",
        ),
        (docker_archive([LOWER], compress=lambda c: zstd(c)[:30] + bytes(900)), "zstd"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(archive: bytes, reason: str) -> None:
    with pytest.raises(InvalidImage, match=reason):
        open_image_of(archive)


def test_a_blob_with_other_content_than_its_name_promises_is_refused() -> None:
    blobs, descriptor = oci_blobs([LOWER])
    config = digest(config_of([LOWER]))
    blobs[config] = blobs[config].replace(b"amd64", b"arm64")
    with pytest.raises(InvalidImage, match="does not have the content that its name promises"):
        open_image_of(tar_of(oci_index(blobs, [descriptor])))


def test_old_and_unknown_manifests_are_named() -> None:
    old = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
    blobs = {digest(old): old}
    with pytest.raises(InvalidImage, match="schema 1"):
        open_image_of(tar_of(oci_index(blobs, [{"digest": digest(old)}])))
    with pytest.raises(InvalidImage, match="only sha256"):
        open_image_of(tar_of(oci_index(blobs, [{"digest": "sha512:" + "0" * 128}])))


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(compress: Any) -> None:
    bomb = docker_archive([tar_of([add("zeros", bytes(30_000_000))])], compress=compress)
    limits = Limits(inflated=1 << 20, ratio=50)
    with pytest.raises(InvalidImage, match="decompression bomb"):
        open_image_of(bomb, limits=limits)
    assert open_image_of(bomb).size == 30_000_000


def test_a_document_that_is_too_large_is_not_read() -> None:
    archive = tar_of([add("manifest.json", b"[" + b" " * 5000 + b"]")])
    with pytest.raises(InvalidImage, match="no document is so large"):
        open_image_of(archive, limits=Limits(document=1000))


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.tar cannot be read: No such file"):
        open_image(tmp_path / "none.tar")


def test_a_layer_with_forged_content_never_reaches_the_cache(tmp_path: Path) -> None:
    forged = docker_archive([UPPER], config=config_of([LOWER]))
    store = LayerStore(tmp_path)
    with pytest.raises(InvalidImage):
        open_image_of(forged, cache=store)
    assert store.load(digest(LOWER)) is None


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd])
@pytest.mark.parametrize("form", ["docker save", "OCI"])
def test_layers_that_an_earlier_run_has_read_are_hashed_and_not_indexed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: Any, form: str
) -> None:
    made: dict[str, Callable[[Any], bytes]] = {
        "OCI": oci_archive,
        "docker save": lambda c: docker_archive(LAYERS, compress=c),
    }
    content = made[form](compress)
    store = LayerStore(tmp_path)
    first = open_image_of(content, cache=store)
    monkeypatch.delattr("pytest_dockercache.image.archive.index_tar")
    second = open_image_of(content, cache=store)
    assert second.layers == first.layers


def other_tar(content: bytes) -> bytes:
    """A layer of the same length with other content, where the old one had a file."""
    return content.replace(b"1" * 5000, b"3" * 5000)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd])
def test_a_layer_that_is_not_what_it_is_said_to_be_is_refused_though_the_true_one_is_known(
    tmp_path: Path, compress: Any
) -> None:
    store = LayerStore(tmp_path)
    open_image_of(docker_archive([LOWER]), cache=store)
    lying = docker_archive([other_tar(LOWER)], config=config_of([LOWER]), compress=compress)
    for content in (lying, gzip.compress(lying)):
        with pytest.raises(InvalidImage, match="does not have the content that its diff ID"):
            open_image_of(content, cache=store)


def test_a_blob_that_is_not_what_its_name_says_is_refused_though_the_true_one_is_known(
    tmp_path: Path,
) -> None:
    store = LayerStore(tmp_path)
    blobs, descriptor = oci_blobs([LOWER])
    open_image_of(tar_of(oci_index(blobs, [descriptor])), cache=store)
    lying = {
        name: gzip.compress(other_tar(LOWER)) if content[:2] == b"\x1f\x8b" else content
        for name, content in blobs.items()
    }
    archive = tar_of(oci_index(lying, [descriptor]))
    for content in (archive, gzip.compress(archive)):
        with pytest.raises(InvalidImage, match="does not have the content that its"):
            open_image_of(content, cache=store)


def test_each_layer_is_read_where_two_are_said_to_be_the_same(tmp_path: Path) -> None:
    lying = docker_archive([LOWER, other_tar(LOWER)], config=config_of([LOWER, LOWER]))
    with pytest.raises(InvalidImage, match="diff ID promises"):
        open_image_of(lying)


def test_what_a_blob_unpacks_to_is_remembered_only_for_bytes_that_were_read(
    tmp_path: Path,
) -> None:
    store = LayerStore(tmp_path)
    blobs, descriptor = oci_blobs([LOWER])
    packed = next(name for name, content in blobs.items() if content[:2] == b"\x1f\x8b")
    forged = tar_of(oci_index({**blobs, packed: gzip.compress(UPPER)}, [descriptor]))
    with pytest.raises(InvalidImage):
        open_image_of(forged, cache=store)
    assert store.load_diff_id(packed) is None
    open_image_of(tar_of(oci_index(blobs, [descriptor])), cache=store)
    assert store.load_diff_id(packed) == digest(LOWER)


def test_nothing_is_written_but_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    path = tmp_path / "image.tar"
    path.write_bytes(docker_archive([tar_of([add("a/b", b"x"), add("/etc/pwned", b"y")])]))
    monkeypatch.chdir(work)
    open_image(path)
    assert list(work.iterdir()) == []
