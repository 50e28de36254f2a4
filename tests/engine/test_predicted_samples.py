"""The model's prediction for a sample and an edit agrees with a real build of both."""

from __future__ import annotations

import io
import json
import re
import secrets
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from pytest_dockercache.cache import CLASSIC, is_rebuilt, predict
from pytest_dockercache.checks import CHECKS, Check, CheckSettings
from pytest_dockercache.checks.harmless import Tried
from pytest_dockercache.checks.rebuilt import rebuilt_environment
from pytest_dockercache.context import apply_argument_edits
from pytest_dockercache.errors import (
    BuildFailed,
    CacheAssertionError,
    DockerCacheError,
    Unverifiable,
)
from pytest_dockercache.model import PREDICTED, Build, BuildSpec, Edit, Step
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run
from pytest_dockercache.stopping import Stop
from pytest_dockercache.subject import Subject
from pytest_dockercache.testing import DockerCache

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SAMPLES: dict[str, dict[str, Any]] = json.loads((FIXTURES / "samples.json").read_text())
BUILDABLE = [name for name, sample in SAMPLES.items() if "builds" not in sample["fails"]]

OFTEN = ("optimized", "multistage", "broken-context-first", "broken-build-arg-early", "tools-env")
"""The gate predicts these; ``tox run -e minutes`` predicts the others."""

CASES = [
    *(
        pytest.param("buildx", name, marks=() if name in OFTEN else pytest.mark.minutes)
        for name in BUILDABLE
    ),
    *(
        (engine, name)
        for engine in ("buildkit", "classic")
        for name in ("optimized", "broken-context-first", "broken-build-arg-early")
    ),
]

STOP = Stop("decided")
"""Nothing is learned from letting conda install once it has begun to."""


@dataclass(frozen=True)
class Pair:
    """An edit of a sample; ``cause`` is the text of its first miss's reason, None for no miss.

    Of two Dockerfile lines with the same fate, BuildKit and the classic builder
    may call another one the first: ``cause`` holds for both.
    """

    kind: str
    edit: Edit
    cause: str | None


def pairs_of(project: Path, base: str, other_base: Callable[[], str]) -> Iterator[Pair]:
    """Every edit that can be made of a sample, with the words that its reason must have.

    An edit never makes equal files twice: a hit on a record of an earlier test would say nothing.
    """
    text = (project / "Dockerfile").read_text()
    copies_all = "COPY . ." in text
    main = "contains src/main.py"
    yield Pair("content", Edit.append("src/main.py"), main)
    yield Pair("replaced", Edit.replace("src/main.py", "import click", "import click  # it"), main)
    changed = f"{main}, whose mode changed: 0644 → 0755"
    yield Pair("mode", Edit.chmod("src/main.py", 0o755), changed)
    yield Pair("time", Edit.touch("src/main.py"), None)
    yield Pair("new file", Edit.create("src/new.py"), "contains src/new.py, which is new")
    gone = next(name for name in ("smoothing.py", "text.txt") if (project / "src" / name).exists())
    yield Pair("deleted", Edit.delete(f"src/{gone}"), f"no longer contains src/{gone}")
    renamed = "contains src/app.py, renamed from src/main.py"
    yield Pair("renamed", Edit.rename("src/main.py", "src/app.py"), renamed)

    for manifest in ("environment.yml", "requirements.txt"):
        if (project / manifest).exists():
            read = copies_all or f"COPY {manifest}" in text
            cause = f"contains {manifest}" if read else None
            yield Pair("environment", Edit.append(manifest), cause)

    let_in = copies_all and not (project / ".dockerignore").exists()
    cause = "contains .git/new, which is new" if let_in else None
    yield Pair("let in", Edit.create(".git/new"), cause)
    cause = "contains .venv/new, which is new" if copies_all else None
    yield Pair("beside", Edit.create(".venv/new"), cause)
    if (project / ".dockerignore").exists():
        rule = Edit.append(".dockerignore", "src/main.py")
        kept_out = "no longer contains src/main.py: .dockerignore line 5 (src/main.py) keeps it out"
        cause = "contains .dockerignore" if copies_all else kept_out
        yield Pair("kept out", rule, cause)
    if (project / "notebooks").exists():
        cause = "contains notebooks/serve.py"
        yield Pair("second stage", Edit.append("notebooks/serve.py"), cause)

    declared = re.search(r"(?m)^ARG GIT_SHA", text)
    if declared is not None:
        line = text.count("\n", 0, declared.start()) + 1
        cause = f"build argument GIT_SHA is declared in line {line}"
        yield Pair("argument", Edit.build_arg("GIT_SHA"), cause)
    other = other_base()
    cause = f"the base image changed: {base} → {other} (build argument BASE)"
    yield Pair("base argument", Edit.build_arg("BASE", other), cause)
    other = other_base()
    yield Pair("base", Edit.base(other), f"the base image changed: {base} → {other}")

    # A Dockerfile that is copied is a file like any other.
    in_context = "contains Dockerfile" if copies_all else None
    above = copies_all and text.index("COPY . .") < text.index("RUN ")
    cause = "contains Dockerfile" if above else "only blanks in its text changed"
    yield Pair("indentation", Edit.dockerfile(with_other_indentation(text)), cause)
    yield Pair("comment", Edit.dockerfile(with_other_comment(text)), in_context)


