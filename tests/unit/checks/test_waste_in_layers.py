"""The messages about bytecode and package caches in an image's layers: places and numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from layer_maker import Member, add, layer
from scripted import subject

from pytest_dockercache.checks import bytecode, package_caches
from pytest_dockercache.checks.contents import Contents
from pytest_dockercache.errors import CacheAssertionError
from pytest_dockercache.image import replay
from pytest_dockercache.image.history import LayerLines
from pytest_dockercache.image.layers import ImageConfig

DOCKERFILE = "FROM base\nRUN python -m compileall /app\nRUN python -m venv /app/.venv\n"
SITE = "app/.venv/lib/python3.10/site-packages"


def contents(*layers: tuple[Member, ...]) -> Contents:
    """Layers of lines 2, 3 and so on, on an empty base."""
    own = {number: number + 1 for number in range(1, len(layers) + 1)}
    view = replay([layer(), *(layer(*members) for members in layers)])
    read = SimpleNamespace(view=view, config=ImageConfig({"os": "linux"}))
    return Contents(read, LayerLines(frozenset(own), own), {2: "RUN a", 3: "RUN b"})  # type: ignore[arg-type]


def module(path: str) -> tuple[Member, Member]:
    directory, _, name = path.rpartition("/")
    return add(f"{path}.py", b"1"), add(f"{directory}/__pycache__/{name}.cpython-310.pyc", b"123")


def test_a_place_below_another_is_not_named_beside_it(tmp_path: Path) -> None:
    project = subject(tmp_path, {"Dockerfile": DOCKERFILE})
    members = (*module("app/main"), *module("app/other"), *module(f"{SITE}/click"))
    with pytest.raises(CacheAssertionError) as caught:
        bytecode.judge_contents(project, contents(members, module("app/later/x")))
    text = str(caught.value)
    assert text.startswith("image holds bytecode: 4 .pyc files, 12 B, in /app\n")
    assert f"/{SITE}: 1 .pyc file, 3 B" in text
    assert f"find /{SITE}" not in text


@pytest.mark.parametrize(
    ("many", "more"),
    [(2, "in /a0 and /a1\n"), (3, "/a1 and 1 more place\n"), (4, "2 more places\n")],
)
def test_places_beyond_the_second_are_counted(tmp_path: Path, many: int, more: str) -> None:
    project = subject(tmp_path, {"Dockerfile": DOCKERFILE})
    members = tuple(part for number in range(many) for part in module(f"a{number}/main"))
    with pytest.raises(CacheAssertionError, match=more):
        bytecode.judge_contents(project, contents(members))


def test_one_file_of_a_cache_is_one_file(tmp_path: Path) -> None:
    project = subject(tmp_path, {"Dockerfile": DOCKERFILE})
    found = add("var/tmp/pc/selfcheck/" + "0a" * 28 + ".json", b"12")
    with pytest.raises(CacheAssertionError, match=r"/var/tmp/pc: 1 file, 2 B of pip's cache"):
        package_caches.judge_contents(project, contents((found,)))
