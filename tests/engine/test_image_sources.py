"""Every source gives the same index of the same image, and the kernel shows what replay says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import docker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import tools
from pytest_dockercache.errors import InvalidImage
from pytest_dockercache.image import (
    ImageLayers,
    Kind,
    LayerStore,
    bytecode,
    hidden,
    map_layers_to_lines,
    open_image,
    package_caches,
)
from pytest_dockercache.image.mounted import READER_LABEL

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "image"))
from layer_maker import docker_archive, tar_of
from layer_trees import Tree, members_of, trees

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

LABEL = "org.pytest-dockercache.test"

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
WORKDIR /work
COPY environment.yml /tmp/
RUN conda env create -f /tmp/environment.yml
RUN mkdir -p dir/sub && echo one > dir/a && echo two > dir/sub/b && ln dir/a dir/hard \\
    && ln -s a dir/soft && mkfifo dir/pipe && printf 'x' > 'dir/new\\nline' \\
    && printf 'y' > "$(printf 'dir/\\351')" && truncate -s 3000000 dir/sparse
RUN conda clean -afy && find / -xdev -name '*.pyc' -delete
RUN chmod 600 dir/a && rm -rf dir/sub && mkdir dir/sub && echo three > dir/sub/c
RUN true
COPY Dockerfile dir/sparse
RUN rm dir/hard && mkdir dir/hard && touch dir/hard/inside
ENV DONE=1
"""

