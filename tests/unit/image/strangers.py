"""Archives and OCI directories that somebody made to break, mislead or exhaust their reader.

Run as a program, it makes the strangers whose names it is given, opens each,
and prints one JSON line for each: what came of it, the seconds of processor
time, and the peak memory of the process so far in bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from layer_maker import (
    Member,
    add,
    config_of,
    digest,
    docker_archive,
    oci_blobs,
    oci_index,
    tar_of,
)

Maker = Callable[[Path], Path]
LAYER = tar_of([add("opt/a", b"1" * 600), add("etc/b", b"2")])
OTHER = LAYER.replace(b"1" * 600, b"3" * 600)


def archive(content: bytes) -> Maker:
    """A stranger that is one file."""

    def make(directory: Path) -> Path:
        path = directory / "image.tar"
        path.write_bytes(content)
        return path

    return make


def lazily(content: Callable[[], bytes]) -> Maker:
    """A stranger that is one file, too large to be made before it is needed."""
    return lambda directory: archive(content())(directory)


def with_config(config: Any) -> Maker:
    """An honest archive but for its configuration."""
    return archive(docker_archive([LAYER], config=json.dumps(config).encode()))


def honest_config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config_of([LAYER]))
    return found


def wrong_types() -> Iterator[tuple[str, Maker]]:
    """Every field of a configuration with values of other types."""
    values: dict[str, Any] = {"5": 5, "[1]": [1], '{"a":5}': {"a": 5}, "true": True}
    fine = {("ExposedPorts", '{"a":5}')}
    for name in ("Env", "Cmd", "Entrypoint", "Shell", "ExposedPorts", "Labels", "User",
                 "WorkingDir"):  # fmt: skip
        for text, value in values.items():
            if (name, text) not in fine:
                config = honest_config()
                config["config"] = {name: value}
                yield f"config.{name} is {text}", with_config(config)
    for name in ("os", "architecture", "rootfs", "history", "config"):
        for text, value in values.items():
            if text != '{"a":5}' or name in ("os", "architecture", "history"):
                yield f"{name} is {text}", with_config({**honest_config(), name: value})
    for name, value in {"Labels": {"org.opencontainers.image.base.name": 5}, "Env": ["\ud800"],
                        "User": "a\0b"}.items():  # fmt: skip
        yield f"config.{name} is odd", with_config({**honest_config(), "config": {name: value}})
    yield "diff_ids are numbers", with_config({**honest_config(), "rootfs": {"diff_ids": [5]}})
    yield "diff_ids is text", with_config({**honest_config(), "rootfs": {"diff_ids": "sha256:a"}})
    yield "the configuration is a list", with_config([1])
    yield "the configuration is null", with_config(None)


def manifests() -> Iterator[tuple[str, Maker]]:
    """``manifest.json`` of every wrong sort."""
    honest: dict[str, Any] = {"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]}

    def listing(value: Any, raw: bytes | None = None) -> Maker:
        content = json.dumps(value).encode() if raw is None else raw
        members = [
            add("layer.tar", LAYER),
            add("c.json", config_of([LAYER])),
            add("manifest.json", content),
        ]
        return archive(tar_of(members))

    for name, value in [("RepoTags", 5), ("RepoTags", [5]), ("Layers", 7), ("Layers", [None]),
                        ("Layers", {"a": 1}), ("Config", 5), ("Config", ""), ("Config", "\ud800"),
                        ("Config", "a\0b"), ("Config", "../../etc/passwd"), ("Layers", ["a\0"]),
                        ("Layers", ["../../layer.tar"]), ("Layers", ["none.tar"]),
                        ("Layers", ["layer.tar"] * 2000)]:  # fmt: skip
        yield f"{name} is {str(value)[:20]!r}", listing([{**honest, name: value}])
    yield "the listing is an object", listing({"a": 1})
    yield "the listing holds numbers", listing([5])
    yield "two images, tags are numbers", listing([{**honest, "RepoTags": 5}] * 2)
    yield "an empty listing", listing([])
    yield "a deep listing", listing(None, b"[" * 2_000_000)
    yield "a wide listing", listing(None, b"[" + b"[]," * 1_300_000 + b"[]]")
    yield "a huge listing", listing(None, b"[" + b" " * (5 << 20) + b"]")
    yield "no listing", archive(tar_of([add("layer.tar", LAYER)]))
    yield "numbers without end", listing(None, b"[" + b"9" * 1_000_000 + b"]")


def oci() -> Iterator[tuple[str, Maker]]:
    """OCI layouts of every wrong sort."""

    def changed(**changes: Any) -> Maker:
        blobs, descriptor = oci_blobs([LAYER], manifest_changes=changes)
        return archive(tar_of(oci_index(blobs, [descriptor])))

    def index(value: Any) -> Maker:
        members = [add("oci-layout", b"{}"), add("index.json", json.dumps(value).encode())]
        return archive(tar_of(members))

    for name, value in [("layers", 5), ("layers", [5]), ("layers", [{"digest": 5}]),
                        ("layers", [{"digest": "md5:1"}]), ("layers", [{}]), ("config", 5),
                        ("config", {}), ("config", {"digest": "sha256:" + "0" * 64}),
                        ("manifests", 5), ("mediaType", 5), ("layers", []),
                        ("layers", [{"digest": "sha256:" + "0" * 64}])]:  # fmt: skip
        yield f"manifest.{name} is {str(value)[:30]}", changed(**{name: value})
    for value in (5, [], {"manifests": 5}, {"manifests": [5]}, {"manifests": [{}]},
                  {"manifests": [{"digest": "sha256:a\0"}]}, {"manifests": []},
                  {"manifests": [{"digest": "sha256:" + "0" * 64, "annotations": [1]}]},
                  {"manifests": [{"digest": "sha256:" + "0" * 64, "platform": 5}]}):  # fmt: skip
        yield f"the index is {str(value)[:60]}", index(value)
    many = [{"digest": f"sha256:{number:064x}"} for number in range(40_000)]
    yield "an index of 40,000 images", index({"manifests": many})
    blobs, descriptor = oci_blobs([LAYER])
    for _ in range(8):
        content = json.dumps({"manifests": [descriptor]}).encode()
        blobs[digest(content)] = content
        descriptor = {"digest": digest(content)}
    yield "indexes in indexes", archive(tar_of(oci_index(blobs, [descriptor])))


def layers() -> Iterator[tuple[str, Maker]]:
    """Layers of every wrong sort."""

    def holding(*members: Member, compress: Any = gzip.compress, form: int = tarfile.PAX_FORMAT
                ) -> Maker:  # fmt: skip
        return lazily(lambda: docker_archive([tar_of(members, form)], compress=compress))

    for length in (5_000, 50_000):
        yield f"a path of {length} bytes", holding(add("a" * length))
    for depth in (600, 8_000, 20_000):
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            yield f"a path of {depth} names, {form}", holding(add("a/" * depth + "f"), form=form)
    yield (
        "a link text of 100,000 bytes",
        holding(add("a", kind=tarfile.SYMTYPE, link="b" * 100_000)),
    )
    yield (
        "thousands of deep paths",
        holding(*(add(f"{number}/" + "a/" * 500 + "f") for number in range(4000))),
    )
    yield "a hard link out", holding(add("a", kind=tarfile.LNKTYPE, link="../../etc/passwd"))
    yield "a name out", holding(add("../../etc/passwd", b"x"))
    yield "a hard link to itself", holding(add("a", kind=tarfile.LNKTYPE, link="a"))
    yield "links in a circle", holding(
        add("a", kind=tarfile.SYMTYPE, link="b"), add("b", kind=tarfile.SYMTYPE, link="a"),
        add("a/c"),
    )  # fmt: skip
    yield "a file below a file", holding(add("a", b"x"), add("a/b", b"x"))
    yield "a type of its own", holding(add("a", kind=b"Z"))
    chain = [add(f"l{n}", kind=tarfile.SYMTYPE, link=f"l{n + 1}") for n in range(38)]
    yield (
        "thousands of paths through chains of links",
        holding(*chain, *(add(f"l0/{'d/' * 400}{number}") for number in range(1500))),
    )
    yield (
        "a million entries",
        lazily(lambda: docker_archive([_many(1_000_000)], compress=lambda c: gzip.compress(c, 1))),
    )
    yield (
        "a layer of entries, 500 times",
        lazily(lambda: docker_archive([_many(20_000)] * 500, links=True)),
    )
    meta = b"Name: " + b"A" * (4 << 20) + b"\n"
    for name in ("x.dist-info/METADATA", "x.egg-info/PKG-INFO", "x.egg-info"):
        yield (
            f"40 times {name} of 4 MB",
            holding(*(add(f"s{number}/{name}", meta) for number in range(40))),
        )
    brackets = b'{"name":' + b"[" + b"[]," * (2 << 20) + b"[]]}"
    yield (
        "conda records of brackets",
        holding(*(add(f"e{number}/conda-meta/x.json", brackets) for number in range(20))),
    )
    texts = b'{"name":"a","files":[' + b'"abcdefghi",' * (600 << 10) + b'""]}'
    yield (
        "conda records of texts",
        holding(*(add(f"e{number}/conda-meta/x.json", texts) for number in range(20))),
    )
    owned = json.dumps({"name": "a", "files": [f"{n}.dist-info/x" for n in range(190_000)]})
    yield (
        "conda records that own much",
        holding(*(add(f"e{number}/conda-meta/x.json", owned.encode()) for number in range(30))),
    )
    for name, header in _pax_headers():
        yield name, lazily(partial(_compressed, header))
    for name, block in _blocks():
        yield name, archive(docker_archive([block + bytes(1024)]))
    whole = docker_archive([LAYER])
    for cut in (1, 511, 513, 2000, len(whole) // 2):
        yield f"cut after {cut} bytes", archive(whole[:cut])
    yield "cut before its last zeros", archive(whole[:-3000])
    yield "whiteouts without end", holding(*(add(f"d/.wh.{n}") for n in range(100_000)))


def _many(count: int) -> bytes:
    """A tar of many empty files, made from one header."""
    out = io.BytesIO()
    for number in range(count):
        info = tarfile.TarInfo(f"{number:07d}")
        if number == 0:
            block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
            base = int(bytes(block[148:154]), 8) - sum(b"0000000")
        name = b"%07d" % number
        block[:7] = name
        block[148:154] = b"%06o" % (base + sum(name))
        out.write(block)
    out.write(bytes(1024))
    return out.getvalue()


def _extended(kind: bytes, records: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.type = kind
    info.size = len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _compressed(header: Callable[[], bytes]) -> bytes:
    return docker_archive([header()], compress=gzip.compress)


def _pax_headers() -> Iterator[tuple[str, Callable[[], bytes]]]:
    end = bytes(1024)

    def globals_without_end() -> bytes:
        return b"".join(
            _extended(b"g", _record(f"k{n}", "v" * 900_000)) for n in range(300)
        ) + end  # fmt: skip

    def many_records() -> bytes:
        block = b"".join(_record(f"k{n}", "v") for n in range(60_000))
        return _extended(b"g", block) * 200 + LAYER

    def locals_in_a_row() -> bytes:
        return _extended(b"x", _record("path", "p" * 4000)) * 50_000 + LAYER

    yield "global headers of 300 MB", globals_without_end
    yield "global headers of 12 million records", many_records
    yield "50,000 headers before a file", locals_in_a_row
    for name, record in {
        "a size below zero": _record("size", "-5"),
        "a size of letters": _record("size", "abc"),
        "a size beyond all": _record("size", "9" * 40),
        "a time beyond all": _record("mtime", "9" * 40),
        "a time of letters": _record("mtime", "now"),
        "a path that climbs": _record("path", "../../x"),
        "a path with a NUL": _record("path", "a\0b"),
        "a record without its length": b"path=x\n",
        "a record too long": b"99999 path=x\n",
        "a sparse size below zero": _record("GNU.sparse.realsize", "-1"),
        "5,000 digits": _record("uid", "9" * 5000),
    }.items():
        yield name, lambda record=record: _extended(b"x", record) + LAYER  # type: ignore[misc]


def _blocks() -> Iterator[tuple[str, bytes]]:
    def block(change: Callable[[bytearray], None]) -> bytes:
        raw = bytearray(tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT))
        change(raw)
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw)
        return bytes(raw)

    def size(value: bytes) -> Callable[[bytearray], None]:
        return lambda raw: raw.__setitem__(slice(124, 136), value.ljust(12, b"\0"))

    yield "a size of letters in octal", block(size(b"zzz"))
    yield "a size below zero in base 256", block(size(b"\xff" * 12))
    yield "a size beyond all in base 256", block(size(b"\x80" + b"\x7f" * 11))
    yield (
        "a sparse file whose map never ends",
        block(
            lambda raw: (raw.__setitem__(156, ord("S")), raw.__setitem__(482, 1))  # type: ignore[arg-type]
        )
        + b"\x01" * 512 * 200,
    )
    yield "a long name without a file", block(lambda raw: raw.__setitem__(156, ord("L")))


def compressed() -> Iterator[tuple[str, Maker]]:
    """Bombs and broken compression."""

    def bomb(megabytes: int) -> bytes:
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
            info = tarfile.TarInfo("zeros")
            info.size = megabytes << 20
            file.write(info.tobuf())
            for _ in range(megabytes):
                file.write(bytes(1 << 20))
        return out.getvalue()

    small = bomb(60)
    config = config_of([LAYER])
    yield (
        "a layer that is a bomb",
        lazily(lambda: docker_archive([LAYER], config=config, compress=lambda _: bomb(2500))),
    )
    yield (
        "forty layers that are bombs together",
        lazily(
            lambda: docker_archive(
                [b"%d" % n for n in range(40)],
                config=config_of([LAYER] * 40),
                compress=lambda _: small,
            )
        ),
    )
    yield "an archive that is a bomb", lazily(lambda: bomb(2500))
    yield "a bomb in a bomb", lazily(lambda: gzip.compress(bomb(2500)))
    packed = gzip.compress(docker_archive([LAYER]))
    for cut in (10, 100, len(packed) - 5):
        yield f"gzip cut after {cut} bytes", archive(packed[:cut])
    yield "gzip with letters behind it", archive(packed + b"more")
    yield "a million empty gzip members", archive(gzip.compress(b"") * 200_000 + packed)
    yield "bzip2", archive(b"BZh91AY&SY" + bytes(600))
    yield "xz", archive(b"\xfd7zXZ\0" + bytes(600))
    yield "nothing", archive(b"")
    yield "zeros", archive(bytes(10_240))
    yield "letters", archive(b"image " * 2000)


def files() -> Iterator[tuple[str, Maker]]:
    """Other kinds of file in the place of a regular one."""

    def special(kind: str, name: str) -> Maker:
        def make(directory: Path) -> Path:
            blobs, descriptor = oci_blobs([LAYER])
            blob = next(item for item, content in blobs.items() if content[:2] == b"\x1f\x8b")
            root = directory / "layout"
            (root / "blobs/sha256").mkdir(parents=True)
            for item, content in blobs.items():
                (root / "blobs/sha256" / item.removeprefix("sha256:")).write_bytes(content)
            (root / "oci-layout").write_text("{}")
            (root / "index.json").write_text(json.dumps({"manifests": [descriptor]}))
            path = root / name.replace("BLOB", "blobs/sha256/" + blob.removeprefix("sha256:"))
            path.unlink()
            _place(kind, path)
            return root

        return make

    def alone(kind: str) -> Maker:
        def make(directory: Path) -> Path:
            _place(kind, directory / "image.tar")
            return directory / "image.tar"

        return make

    for kind in ("pipe", "zero", "directory", "socket", "loop", "nothing"):
        for name in ("index.json", "BLOB"):
            yield f"{name} is {kind}", special(kind, name)
    for kind in ("pipe", "zero", "socket", "loop", "directory"):
        yield f"the archive is {kind}", alone(kind)


def _place(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "socket":
        os.mknod(path, 0o140644)


def lies() -> Iterator[tuple[str, Maker]]:
    """Other content under the digests of an honest image, which the reader knows already."""
    config = config_of([LAYER])
    kinds: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress}
    for name, compress in kinds.items():
        lying = docker_archive([OTHER], config=config, compress=compress)
        yield f"another layer, {name}", archive(lying)
        yield f"another layer, {name}, in a compressed archive", archive(gzip.compress(lying))
        blobs, descriptor = oci_blobs([LAYER], compress=compress)
        own = digest(compress(LAYER))
        if name == "plain":
            blobs[own] = OTHER
        else:
            own = next(item for item, content in blobs.items() if content[:2] == b"\x1f\x8b")
            blobs[own] = gzip.compress(OTHER)
        yield f"another blob, {name}", archive(tar_of(oci_index(blobs, [descriptor])))
    yield "an empty layer", archive(docker_archive([bytes(1024)], config=config))
    yield (
        "two layers said to be one",
        archive(docker_archive([LAYER, OTHER], config=config_of([LAYER, LAYER]))),
    )
    yield "no layer", archive(docker_archive([], config=config))
    yield "a layer too many", archive(docker_archive([LAYER, OTHER], config=config))
    yield (
        "letters for a layer",
        archive(docker_archive([LAYER], config=config, compress=lambda c: b"?" * len(c))),
    )


HEAVY = ("layers", "compressed")
"""Groups that take minutes of a busy machine."""

GROUPS = {
    "wrong types": wrong_types, "manifests": manifests, "OCI": oci, "layers": layers,
    "compressed": compressed, "files": files, "lies": lies,
}  # fmt: skip
READABLE = {
    "gzip with letters behind it",
    "a million empty gzip members",
    "whiteouts without end",
    "a record too long",
    "a sparse file whose map never ends",
    "thousands of paths through chains of links",
    "40 times x.dist-info/METADATA of 4 MB",
    "40 times x.egg-info/PKG-INFO of 4 MB",
    "40 times x.egg-info of 4 MB",
    "conda records of brackets",
    "conda records of texts",
    "conda records that own much",
    "cut before its last zeros",
}
"""Strangers that may be read: nothing in them makes a verdict wrong."""


def strangers(group: str) -> dict[str, Maker]:
    """The strangers of one group by name."""
    return dict(GROUPS[group]())


def _made_apart(make: Maker, place: Path) -> Path:
    """Make a stranger in a process of its own: what that takes is not the reader's memory."""
    if os.fork() == 0:
        try:
            (place / "path").write_text(str(make(place)))
        finally:
            os._exit(0)
    os.wait()
    return Path((place / "path").read_text())


def main(group: str, directory: Path) -> None:
    """Open every stranger of a group, with a store that knows the honest image."""
    from pytest_dockercache.errors import DockerCacheError
    from pytest_dockercache.image import LayerStore, open_image

    store = LayerStore(directory / "store")
    open_image(archive(docker_archive([LAYER]))(directory), cache=store)
    for number, (name, make) in enumerate(strangers(group).items()):
        place = directory / str(number)
        place.mkdir()
        path = _made_apart(make, place)
        start = time.process_time()
        try:
            image = open_image(path, cache=store)
            outcome = f"read {len(image.view.layers)}"
        except DockerCacheError as problem:
            outcome = f"refused {problem}"
        except Exception as problem:
            outcome = f"broken {problem!r}"
        seconds = time.process_time() - start
        peak = _peak_bytes()
        print(json.dumps([name, outcome, seconds, peak]), flush=True)


def _peak_bytes() -> int:
    """The peak memory of this program alone.

    ``ru_maxrss`` outlives exec (getrusage(2) counts the process, not the program): it would be
    that of a large pytest that started this program. ``VmHWM`` begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
