"""Which caches an engine takes that does not build through buildx, and what it says to others."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_dockercache.context import IgnoreRules, StagedContext
from pytest_dockercache.dockerfile import parse_dockerfile
from pytest_dockercache.engines import BuildRequest
from pytest_dockercache.engines.api_build import refuse_caches
from pytest_dockercache.engines.classic import cache_images
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec


def request(*caches: str) -> BuildRequest:
    root = Path("/staged/context")
    spec = BuildSpec(Path("/project/Dockerfile"), Path("/project"), cache_from=caches)
    staged = StagedContext(root, root / "Dockerfile", cast(IgnoreRules, None))
    return BuildRequest(spec, parse_dockerfile("FROM a\n"), staged)


def test_the_classic_builder_takes_images() -> None:
    assert cache_images(request()) == ()
    taken = request("acme/app:main", "type=registry,ref=acme/app:dev")
    assert cache_images(taken) == ("acme/app:main", "acme/app:dev")


@pytest.mark.parametrize("cache", ["type=local,src=/c", "type=gha", "type=registry,ref=a,x=y"])
def test_the_classic_builder_refuses_what_is_no_image(cache: str) -> None:
    with pytest.raises(ConfigError) as refused:
        cache_images(request("acme/app", cache))
    assert refused.value.verdict == (
        f"--dockercache-cache-from={cache}: the classic builder takes images only"
    )


def test_buildkit_over_the_engine_api_refuses_every_cache() -> None:
    refuse_caches(request(), "buildkit")
    with pytest.raises(ConfigError, match="--dockercache-cache-from=acme/app"):
        refuse_caches(request("acme/app"), "buildkit")
