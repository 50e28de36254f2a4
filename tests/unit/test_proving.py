"""Proving fixes on a copy of the project: together, one by one, and only what passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_dockercache._pytest.proving import Proving, prove
from pytest_dockercache._pytest.proving import _saved as saved
from pytest_dockercache.checks.layer_summary import LayerSummary
from pytest_dockercache.dockerfile.rewriting import applied, patch_of
from pytest_dockercache.model import BuildSpec, Finding, Fix
from pytest_dockercache.project import Settings
from pytest_dockercache.report import Ending, ImageReport

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
    assert tuple(proof.proven) == ("one", "two")
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
    assert tuple(proof.proven) == ("one",)
    assert proof.refused == {"two": "with it applied: two is bad"}
    assert proof.changes["Dockerfile"][1] == BEFORE.replace("BAD one\n", "")


def test_patches_of_the_same_lines_are_proven_one_after_the_other(tmp_path: Path) -> None:
    """A check that fails on the copy offers a patch of the copy; what is proven is not refused."""
    judged: list[str] = []
    names = ("one", "two", "three", "four", "five")
    first = "FROM a\nBAD one two three four five\n"

    def failing(text: str) -> Mapping[str, Ending]:
        line = text.split("BAD", 1)[1].split()
        return {
            name: offer(text, text.replace(f" {name}", ""))
            if name in line
            else Ending("passed", Finding(""))
            for name in names
        }

    def judge(spec: BuildSpec, settings: Settings, checks: Sequence[str]) -> Mapping[str, Ending]:
        judged.append(spec.dockerfile.read_text())
        return failing(judged[-1])

    trial = proving(tmp_path, judged)
    trial.judge = judge
    (trial.root / "Dockerfile").write_text(first)
    proof = prove(trial, failing(first))
    assert tuple(proof.proven) == names
    assert proof.refused == {}
    assert proof.changes["Dockerfile"][1] == "FROM a\nBAD\n"
    assert len(judged) == len(names)
    # Each patch that is said to be proven is the one that was built, on top of those before it.
    texts = {"Dockerfile": first}
    for fix in proof.proven.values():
        assert fix.patch is not None
        assert fix.proven
        texts |= applied(fix.patch, texts)
    assert texts["Dockerfile"] == "FROM a\nBAD\n"
    assert "apply" not in proof.proven["one"].text
    assert proof.proven["three"].text.endswith("; apply the fix of one and the fix of two first")


def test_a_check_that_the_fix_of_another_mends_needs_no_fix_of_its_own(tmp_path: Path) -> None:
    trial = proving(tmp_path, [])
    first = BEFORE.replace("BAD two", "BAD one BAD two")
    (trial.root / "Dockerfile").write_text(first)
    both = first.replace("BAD one\n", "").replace("BAD one BAD two\n", "")
    endings = {"one": offer(first, both), "two": offer(first, first.replace(" BAD two", ""))}
    proof = prove(trial, endings)
    assert tuple(proof.proven) == ("one",)
    assert proof.refused == {"two": "it is not needed, the check passes with the proven ones"}


def test_what_is_saved_is_of_the_layers_that_the_dockerfile_adds() -> None:
    base = LayerSummary(None, "ADD", 220_000_000, True, 51_000_000, 17_800_000, 0, ())
    own = LayerSummary(4, "RUN", 103_000_000, False, 12_000_000, 3_100_000, 0, ())
    image = ImageReport("Dockerfile", "Dockerfile", ".", layers=(base, own))
    assert saved(image, "no-bytecode") == "3.1 MB of the image"
    assert saved(image, "no-package-caches") == "12.0 MB of the image"


def test_a_patch_that_breaks_another_check_is_not_taken(tmp_path: Path) -> None:
    judged: list[str] = []
    endings = {
        "builds": Ending("passed", Finding("")),
        "one": offer(BEFORE, BEFORE.replace("BAD one\n", "BROKEN\n")),
    }
    proof = prove(proving(tmp_path, judged, breaks="BROKEN"), endings)
    assert proof.proven == {}
    assert proof.changes == {}
    assert proof.refused == {"one": "with it applied builds does not pass any more"}


def test_words_without_a_patch_are_not_tried(tmp_path: Path) -> None:
    judged: list[str] = []
    proof = prove(
        proving(tmp_path, judged), {"one": Ending("failed", Finding("bad", fix=Fix("words")))}
    )
    assert (proof.changes, judged) == ({}, [])
