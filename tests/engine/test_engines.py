"""The duties of every engine, on a real Docker Engine: one suite for all of them."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, ImageNotFound
from project_under_test import LABEL, ProjectUnderTest, by_line, ended, never

from pytest_dockercache.engines import Engine, create_engine
from pytest_dockercache.engines.buildx import Builder, Buildx
from pytest_dockercache.engines.daemon import Daemon
from pytest_dockercache.errors import BuildFailed, BuildTimeout, ConfigError, DockerCacheError
from pytest_dockercache.model import Build, Edit, Step

pytestmark = pytest.mark.engine

NAMES = ("buildx", "buildkit", "classic")

TWO_STAGES = {
    "environment.yml": "name: {nonce}\n",
    "src/main.py": "print('{nonce}')\n",
    "Dockerfile": """\
FROM {tiny} AS builder
WORKDIR /deps
COPY environment.yml ./
RUN cat environment.yml \\
    && echo {nonce} > /deps/installed

FROM {tiny}
ENV MODE=test
COPY --from=builder /deps/installed /installed
COPY src/ /src/
RUN cat /src/main.py
CMD ["true"]
""",
}

Make = Callable[..., ProjectUnderTest]


@pytest.fixture(scope="session")
def run_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="session", params=NAMES)
def engine(
    request: pytest.FixtureRequest, tiny: str, run_id: str, docker_daemon: docker.DockerClient
) -> Iterator[Engine]:
    """One engine for all tests of a name; what it made is removed by its label."""
    made = create_engine(request.param)
    yield made
    made.close()
    remove_all_of(docker_daemon, run_id)


def remove_all_of(client: docker.DockerClient, run: str) -> None:
    """Remove the images of this run, and the classic builder's images on top of them."""
    left = -1
    while left:
        ours = [
            image["Id"]
            for image in client.api.images(all=True, filters={"label": LABEL})
            if str(image["Labels"][LABEL]).startswith(run)
        ]
        if len(ours) == left:
            return
        left = len(ours)
        for image in ours:
            with contextlib.suppress(APIError):  # something stands on it: next round
                client.api.remove_image(image, noprune=True)


