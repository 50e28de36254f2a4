"""What `cache-from` concludes from builds in an empty builder, and the text in which it says it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, Terminal, subject
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks import CHECKS, CheckSettings
from pytest_dockercache.engines import BuildRequest
from pytest_dockercache.engines.failure import NOT_BEGUN
from pytest_dockercache.errors import (
    BuildFailed,
    CacheAssertionError,
    EngineUnavailable,
    Unverifiable,
)
from pytest_dockercache.model import Build, CacheImport, EngineInfo

CHECK = CHECKS["cache-from"]

BUILDER = """\
FROM debian AS builder
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY src/ src/
RUN make
FROM debian
COPY --from=builder /program /program
"""
FILES = {"requirements.txt": "six\n", "src/main.py": "print(1)\n"}
REGISTRY = "type=registry,ref=registry.test/app:cache"
READ = (CacheImport("registry.test/app:cache"),)
EVERY = (2, 3, 4, 5, 7)


@dataclass
class Cold(Terminal):
    """An engine whose empty builder misses what a test wrote down: after an edit, without one."""

    edited: Sequence[int] = (4, 5, 7)
    with_mode_max: Sequence[int] = (4, 5, 7)
    plain: Sequence[int] = ()
    imports: tuple[CacheImport, ...] = READ
    manifest: object = None
    exports: bool = True
    failing: str = ""
    requests: list[tuple[str, BuildRequest]] = field(default_factory=list)
    made: list[Mapping[str, Any]] = field(default_factory=list)
    subject: Any = None

    def exports_caches(self) -> bool:
        return self.exports

    def read_manifest(self, reference: str) -> object:
        return self.manifest

    def remove_empty_builder(self, name: str) -> str | None:
        return None

    def build(self, request: BuildRequest, watch: object) -> Build:
        return self._built("warm", request)

    @contextlib.contextmanager
    def empty_builder(
        self, name: str, directory: Path, image: str | None, *, host_network: bool
    ) -> Iterator[EmptyBuilder]:
        self.made.append({"image": image, "host_network": host_network})
        yield EmptyBuilder(self)

    def _built(self, where: str, request: BuildRequest) -> Build:
        self.requests.append((where, request))
        if request.cache_to and self.failing:
            raise BuildFailed(f"the image does not build: {self.failing}")
        misses = self.edited if request.edits else self.plain
        sources = " ".join(request.spec.cache_from)
        if request.edits and "/staging/" in sources and "digest=" not in sources:
            misses = self.with_mode_max
        steps = self.subject._steps(EVERY if request.cache_to else misses, ())
        return Build(request.edits, "built", 1.0, steps, imports=self.imports)

    @property
    def told(self) -> list[str]:
        """The builds: where, and what was exported, or imported and edited."""
        return [
            f"{where}: to {' '.join(request.cache_to)}"
            if request.cache_to
            else f"{where}: from {' '.join(request.spec.cache_from)}"
            + (" edited" if request.edits else "")
            for where, request in self.requests
        ]


@dataclass
class EmptyBuilder:
    """The builder that has nothing."""

    engine: Cold

    @property
    def info(self) -> EngineInfo:
        return replace(self.engine.info, builder="test/empty")

    def build(self, request: BuildRequest, watch: object) -> Build:
        return self.engine._built("empty", request)

    def clear(self) -> None:
        pass


Make = Callable[..., tuple[Scripted, Cold]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache/pytest-dockercache/runs/run").mkdir(parents=True)

    def made(dockerfile: str = BUILDER, **told: Any) -> tuple[Scripted, Cold]:
        misses = told.pop("misses", {"src/main.py": [4, 5, 7]})
        engine = Cold(**told)
        files = {"Dockerfile": dockerfile, **FILES}
        judged = subject(
            tmp_path / "project", files, engine=engine, misses=misses, known_seconds={3: 9.0}
        )
        engine.subject = judged
        return judged, engine

    return made


def test_mode_max_is_not_advised_where_it_was_tried_in_vain(make: Make) -> None:
    judged, engine = make(edited=EVERY, with_mode_max=EVERY)
    said = failure(judged, cache_to=(f"{REGISTRY},mode=min",))
    assert "mode=max alone is not enough: it was tried, and line 3 ran again" in said
    assert [one.partition(",dest=")[0] for one in engine.told][-2:] == [
        "warm: to type=local",
        "empty: from type=local,src=" + engine.told[-1].partition("src=")[2],
    ]


def test_a_builder_that_would_install_again_for_it_tries_no_other_mode(make: Make) -> None:
    judged, engine = make(edited=EVERY, exports=False)
    said = failure(judged, cache_from=(REGISTRY,))
    assert "tried" not in said
    assert all(one.startswith("empty: from type=registry") for one in engine.told)


def test_another_platform_is_named_where_its_cache_may_have_been_imported(make: Make) -> None:
    judged, _ = make(edited=EVERY, plain=EVERY)
    judged.spec = replace(judged.spec, platform="linux/arm64")
    said = failure(judged, cache_from=(REGISTRY,)).splitlines()
    assert said[0] == (
        "the cache of registry.test/app:cache was imported, and holds no step of Dockerfile for "
        "linux/arm64"
    )
    assert any("another platform's" in line for line in said)


def failure(judged: Scripted, **settings: Any) -> str:
    with pytest.raises(CacheAssertionError) as failed:
        CHECK.judge(judged, CheckSettings(**settings))
    return str(failed.value)


def test_what_is_exported_is_imported_after_an_edit_and_without_one(make: Make) -> None:
    judged, engine = make()
    verdict = CHECK.judge(judged, CheckSettings(cache_to=(f"{REGISTRY},mode=max",)))
    assert str(verdict) == (
        "an empty builder that imports registry.test/app:cache reuses line 3 after src/main.py "
        "(+1 comment line); it saves 100% of 9.0 s"
    )
    assert engine.told == [
        f"warm: to {REGISTRY},mode=max",
        f"empty: from {REGISTRY} edited",
        f"empty: from {REGISTRY}",
    ]
    assert engine.made == [{"image": None, "host_network": False}]


def test_a_builder_that_cannot_export_is_replaced_by_an_empty_one(make: Make) -> None:
    judged, engine = make(exports=False)
    CHECK.judge(judged, CheckSettings(cache_to=("type=local,dest=/c,mode=max",)))
    assert engine.told[0] == "empty: to type=local,dest=/c,mode=max"


def test_an_import_alone_is_built_once(make: Make) -> None:
    judged, engine = make()
    CHECK.judge(judged, CheckSettings(cache_from=(REGISTRY,), buildkit_image="mirror/buildkit"))
    assert engine.told == [f"empty: from {REGISTRY} edited"]
    assert engine.made == [{"image": "mirror/buildkit", "host_network": False}]


def test_a_registry_of_this_machine_is_reached_from_the_builder(make: Make) -> None:
    judged, engine = make()
    CHECK.judge(judged, CheckSettings(cache_from=("127.0.0.1:5000/app:cache",)))
    assert engine.made == [{"image": None, "host_network": True}]


@pytest.mark.parametrize("mode", ["mode=min", "inline", "imported"])
def test_a_stage_that_is_not_in_the_cache(
    make: Make, mode: str, snapshot: SnapshotAssertion
) -> None:
    judged, _ = make(edited=EVERY)
    settings = {
        "mode=min": {"cache_to": (f"{REGISTRY},mode=min",)},
        "inline": {"cache_to": ("type=inline",)},
        "imported": {"cache_from": (REGISTRY,)},
    }[mode]
    assert failure(judged, **settings) == snapshot


IMPORTS = {
    "missing": (REGISTRY, (CacheImport("registry.test/app:cache", "…: not found"),)),
    "denied": (
        REGISTRY,
        (
            CacheImport(
                "registry.test/app:cache",
                "pull access denied, repository does not exist or may require authorization: "
                "authorization failed: no basic auth credentials",
            ),
        ),
    ),
    "unreached": (
        REGISTRY,
        (CacheImport("registry.test/app:cache", "dial tcp: lookup registry.test: no such host"),),
    ),
    "strange": (REGISTRY, (CacheImport("registry.test/app:cache", "unexpected end of file"),)),
    "never": (REGISTRY, ()),
    "gha": ("type=gha", ()),
    "no directory": ("type=local,src=/nowhere", ()),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_a_cache_that_is_not_read(
    make: Make, case: str, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACTIONS_RUNTIME_TOKEN", raising=False)
    source, imports = IMPORTS[case]
    judged, _ = make(edited=EVERY, plain=EVERY, imports=imports)
    assert failure(judged, cache_from=(source,)) == snapshot


def test_of_two_caches_the_one_is_named_that_was_not_read(make: Make) -> None:
    judged, _ = make(imports=(*READ, CacheImport("other.test/app", "not found")))
    verdict = CHECK.judge(judged, CheckSettings(cache_from=(REGISTRY, "other.test/app")))
    assert str(verdict).endswith("; not read: other.test/app")


def test_a_cache_without_any_step_of_the_dockerfile(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged, _ = make(edited=EVERY, plain=EVERY)
    assert failure(judged, cache_from=(REGISTRY,)) == snapshot


@pytest.mark.parametrize(
    ("manifest", "image"),
    [
        ({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}, True),
        ({"config": {"mediaType": "application/vnd.buildkit.cacheconfig.v0"}}, False),
        ({"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json"}]}, True),
        ({"manifests": [{"mediaType": "application/vnd.buildkit.cacheconfig.v0"}]}, False),
        (json.loads("[1]"), False),
        (None, False),
    ],
)
def test_an_image_is_told_from_a_cache(make: Make, manifest: object, image: bool) -> None:
    judged, _ = make(edited=EVERY, plain=EVERY, manifest=manifest)
    said = failure(judged, cache_from=(REGISTRY,))
    assert said.startswith("registry.test/app:cache is an image") is image


def test_a_step_that_is_not_in_what_was_just_exported(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged, _ = make(plain=(5, 7))
    assert failure(judged, cache_to=(f"{REGISTRY},mode=max",)) == snapshot
    judged, _ = make(edited=(3, 4, 5, 7), plain=(3, 5, 7))
    said = failure(judged, cache_to=(f"{REGISTRY},mode=max",))
    assert said.startswith("line 3 is not in the cache of registry.test/app:cache, although")


def test_another_state_of_the_environment_is_not_verified(make: Make) -> None:
    judged, _ = make(edited=(3, 4, 5, 7), plain=(3, 4, 5, 7))
    with pytest.raises(Unverifiable) as unknown:
        CHECK.judge(judged, CheckSettings(cache_from=(REGISTRY,)))
    assert str(unknown.value).startswith(
        "the cache of registry.test/app:cache was made from another state of the environment, or "
        "without mode=max: line 3 (RUN pip install -r requirements.txt) is not in it"
    )


def test_no_cache_helps_where_the_edit_reinstalls_everywhere(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    source_first = "FROM debian\nCOPY . ./\nRUN pip install -r requirements.txt\n"
    judged, engine = make(source_first, misses={"src/main.py": [2, 3]})
    assert failure(judged, cache_from=(REGISTRY,)) == snapshot
    assert engine.made == []


@pytest.mark.parametrize(
    "said",
    [
        "no such directory",
        "push access denied: authorization failed",
        f"error writing layer blob {'0' * 300}: unexpected status from HEAD request: 401",
    ],
    ids=["place", "push", "blob"],
)
def test_a_cache_that_cannot_be_exported(
    make: Make, said: str, snapshot: SnapshotAssertion
) -> None:
    judged, _ = make(failing=said)
    assert failure(judged, cache_to=(REGISTRY,)) == snapshot


def test_a_directory_on_which_the_build_fails(
    make: Make, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    judged, _ = make()
    said = "local cache importer requires either explicit digest"
    judged.first = raising(BuildFailed(f"the image does not build: {said}"))  # type: ignore[method-assign]
    source = "type=local,src=/nowhere"
    assert failure(judged, cache_from=(source,)) == snapshot
    with pytest.raises(BuildFailed):
        CHECK.judge(judged, CheckSettings(cache_from=(REGISTRY,)))


def test_a_directory_that_buildx_itself_refuses_is_told_from_an_engine_that_is_gone(
    make: Make,
) -> None:
    judged, _ = make()
    refused = EngineUnavailable(f"{NOT_BEGUN}local cache importer requires a digest")
    judged.first = raising(refused)  # type: ignore[method-assign]
    said = failure(judged, cache_from=("type=local,src=/nowhere",))
    assert said.startswith("nothing was imported from /nowhere: the directory does not exist")
    judged.first = raising(EngineUnavailable("the daemon is gone"))  # type: ignore[method-assign]
    with pytest.raises(EngineUnavailable, match="the daemon is gone"):
        CHECK.judge(judged, CheckSettings(cache_from=("type=local,src=/nowhere",)))


def raising(problem: Exception) -> Callable[[], Build]:
    def first() -> Build:
        raise problem

    return first


def test_an_engine_without_empty_builders_is_not_verified(make: Make, tmp_path: Path) -> None:
    files = {"Dockerfile": BUILDER, **FILES}
    judged = subject(tmp_path / "other", files, misses={"src/main.py": [4, 5, 7]})
    with pytest.raises(Unverifiable, match="has no empty builder"):
        CHECK.judge(judged, CheckSettings(cache_from=(REGISTRY,)))