ENVIRONMENT = "name: app\ndependencies: [python=3.10, numpy, pip]\n"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build context with one of everything that a layer can do to the layers below it."""
    root = tmp_path_factory.mktemp("context")
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "environment.yml").write_text(ENVIRONMENT)
    return root


@pytest.fixture(scope="module", params=["buildkit", "classic"])
def built(
    request: pytest.FixtureRequest,
    docker_daemon: docker.DockerClient,
    miniconda: str,
    context: Path,
) -> Iterator[str]:
    """The image of the context, by each builder."""
    tag = f"dockercache-test-sources:{request.param}-{os.getpid()}"
    command = [
        "docker",
        "build",
        "-q",
        "--label",
        LABEL,
        "--build-arg",
        f"BASE={miniconda}",
        "-t",
        tag,
    ]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if request.param == "buildkit" else "0"}
    done = subprocess.run([*command, str(context)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield tag
    docker_daemon.images.remove(tag, noprune=True)


@pytest.fixture(scope="module")
def sources(
    built: str, docker_daemon: docker.DockerClient, tmp_path_factory: Any
) -> dict[str, Any]:
    """The built image from every source that can be had here."""
    archive = tmp_path_factory.mktemp("saved") / "image.tar"
    with archive.open("wb") as file:
        for chunk in docker_daemon.images.get(built).save():
            file.write(chunk)
    directory = archive.parent / "oci"
    with tarfile.open(archive) as tar:
        if "index.json" in tar.getnames():
            if sys.version_info >= (3, 12):
                tar.extractall(directory, filter="data")
            else:
                tar.extractall(directory)
    found: dict[str, Any] = {"save": open_image(built, client=docker_daemon, sources=("save",))}
    for name in ("overlay2", "mount", "containerd"):
        try:
            found[name] = open_image(built, client=docker_daemon, sources=(name,))
        except Exception as error:
            found[name] = error
    found["archive"] = open_image(archive)
    if directory.exists():
        found["directory"] = open_image(directory)
    return found


@pytest.mark.parametrize("name", ["overlay2", "mount", "containerd", "archive", "directory"])
def test_every_source_gives_the_same_index(sources: dict[str, Any], name: str) -> None:
    image = sources.get(name)
    if not isinstance(image, ImageLayers):
        pytest.skip(f"not available here: {image}")
    want = sources["save"]
    for ours, theirs in zip(image.layers, want.layers, strict=True):
        assert list(ours) == list(theirs)
        assert ours == theirs
    assert image.config.diff_ids == want.config.diff_ids
    assert image.config.env == want.config.env
    assert [entry.layer for entry in image.history] == [entry.layer for entry in want.history]


def test_layers_are_mapped_to_the_lines_that_made_them(sources: dict[str, Any]) -> None:
    image = sources["save"]
    steps = plan(parse_dockerfile(DOCKERFILE), build_args={"BASE": "base"})
    lines = map_layers_to_lines(image.history, steps)
    by_path = {
        path: lines.line(found.layer)
        for path in ("/tmp/environment.yml", "/work/dir/soft", "/work/dir/sparse", "/work/dir/a",
                     "/work/dir/hard/inside", "/opt/conda/envs/app/bin/python3.10")
        if (found := image.view.get(path)) is not None
    }  # fmt: skip
    assert by_path == {
        "/tmp/environment.yml": 4,
        "/opt/conda/envs/app/bin/python3.10": 5,
        "/work/dir/soft": 6,
        "/work/dir/a": 10,
        "/work/dir/sparse": 12,
        "/work/dir/hard/inside": 13,
    }
    base = image.view.get("/opt/conda/bin/conda")
    assert base is not None
    assert lines.line(base.layer) is None
    wasted = {
        (lines.line(item.layer), lines.line(item.hidden_by)): item.bytes
        for item in hidden(image.view, lines.own)
        if item.counted
    }
    assert wasted[5, 9] > 1_000_000, "archives and bytecode of line 5 are deleted in line 9"
    assert wasted[6, 10] == 4, "sub/b is deleted; a keeps its bytes through the link in line 6"
    assert wasted[6, 12] == 3_000_000
    assert package_caches(image.view, lines.own, tools.caches()) == ()
    assert bytecode(image.view, lines.own) == ()


def counted_by_hand(archive: bytes) -> dict[tuple[int, int], int]:
    """Hidden bytes by layer tar alone: names in dictionaries, nothing of ours."""
    import json

    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        names: dict[str, tuple[int, str]] = {}
        sizes: dict[tuple[int, str], int] = {}
        sums: dict[tuple[int, int], int] = {}
        for number, member in enumerate(manifest["Layers"]):
            before = set(names.values())
            added: dict[str, tuple[int, str]] = {}
            gone: list[tuple[str, bool]] = []
            with tarfile.open(fileobj=outer.extractfile(member)) as layer:
                for entry in layer:
                    path = entry.name.strip("/").removeprefix("./")
                    head, _, base = path.rpartition("/")
                    if base == ".wh..wh..opq":
                        gone.append((head, True))
                    elif base.startswith(".wh."):
                        gone.append((f"{head}/{base[4:]}".strip("/"), False))
                    elif entry.isreg():
                        sizes[number, path] = entry.size
                        added[path] = (number, path)
                    elif entry.islnk():
                        target = entry.linkname.strip("/").removeprefix("./")
                        added[path] = added.get(target, (number, target))
                    elif not entry.isdir():
                        gone.append((path, False))
                    elif path in names:
                        gone.append((path, False)) if path in names else None
            for path, below in gone:
                for known in [
                    k for k in names if k.startswith(path + "/") or (k == path and not below)
                ]:
                    del names[known]
            for path in added:
                for known in [k for k in names if k.startswith(path + "/")]:
                    del names[known]
            names.update(added)
            for inode in before - set(names.values()):
                key = (inode[0], number)
                sums[key] = sums.get(key, 0) + sizes[inode]
    return {key: size for key, size in sums.items() if size}


def test_hidden_bytes_equal_those_of_a_count_by_hand(
    built: str, sources: dict[str, Any], docker_daemon: docker.DockerClient
) -> None:
    archive = b"".join(docker_daemon.images.get(built).save())
    sums: dict[tuple[int, int], int] = {}
    for file in sources["save"].view.hidden:
        key = (file.layer, file.hidden_by)
        sums[key] = sums.get(key, 0) + file.size
    assert {key: size for key, size in sums.items() if size} == counted_by_hand(archive)


def exported(client: docker.DockerClient, image: str) -> dict[str, tuple[str, int, str]]:
    """The kernel's view of an image: type, size and link text by path, from its mount."""
    container = client.containers.create(image, command=["none"], labels={LABEL: "1"})
    try:
        content = b"".join(cast("Iterator[bytes]", container.export()))
    finally:
        container.remove(force=True)
    found: dict[str, tuple[str, int, str]] = {}
    first: dict[str, tuple[str, int, str]] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for entry in tar:
            path = entry.name.strip("/")
            if entry.islnk():
                found[path] = first[entry.linkname.strip("/")]
                continue
            kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.REGTYPE: "f"}.get(
                entry.type, "?"
            )
            found[path] = first[path] = (kind, entry.size, entry.linkname if kind == "l" else "")
    # The files that the daemon itself puts into every container.
    for path in [".dockerenv", "dev/console", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts",
                 "etc/mtab", "etc/resolv.conf", "dev", "proc", "sys", "etc"]:  # fmt: skip
        found.pop(path, None)
    return found


