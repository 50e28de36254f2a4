"""The Dockerfile and base image that an image's layers are held against, and the reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from layer_maker import add, config_of, docker_archive, tar_of
from scripted import subject

from pytest_dockercache.checks import reading
from pytest_dockercache.checks.layer_summary import recall_layers
from pytest_dockercache.checks.reading import contents_of
from pytest_dockercache.errors import InvalidImage, Unverifiable
from pytest_dockercache.image import open_image
from pytest_dockercache.inspection import Inspection
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run, write_json

BASE = tar_of([add("etc/os-release", b"ID=made\n")])
CODE = tar_of([add("opt/app/main.py", b"print()\n")])
STEPS = ("ADD base / # buildkit", "COPY src/ ./src/ # buildkit")
FLASK = "FROM python:3.12-slim\nRUN pip install flask\n"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts images where the daemon's are looked for: their top layers, by name."""

    def put(**layers: tuple[bytes, ...]) -> None:
        known = {}
        for name, members in layers.items():
            path = tmp_path / f"{name}.tar"
            config = config_of(members, STEPS[: len(members)])
            path.write_bytes(docker_archive(members, config=config))
            known[name] = open_image(path)
        monkeypatch.setattr(reading, "open_layers", lambda _, image, built_here: known[image])

    return put


def inspection(root: Path, dockerfile: str, **given: Any) -> Inspection:
    made = subject(root, {"Dockerfile": dockerfile})
    return Inspection(
        made.spec, Settings(), Run("run", "nonce", root / ".run"), reference="app", **given
    )


def test_an_image_of_another_dockerfile_is_judged_above_a_named_base_only(
    tmp_path: Path, images: Callable[..., None]
) -> None:
    images(app=(BASE, CODE), base=(BASE,))
    unknown = contents_of(inspection(tmp_path, FLASK), "app")
    with pytest.raises(Unverifiable) as caught:
        _ = unknown.judged
    assert str(caught.value) == (
        "the image was not built from this Dockerfile, as far as its history says: line 2 is "
        "`RUN pip install flask`, the image's history has `COPY src/ ./src/` there\n"
        "  fix    name the image that it was built on with --dockercache-base-image=REF"
    )
    # One image of one run: the answer without the base does not serve for the question with it.
    named = contents_of(inspection(tmp_path, FLASK, base_image="base"), "app")
    assert named.judged == {1}
    assert named.line(1) is None


def test_an_edited_image_is_held_against_the_dockerfile_that_it_was_built_from(
    tmp_path: Path, images: Callable[..., None]
) -> None:
    text = "FROM base\nCOPY src/ ./src/\n"
    made = subject(tmp_path, {"Dockerfile": text})
    record = {"dockerfile": text.replace("COPY", "ADD base /\nCOPY"), "build_args": []}
    write_json(made._origin("edited"), record)
    images(edited=(BASE, CODE))
    contents = contents_of(made, "edited")
    assert contents.judged == {0, 1}
    assert [contents.line(layer) for layer in (0, 1)] == [2, 3]
    assert contents.texts == {1: "FROM base", 2: "ADD base /", 3: "COPY src/ ./src/"}
    assert made.project.dockerfile.text == text


def test_the_layers_of_an_edited_build_are_not_the_reports(
    tmp_path: Path, images: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tar_of([add("opt/app/main.py", b"x" * 1_000_000)])
    made = subject(tmp_path, {"Dockerfile": "FROM base\nCOPY src/ ./src/\n"})
    first = replace(made.first(), image="app")
    monkeypatch.setattr(made, "first", lambda: first)
    images(app=(BASE, CODE), edited=(BASE, big))
    contents_of(made, "edited")
    assert recall_layers(made.run, made.spec) == ()
    contents_of(made, "app")
    contents_of(made, "edited")
    sizes = [(layer.line, layer.size) for layer in recall_layers(made.run, made.spec)]
    assert sizes == [(None, 8), (2, 8)]


def test_a_broken_image_is_read_once_and_told_to_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(_: object, image: str, built_here: bool) -> object:
        asked.append(image)
        raise InvalidImage(f"{image} breaks off")

    monkeypatch.setattr(reading, "open_layers", refuse)
    monkeypatch.setattr(reading, "_known", {})
    made = inspection(tmp_path, FLASK)
    for _ in range(4):
        with pytest.raises(InvalidImage, match="app breaks off"):
            contents_of(made, "app")
    assert asked == ["app"]
