"""Logs of builds that ran elsewhere, in the forms in which CI jobs keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockercache.dockerfile import Dockerfile, plan, read_dockerfile
from pytest_dockercache.engines.build_logs import LoggedBuild, read_builds
from pytest_dockercache.model import Roles

LOGS = Path(__file__).parent / "recordings" / "logs"
INSTALL = 4
"""The line of the installation in both Dockerfiles."""

JUDGED = {
    "buildx-0.13.1-plain-cold": "miss",
    "buildx-0.13.1-plain-warm": "hit",
    "buildx-0.13.1-plain-edited": "hit",
    "buildx-0.13.1-plain-failing": "unknown",
    "buildx-0.13.1-plain-source-first": "miss",
    "buildx-0.13.1-plain-containerd-export": "miss",
    "buildx-0.13.1-plain-imported-max": "hit",
    "buildx-0.13.1-plain-not-imported": "miss",
    "buildx-0.13.1-rawjson-warm": "hit",
    "buildx-0.13.1-rawjson-reinstalled": "miss",
    "buildx-0.13.1-rawjson-imported-max": "hit",
    "buildx-0.13.1-bake-edited": "hit",
    "buildx-0.29.1-plain-edited": "hit",
    "buildx-0.29.1-plain-warm": "hit",
    "buildx-0.29.1-plain-reinstalled": "miss",
    "buildx-0.29.1-plain-failing": "unknown",
    "buildx-0.29.1-plain-imported-max": "hit",
    "buildx-0.29.1-rawjson-edited": "hit",
    "docker-26.1.5-build-plain-reinstalled": "miss",
    "docker-26.1.5-classic-cold": "miss",
    "docker-26.1.5-classic-edited": "hit",
    "docker-26.1.5-classic-source-first": "miss",
}
"""What the builder did with the installation in each build that was recorded."""

Dress = Callable[[str], str]

DRESSES: dict[str, Dress] = {
    "as printed": lambda text: text,
    "GitHub": lambda text: _each(text, "2026-05-21T13:35:01.1234567Z {}"),
    "gh run view": lambda text: _each(text, "build\tBuild image\t2026-05-21T13:35:01.1234567Z {}"),
    "GitLab": lambda text: _each(text, "2026-05-21T13:35:01.123456Z 01O {}"),
    "Jenkins": lambda text: _each(text, "[2026-05-21T13:35:01.123Z] {}"),
    "time of day": lambda text: _each(text, "13:35:01  {}"),
    "coloured": lambda text: _each(text, "\x1b[0K\x1b[36m{}\x1b[0m"),
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "within a job": lambda text: (
        f"$ docker build .\nStep into the job\n{text}\nERROR: no artifacts\n"
    ),
}
"""What CI hosts put before the lines of a log (their documentation), and around it."""


def _each(text: str, form: str) -> str:
    return "\n".join(form.replace("{}", line) for line in text.split("\n"))


def project(name: str) -> tuple[Dockerfile, Roles]:
    dockerfile = read_dockerfile(LOGS / f"{name}.Dockerfile")
    return dockerfile, {INSTALL: "environment"}


def builds(text: str, name: str = "app") -> tuple[tuple[LoggedBuild, ...], bool]:
    dockerfile, roles = project(name)
    return read_builds(text, dockerfile, plan(dockerfile, all_stages=True), roles)


def status(build: LoggedBuild) -> str:
    return next(step.status for step in build.steps if step.line == INSTALL)


def recorded(name: str) -> str:
    return (LOGS / f"{name}.txt").read_text(encoding="utf-8")


def test_every_recording_is_judged() -> None:
    assert {path.stem for path in LOGS.glob("*.txt")} == set(JUDGED)


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", JUDGED)
def test_a_log_is_judged_as_the_builder_judged(name: str, dress: str) -> None:
    dockerfile = "source-first" if name.endswith("source-first") else "app"
    found, told = builds(DRESSES[dress](recorded(name)), dockerfile)
    assert told
    assert [status(build) for build in found] == [JUDGED[name]]


def test_two_builds_of_one_job_are_two() -> None:
    first = recorded("buildx-0.13.1-plain-cold")
    second = recorded("buildx-0.13.1-plain-warm")
    found, _ = builds(f"{first}\n{second}")
    assert [(status(build), build.line) for build in found] == [
        ("miss", 1), ("hit", first.count("\n") + 2),
    ]  # fmt: skip
    # Buildx 0.12 and older, and `docker build` without buildx, write no line "#0".
    without = [text.partition("\n\n")[2] for text in (first, second)]
    assert [status(build) for build in builds("\n".join(without))[0]] == ["miss", "hit"]


@pytest.mark.parametrize("name", JUDGED)
def test_the_build_of_another_dockerfile_is_left_out(name: str) -> None:
    other = recorded(name).replace("pip install -r requirements.txt", "pip install -r other.txt")
    assert builds(other) == ((), True)


def test_a_job_without_a_build_tells_of_none() -> None:
    assert builds("$ pytest\n3 passed\n") == ((), False)


@pytest.mark.parametrize("name", ["buildx-0.13.1-plain-edited", "buildx-0.29.1-plain-warm"])
def test_a_log_that_breaks_off_is_no_hit(name: str) -> None:
    text = recorded(name)
    place = text.index("RUN cat requirements.txt")
    cut = text[: text.index("\n", place)]
    found, _ = builds(cut)
    assert [status(build) for build in found] == ["unknown"]


def test_what_an_imported_cache_is_pulled_for_is_no_execution() -> None:
    text = recorded("buildx-0.13.1-plain-imported-max")
    assert [build.imports[0].error for build in builds(text)[0]] == [""]
    # A later BuildKit may end such a step with DONE: whether it ran is then not known.
    done = text.replace("#9 CACHED", "#9 DONE 0.3s")
    assert done != text
    assert [status(build) for build in builds(done)[0]] == ["unknown"]


def test_a_cache_that_was_not_imported_is_told_with_its_error() -> None:
    (build,) = builds(recorded("buildx-0.13.1-plain-not-imported"))[0]
    (found,) = build.imports
    assert found.source == "127.0.0.1:1/x"
    assert "connection refused" in found.error


def test_a_command_that_prints_like_a_builder_is_not_believed() -> None:
    text = recorded("buildx-0.13.1-plain-cold").replace(
        "#8 0.842 six", "#8 0.842 #8 CACHED\n#8 0.842 CACHED\n#8 0.842 Step 1/1 : FROM x"
    )
    assert [status(build) for build in builds(text)[0]] == ["miss"]


def test_the_seconds_of_a_step_are_those_of_the_log() -> None:
    (build,) = builds(recorded("buildx-0.13.1-plain-cold"))[0]
    assert next(step.seconds for step in build.steps if step.line == INSTALL) == 2.0
