"""The messages about bytecode and package caches in an image's layers: places and numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from layer_maker import Member, add, layer
from scripted import subject

from pytest_dockercache.checks import CheckSettings, bytecode, hidden_bytes, package_caches
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


@pytest.mark.parametrize(
    ("run", "fails"),
    [
        ("mv /opt/tool /srv/", True),
        ("cd /opt && mv -f tool /srv/tool && echo done", True),
        # An installer writes the same files anew: they are other packages, not moved ones.
        ("conda install python=3.12", False),
    ],
)
def test_what_a_step_moves_out_of_the_base_counts(tmp_path: Path, run: str, fails: bool) -> None:
    project = subject(tmp_path, {"Dockerfile": f"FROM base\nRUN {run}\n"})
    base, moved = (
        (add("opt/tool/a", b"1" * 99),),
        (add("opt/.wh.tool"), add("srv/tool/a", b"1" * 99)),
    )
    layers = SimpleNamespace(
        view=replay([layer(*base), layer(*moved)]),
        config=ImageConfig({"os": "linux"}),
        created_by=str,
    )
    lines = LayerLines(frozenset({1}), {1: 2})
    made = Contents(layers, lines, {2: f"RUN {run}"}, project.project.steps)  # type: ignore[arg-type]
    settings = CheckSettings(max_hidden=50)
    if not fails:
        hidden_bytes.judge_contents(project, made, settings)
        return
    with pytest.raises(CacheAssertionError) as caught:
        hidden_bytes.judge_contents(project, made, settings)
    text = str(caught.value)
    assert text.startswith(
        "layers hold 99 B twice: line 2 moves what the base image adds in /opt/tool\n"
    )
    assert "fix    leave /opt/tool where the base image has it" in text
