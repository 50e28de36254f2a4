"""The check `cache-from` on real builders: what a runner that has nothing gets from a cache.

Each test holds the verdict and its reason. It needs root and a few minutes once to compile
BuildKit: `tox run -e cold`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from runners import (
    MULTI_STAGE,
    RUNTIME_STAGE,
    SINGLE_STAGE,
    SOURCE_FIRST,
    Project,
    Registry,
    Runner,
    credentials,
)

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

Write = Callable[[str], Project]
PLACES = ("local", "registry")


@pytest.fixture
def place(tmp_path: Path, registry: Registry) -> Callable[[Project, str], tuple[str, str]]:
    """A place for a project's cache: the values of --cache-to, without a mode, and --cache-from."""

    def named(project: Project, kind: str) -> tuple[str, str]:
        if kind == "local":
            directory = tmp_path / "cache-of-ci"
            return f"type=local,dest={directory}", f"type=local,src={directory}"
        ref = f"{registry.host}/{project.nonce}:cache"
        return f"type=registry,ref={ref}", f"type=registry,ref={ref}"

    return named


Place = Callable[[Project, str], tuple[str, str]]


@pytest.mark.parametrize("kind", PLACES)
def test_mode_max_brings_the_stage_that_installs(project: Write, place: Place, kind: str) -> None:
    sample = project(MULTI_STAGE)
    to, source = place(sample, kind)
    judged = sample.judge(f"--dockercache-cache-to={to},mode=max")
    assert judged.code == 0, judged.said
    where = source.partition("=")[2].partition("=")[2]
    assert judged.verdict.startswith(
        f"passed: an empty builder that imports {where} reuses line 4 after src/main.py"
    )


@pytest.mark.parametrize("kind", PLACES)
def test_mode_min_leaves_out_the_stage_that_installs(
    project: Write, place: Place, kind: str
) -> None:
    sample = project(MULTI_STAGE)
    to, _ = place(sample, kind)
    judged = sample.judge(f"--dockercache-cache-to={to}")
    assert (judged.code, judged.verdict) == (
        1,
        "failed: stage builder, which installs, is not in the imported cache: it was exported "
        "with mode=min",
    ), judged.said
    assert judged.check["line"] == 4
    # A builder that exports no cache would have to install once more.
    tried = "" if sample.runner.name == "plain" else "; tried, and line 4 is reused"
    assert judged.check["fix"]["text"] == f"export with --cache-to {to},mode=max{tried}"


def test_an_inline_cache_leaves_out_the_stage_that_installs(project: Write) -> None:
    judged = project(MULTI_STAGE).judge("--dockercache-cache-to=type=inline")
    assert (judged.code, judged.verdict) == (
        1,
        "failed: stage builder, which installs, is not in the imported cache: an inline cache "
        "holds the finished image only (mode=min)",
    ), judged.said


@pytest.mark.parametrize("sample", [SINGLE_STAGE, RUNTIME_STAGE], ids=["single", "runtime"])
@pytest.mark.parametrize("kind", ["local,mode=max", "registry,mode=min", "inline"])
def test_where_the_finished_image_is_enough_each_mode_is(
    project: Write, place: Place, sample: str, kind: str
) -> None:
    written = project(sample)
    where, _, mode = kind.partition(",")
    to = "type=inline" if where == "inline" else f"{place(written, where)[0]},{mode}"
    judged = written.judge(f"--dockercache-cache-to={to}")
    assert judged.code == 0, judged.said
    assert "reuses line 4 after src/main.py" in judged.verdict


def test_source_copied_first_fails_for_its_own_reason(project: Write, place: Place) -> None:
    sample = project(SOURCE_FIRST)
    to, _ = place(sample, "local")
    judged = sample.judge(f"--dockercache-cache-to={to},mode=max")
    assert (judged.code, judged.verdict) == (
        1,
        "failed: env layer was rebuilt: src/ and pytest.ini are copied before it",
    ), judged.said
    assert "no cache helps" in judged.check["message"]


@pytest.mark.parametrize("kind", PLACES)
def test_a_cache_that_ci_has_exported_is_only_imported(
    project: Write, place: Place, kind: str
) -> None:
    sample = project(MULTI_STAGE)
    to, source = place(sample, kind)
    sample.export(f"{to},mode=max")
    judged = sample.judge(f"--dockercache-cache-from={source}")
    assert judged.code == 0, judged.said
    assert "reuses line 4 after src/main.py" in judged.verdict


def test_a_reference_that_nobody_has_pushed_to(project: Write, registry: Registry) -> None:
    sample = project(SINGLE_STAGE)
    ref = f"{registry.host}/{sample.nonce}:nothing"
    judged = sample.judge(f"--dockercache-cache-from={ref}")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: nothing was imported from {ref}: it does not exist",
    ), judged.said


def test_a_directory_that_nobody_has_restored(project: Write, tmp_path: Path) -> None:
    judged = project(SINGLE_STAGE).judge(f"--dockercache-cache-from=type=local,src={tmp_path}/no")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: nothing was imported from {tmp_path}/no: the directory does not exist",
    ), judged.said


