"""The command line and environment of a buildx build, and which builder it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pytest_dockercache.context import IgnoreRules, StagedContext
from pytest_dockercache.dockerfile import parse_dockerfile
from pytest_dockercache.engines import BuildRequest
from pytest_dockercache.engines.api_build import build_parameters, refuse_secrets
from pytest_dockercache.engines.buildx import (
    Builder,
    Buildx,
    build_command,
    find_builder,
)
from pytest_dockercache.engines.daemon import connect
from pytest_dockercache.engines.docker_command import (
    Plugin,
    Reached,
    build_environment,
    supported,
)
from pytest_dockercache.engines.failure import require_emulation
from pytest_dockercache.errors import ConfigError, EngineUnavailable, Unverifiable
from pytest_dockercache.model import BuildSpec

if TYPE_CHECKING:
    from pytest_dockercache.engines.daemon import Daemon


def request(**fields: object) -> BuildRequest:
    root = Path("/staged/context")
    spec = BuildSpec(Path("/project/Dockerfile"), Path("/project"), **fields)  # type: ignore[arg-type]
    staged = StagedContext(root, root / "Dockerfile", cast(IgnoreRules, None))
    return BuildRequest(spec, parse_dockerfile("FROM a\n"), staged, labels=(("run", "7"),))


def command(load: str | None = None, **fields: object) -> list[str]:
    return build_command(
        request(**fields), "default", load=load, iidfile=Path("/o/iid"), metadata=Path("/o/meta")
    )


def test_a_build_is_labelled_and_tags_nothing() -> None:
    assert command() == [
        "docker", "buildx", "build", "--progress=rawjson", "--builder=default",
        "--iidfile=/o/iid", "--metadata-file=/o/meta", "--label=run=7",
        "--file=/staged/context/Dockerfile", "/staged/context",
    ]  # fmt: skip


def test_a_builder_outside_the_daemon_loads_its_image_into_it() -> None:
    assert command(load="m")[5:7] == ["--load", "--label=pytest-dockercache.loaded=m"]
    assert "--load" not in command()


def test_everything_of_the_spec_is_passed_on_in_order() -> None:
    made = command(
        target="app",
        build_args=(("B", "1"), ("A", "x=y z")),
        platform="linux/amd64,linux/arm64",
        secrets=("id=token,src=token.txt",),
        ssh=("default",),
        cache_from=("type=gha", "a/b"),
    )
    assert made[8:-2] == [
        "--target=app", "--build-arg=B=1", "--build-arg=A=x=y z",
        "--platform=linux/amd64,linux/arm64", "--secret=id=token,src=token.txt", "--ssh=default",
        "--cache-from=type=gha", "--cache-from=a/b",
    ]  # fmt: skip


def test_a_build_for_its_cache_alone_leaves_no_image() -> None:
    wanted = replace(request(), cache_to=("type=local,dest=/c",), output="type=cacheonly")
    made = build_command(wanted, "b", load="m", iidfile=Path("/o/iid"), metadata=Path("/o/meta"))
    assert made[3:] == [
        "--progress=rawjson", "--builder=b", "--output=type=cacheonly", "--metadata-file=/o/meta",
        "--label=run=7", "--cache-to=type=local,dest=/c",
        "--file=/staged/context/Dockerfile", "/staged/context",
    ]  # fmt: skip


def test_the_environment_keeps_what_decides_where_and_what_is_built() -> None:
    kept = {
        "DOCKER_HOST": "tcp://h:1",
        "DOCKER_CONTEXT": "c",
        "DOCKER_CONFIG": "/c",
        "DOCKER_DEFAULT_PLATFORM": "linux/arm64",
        "BUILDX_CONFIG": "/b",
        "SOURCE_DATE_EPOCH": "0",
        "SSH_AUTH_SOCK": "/s",
        "HTTPS_PROXY": "http://p",
    }
    assert build_environment(kept).items() >= kept.items()


@pytest.mark.parametrize(
    "name", ["BUILDKIT_PROGRESS", "BUILDX_BUILDER", "BUILDX_EXPERIMENTAL", "BUILDX_GIT_LABELS"]
)
def test_the_environment_drops_what_changes_the_output_or_the_image(name: str) -> None:
    assert name not in build_environment({name: "1"})


def test_attestations_are_off_and_provenance_goes_to_the_metadata_only() -> None:
    made = build_environment({"BUILDX_METADATA_PROVENANCE": "disabled"})
    assert made["BUILDX_METADATA_PROVENANCE"] == "max"
    assert made["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"


def test_the_builder_is_that_of_docker_build_not_that_of_buildx_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    assert find_builder(None) == Builder("elsewhere", "docker", "elsewhere")
    monkeypatch.setenv("BUILDX_BUILDER", "elsewhere")
    assert find_builder(None) == Builder("elsewhere", "docker", "elsewhere")


@pytest.mark.parametrize(
    ("option", "variable", "source"),
    [
        ("gone", None, "--dockercache-builder=gone"),
        (None, "gone", "BUILDX_BUILDER=gone"),
        ("gone", "other", "--dockercache-builder=gone"),
    ],
)
def test_a_builder_that_is_gone_is_named_with_what_asked_for_it(
    option: str | None,
    variable: str | None,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "docker").write_text('#!/bin/sh\necho "ERROR: no builder found" >&2; exit 1\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("BUILDX_BUILDER", raising=False)
    if variable is not None:
        monkeypatch.setenv("BUILDX_BUILDER", variable)
    with pytest.raises(ConfigError) as told:
        find_builder(option, "default")
    assert told.value.verdict == f"{source}: no builder found"


@pytest.mark.parametrize("has_file", [True, False])
def test_a_context_that_only_the_docker_command_sees_is_not_said_to_be_missing(
    has_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    kept.mkdir(parents=True)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if has_file:
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineUnavailable) as told:
        connect(1)
    config = tmp_path / "config.json"
    assert told.value.verdict == (
        "the Docker context 'mine' does not exist"
        if has_file
        else f"the Docker SDK does not see the Docker context 'mine', because there is no {config}"
    )


@pytest.mark.parametrize(
    ("version", "expected"),
    [("0.12.1", False), ("0.13.1", True), ("0.29.1", True), ("1.0.0", True), ("?", False)],
)
def test_buildx_before_0_13_has_no_rawjson(version: str, expected: bool) -> None:
    assert supported(version) is expected


def test_a_daemon_that_went_away_since_it_was_chosen_is_not_called_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absent one is skipped over where nobody chose the engine."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("BUILDX_BUILDER", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")
    engine = Buildx.of_daemon(Reached("ID", "26.1.5"), "it answers", plugin=Plugin("0.13.1"))
    with pytest.raises(EngineUnavailable, match="no Docker daemon listens at") as caught:
        engine.image_config("any")
    assert not caught.value.absent


def test_a_user_without_a_home_has_no_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_CONFIG", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert find_builder(None, "default") == Builder("default", "docker", "default")


RUNS = (
    ("network", "none"),
    ("add-host", "index=10.0.0.1"),
    ("add-host", "v6=::1"),
    ("shm-size", "128m"),
    ("ulimit", "nofile=1:2"),
    ("ulimit", "core=0"),
)


def test_where_runs_run_is_passed_on() -> None:
    assert command(run_options=RUNS)[8:-2] == [f"--{name}={value}" for name, value in RUNS]


def test_where_runs_run_is_passed_on_to_the_daemon_too() -> None:
    daemon = cast("Daemon", SimpleNamespace(proxy_arguments=dict))
    made = build_parameters(request(run_options=RUNS), daemon, "2")
    assert made["networkmode"] == "none"
    assert json.loads(made["extrahosts"]) == ["index:10.0.0.1", "v6:::1"]
    assert made["shmsize"] == str(128 * 2**20)
    assert json.loads(made["ulimits"]) == [
        {"Name": "nofile", "Soft": 1, "Hard": 2},
        {"Name": "core", "Soft": 0, "Hard": 0},
    ]
    assert set(build_parameters(request(), daemon, "2")).isdisjoint(
        {"networkmode", "extrahosts", "shmsize", "ulimits"}
    )


@pytest.mark.parametrize("option", [("shm-size", "much"), ("ulimit", "nofile=many")])
def test_a_size_or_limit_that_is_none_is_an_error(option: tuple[str, str]) -> None:
    daemon = cast("Daemon", SimpleNamespace(proxy_arguments=dict))
    with pytest.raises(ConfigError, match="is not"):
        build_parameters(request(run_options=(option,)), daemon, "2")


def test_an_entitlement_needs_buildx() -> None:
    asked = request(run_options=(("allow", "security.insecure"),))
    with pytest.raises(ConfigError, match=r"the entitlement security\.insecure needs buildx"):
        refuse_secrets(asked, "buildkit")


NATIVE = "linux/amd64, linux/amd64/v2, linux/386"


@pytest.mark.parametrize(
    ("text", "platform", "line"),
    [
        ("FROM a\nRUN b\n", "linux/arm64", 2),
        ("FROM a AS b\nFROM b\nRUN c\n", "linux/arm64", 3),
        ("FROM a\nRUN b\n", "windows/amd64", 2),
        ("FROM --platform=linux/arm64/v8 a\nRUN b\n", "linux/amd64", None),
        ("FROM a\nRUN b\n", "linux/386", None),
        ("FROM a\nRUN b\n", "linux/x86_64", None),
        ("FROM a\nRUN b\n", "amd64", None),
        ("FROM a\nRUN b\n", "local", None),
        ("FROM a\nRUN b\n", None, None),
        ("FROM a\nCOPY b c\n", "linux/arm64", None),
        (
            "FROM --platform=$BUILDPLATFORM a AS b\nRUN c\nFROM d\nCOPY --from=b / /\n",
            "s390x",
            None,
        ),
        ("FROM --platform=linux/amd64 a AS x\nFROM x\nRUN c\n", "linux/arm64", None),
        ("FROM a AS unused\nRUN b\nFROM c\n", "linux/arm64", None),
    ],
)
def test_a_platform_without_an_emulator_is_known_before_anything_is_pulled(
    text: str, platform: str | None, line: int | None
) -> None:
    asked = replace(request(platform=platform), dockerfile=parse_dockerfile(text))
    if line is None:
        require_emulation(asked, NATIVE)
        return
    require_emulation(asked, "")  # The builder does not say.
    require_emulation(replace(asked, spec=replace(asked.spec, cache_from=("a",))), NATIVE)
    with pytest.raises(Unverifiable) as raised:
        require_emulation(asked, NATIVE)
    assert f"the builder executes no programs of that platform (Dockerfile:{line}" in str(
        raised.value
    )


@pytest.mark.parametrize(
    ("platform", "native"),
    [("linux/386", "linux/amd64, linux/amd64/v2"), ("linux/arm/v7", "linux/arm64")],
)
def test_a_smaller_platform_of_the_family_is_tried(platform: str, native: str) -> None:
    asked = replace(request(platform=platform), dockerfile=parse_dockerfile("FROM a\nRUN b\n"))
    require_emulation(asked, native)
    with pytest.raises(Unverifiable):
        require_emulation(asked, "linux/s390x")