def with_other_indentation(text: str) -> str:
    """The Dockerfile with other blanks in its first RUN: before the second line, if it has one."""
    blanks = "".join(" \t"[secrets.randbits(1)] for _ in range(48))
    found = re.search(r"(?m)^RUN .*?(?:\\\n|(?= -)(?!.*\\$))( +)", text)
    assert found is not None
    return text[: found.start(1)] + blanks + text[found.end(1) :]


def with_other_comment(text: str) -> str:
    """The Dockerfile with another first line, which is a comment."""
    comment = f"# {secrets.token_hex(8)}\n"
    return re.sub(r"\A(#.*\n)?", lambda _: comment, text)


def differences(pair: Pair, built: Build, predicted: Sequence[Step]) -> Iterator[str]:
    """The differences of a real build from the prediction, and the gaps in the reasons."""
    expected = {step.line: step for step in predicted}
    if expected.keys() != {step.line for step in built.steps}:
        yield f"{pair.kind}: other steps: {[s.line for s in built.steps]}, {sorted(expected)}"
        return
    for step in built.steps:
        said = expected[step.line]
        # A step that was not reached stands below a miss, or the build was stopped before it.
        fits = said.status == step.status or (
            step.status == "not-reached" and (said.status == "miss" or not is_rebuilt(step))
        )
        if not fits:
            yield (
                f"{pair.kind}: line {step.line} ({step.text[:40]}) {step.status}, "
                f"predicted {said.status} ({step.note or said.note})"
            )
        if step.reason != said.reason and (step.reason or step.status != "not-reached"):
            yield f"{pair.kind}: line {step.line}: {step.reason}, predicted {said.reason}"
    first = next((step.reason for step in built.steps if step.status == "miss"), None)
    message = first.message if first is not None else None
    if pair.cause is None or message is None:
        if message != pair.cause:
            yield f"{pair.kind}: the reason is {message!r}, not {pair.cause!r}"
    elif not message.startswith(pair.cause):
        yield f"{pair.kind}: the reason is {message!r}, not {pair.cause!r}"


def first_line(subject: Subject, edit: Edit) -> str:
    """The first line of an assertion about this edit; the reason is named if the step has one."""
    try:
        DockerCache(subject, [edit], STOP).assert_hit(role="environment")
    except (CacheAssertionError, Unverifiable) as failed:
        return str(failed).splitlines()[0]
    return ""


def outcome(check: Check, subject: Subject) -> tuple[str, str]:
    """How a check ends, and the first line of a failure without the mark of a prediction."""
    try:
        check.judge(subject)
    except (CacheAssertionError, DockerCacheError) as problem:
        return type(problem).__name__, str(problem).splitlines()[0].removeprefix(PREDICTED)
    return "passed", ""


def verdict(subject: Subject, edit: Edit) -> str:
    """The first line of the source check's failure for this edit."""
    build = subject.after([edit], STOP)
    rebuilt = tuple(step for step in build.with_role("environment") if is_rebuilt(step))
    if not rebuilt:
        return ""
    failure = rebuilt_environment(subject, [Tried((edit,), build, rebuilt)])
    return str(failure).splitlines()[0]


def on_classic(subject: Subject, edit: Edit) -> tuple[Step, ...]:
    """The prediction for the classic builder, which the engine ``model`` does not give."""
    spec = apply_argument_edits(subject.spec, [edit], "nonce", {})
    before = subject.project.snapshot
    return tuple(
        Step(
            item.step.line,
            item.step.stage.label,
            item.step.instruction.keyword,
            item.step.instruction.text,
            status=item.status,
            reason=item.reason,
            note=item.note,
        )
        for item in predict(before, before.after(spec, [edit]), CLASSIC)
    )


