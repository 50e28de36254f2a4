"""A hit that only an earlier build of the same edit explains is unknown, never a hit."""

from __future__ import annotations

import pytest

from pytest_dockercache.cache import doubt_repeated_edits
from pytest_dockercache.dockerfile import parse_dockerfile, plan
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

STEPS = plan(parse_dockerfile(DOCKERFILE))


def hits(*edits: Edit) -> Build:
    """A build in which every step hit."""
    steps = tuple(
        Step(
            step.line,
            step.stage.label,
            step.instruction.keyword,
            step.instruction.text,
            status="hit",
        )
        for step in STEPS
        if step.instruction.keyword in ("RUN", "COPY")
    )
    return Build(edits, "built", 1.0, steps, "image")


def unknown(*edits: Edit, changed: tuple[int, ...] = ()) -> list[int]:
    """The lines that become unknown."""
    judged = doubt_repeated_edits(hits(*edits), STEPS, changed)
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


def test_another_base_is_below_everything() -> None:
    assert unknown(Edit.base("debian:13")) == [3, 4, 6, 7]


def test_another_text_is_doubted_where_it_certainly_changes_a_key() -> None:
    edit = Edit.dockerfile(DOCKERFILE.replace("make", "make all"))
    assert unknown(edit, changed=(4,)) == [4, 6, 7]
    assert unknown(Edit.dockerfile(f"# a comment\n{DOCKERFILE}")) == []
