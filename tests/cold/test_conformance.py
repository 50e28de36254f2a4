"""The duties of the engine buildx on each kind of builder, with the tests of `tests/engine`.

A builder outside of the daemon loads each image into it (`--load`), pulls its bases from a
registry, and lists and prunes its cache through the command.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest
from project_under_test import LABEL, by_line
from runners import Runner
from test_engines import (
    TWO_STAGES,
    Make,
    layers_of,
    make,
    remove_all_of,
    run_id,
    story,
    test_a_build_argument_reaches_the_build,
    test_a_build_that_takes_too_long_names_the_step_that_ran,
    test_a_command_does_not_begin_after_its_build_was_stopped,
    test_a_failing_command_is_named_with_its_line_exit_code_and_output,
    test_a_first_build_misses_what_nobody_built_and_times_it,
    test_a_missing_source_is_named_with_its_line,
    test_a_running_step_is_shown_as_a_miss_while_it_runs,
    test_a_source_edit_misses_its_copy_and_what_stands_on_it_only,
    test_a_stopped_step_is_a_miss_again_the_next_time,
    test_a_target_builds_its_stage_only,
    test_a_verdict_is_never_taken_back_while_the_build_runs,
    test_a_watcher_that_raises_cancels_the_build,
    test_equal_keys_of_two_stages_are_no_hit_on_a_first_build,
    test_identical_stages_are_judged_at_each_of_their_lines,
    test_secrets_and_ssh_need_buildx,
    test_the_image_is_in_the_store_and_carries_our_label,
    test_the_same_build_again_hits_everything,
)

from pytest_dockercache.engines import Engine, create_engine
from pytest_dockercache.engines.buildx import Buildx
from pytest_dockercache.model import Edit

__all__ = [
    "make",
    "run_id",
    "story",
    "test_a_build_argument_reaches_the_build",
    "test_a_build_that_takes_too_long_names_the_step_that_ran",
    "test_a_command_does_not_begin_after_its_build_was_stopped",
    "test_a_failing_command_is_named_with_its_line_exit_code_and_output",
    "test_a_first_build_misses_what_nobody_built_and_times_it",
    "test_a_missing_source_is_named_with_its_line",
    "test_a_running_step_is_shown_as_a_miss_while_it_runs",
    "test_a_source_edit_misses_its_copy_and_what_stands_on_it_only",
    "test_a_stopped_step_is_a_miss_again_the_next_time",
    "test_a_target_builds_its_stage_only",
    "test_a_verdict_is_never_taken_back_while_the_build_runs",
    "test_a_watcher_that_raises_cancels_the_build",
    "test_equal_keys_of_two_stages_are_no_hit_on_a_first_build",
    "test_identical_stages_are_judged_at_each_of_their_lines",
    "test_secrets_and_ssh_need_buildx",
    "test_the_image_is_in_the_store_and_carries_our_label",
    "test_the_same_build_again_hits_everything",
]

# The docker driver on a graph driver is what `tests/engine` runs these on.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.newest_python,
    pytest.mark.parametrize(
        "daemon", ["containerd", "container", "remote"], indirect=True, scope="session"
    ),
]


@pytest.fixture(scope="session")
def tiny(runner: Runner) -> str:
    """The base image, where every builder can pull it."""
    return runner.base


@pytest.fixture(scope="session")
def docker_daemon(runner: Runner) -> Iterator[docker.DockerClient]:
    """The daemon that the images are loaded into."""
    with runner.daemon.client() as client:
        yield client


@pytest.fixture(scope="session")
def engine(runner: Runner, run_id: str, docker_daemon: docker.DockerClient) -> Iterator[Engine]:
    """Buildx with the runner's builder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DOCKER_HOST", "DOCKER_CONFIG", "XDG_CACHE_HOME"):
            patch.setenv(name, runner.env[name])
        made = create_engine("buildx", builder=runner.builder)
        yield made
        made.close()
        remove_all_of(docker_daemon, run_id)


def test_what_an_edit_left_in_the_cache_goes_and_nothing_else(
    make: Make, engine: Engine, runner: Runner
) -> None:
    assert isinstance(engine, Buildx)
    other, project = make(TWO_STAGES), make(TWO_STAGES)
    for one in (other, project):
        one.build(engine)
    engine.traces()
    edit = Edit.append("environment.yml", f"# {uuid.uuid4().hex}")
    edited = project.build(engine, edit)
    assert [step.line for step in layers_of(edited) if step.status == "miss"] == [3, 4]
    left = json.loads(json.dumps(engine.traces()))
    before = {record.id for record in engine._records() or ()}
    stayed = engine.remove_traces(left)
    gone = before - {record.id for record in engine._records() or ()}
    if runner.name == "containerd":
        # It forgets the whole cache with the first record that is pruned.
        assert (len(gone), stayed > 0) == (0, True)
    else:
        assert (len(gone) >= 2, stayed) == (True, 0)
    for one in (project, other):
        assert {step.status for step in one.build(engine).steps} == {"hit"}


def test_the_image_of_an_edited_build_holds_the_edit(make: Make, engine: Engine) -> None:
    project = make(TWO_STAGES)
    project.build(engine)
    line = f"# {uuid.uuid4().hex}"
    image = str(project.build(engine, Edit.append("src/main.py", line)).image)
    said = engine.run(image, ["cat", "/src/main.py"], labels={LABEL: project.run})
    assert said.stdout.splitlines()[:2] == [f"print('{project.nonce}')", line]


def test_two_builds_at_once_both_say_that_they_ran_a_step_that_they_share(
    make: Make, engine: Engine
) -> None:
    """The reason why builds on one builder take turns."""
    project = make({"Dockerfile": "FROM {tiny}\nRUN sleep 3 && echo {nonce}\n"})
    staged = [replace(project, staging=project.staging / name) for name in "ab"]
    with ThreadPoolExecutor(2) as both:
        # Each leaves another image: the containerd store refuses to make the same one twice.
        labels = [uuid.uuid4().hex, uuid.uuid4().hex]
        builds = list(both.map(lambda one, label: one.build(engine, label=label), staged, labels))
    assert [by_line(build) for build in builds] == [{2: "miss"}, {2: "miss"}]
