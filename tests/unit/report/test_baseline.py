"""The changes for the worse since an earlier run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import FIRST, GOOD_IMAGE, IMAGE, LAYERS, session

from pytest_dockercache.errors import ConfigError
from pytest_dockercache.report import ImageReport, SessionReport
from pytest_dockercache.report.baseline import compared, read_baseline
from pytest_dockercache.report.writing import rendered


def before(image: ImageReport = GOOD_IMAGE) -> Any:
    return json.loads(rendered("json", session(image)))


def lines(now: ImageReport, then: Any = None) -> tuple[str, ...]:
    return compared(then or before(), session(now), "main.json").lines


def test_the_same_run_has_become_no_worse() -> None:
    assert lines(GOOD_IMAGE) == ()


def test_a_step_that_began_to_run_again_is_named_with_the_edit() -> None:
    assert lines(IMAGE) == (
        "line 5 (COPY environment.yml ./) began to run again after src/main.py (+1 comment line)",
        "line 6 (RUN conda env update --name app --file environmen…) began to run again after "
        "src/main.py (+1 comment line)",
    )


def test_a_layer_that_has_grown_and_one_that_is_new_are_named_with_their_bytes() -> None:
    larger = replace(LAYERS[5], size=LAYERS[5].size + 20_000_000)
    new = replace(LAYERS[3], line=9, created_by="COPY models/ models/", size=5_000_000)
    assert lines(replace(GOOD_IMAGE, layers=(*LAYERS[:5], larger, new))) == (
        "the image has grown by 25.0 MB to 349.0 MB",
        "line 6 (RUN conda env update --name app --file environmen…) has grown from 103.2 MB to "
        "123.2 MB",
        "line 9 (COPY models/ models/) is new and adds 5.0 MB",
    )


def test_a_few_bytes_and_a_smaller_image_are_no_news() -> None:
    smaller = replace(LAYERS[5], size=LAYERS[5].size - 50_000_000)
    slightly = replace(LAYERS[3], size=50_000)
    assert lines(replace(GOOD_IMAGE, layers=(*LAYERS[:3], slightly, LAYERS[4], smaller))) == ()


def test_a_step_that_takes_much_longer_is_named_and_a_busy_machine_is_not() -> None:
    def taking(seconds: float) -> ImageReport:
        steps = tuple(
            replace(step, seconds=seconds) if step.line == 6 else step for step in FIRST.steps
        )
        return replace(GOOD_IMAGE, builds=(replace(FIRST, steps=steps),))

    assert lines(taking(120.0)) == ()
    assert lines(taking(200.0)) == (
        "line 6 (RUN conda env update --name app --file environmen…) took 3 min 20 s, "
        "and 1 min 34 s then",
    )


def test_an_image_that_was_not_there_is_said_to_be_missing() -> None:
    other = replace(GOOD_IMAGE, node="other/Dockerfile", dockerfile="other/Dockerfile")
    found = compared(before(), session(GOOD_IMAGE, other), "main.json")
    assert found.lines == ("other/Dockerfile is not in main.json",)


def test_an_image_that_has_grown_by_more_than_it_may_is_over() -> None:
    larger = replace(LAYERS[5], size=LAYERS[5].size + 20_000_000)
    now = session(replace(GOOD_IMAGE, layers=(*LAYERS[:5], larger)))
    assert compared(before(), now, "main.json", 20_000_000).over == ()
    assert compared(before(), now, "main.json", 10_000_000).over == (
        "Dockerfile has grown by 20.0 MB since main.json, and may by 10.0 MB "
        "(--dockercache-max-growth)",
    )


def test_a_summary_of_a_run_that_growth_alone_fails_is_no_green_one() -> None:
    larger = replace(LAYERS[5], size=LAYERS[5].size + 20_000_000)
    now = session(replace(GOOD_IMAGE, layers=(*LAYERS[:5], larger)))
    said = (
        "the image has grown by 20.0 MB to 344.0 MB, and may by 10.0 MB (--dockercache-max-growth)"
    )
    told = replace(now, baseline=compared(before(), now, "main.json", 10_000_000))
    markdown = rendered("md", told)
    assert markdown.startswith(
        "## ❌ Docker build cache: 4 checks hold; 1 image has grown too much\n"
    )
    assert said in markdown
    page = rendered("html", told)
    assert "✗ Docker build cache: 4 checks hold; 1 image has grown too much</title>" in page
    assert said in page
    allowed = replace(now, baseline=compared(before(), now, "main.json", 20_000_000))
    assert rendered("md", allowed).startswith("## ✅ Docker build cache: 4 checks hold\n")


def test_every_summary_has_the_comparison() -> None:
    told = replace(session(IMAGE), baseline=compared(before(), session(IMAGE), "main.json"))
    for kind in ("md", "html"):
        text = rendered(kind, told)
        assert "main.json" in text
        assert "began to run again after" in text
    assert "main.json" not in rendered("md", session(IMAGE))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1, "images": []}', '{"schema": 2}', "no JSON"]
)
def test_what_is_no_report_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "main.json"
    path.write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own text
        read_baseline(path)
    with pytest.raises((OSError, ConfigError)):
        read_baseline(tmp_path)


@pytest.mark.parametrize(
    "images", [[None, 1, "x"], [{}], [{"dockerfile": "Dockerfile", "layers": 5, "builds": [[]]}],
               [{"dockerfile": "Dockerfile", "target": None, "image": None, "platform": None,
                 "layers": [{"size": "1"}, None], "builds": [{"edit": 3, "steps": [1]}]}]],
)  # fmt: skip
def test_a_report_that_somebody_has_changed_does_no_harm(images: Any) -> None:
    found = compared({"schema": 2, "images": images}, session(IMAGE), "main.json")
    assert not [line for line in found.lines if "grown" in line]


def test_no_session_has_a_comparison_unasked() -> None:
    assert SessionReport().baseline is None
