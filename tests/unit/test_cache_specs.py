"""buildx's values of --cache-from and --cache-to, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.cache_specs import CacheSpec, is_loopback, parse_cache_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("acme/app:cache", CacheSpec("registry", (("ref", "acme/app:cache"),))),
        (
            "type=registry,ref=acme/app,mode=max",
            CacheSpec("registry", (("ref", "acme/app"), ("mode", "max"))),
        ),
        ("ref=acme/app,type=registry", CacheSpec("registry", (("ref", "acme/app"),))),
        ("type=inline", CacheSpec("inline")),
        (
            'type=local,"dest=/a,b",MODE=max',
            CacheSpec("local", (("dest", "/a,b"), ("mode", "max"))),
        ),
        ("type=gha,scope=a=b", CacheSpec("gha", (("scope", "a=b"),))),
    ],
)
def test_a_value_is_read_as_buildx_reads_it(text: str, spec: CacheSpec) -> None:
    assert parse_cache_spec(text) == spec
    assert parse_cache_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one line of key=value pairs"),
        ("a,b", "neither a reference nor key=value pairs"),
        ("mode=max", "it names no type"),
        ("type=local,dest", "'dest' is no key=value pair"),
        ("type=local\ntype=inline", "not one line of key=value pairs"),
    ],
)
def test_what_is_no_cache_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_cache_spec(text)


@pytest.mark.parametrize(
    ("to", "source"),
    [
        ("type=local,dest=/c,mode=max", "type=local,src=/c"),
        ("type=local,dest=/c,tag=main,mode=max", "type=local,src=/c,tag=main"),
        ("type=registry,ref=a,mode=max,image-manifest=true", "type=registry,ref=a"),
        ("type=gha,scope=a,mode=max", "type=gha,scope=a"),
        ("type=s3,bucket=b,region=r,name=n,mode=max", "type=s3,bucket=b,region=r,name=n"),
        ("type=inline", None),
    ],
)
def test_what_reads_an_export_back(to: str, source: str | None) -> None:
    found = parse_cache_spec(to).as_source()
    assert (found and str(found)) == source


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("type=local,dest=c", "min"),
        ("type=local,dest=c,mode=max", "max"),
        ("type=inline,mode=max", "min"),
    ],
)
def test_an_inline_cache_has_one_mode(text: str, mode: str) -> None:
    assert parse_cache_spec(text).mode == mode


def test_directories_are_made_absolute_and_nothing_else() -> None:
    spec = parse_cache_spec("type=local,dest=c,tag=t").with_directories(Path("/w").joinpath)
    assert str(spec) == "type=local,dest=/w/c,tag=t"
    other = parse_cache_spec("type=s3,src=c")
    assert other.with_directories(Path("/w").joinpath) is other


@pytest.mark.parametrize(
    ("reference", "loopback"),
    [
        ("localhost:5000/a", True),
        ("127.0.0.1:5000/a:b", True),
        ("[::1]:5000/a", True),
        ("localhost", False),
        ("ghcr.io/localhost/a", False),
        ("", False),
    ],
)
def test_a_registry_on_the_machine_itself_is_known(reference: str, loopback: bool) -> None:
    assert is_loopback(reference) is loopback