@pytest.fixture(scope="module")
def other_base(docker_daemon: docker.DockerClient, miniconda: str) -> Iterator[Callable[[], str]]:
    """Make images like the stand-in, each with one more file that no other has."""
    label = {"dockercache.test.base": "other"}
    container = docker_daemon.containers.create(miniconda, labels=label)
    repository = f"dockercache-test-other-base-{secrets.token_hex(4)}"
    made: list[str] = []

    def make() -> str:
        archive = io.BytesIO()
        content = secrets.token_hex(16).encode()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("other-base")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        container.put_archive("/", archive.getvalue())
        tag = str(len(made))
        container.commit(repository, tag, changes="LABEL dockercache.test.base=other")
        made.append(f"{repository}:{tag}")
        return made[-1]

    yield make
    container.remove()
    for name in made:
        docker_daemon.images.remove(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, other_base: Callable[[], str]) -> Iterator[Run]:
    """A run whose images are removed at its end, before the bases that they stand on."""
    made = Run.start(tmp_path_factory.mktemp("shared"))
    yield made
    made.finish()


@pytest.fixture
def subjects(
    sample: Callable[[str], Path], miniconda: str, run: Run
) -> Callable[..., tuple[Subject, Subject]]:
    """A sample under the judgement of an engine that builds, and of the model."""

    def both(name: str, engine: str = "buildx") -> tuple[Subject, Subject]:
        root = sample(name)
        # A change of a mode can be repeated, and so can a deletion: the results may be
        # cached from another test. Whichever of these is left, nobody has built it.
        nonce = secrets.token_hex(8)
        with (root / "src" / "main.py").open("a") as source:
            source.write(f"# {nonce}\n")
        (root / "src" / "notes.txt").write_text(f"{nonce}\n")
        spec = BuildSpec(root / "Dockerfile", root, build_args=(("BASE", miniconda),))
        return Subject(spec, Settings(engine=engine), run), Subject(
            spec, Settings(engine="model"), run
        )

    return both


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_every_edit_has_the_predicted_verdicts_reasons_and_messages(
    engine: str,
    name: str,
    subjects: Callable[..., tuple[Subject, Subject]],
    other_base: Callable[[], str],
    miniconda: str,
) -> None:
    real, model = subjects(name, engine)
    wrong: list[str] = []
    if engine != "classic":
        wrong += [
            f"{check.id}: {said!r}, but {predicted!r}"
            for check in CHECKS.values()
            if check.needs == "builds" and check.id != "builds" and check.applies(CheckSettings())
            for said, predicted in [(outcome(check, real), outcome(check, model))]
            if predicted != said
        ]
    for pair in pairs_of(real.spec.context, miniconda, other_base):
        built = real.after([pair.edit], STOP)
        if engine == "classic":
            wrong += differences(pair, built, on_classic(real, pair.edit))
            continue
        wrong += differences(pair, built, model.after([pair.edit]).steps)
        for say in (first_line, verdict):
            said, predicted = say(real, pair.edit), say(model, pair.edit)
            if predicted != (said and PREDICTED + said):
                wrong.append(f"{pair.kind}: {said!r}, but {predicted!r}")
    assert wrong == [], "\n".join(wrong)


def test_a_sample_that_does_not_build_is_predicted_and_never_called_built(
    subjects: Callable[..., tuple[Subject, Subject]],
) -> None:
    """The model runs no command: what one of them does is not its to say."""
    real, model = subjects("broken-does-not-build")
    edit = Edit.append("src/main.py")
    for build in (real.first, lambda: real.after([edit], STOP)):
        with pytest.raises(BuildFailed, match="nunpy") as caught:
            build()
        assert caught.value.line == SAMPLES["broken-does-not-build"]["fails"]["builds"]["line"]
    assert model.first().outcome == model.after([edit]).outcome == "predicted"
    with pytest.raises(Unverifiable, match="nothing was built"):
        CHECKS["builds"].judge(model)
    assert CHECKS["env-layer-cached"].judge(model).predicted


def test_a_hit_on_what_another_edit_has_built_is_unknown(
    subjects: Callable[..., tuple[Subject, Subject]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that build it would have missed: both edits leave the same files."""
    real, model = subjects("optimized")
    # What the first edit leaves in the cache may be there no more when the second one is built.
    monkeypatch.setattr(type(real.engine), "remove_soon", lambda engine, traces: None)
    real.after([Edit.delete("src/notes.txt")])
    edit = Edit.append(".dockerignore", "src/notes.txt")
    said, predicted = (subject.after([edit]).steps[-1] for subject in (real, model))
    assert (said.text, said.status, predicted.status) == ("COPY src/ src/", "unknown", "miss")
    assert said.note is not None
    assert "an earlier build of the same edit" in said.note


def test_a_source_that_is_gone_fails_both(
    subjects: Callable[..., tuple[Subject, Subject]],
) -> None:
    for subject in subjects("optimized"):
        with pytest.raises(DockerCacheError, match=r"environment\.yml"):
            subject.after([Edit.delete("environment.yml")])
