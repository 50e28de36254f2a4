"""Proving fixes on a copy of the project: together, one by one, and only what passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_dockercache._pytest.proving import Proving, prove
from pytest_dockercache.dockerfile.rewriting import patch_of
from pytest_dockercache.model import BuildSpec, Finding, Fix
from pytest_dockercache.project import Settings
from pytest_dockercache.report import Ending

BEFORE = "FROM a\nBAD one\nRUN x\nRUN y\nRUN z\nBAD two\nRUN w\n"


def offer(before: str, after: str) -> Ending:
    return Ending(
        "failed", Finding("bad", fix=Fix("words", patch_of({"Dockerfile": (before, after)})))
    )


def proving(directory: Path, judged: list[str], breaks: str = "never") -> Proving:
    """A project in which `one` fails while its line is there, `two` likewise."""
    root = directory / "project"
    root.mkdir()
    (root / "Dockerfile").write_text(BEFORE)
    (root / "main.py").write_text("1\n")
    (root / ".venv").mkdir()
    (root / ".venv" / "big").write_text("x")
    (root / ".dockerignore").write_text(".venv\n")

    def judge(spec: BuildSpec, settings: Settings, checks: Sequence[str]) -> Mapping[str, Ending]:
        text = spec.dockerfile.read_text()
        judged.append(text)
        assert (spec.context / "main.py").read_text() == "1\n"
        assert not (spec.context / ".venv").exists()
        assert spec.context.name == root.name
        assert settings.root == spec.context
        found = {
            name: Ending("failed", Finding(f"{name} is bad"))
            if f"BAD {name}" in text
            else Ending("passed", Finding(""))
            for name in ("one", "two")
        }
        found["builds"] = Ending("failed" if breaks in text else "passed", Finding(""))
        return found

    spec = BuildSpec(root / "Dockerfile", root)
    return Proving(spec, Settings(), root, directory / "proof", judge)


def test_all_patches_are_tried_together(tmp_path: Path) -> None:
    judged: list[str] = []
    endings = {
        "builds": Ending("passed", Finding("")),
        "one": offer(BEFORE, BEFORE.replace("BAD one\n", "")),
        "two": offer(BEFORE, BEFORE.replace("BAD two\n", "")),
    }
    proof = prove(proving(tmp_path, judged), endings)
    good = "FROM a\nRUN x\nRUN y\nRUN z\nRUN w\n"
    assert judged == [good]
    assert proof.proven == ("one", "two")
    assert proof.changes == {"Dockerfile": (BEFORE, good)}
    assert (tmp_path / "project" / "Dockerfile").read_text() == BEFORE
    assert list((tmp_path / "proof").iterdir()) == []


def test_a_patch_that_does_not_help_does_not_spoil_the_other(tmp_path: Path) -> None:
    judged: list[str] = []
    endings = {
        "builds": Ending("passed", Finding("")),
        "one": offer(BEFORE, BEFORE.replace("BAD one\n", "")),
        "two": offer(BEFORE, BEFORE.replace("RUN w\n", "RUN v\n")),
    }
    proof = prove(proving(tmp_path, judged), endings)
    assert proof.proven == ("one",)
    assert proof.refused == {"two": "with it applied: two is bad"}
    assert proof.changes["Dockerfile"][1] == BEFORE.replace("BAD one\n", "")


def test_a_patch_that_breaks_another_check_is_not_taken(tmp_path: Path) -> None:
    judged: list[str] = []
    endings = {
        "builds": Ending("passed", Finding("")),
        "one": offer(BEFORE, BEFORE.replace("BAD one\n", "BROKEN\n")),
    }
    proof = prove(proving(tmp_path, judged, breaks="BROKEN"), endings)
    assert proof.proven == ()
    assert proof.changes == {}
    assert proof.refused == {"one": "with it applied builds does not pass any more"}


def test_words_without_a_patch_are_not_tried(tmp_path: Path) -> None:
    judged: list[str] = []
    proof = prove(
        proving(tmp_path, judged), {"one": Ending("failed", Finding("bad", fix=Fix("words")))}
    )
    assert (proof.changes, judged) == ({}, [])
