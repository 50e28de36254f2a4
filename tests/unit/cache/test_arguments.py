"""Build arguments without a value, and values that only one run has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.cache import Snapshot, predict
from pytest_dockercache.context import apply_argument_edits
from pytest_dockercache.dockerfile import parse_dockerfile, plan, valueless_source
from pytest_dockercache.model import BuildSpec, Edit


def statuses(root: Path, dockerfile: str, *edits: Edit) -> dict[int, str]:
    """Line to predicted status, after the edits."""
    (root / "Dockerfile").write_text(dockerfile)
    spec = BuildSpec(root / "Dockerfile", root)
    before = Snapshot.read(spec)
    after = before.after(apply_argument_edits(spec, edits, "nonce", {}), edits, nonce="nonce")
    return {item.step.line: item.status for item in predict(before, after)}


@pytest.mark.parametrize(
    "setting",
    ["ENV GIT_SHA=$GIT_SHA", "ENV A=b GIT_SHA=v-$GIT_SHA-w", "WORKDIR /srv/$GIT_SHA"],
)
def test_a_value_that_is_new_to_the_run_equals_nothing_that_a_base_sets(
    tmp_path: Path, setting: str
) -> None:
    said = statuses(
        tmp_path,
        f"FROM debian\nARG GIT_SHA\n{setting}\nRUN install\n",
        Edit.build_arg("GIT_SHA"),
    )
    assert said[4] == "miss"


def test_a_value_that_a_user_has_chosen_may_be_what_the_base_sets(tmp_path: Path) -> None:
    text = "FROM debian\nARG GIT_SHA\nENV GIT_SHA=$GIT_SHA\nRUN install\n"
    said = statuses(tmp_path, text, Edit.build_arg("GIT_SHA", "main"))
    assert said[4] == "unknown"


def test_an_argument_that_is_given_its_own_default_changes_nothing(tmp_path: Path) -> None:
    text = "FROM debian\nARG MODE=fast\nRUN install $MODE\n"
    assert statuses(tmp_path, text, Edit.build_arg("MODE", "fast")) == {3: "hit"}


@pytest.mark.parametrize(
    ("dockerfile", "found"),
    [
        ("FROM a\nARG F\nCOPY ${F} x\n", ("F", 2, 3)),
        ("FROM a\nARG F\nCOPY a $F.txt x/\n", ("F", 2, 3)),
        ('ARG F\nFROM a\nARG F\nADD ["$F", "x"]\n', ("F", 3, 4)),
        ("FROM a\nARG F=b\nCOPY ${F} x\n", None),
        ("FROM a\nARG F\nCOPY ${F:-b} x\n", None),
        ("FROM a\nARG F\nCOPY a ${F}\n", None),
        ("FROM a\nARG F\nCOPY a$FILE x\n", None),
        ("FROM a\nARG F\nENV F=b\nCOPY $F x\n", None),
        ("FROM a\nCOPY $F x\n", None),
        ("ARG F=b\nFROM a\nARG F\nCOPY $F x\n", None),
        ("FROM a\nARG F\nCOPY r${F:+-$F}.txt r${F+$F}.in ./\n", None),
    ],
)
def test_an_argument_without_a_value_that_names_what_is_copied_is_named(
    dockerfile: str, found: tuple[str, int, int] | None
) -> None:
    read = parse_dockerfile(dockerfile)
    said = valueless_source(read, plan(read))
    assert found == (None if said is None else (said.name, said.declared, said.line))
    if said is not None:
        assert str(said).startswith(f"build argument {said.name} (line {said.declared}) has no v")
        assert "--dockercache-build-arg=F=VALUE" in said.fix


def test_two_names_of_one_image_are_one_base_and_two_inputs(tmp_path: Path) -> None:
    text = "FROM one AS s0\nFROM one\nRUN --mount=type=bind,from=s0,target=/m install\n"
    (tmp_path / "Dockerfile").write_text(text)
    spec = BuildSpec(tmp_path / "Dockerfile", tmp_path)
    same = {"one": "layers", "other": "layers"}
    before = Snapshot.read(spec, identities=same)
    edit = Edit.dockerfile(before.dockerfile.text.replace("FROM one AS s0", "FROM other AS s0"))
    after = before.after(spec, [edit], nonce="nonce")
    assert [item.status for item in predict(before, after) if item.step.line == 3] == ["miss"]
