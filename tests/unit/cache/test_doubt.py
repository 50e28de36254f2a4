"""A hit that only an earlier build of the same edit explains is unknown, never a hit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_dockercache.cache import doubt_repeated_edits
from pytest_dockercache.dockerfile import PlannedStep, parse_dockerfile, plan
from pytest_dockercache.model import Build, Edit, Step

DOCKERFILE = """\
FROM debian AS base
ARG FLAVOUR=plain
COPY src/ /src/
RUN make
FROM debian
COPY --from=base /src /src
RUN echo done
"""


def hits(steps: Sequence[PlannedStep], edits: tuple[Edit, ...]) -> Build:
    """A build in which every step hit."""
    found = tuple(
        Step(
            step.line,
            step.stage.label,
            step.instruction.keyword,
            step.instruction.text,
            status="hit",
        )
        for step in steps
        if step.instruction.keyword in ("RUN", "COPY", "WORKDIR")
    )
    return Build(edits, "built", 1.0, found, "image")


def unknown(*edits: Edit, changed: tuple[int, ...] = (), text: str = DOCKERFILE) -> list[int]:
    """The lines that become unknown."""
    steps = plan(parse_dockerfile(text), all_stages=True)
    judged = doubt_repeated_edits(hits(steps, edits), steps, changed)
    return [step.line for step in judged.steps if step.status == "unknown"]


@pytest.mark.parametrize(
    "edit",
    [
        Edit.delete("src/main.py"),
        Edit.rename("src/main.py", "src/other.py"),
        Edit.chmod("src/main.py", 0o755),
        Edit.delete("src"),
    ],
)
def test_a_copy_that_takes_what_was_changed_cannot_hit_by_itself(edit: Edit) -> None:
    assert unknown(edit) == [3, 4, 6, 7]


def test_an_edit_that_carries_the_runs_nonce_needs_no_doubt() -> None:
    assert unknown(Edit.append("src/main.py")) == []
    assert unknown(Edit.create("src/new.py")) == []


def test_a_file_that_no_step_takes_may_go_without_a_trace() -> None:
    assert unknown(Edit.delete("README.md")) == []


def test_a_modification_time_is_in_no_key() -> None:
    assert unknown(Edit.touch("src/main.py")) == []


def test_a_chosen_argument_value_is_in_the_key_of_every_run_below_it() -> None:
    assert unknown(Edit.build_arg("FLAVOUR", "rich")) == [4, 6, 7]
    assert unknown(Edit.build_arg("FLAVOUR")) == []


def test_another_base_is_below_everything_in_the_stages_that_stand_on_it() -> None:
    # Only the target's base is replaced: line 2 to 4 stand on the one they stood on.
    assert unknown(Edit.base("debian:13")) == [6, 7]


def test_another_base_is_below_the_stages_that_the_target_is_built_from() -> None:
    text = "FROM debian AS base\nRUN make\nFROM base\nRUN echo done\n"
    assert unknown(Edit.base("debian:13"), text=text) == [2, 4]


def test_a_chosen_value_is_doubted_wherever_it_certainly_changes_a_key() -> None:
    text = "ARG TAG=12\nFROM debian:$TAG\nWORKDIR /srv\nRUN make\n"
    edit = Edit.build_arg("TAG", "13")
    assert unknown(edit, changed=(3, 4), text=text) == [3, 4]


def test_a_rule_of_an_ignore_file_keeps_out_what_it_kept_out_before() -> None:
    assert unknown(Edit.append(".dockerignore", "src/main.py"), changed=(3,)) == [3, 4, 6, 7]
    assert unknown(Edit.append(".dockerignore", "README.md")) == []


def test_a_dockerfile_that_is_edited_as_a_file_can_have_been_built_before() -> None:
    edit = Edit.replace("Dockerfile", "make", "make all")
    assert unknown(edit, changed=(4,)) == [4, 6, 7]


def test_another_text_is_doubted_where_it_certainly_changes_a_key() -> None:
    edit = Edit.dockerfile(DOCKERFILE.replace("make", "make all"))
    assert unknown(edit, changed=(4,)) == [4, 6, 7]
    assert unknown(Edit.dockerfile(f"# a comment\n{DOCKERFILE}")) == []


def test_a_mode_that_shows_nowhere_may_be_that_of_a_directory() -> None:
    steps = plan(parse_dockerfile(DOCKERFILE))
    doubted = doubt_repeated_edits(hits(steps, (Edit.chmod("src", 0o700),)), steps)
    assert {step.note.partition("so its hit ")[2] for step in doubted.steps if step.note} == {
        "can only come from an earlier build of the same edit, "
        "or the mode of a directory was overlooked"
    }
