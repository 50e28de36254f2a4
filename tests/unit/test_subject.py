"""A miss that nothing explains is tried again before it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.dockerfile import plan
from pytest_dockercache.engines import BuildRequest, close_engines, register_engine
from pytest_dockercache.engines.registry import ENGINES
from pytest_dockercache.engines.vertices import planned_step
from pytest_dockercache.errors import DockerCacheError, Unverifiable
from pytest_dockercache.model import Build, BuildSpec, Edit, EngineInfo, Watch
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run
from pytest_dockercache.subject import Subject

DOCKERFILE = "FROM scratch\nCOPY requirements.txt ./\nRUN install\nCOPY src/ src/\n"


class Forgetful:
    """Says of each build in turn which lines missed; every other line hit."""

    info = EngineInfo("forgetful", "1", "", "the test says so", "forgetful")
    dialect = BUILDKIT
    builds_every_stage = False

    def __init__(self, *misses: Sequence[int]) -> None:
        self.misses = list(misses)
        self.contexts: list[str] = []
        self.moves = False

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        missed = self.misses.pop(0)
        self.contexts.append((request.staged.root / "src/main.py").read_text())
        steps = [
            replace(
                planned_step(item, request.roles), status="miss" if item.line in missed else "hit"
            )
            for item in plan(request.dockerfile)
            if item.instruction.keyword != "FROM"
        ]
        return Build(request.edits, "built", 1.0, tuple(steps), image="sha256:1")

    def image_config(self, image: str) -> Mapping[str, object]:
        return {"Id": f"{image} {len(self.misses) if self.moves else 0}"}

    def traces(self) -> tuple[Any, ...]:
        return ()

    def remove_soon(self, traces: Sequence[Any]) -> None:
        return None

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        return None


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """A project on an engine that the test sets to work."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files: Mapping[str, str] = {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "click\n",
        "src/main.py": "print()\n",
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run = Run.start()
    spec = BuildSpec(tmp_path / "project" / "Dockerfile", tmp_path / "project")
    yield Subject(spec, Settings(engine="forgetful"), run)
    run.finish()
    close_engines()
    ENGINES.pop("forgetful", None)


def on(engine: Forgetful) -> Forgetful:
    """Register the engine."""
    register_engine("forgetful", lambda why, builder, timeout: engine)  # type: ignore[arg-type,return-value]
    return engine


EDIT = [Edit.append("src/main.py")]


def test_an_expected_miss_is_believed_at_once(subject: Subject) -> None:
    engine = on(Forgetful((), (4,)))
    assert [step.line for step in subject.after(EDIT).with_status("miss")] == [4]
    assert len(engine.contexts) == 2


def test_a_miss_that_nothing_explains_and_that_does_not_come_again_is_no_verdict(
    subject: Subject,
) -> None:
    engine = on(Forgetful((), (2, 3, 4), (2, 3), (4,)))
    build = subject.after(EDIT)
    assert [step.line for step in build.with_status("miss")] == [4]
    assert build.warnings == (
        "line 2 ran again once although nothing explains it, so the build was made again",
    )
    _, edited, unedited, again = engine.contexts
    assert unedited == "print()\n"
    assert len({edited, unedited, again}) == 3, "an edit that was built is cached"


def test_a_miss_that_comes_again_although_the_cache_keeps_its_records_is_a_verdict(
    subject: Subject,
) -> None:
    on(Forgetful((), (2, 3, 4), (), (2, 3, 4), (), (2, 3, 4)))
    build = subject.after(EDIT)
    assert [step.line for step in build.with_status("miss")] == [2, 3, 4]
    first, second, _ = build.steps
    assert first.reason is not None
    assert first.reason.message == (
        "the builder ran it again, and the model sees no change that it depends on; "
        "it did so three times, each time after an unedited build"
    )
    assert second.reason is not None
    assert second.reason.kind == "parent"


@pytest.mark.parametrize(
    "builds",
    [
        ((2, 3, 4), (2, 3), (2, 3, 4)),
        ((2, 3, 4), (), (2, 3, 4), (2, 3), (2, 3, 4)),
        ((3, 4), (3,), (2, 3, 4)),
    ],
)
def test_a_miss_that_an_unedited_build_has_as_well_says_nothing_about_the_edit(
    subject: Subject, builds: tuple[tuple[int, ...], ...]
) -> None:
    engine = on(Forgetful((), *builds))
    with pytest.raises(Unverifiable, match="does not keep what was just built: line"):
        subject.after(EDIT)
    assert engine.misses == []


def test_a_miss_that_does_not_come_a_third_time_is_no_verdict(subject: Subject) -> None:
    on(Forgetful((), (2, 3, 4), (), (2, 3, 4), (), (4,)))
    assert [step.line for step in subject.after(EDIT).with_status("miss")] == [4]


@pytest.mark.parametrize("text", ["FROM scratch\nCOPY . .\n", "nonsense"])
def test_a_dockerfile_that_is_changed_during_the_run_is_said_and_not_judged(
    subject: Subject, text: str
) -> None:
    on(Forgetful((), (4,)))
    subject.first()
    subject.spec.dockerfile.write_text(text)
    with pytest.raises(DockerCacheError, match="Dockerfile was changed while the tests ran"):
        subject.after(EDIT)


def test_a_base_image_that_was_replaced_meanwhile_says_nothing_about_the_edit(
    subject: Subject,
) -> None:
    dockerfile = subject.spec.dockerfile
    dockerfile.write_text(dockerfile.read_text().replace("scratch", "base:1"))
    engine = on(Forgetful((), (2, 3, 4), (), (2, 3, 4)))
    engine.moves = True
    with pytest.raises(Unverifiable, match="the base image base:1 was replaced while"):
        subject.after(EDIT)
