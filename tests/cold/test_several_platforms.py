"""Several platforms on every kind of builder: each has its own verdicts, and its own cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from platform_images import push_base
from runners import MULTI_STAGE, Project, Registry
from test_builders import GOOD

# To platforms, a remote builder is what a docker-container builder is.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.newest_python,
    pytest.mark.parametrize(
        "daemon", ["containerd", "container", "plain"], indirect=True, scope="session"
    ),
]

Write = Callable[[str], Project]

BOTH = "--dockercache-platform=linux/amd64,linux/386"

CROSS = """\
FROM --platform=$BUILDPLATFORM {base} AS builder
WORKDIR /{nonce}
COPY requirements.txt ./
RUN cat requirements.txt && echo install {nonce} > /env && sleep {seconds} && echo done
FROM {base}
COPY --from=builder /env /
COPY src ./src
"""
"""Nothing is executed on the platform that the image is for."""


@pytest.fixture(scope="session")
def base(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base image for three platforms, in a registry."""
    return push_base(registry.host, "platforms", tmp_path_factory.mktemp("base"))


@pytest.fixture
def written(project: Write, base: str) -> Write:
    """Write a project on that base."""

    def write(dockerfile: str) -> Project:
        sample = project(dockerfile)
        sample = replace(sample, runner=replace(sample.runner, base=base)).write(dockerfile)
        (sample.root / ".dockerignore").write_text(".git\n.pytest_cache\n**/__pycache__\n")
        return sample

    return write


def test_each_platform_is_judged_for_itself(written: Write) -> None:
    said, images = written(MULTI_STAGE).judge_each(
        BOTH, "--dockercache-environment=requirements.txt"
    )
    outcomes = {
        node: {id: one["outcome"] for id, one in checks.items()} for node, checks in images.items()
    }
    assert outcomes == {
        "Dockerfile[linux/amd64]": GOOD,
        "Dockerfile[linux/386]": GOOD,
    }, said


def test_what_the_builder_cannot_execute_is_not_verified(written: Write) -> None:
    said, images = written(MULTI_STAGE).judge_each("--dockercache-platform=linux/amd64,linux/arm64")
    assert images["Dockerfile[linux/amd64]"]["builds"]["outcome"] == "passed", said
    foreign = images["Dockerfile[linux/arm64]"]
    assert {(one["outcome"], one["skip"]) for one in foreign.values()} == {
        ("skipped", "not-verified")
    }, said
    assert foreign["builds"]["message"].startswith(
        "linux/arm64 cannot be built here: the builder executes no programs of that platform "
        "(Dockerfile:4: RUN cat requirements.txt"
    )


def test_an_image_that_nobody_can_run_is_still_read(written: Write) -> None:
    said, images = written(CROSS).judge_each(
        "--dockercache-platform=linux/arm64", "--dockercache-python=3.10"
    )
    checks = images["Dockerfile"]
    for name in ("builds", "env-layer-cached", "no-package-caches", "no-bytecode"):
        assert checks[name]["outcome"] == "passed", said
    assert checks["python-version"]["skip"] == "not-verified", said
    assert checks["python-version"]["message"].startswith(
        "no program of the image can be run here: it is made for linux/arm64"
    )


def test_each_platform_has_a_cache_of_its_own(written: Write, tmp_path: Path) -> None:
    sample = written(MULTI_STAGE)
    cache = f"type=local,dest={tmp_path}/cache-{{platform}},mode=max"
    said, images = sample.judge_each(
        BOTH, f"--dockercache-cache-to={cache}", node="Dockerfile::cache-from"
    )
    for name in ("linux/amd64", "linux/386"):
        check = images[f"Dockerfile[{name}]"]["cache-from"]
        where = f"{tmp_path}/cache-{name.replace('/', '-')}"
        assert check["outcome"] == "passed", said
        assert f"that imports {where} reuses line 4" in check["message"]


def test_the_cache_of_another_platform_is_not_taken(written: Write, registry: Registry) -> None:
    sample = written(MULTI_STAGE)
    cache = f"type=registry,ref={registry.host}/{sample.nonce}:cache"
    sample.export(f"{cache},mode=max", "--platform=linux/amd64")
    said, images = sample.judge_each(
        BOTH, f"--dockercache-cache-from={cache}", node="Dockerfile::cache-from"
    )
    own = images["Dockerfile[linux/amd64]"]["cache-from"]
    other = images["Dockerfile[linux/386]"]["cache-from"]
    assert own["outcome"] == "passed", said
    assert (other["outcome"], other["message"].splitlines()[0]) == (
        "failed",
        f"the cache of {registry.host}/{sample.nonce}:cache was imported, and holds no step of "
        "Dockerfile for linux/386",
    ), said
