"""The reports for code hosts: Markdown, SARIF, Code Quality, annotations."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import (
    DOCKERFILE,
    FAILED,
    GOOD_IMAGE,
    HOSTILE_IMAGE,
    IMAGE,
    NOT_BUILT,
    STRANGER,
    check,
    many,
    session,
)
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks import CHECKS
from pytest_dockercache.model import Finding, Fix, Row
from pytest_dockercache.report import CheckResult, Ending, SessionReport
from pytest_dockercache.report.markdown import render as markdown
from pytest_dockercache.report.pages import HOLDS, HOME, page_of
from pytest_dockercache.report.writing import TYPES, append_summary, rendered

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = Path(__file__).parent / "schemas"
SESSIONS = {
    "nothing": SessionReport(),
    "good": session(GOOD_IMAGE),
    "broken": session(IMAGE),
    "not-built": session(NOT_BUILT),
    "stranger": session(STRANGER),
    "hostile": session(HOSTILE_IMAGE),
    "several": session(GOOD_IMAGE, replace(IMAGE, node="Dockerfile[runtime]"), NOT_BUILT),
}
TEXTS = ("md", "annotations", "codequality")


@pytest.mark.parametrize("name", ["good", "broken", "not-built", "stranger", "several"])
@pytest.mark.parametrize("kind", TEXTS)
def test_each_format_shows_a_session(name: str, kind: str, snapshot: SnapshotAssertion) -> None:
    assert rendered(kind, SESSIONS[name]) == snapshot


def test_sarif_has_a_result_for_each_failure(snapshot: SnapshotAssertion) -> None:
    log = json.loads(rendered("sarif", SESSIONS["several"]))
    assert log["runs"][0]["results"] == snapshot


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("kind", ["sarif", "codequality"])
def test_each_document_is_valid_by_its_schema(name: str, kind: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema validates the documents")
    file = {"sarif": "sarif-2.1.0.json", "codequality": "codequality.json"}[kind]
    schema = json.loads((SCHEMAS / file).read_text())
    jsonschema.validate(json.loads(rendered(kind, SESSIONS[name])), schema)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", ["broken", "not-built", "stranger"])
def test_every_failure_carries_the_address_of_its_page(kind: str, name: str) -> None:
    text = rendered(kind, SESSIONS[name])
    for image in SESSIONS[name].images:
        for item in image.checks:
            if item.ending.outcome == "failed":
                assert page_of(item.id) in text


@pytest.mark.parametrize("name", CHECKS)
def test_the_address_of_a_page_leads_to_a_file_of_the_project(name: str) -> None:
    path = page_of(name).removeprefix(f"{HOME}/blob/main/")
    assert (ROOT / path).is_file()
    assert f'Homepage = "{HOME}"' in (ROOT / "pyproject.toml").read_text()


def test_each_check_says_when_it_holds() -> None:
    assert list(HOLDS) == list(CHECKS)


def test_a_result_blames_the_line_in_the_repository() -> None:
    (result,) = json.loads(rendered("sarif", SESSIONS["broken"]))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "services/forecast/Dockerfile"
    assert place["region"]["startLine"] == 4


def test_a_fix_of_a_result_makes_what_the_patch_makes() -> None:
    (result,) = json.loads(rendered("sarif", SESSIONS["broken"]))["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "services/forecast/Dockerfile"
    lines = DOCKERFILE.splitlines(keepends=True)
    for item in reversed(change["replacements"]):
        region = item["deletedRegion"]
        kept = lines[: region["startLine"] - 1], lines[region["endLine"] - 1 :]
        lines = [*kept[0], item["insertedContent"]["text"], *kept[1]]
    moved = DOCKERFILE.replace("COPY src/ src/\n", "").replace("CMD", "COPY src/ src/\nCMD")
    assert "".join(lines) == moved


def test_a_new_file_is_inserted_at_its_beginning() -> None:
    patch = "--- /dev/null\n+++ b/.dockerignore\n@@ -0,0 +1,2 @@\n+.git\n+.venv\n"
    failed = check(
        "dockerignore-effective", Ending("failed", Finding("x", fix=Fix("ignore it", patch)))
    )
    (result,) = json.loads(rendered("sarif", session(replace(IMAGE, checks=(failed,)))))["runs"][0][
        "results"
    ]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "services/forecast/.dockerignore"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
            "insertedContent": {"text": ".git\n.venv\n"},
        }
    ]


def test_a_patch_with_a_password_is_no_change_that_is_published() -> None:
    patch = (
        "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1 +1 @@\n-ADD https://me:secret@host/ /\n+RUN x\n"
    )
    failed = check("env-layer-cached", Ending("failed", Finding("x", fix=Fix("move it", patch))))
    told = session(replace(IMAGE, checks=(failed,)))
    assert "fixes" not in json.loads(rendered("sarif", told))["runs"][0]["results"][0]
    for kind in ("sarif", "md", "annotations", "codequality"):
        assert "secret" not in rendered(kind, told)


def at_line(result: CheckResult, line: int) -> CheckResult:
    finding = replace(result.ending.finding, line=line)
    return replace(result, ending=replace(result.ending, finding=finding))


def test_a_fingerprint_outlives_the_line_and_tells_targets_apart() -> None:
    moved = replace(IMAGE, checks=(at_line(FAILED, 9),))
    other = replace(moved, target="runtime")
    images = (IMAGE, moved, other)
    issues = [json.loads(rendered("codequality", session(image)))[0] for image in images]
    prints = [issue["fingerprint"] for issue in issues]
    assert prints[0] == prints[1] != prints[2]


# --- Markdown -----------------------------------------------------------------------------------


def unfolded(text: str) -> list[str]:
    shown = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    return [line for line in shown.splitlines() if line.strip()]


def test_a_good_run_is_said_in_twenty_lines() -> None:
    text = markdown(SESSIONS["good"])
    assert len(unfolded(text)) <= 20
    assert text.startswith("## ✅ Docker build cache: 4 checks hold\n")
    assert "a source edit runs again 1 of 4 steps (0.1 s of 1 min 34 s)" in text


def test_thirty_good_images_are_a_table_and_a_heading_each() -> None:
    images = [replace(GOOD_IMAGE, node=f"{n}/Dockerfile") for n in range(30)]
    text = markdown(session(*images))
    assert "✅ Docker build cache: 120 checks hold, in 30 images" in text
    assert sum(line.startswith("| ✅") for line in text.splitlines()) == 30


def test_what_does_not_fit_is_left_out_with_words_and_verdicts_come_first() -> None:
    told = many(100)
    text = markdown(told, limit=60_000)
    assert len(text.encode()) <= 60_000
    assert re.search(
        r"> Left out, because this text may not be longer: .*details of \d+ images", text
    )
    assert text.count("#### ❌ env layer was rebuilt") == 40 or "the verdicts of" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    assert len(markdown(told, limit=1_000_000).encode()) > 60_000


def test_a_huge_message_is_cut_with_words() -> None:
    failed = check("builds", Ending("failed", Finding("no", rows=(Row("x" * 2_000_000),))))
    text = markdown(session(replace(IMAGE, checks=(failed,))))
    assert len(text.encode()) < 60_000
    assert "… and 1,996,003 characters more" in text


def test_texts_of_others_neither_end_a_block_nor_call_anybody() -> None:
    shown = re.sub(r"(?ms)^(`{3,})\w+\n.*?^\1$", "", markdown(SESSIONS["hostile"]))
    shown = re.sub(r"(`+)(?!`).*?[^`]\1(?!`)", "", shown)
    assert re.search(r"<(?!/?(details|summary)>)", shown) is None
    assert "@all" not in shown


def test_an_annotation_is_one_line_whatever_its_text_holds() -> None:
    text = rendered("annotations", SESSIONS["hostile"])
    assert len(text.splitlines()) == 1
    properties = text.removeprefix("::error ").partition("::")[0]
    assert re.findall(r"(?:^|,)(\w+)=", properties) == ["file", "line", "title"]


def test_the_summary_of_a_job_grows_and_stays_below_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# Tests\n")
    append_summary(SESSIONS["good"], path)
    append_summary(SESSIONS["good"], path)
    text = path.read_text()
    assert text.startswith("# Tests\n## ✅")
    assert text.count("## ✅") == 2
    path.write_text("x" * 999_990)
    append_summary(SESSIONS["good"], path)
    assert path.stat().st_size == 999_990


def test_a_check_of_the_json_has_its_page_as_a_key() -> None:
    found: Any = json.loads(rendered("json", SESSIONS["broken"]))
    assert found["images"][0]["checks"][1]["page"] == page_of("env-layer-cached")