def shown(image: ImageLayers) -> dict[str, tuple[str, int, str]]:
    """The view of the plugin's replay."""
    letters = {Kind.DIRECTORY: "d", Kind.SYMLINK: "l", Kind.FILE: "f"}
    ours = {
        "dev", "proc", "sys", "etc", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf",
        "dev/console", "dev/pts", "dev/shm", ".dockerenv",
    }  # fmt: skip
    return {
        found.entry.path.decode("utf-8", "surrogateescape"): (
            letters.get(found.entry.kind, "?"),
            found.entry.size,
            found.entry.target.decode() if found.entry.kind == Kind.SYMLINK else "",
        )
        for found in image.view
        if found.entry.path.decode("utf-8", "surrogateescape") not in ours
    }


def test_the_kernel_shows_what_replay_says_of_a_built_image(
    built: str, sources: dict[str, Any], docker_daemon: docker.DockerClient
) -> None:
    assert shown(sources["save"]) == exported(docker_daemon, built)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(layers=st.lists(trees(), min_size=2, max_size=5))
def test_the_kernel_shows_what_replay_says_of_any_image(
    docker_daemon: docker.DockerClient, layers: list[Tree]
) -> None:
    archive = docker_archive([tar_of(members_of(tree)) for tree in layers], tag="")
    archive = archive.replace(b'"RepoTags": [""]', b'"RepoTags": null')
    (image,) = docker_daemon.images.load(archive)
    try:
        found = open_image(str(image.id), client=docker_daemon, sources=("overlay2", "save"))
        saved = open_image(str(image.id), client=docker_daemon, sources=("save",))
        assert found.layers == saved.layers
        assert shown(found) == exported(docker_daemon, str(image.id))
    finally:
        docker_daemon.images.remove(str(image.id), force=True, noprune=True)


def test_files_are_read_from_every_source(sources: dict[str, Any]) -> None:
    for name, image in sources.items():
        if isinstance(image, ImageLayers):
            assert image.read("/work/dir/sub/c") == b"three\n", name
            assert image.read("/work/dir/soft") == b"one\n", name


def test_a_reader_container_is_gone_afterwards_and_had_no_network(
    sources: dict[str, Any], docker_daemon: docker.DockerClient
) -> None:
    if not isinstance(sources["mount"], ImageLayers):
        pytest.skip(f"not available here: {sources['mount']}")
    left = docker_daemon.containers.list(all=True, filters={"label": READER_LABEL})
    assert left == []


def test_kept_layers_are_not_read_again(
    built: str, docker_daemon: docker.DockerClient, tmp_path: Path
) -> None:
    store = LayerStore(tmp_path)
    first = open_image(built, client=docker_daemon, cache=store)
    second = open_image(built, client=docker_daemon, cache=store)
    assert first.source != "cache"
    assert second.source == "cache"
    assert second.layers == first.layers
    assert second.history == first.history


def test_an_image_that_is_not_there_is_named(docker_daemon: docker.DockerClient) -> None:
    with pytest.raises(InvalidImage, match="the daemon has no image dockercache-none:1"):
        open_image("dockercache-none:1", client=docker_daemon)