@pytest.fixture(scope="session")
def make(tiny: str, run_id: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a project of some files; ``{tiny}`` in them is the base image."""

    def made(files: dict[str, str]) -> ProjectUnderTest:
        place = tmp_path_factory.mktemp("project")
        project = ProjectUnderTest(place / "tree", place / "staged", run_id)
        return project.write({name: text.replace("{tiny}", tiny) for name, text in files.items()})

    return made


class Story:
    """A first build, the same again, and one after a source edit: most tests look at these."""

    def __init__(self, engine: Engine, project: ProjectUnderTest) -> None:
        self.news: list[tuple[Step, ...]] = []

        def watch(steps: Sequence[Step]) -> bool:
            self.news.append(tuple(steps))
            return False

        self.project = project
        self.first = project.build(engine, watch=watch)
        self.again = project.build(engine)
        self.edited = project.build(engine, Edit.append("src/main.py", "# {nonce}"))


@pytest.fixture(scope="session")
def story(engine: Engine, make: Make) -> Story:
    return Story(engine, make(TWO_STAGES))


def layers_of(build: Build) -> list[Step]:
    """The steps that every engine has: the classic builder's settings are left out."""
    return [step for step in build.steps if step.instruction in ("RUN", "COPY", "ADD", "WORKDIR")]


# -- verdicts


def test_a_first_build_misses_what_nobody_built_and_times_it(story: Story) -> None:
    missed = [step for step in layers_of(story.first) if step.status == "miss"]
    assert {step.line for step in missed} >= {3, 4, 9, 10, 11}
    assert all(step.seconds is not None and step.seconds > 0 for step in missed)
    assert story.first.outcome == "built"


def test_the_same_build_again_hits_everything(story: Story) -> None:
    assert {step.status for step in story.again.steps} == {"hit"}
    assert {step.seconds for step in story.again.steps} == {None}


def test_a_source_edit_misses_its_copy_and_what_stands_on_it_only(story: Story) -> None:
    statuses = {step.line: step.status for step in layers_of(story.edited)}
    assert statuses == {2: "hit", 3: "hit", 4: "hit", 9: "hit", 10: "miss", 11: "miss"}
    assert [edit.path for edit in story.edited.edits] == ["src/main.py"]


def test_a_step_says_where_it_stands_in_the_dockerfile(story: Story) -> None:
    install = next(step for step in story.first.steps if step.line == 4)
    assert (install.stage, install.instruction, install.end_line) == ("builder", "RUN", 5)
    assert install.text.startswith("RUN cat environment.yml")
    assert next(step for step in story.first.steps if step.line == 10).stage == "1"


def test_only_the_classic_builder_has_settings_as_steps(engine: Engine, story: Story) -> None:
    settings = {step.instruction for step in story.first.steps} & {"ENV", "CMD"}
    assert settings == ({"ENV", "CMD"} if engine.info.name == "classic" else set())
    assert not [step for step in story.first.steps if step.instruction == "FROM"]


def test_a_running_step_is_shown_as_a_miss_while_it_runs(story: Story) -> None:
    running = [step for steps in story.news for step in steps if step.running]
    assert {step.line for step in running} >= {4, 11}
    assert {step.status for step in running} == {"miss"}
    assert not [step for step in story.first.steps if step.running]


def test_a_verdict_is_never_taken_back_while_the_build_runs(story: Story) -> None:
    before = {step.line: "not-reached" for step in story.news[0]}
    for steps in story.news:
        for step in steps:
            assert before[step.line] in ("not-reached", step.status)
            before[step.line] = step.status


def test_a_target_builds_its_stage_only(engine: Engine, make: Make) -> None:
    build = make(TWO_STAGES).build(engine, target="builder")
    assert [step.line for step in build.steps] == [2, 3, 4]


def test_a_stage_that_nothing_needs_is_a_step_of_the_classic_builder_only(
    engine: Engine, make: Make
) -> None:
    files = {
        "Dockerfile": "FROM {tiny} AS idle\nRUN echo {nonce}\nFROM {tiny}\nRUN echo b{nonce}\n"
    }
    lines = [step.line for step in make(files).build(engine).steps]
    assert lines == ([2, 4] if engine.info.name == "classic" else [4])


def test_a_build_argument_reaches_the_build(engine: Engine, make: Make) -> None:
    files = {"Dockerfile": "FROM {tiny}\nARG WORD=no\nRUN echo $WORD {nonce} > /word\n"}
    project = make(files)
    first = project.build(engine, build_args=(("WORD", "yes"),))
    said = engine.run(str(first.image), ["cat", "/word"], labels={LABEL: project.run})
    assert said.stdout == f"yes {project.nonce}\n"
    changed = project.build(engine, build_args=(("WORD", "more"),))
    assert by_line(changed)[3] == "miss"


def test_what_a_container_says_is_kept_whatever_the_daemons_own_log_driver_is(
    engine: Engine,
    make: Make,
    docker_daemon: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make({"Dockerfile": "FROM {tiny}\nRUN echo {nonce} > /word\n"})
    image = str(project.build(engine).image)
    kept: list[str] = []
    monkeypatch.setattr(Daemon, "_remove_container", lambda self, name: kept.append(name))
    said = engine.run(image, ["cat", "/word"], labels={LABEL: project.run})
    monkeypatch.undo()
    container = docker_daemon.containers.get(kept[0])
    log = container.attrs["HostConfig"]["LogConfig"]
    container.remove()
    assert said.stdout == f"{project.nonce}\n"
    assert log["Type"] == "json-file"


def test_equal_keys_of_two_stages_are_no_hit_on_a_first_build(engine: Engine, make: Make) -> None:
    stage = "COPY {side}/same /same\nRUN cat /same && echo {nonce}\n"
    files = {
        "a/same": "{nonce}",
        "b/same": "{nonce}",
        "Dockerfile": "FROM {tiny} AS a\n" + stage.replace("{side}", "a")
        + "FROM {tiny} AS b\n" + stage.replace("{side}", "b")
        + "FROM {tiny}\nCOPY --from=a /same /a\nCOPY --from=b /same /b\n",
    }  # fmt: skip
    build = make(files).build(engine)
    statuses = by_line(build)
    assert {statuses[line] for line in (3, 6)} == {"miss"}


def test_identical_stages_are_judged_at_each_of_their_lines(engine: Engine, make: Make) -> None:
    twin = "RUN echo {nonce} > /out\n"
    files = {
        "Dockerfile": f"FROM {{tiny}} AS a\n{twin}FROM {{tiny}} AS b\n{twin}"
        "FROM {tiny}\nCOPY --from=a /out /a\nCOPY --from=b /out /b\n",
    }
    project = make(files)
    first = project.build(engine)
    statuses = by_line(first)
    assert {statuses[line] for line in (2, 4)} == {"miss"}
    assert set(by_line(project.build(engine)).values()) == {"hit"}


def test_the_triggers_of_a_base_are_steps_at_its_from(
    engine: Engine, make: Make, docker_daemon: docker.DockerClient
) -> None:
    parent = make({"Dockerfile": "FROM {tiny}\nONBUILD RUN echo {nonce}\n"}).build(engine)
    with tagged(docker_daemon, parent) as tag:
        project = make({"Dockerfile": f"FROM {tag}\nRUN echo {{nonce}}\nRUN true\n"})
        first, again = project.build(engine), project.build(engine)
    assert [(step.line, step.instruction, step.status) for step in first.steps] == [
        (1, "ONBUILD", "miss"),
        (2, "RUN", "miss"),
        (3, "RUN", "miss"),
    ]
    assert {step.status for step in again.steps} == {"hit"}


def test_what_a_base_sets_does_not_confuse_the_mapping(
    engine: Engine, make: Make, docker_daemon: docker.DockerClient
) -> None:
    base = make({"Dockerfile": "FROM {tiny}\nENV HOME_DIR=/opt/{nonce}\nWORKDIR /there\n"})
    with tagged(docker_daemon, base.build(engine)) as tag:
        steps = "RUN echo {nonce}\nWORKDIR .\nCOPY f $HOME_DIR/\nRUN true\n"
        project = make({"f": "x", "Dockerfile": f"FROM {tag}\n{steps}"})
        first, again = project.build(engine), project.build(engine)
    statuses = by_line(first)
    assert (statuses[2], statuses[4], statuses[5]) == ("miss", "miss", "miss")
    assert [step.line for step in again.steps if step.status == "hit"] == [2, 3, 4, 5]


@contextlib.contextmanager
def tagged(client: docker.DockerClient, build: Build) -> Iterator[str]:
    """A tag on the image of a build, so that another Dockerfile can name it."""
    tag = f"dockercache-test-base:{uuid.uuid4().hex}"
    client.images.get(str(build.image)).tag(tag)
    try:
        yield tag
    finally:
        client.api.remove_image(tag, noprune=True)


def test_a_heredoc_is_built_or_refused_never_dropped(engine: Engine, make: Make) -> None:
    files = {"Dockerfile": "FROM {tiny}\nRUN <<E\necho {nonce} > /made\nE\nCOPY <<E /said\nx\nE\n"}
    project = make(files)
    if engine.info.name == "classic":
        with pytest.raises(BuildFailed, match="requires BuildKit") as refused:
            project.build(engine)
        assert refused.value.line == 2
        return
    first = project.build(engine)
    assert by_line(first)[2] == "miss"
    assert by_line(project.build(engine)) == {2: "hit", 5: "hit"}
    said = engine.run(str(first.image), ["cat", "/made"], labels={LABEL: project.run})
    assert said.stdout.strip() == project.nonce


def test_a_command_that_prints_the_builders_own_words_misleads_nobody(
    engine: Engine, make: Make
) -> None:
    words = r"echo {nonce}; echo ' ---> Using cache'; echo '{'; echo 'Step 3/3 : RUN true'"
    files = {"Dockerfile": f"FROM {{tiny}}\nRUN {words}\nRUN true\n"}
    assert by_line(make(files).build(engine)) == {2: "miss", 3: "miss"}


# -- images


def test_the_image_is_in_the_store_and_carries_our_label(engine: Engine, story: Story) -> None:
    record = engine.image_config(str(story.first.image))
    assert record["Config"]["Labels"][LABEL] == story.project.run  # type: ignore[index]
    assert not record.get("RepoTags")


def test_an_unknown_image_is_an_error_that_names_it(engine: Engine) -> None:
    with pytest.raises(DockerCacheError, match="the daemon has no image no-such-image"):
        engine.image_config("no-such-image")


@pytest.mark.parametrize("tagged", [True, False])
def test_the_users_identical_image_and_warm_cache_survive_our_clean_up(
    engine: Engine, make: Make, docker_daemon: docker.DockerClient, tagged: bool
) -> None:
    project = make(TWO_STAGES)
    tag = f"dockercache-test-user:{uuid.uuid4().hex}"
    users = build_as_user(project.root, engine.info.name, tag if tagged else None)
    try:
        build = project.build(engine, label="to-be-removed")
        if engine.info.name != "buildkit":  # a COPY . of an upload apart, keys are the user's
            assert {step.status for step in build.steps} == {"hit"}
        project.build(engine, Edit.append("src/main.py"), label="to-be-removed")
        assert engine.remove_labelled(LABEL, project.label("to-be-removed")) == ()
        assert docker_daemon.api.inspect_image(users)["Id"] == users
        if tagged:
            assert docker_daemon.api.inspect_image(tag)["Id"] == users
        with pytest.raises(ImageNotFound):
            docker_daemon.api.inspect_image(build.image)
        again = project.build(engine, label="again")
        assert {step.status for step in again.steps} == {"hit"}
    finally:
        engine.remove_labelled(LABEL, project.label("again"))
        docker_daemon.api.remove_image(tag if tagged else users, noprune=True)


def build_as_user(context: Path, engine: str, tag: str | None) -> str:
    """``docker build .`` as a user types it; the image's ID."""
    command = ["docker", "build", "--quiet", *(["--tag", tag] if tag else []), str(context)]
    environment = {"DOCKER_BUILDKIT": "0" if engine == "classic" else "1"}
    done = subprocess.run(
        ["env", *(f"{name}={value}" for name, value in environment.items()), *command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_an_image_of_ours_that_somebody_tagged_stays_and_is_reported(
    engine: Engine, make: Make, docker_daemon: docker.DockerClient
) -> None:
    project = make(TWO_STAGES)
    build = project.build(engine, label="tagged-by-somebody")
    tag = f"dockercache-test-tagged:{uuid.uuid4().hex}"
    docker_daemon.images.get(str(build.image)).tag(tag)
    try:
        (left,) = engine.remove_labelled(LABEL, project.label("tagged-by-somebody"))
        assert f"it is tagged {tag}" in left
        assert docker_daemon.api.inspect_image(tag)["Id"] == build.image
    finally:
        docker_daemon.api.remove_image(tag, noprune=True)
    assert engine.remove_labelled(LABEL, project.label("tagged-by-somebody")) == ()


# -- stopping


def test_a_build_stops_at_the_verdict_and_leaves_no_command_behind(
    make: Make, engine: Engine
) -> None:
    slow = "for i in $(seq 600); do sleep 1; done # {nonce}"
    files = {"Dockerfile": f"FROM {{tiny}}\nRUN {slow}\nRUN echo after\n"}
    project = make(files)
    ours = create_engine(engine.info.name)
    build = project.build(ours, watch=lambda steps: steps[0].status == "miss")
    ours.close()
    assert build.outcome == "stopped"
    assert build.image is None
    assert [(step.status, step.running, step.seconds) for step in build.steps] == [
        ("miss", False, None),
        ("not-reached", False, None),
    ]
    assert build.seconds < 60
    assert ended(project.nonce), "the command goes on in the daemon"


def test_a_stopped_step_is_a_miss_again_the_next_time(make: Make, engine: Engine) -> None:
    files = {"Dockerfile": "FROM {tiny}\nRUN echo {nonce}; sleep 617\n"}
    project = make(files)
    for _ in range(2):
        build = project.build(engine, watch=lambda steps: steps[0].status == "miss")
        assert build.outcome == "stopped"


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.02, 0.04])
def test_a_command_does_not_begin_after_its_build_was_stopped(
    make: Make, engine: Engine, pause: float
) -> None:
    project = make(
        {"Dockerfile": "FROM {tiny}\nCOPY a /\nRUN sleep 615; : {nonce}\n", "a": "{nonce}"}
    )

    def copied(steps: Sequence[Step]) -> bool:
        if steps[0].status != "miss":
            return False
        # The cancellation falls into the moment when the command is about to begin.
        time.sleep(pause)
        return True

    build = project.build(engine, watch=copied)
    assert build.outcome == "stopped"
    assert ended(project.nonce), "the command goes on in the daemon"


def test_a_watcher_that_raises_cancels_the_build(make: Make, engine: Engine) -> None:
    project = make({"Dockerfile": "FROM {tiny}\nRUN echo {nonce}; sleep 619\n"})

    def watch(steps: Sequence[Step]) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.build(engine, watch=watch)


def test_a_build_that_takes_too_long_names_the_step_that_ran(make: Make, engine: Engine) -> None:
    project = make({"Dockerfile": "FROM {tiny}\nRUN echo {nonce}; sleep 623\n"})
    with pytest.raises(BuildTimeout) as late:
        project.build(engine, timeout=3)
    first = str(late.value).splitlines()[0]
    assert first.startswith("the build was cancelled after 3 s: Dockerfile:2 was running: RUN echo")


# -- failures


def test_a_failing_command_is_named_with_its_line_exit_code_and_output(
    make: Make, engine: Engine
) -> None:
    project = make(
        {"Dockerfile": "FROM {tiny}\nRUN true\nRUN echo {nonce} >&2 \\\n  && exit 7\nRUN true\n"}
    )
    with pytest.raises(BuildFailed) as failed:
        project.build(engine)
    first = str(failed.value).splitlines()[0]
    verdict = "the image does not build: Dockerfile:3 ends with exit code 7: RUN echo "
    assert first.startswith(verdict)
    assert first.endswith("&& exit 7")
    assert failed.value.line == 3
    assert failed.value.log == project.nonce


def test_a_missing_source_is_named_with_its_line(make: Make, engine: Engine) -> None:
    project = make({"Dockerfile": "FROM {tiny}\nRUN true\nCOPY missing.txt /\n"})
    with pytest.raises(BuildFailed) as failed:
        project.build(engine)
    first, step, why, fix = str(failed.value).splitlines()
    assert first == (
        "the image does not build: missing.txt is not in the build context, "
        "but Dockerfile:3 copies it"
    )
    assert step == "   3  COPY missing.txt /"
    assert re.fullmatch(r"  why    the builder says: .*missing\.txt.*(not found|not exist).*", why)
    assert fix.startswith("  fix    create missing.txt in the build context ")
    assert failed.value.line == 3


def test_an_unknown_instruction_is_named_with_its_line(make: Make, engine: Engine) -> None:
    project = make({"Dockerfile": "FROM {tiny}\nRUM true\n"})
    with pytest.raises(BuildFailed, match="unknown instruction: RUM") as failed:
        project.build(engine)
    assert failed.value.line == 2


def test_a_base_that_nobody_has_is_the_fault_of_its_from(make: Make, engine: Engine) -> None:
    files = {"Dockerfile": "FROM {tiny} AS a\nRUN true\nFROM nowhere.invalid/base:1\nRUN true\n"}
    with pytest.raises(BuildFailed, match=r"nowhere\.invalid/base:1") as failed:
        make(files).build(engine)
    assert failed.value.line == 3


def test_secrets_and_ssh_need_buildx(make: Make, engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("hidden")
    run = "RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /size; echo {nonce}"
    project = make({"Dockerfile": f"FROM {{tiny}}\n{run}\n"})
    wanted = (f"id=token,src={secret}",)
    if engine.info.name == "buildx":
        image = str(project.build(engine, secrets=wanted).image)
        said = engine.run(image, ["cat", "/size"], labels={LABEL: project.run})
        assert said.stdout.strip() == "6"
        return
    with pytest.raises(
        ConfigError, match=rf"needs buildx, not --dockercache-engine={engine.info.name}"
    ):
        project.build(engine, secrets=wanted)
    with pytest.raises(ConfigError, match="--dockercache-ssh=default needs buildx"):
        project.build(engine, ssh=("default",))


# -- containers


def test_a_command_runs_without_network_and_its_output_is_split(
    engine: Engine, tiny: str, run_id: str, docker_daemon: docker.DockerClient
) -> None:
    script = "ls /sys/class/net; echo wrong >&2; exit 5"
    done = engine.run(tiny, ["sh", "-c", script], labels={LABEL: run_id})
    assert (done.code, done.stdout, done.stderr) == (5, "lo\n", "wrong\n")
    assert not docker_daemon.containers.list(all=True, filters={"label": f"{LABEL}={run_id}"})


def test_a_container_that_is_being_removed_already_is_waited_for(
    engine: Engine, tiny: str, docker_daemon: docker.DockerClient
) -> None:
    name = uuid.uuid4().hex
    container = docker_daemon.containers.run(
        tiny, ["sleep", "631"], labels={LABEL: name}, detach=True
    )

    def remove() -> None:
        with contextlib.suppress(APIError):  # whoever comes second is refused
            container.remove(force=True)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        left: tuple[str, ...] = ()
        while remover.is_alive() and not left:
            left = engine.remove_labelled(LABEL, name)
    finally:
        remover.join()
    assert left == ()
    assert not docker_daemon.containers.list(all=True, filters={"label": f"{LABEL}={name}"})


def test_an_image_that_a_cancelled_builds_container_holds_for_a_moment_is_waited_for(
    make: Make, docker_daemon: docker.DockerClient, tiny: str
) -> None:
    with contextlib.closing(create_engine("classic")) as engine:
        container = docker_daemon.containers.create(tiny, ["touch", "/made"])
        container.start()
        container.wait()
        image = container.commit()
        assert image.id is not None
        container.remove()
        holding = docker_daemon.containers.create(image.id, ["true"])
        later = threading.Timer(0.7, holding.remove)
        later.start()
        try:
            assert engine.remove_traces([image.id]) == 0
        finally:
            later.join()
        with pytest.raises(ImageNotFound):
            docker_daemon.images.get(image.id)


def test_of_containers_only_one_of_a_classic_build_is_removed_as_a_trace(
    make: Make, docker_daemon: docker.DockerClient, tiny: str
) -> None:
    image = docker_daemon.images.get(tiny)
    assert image.id is not None
    of_the_user = docker_daemon.containers.create(tiny, ["true"])
    of_a_build = docker_daemon.containers.create(image.id, ["true"])
    running = docker_daemon.containers.run(image.id, ["sleep", "60"], detach=True)
    try:
        with contextlib.closing(create_engine("classic")) as engine:
            named = [of_the_user.short_id, of_a_build.short_id, running.short_id, "0" * 12]
            assert engine.remove_traces([f"container {name}" for name in named]) == 0
        left = {item.id for item in docker_daemon.containers.list(all=True)}
        assert {of_the_user.id, running.id} <= left
        assert of_a_build.id not in left
    finally:
        for container in (of_the_user, running):
            container.remove(force=True)


def test_a_command_that_takes_too_long_is_killed(engine: Engine, tiny: str, run_id: str) -> None:
    done = engine.run(
        tiny, ["sh", "-c", "echo begun; sleep 631"], timeout=2, labels={LABEL: run_id}
    )
    assert done.timed_out
    assert done.stdout == "begun\n"


def test_a_command_that_is_not_there_is_127(engine: Engine, tiny: str, run_id: str) -> None:
    assert engine.run(tiny, ["no-such-command"], labels={LABEL: run_id}).code == 127


def test_an_entry_point_is_kept_replaced_or_cleared(engine: Engine, make: Make) -> None:
    files = {"Dockerfile": 'FROM {tiny}\nRUN echo {nonce}\nENTRYPOINT ["echo", "kept"]\n'}
    project = make(files)
    image = str(project.build(engine).image)

    def said(*command: str, entrypoint: Sequence[str] | None = None) -> str:
        labels = {LABEL: project.run}
        return engine.run(image, command, entrypoint=entrypoint, labels=labels).stdout

    assert said("echo", "a") == "kept echo a\n"
    assert said("a", entrypoint=["echo", "other"]) == "other a\n"
    assert said("echo", "a", entrypoint=[]) == "a\n"


# -- what edits leave


def cached(docker_daemon: docker.DockerClient) -> set[str]:
    """The steps that either builder would reuse: records, and images without a name."""
    records = docker_daemon.api.df().get("BuildCache") or ()
    images = docker_daemon.api.images(all=True)
    return {record["ID"] for record in records} | {image["Id"] for image in images}


def test_what_an_edit_left_in_the_cache_goes_and_nothing_else(
    make: Make, engine: Engine, docker_daemon: docker.DockerClient
) -> None:
    project = make(TWO_STAGES)
    project.build(engine, label="first")
    engine.traces()
    edit = Edit.append("environment.yml", f"# {uuid.uuid4().hex}")
    edited = project.build(engine, edit, label="edited")
    assert [step.line for step in layers_of(edited) if step.status == "miss"] == [3, 4]
    left = json.loads(json.dumps(engine.traces()))
    assert len(left) >= 2
    assert engine.traces() == ()
    before = cached(docker_daemon)
    assert engine.remove_labelled(LABEL, project.label("edited")) == ()
    assert engine.remove_traces(left) == 0
    assert len(before - cached(docker_daemon)) >= 2
    assert engine.remove_traces(left) == 0
    assert {step.status for step in project.build(engine).steps} == {"hit"}


def test_another_drivers_cache_is_listed_and_pruned_through_the_command(
    make: Make, engine: Engine, docker_daemon: docker.DockerClient
) -> None:
    if not isinstance(engine, Buildx):
        pytest.skip("only buildx has drivers")
    # The daemon's own builder stands for a foreign one, which tests/cold has.
    own = engine._builder
    remote = Builder(own.name, "remote", own.endpoint)
    ours = Buildx(lambda: engine._daemon, engine.info, remote, engine._buildx)
    project = make(TWO_STAGES)
    project.build(ours, label="loaded")
    edited = project.build(ours, Edit.append("src/main.py"), label="loaded")
    assert ours.image_config(str(edited.image))["Id"] == edited.image
    left = ours.traces()
    before = cached(docker_daemon)
    assert ours.remove_labelled(LABEL, project.label("loaded")) == ()
    assert ours.remove_traces(left) == 0
    # The images of both builds, and the records of the two edited steps.
    assert len(before - cached(docker_daemon)) >= 4
    assert ours.remove_traces(left) == 0


# -- identity


def test_the_engine_says_what_it_is_and_why(
    engine: Engine, docker_daemon: docker.DockerClient
) -> None:
    info = engine.info
    assert info.version[0].isdigit()
    assert docker_daemon.version()["Version"].startswith(info.server)
    assert info.why == f"--dockercache-engine={info.name}"


def test_all_engines_of_one_daemon_share_one_builder_identity(
    engine: Engine, docker_daemon: docker.DockerClient
) -> None:
    assert engine.info.builder == docker_daemon.info()["ID"]
    other = create_engine(engine.info.name)
    try:
        assert other.info.builder == engine.info.builder
    finally:
        other.close()


def test_a_report_of_a_real_build_is_plain_data(story: Story) -> None:
    from pytest_dockercache.jsonable import from_jsonable, to_jsonable
    from pytest_dockercache.model import Build

    assert from_jsonable(Build, json.loads(json.dumps(to_jsonable(story.edited)))) == story.edited
    assert never(story.edited.steps) is False
