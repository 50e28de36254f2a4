"""What the model says of a sample and an edit is what a real build of the same shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockercache.checks import CHECKS
from pytest_dockercache.checks.predicted import PREFIX
from pytest_dockercache.errors import CacheAssertionError, DockerCacheError
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.rebuild import Settings, Stop, Subject
from pytest_dockercache.runs import Run

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

STOP = Stop("decided")
"""Nothing is learned from letting conda install once it has begun to."""

EDITS = {
    "content": Edit.append("src/main.py"),
    "mode": Edit.chmod("src/main.py", 0o755),
    "new file": Edit.create("src/new.py"),
    "renamed": Edit.rename("src/main.py", "src/app.py"),
    "touched": Edit.touch("src/main.py"),
    "environment": Edit.append("environment.yml"),
    "let in": Edit.create(".git/new"),
    "argument": Edit.build_arg("GIT_SHA"),
}

PAIRS = {
    "optimized": ("content", "environment"),
    "broken-context-first": ("content", "mode", "new file", "renamed", "touched"),
    "broken-build-arg-early": ("argument",),
    "broken-no-dockerignore": ("let in",),
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run whose images are removed at its end."""
    made = Run.start(tmp_path / "shared")
    yield made
    made.finish()


@pytest.fixture
def subjects(
    sample: Callable[[str], Path], miniconda: str, run: Run
) -> Callable[[str], tuple[Subject, Subject]]:
    """A sample under the judgement of buildx, and of the model."""

    def both(name: str) -> tuple[Subject, Subject]:
        root = sample(name)
        # A change of a mode can be repeated: its result may be cached from another day.
        with (root / "src" / "main.py").open("a") as source:
            source.write(f"# {run.nonce}\n")
        spec = BuildSpec(root / "Dockerfile", root, build_args=(("BASE", miniconda),))
        return Subject(spec, Settings(engine="buildx"), run), Subject(
            spec, Settings(engine="model"), run
        )

    return both


@pytest.mark.parametrize("name", PAIRS)
def test_every_edit_has_the_predicted_verdicts_and_reasons(
    name: str, subjects: Callable[[str], tuple[Subject, Subject]]
) -> None:
    real, model = subjects(name)
    for kind in PAIRS[name]:
        edit = EDITS[kind]
        built, predicted = real.after([edit], STOP), model.after([edit])
        expected = {step.line: step for step in predicted.steps}
        for step in built.steps:
            said = expected[step.line]
            if step.status == "not-reached":
                assert said.status == "miss", (kind, step)
            else:
                assert said.status == step.status, (kind, step)
            assert said.reason == step.reason, (kind, step)


@pytest.mark.parametrize("name", ["broken-source-first", "broken-context-first"])
def test_a_failure_has_the_same_first_line(
    name: str, subjects: Callable[[str], tuple[Subject, Subject]]
) -> None:
    first = []
    for subject in subjects(name):
        with pytest.raises(CacheAssertionError) as caught:
            CHECKS["env-layer-cached"].judge(subject)
        first.append(str(caught.value).splitlines()[0])
    assert first[1] == PREFIX + first[0]


def test_a_change_of_blanks_is_named_by_both(
    subjects: Callable[[str], tuple[Subject, Subject]],
) -> None:
    real, model = subjects("optimized")
    text = real.project.dockerfile.text
    edit = Edit.dockerfile(text.replace("RUN conda env update", "RUN  conda env  update"))
    built, predicted = real.after([edit], STOP), model.after([edit])
    reasons = [
        next(step.reason for step in build.steps if step.status == "miss")
        for build in (built, predicted)
    ]
    assert reasons[0] == reasons[1]
    assert reasons[0] is not None
    assert reasons[0].message.startswith("only blanks in its text changed")


def test_a_source_that_is_gone_fails_both(
    subjects: Callable[[str], tuple[Subject, Subject]],
) -> None:
    for subject in subjects("optimized"):
        with pytest.raises(DockerCacheError, match=r"environment\.yml"):
            subject.after([Edit.delete("environment.yml")])