def test_an_empty_directory(project: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    judged = project(SINGLE_STAGE).judge(
        f"--dockercache-cache-from=type=local,src={tmp_path}/empty"
    )
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: nothing was imported from {tmp_path}/empty: the directory holds no cache "
        "(it has no index.json)",
    ), judged.said


def test_an_index_that_lists_nothing(project: Write, tmp_path: Path) -> None:
    place = tmp_path / "cleared"
    (place / "blobs/sha256").mkdir(parents=True)
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": []}))
    judged = project(SINGLE_STAGE).judge(f"--dockercache-cache-from=type=local,src={place}")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: nothing was imported from {place}: the directory holds no cache (its index.json "
        "lists none)",
    ), judged.said


def test_a_registry_that_asks_for_a_login(
    project: Write, private: Registry, tmp_path: Path
) -> None:
    sample = project(SINGLE_STAGE)
    ref = f"{private.host}/{sample.nonce}:cache"
    judged = sample.judge(f"--dockercache-cache-from=type=registry,ref={ref}")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: nothing was imported from {ref}: it must not be read with these credentials",
    ), judged.said
    judged = sample.judge(f"--dockercache-cache-to=type=registry,ref={ref},mode=max")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: the cache was not exported to {ref}: it must not be written with these "
        "credentials",
    ), judged.said
    if sample.runner.builder is not None:
        return  # Its list of builders lies in the configuration without the login.
    login = credentials(tmp_path / "login", private.host)
    judged = sample.judge(
        f"--dockercache-cache-to=type=registry,ref={ref},mode=max", DOCKER_CONFIG=login
    )
    assert judged.code == 0, judged.said


@pytest.mark.parametrize("kind", PLACES)
def test_the_cache_of_another_project(
    project: Write, runner: Runner, place: Place, tmp_path: Path, kind: str
) -> None:
    other = Project(tmp_path / "other", runner, "0" * 32).write(SINGLE_STAGE)
    to, source = place(other, kind)
    other.export(f"{to},mode=max")
    judged = project(SINGLE_STAGE).judge(f"--dockercache-cache-from={source}")
    where = source.partition("=")[2].partition("=")[2]
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: the cache of {where} was imported, and holds no step of Dockerfile",
    ), judged.said


def test_an_image_that_holds_no_cache(project: Write, runner: Runner) -> None:
    judged = project(SINGLE_STAGE).judge(f"--dockercache-cache-from={runner.base}")
    assert (judged.code, judged.verdict) == (
        1,
        f"failed: {runner.base} is an image, and its cache holds no step of Dockerfile",
    ), judged.said


def test_what_is_imported_is_not_what_is_exported(
    project: Write, place: Place, registry: Registry, runner: Runner, tmp_path: Path
) -> None:
    sample = project(SINGLE_STAGE)
    to, _ = place(sample, "registry")
    other = Project(tmp_path / "other", runner, "1" * 32).write(SINGLE_STAGE)
    other.export(f"{place(other, 'local')[0]},mode=max")
    judged = sample.judge(
        f"--dockercache-cache-to={to},mode=max",
        f"--dockercache-cache-from={place(other, 'local')[1]}",
    )
    assert judged.code == 1, judged.said
    assert "holds no step of Dockerfile" in judged.verdict


def test_github_cache_without_its_token(project: Write) -> None:
    judged = project(SINGLE_STAGE).judge(
        "--dockercache-cache-to=type=gha,mode=max", "--dockercache-cache-from=type=gha"
    )
    assert (judged.code, judged.verdict) == (
        1,
        "failed: nothing was imported from type=gha: buildx leaves type=gha out, without a word, "
        "where it has no token",
    ), judged.said


def test_an_environment_that_has_changed_since_is_not_verified(
    project: Write, place: Place
) -> None:
    sample = project(SINGLE_STAGE)
    to, source = place(sample, "local")
    sample.export(f"{to},mode=max")
    (sample.root / "requirements.txt").write_text("six  # newer\n")
    judged = sample.judge(f"--dockercache-cache-from={source}")
    assert judged.code == 0, judged.said
    assert judged.verdict.startswith(
        f"skipped: the cache of {source.rpartition('=')[2]} was made from another "
        "state of the environment"
    )
    assert "line 3 (COPY requirements.txt ./)" in judged.verdict


def test_after_a_kill_the_next_run_removes_the_empty_builder(
    project: Write, tmp_path: Path
) -> None:
    sample = project(SINGLE_STAGE)
    cache = f"--dockercache-cache-to=type=local,dest={tmp_path}/cache,mode=max"
    with sample.start(cache) as run:
        while not any("buildx_buildkit" in name for name in sample.runner.left()):
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.05)
        run.kill()
    assert any("buildx_buildkit" in name for name in sample.runner.left())
    judged = sample.judge(cache)  # which looks whether anything is left
    assert judged.code == 0, judged.said
