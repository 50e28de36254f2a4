"""The JSON report as a file that other programs read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from example import BAD, Project
from syrupy.assertion import SnapshotAssertion


def report(project: Project) -> Any:
    return json.loads((project.root / "out" / "report.json").read_text())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_report_has_engine_builds_steps_and_checks(
    project: Project, workers: str, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest(
        "--dockercache-report=json:out/report.json", "-n", workers, process=True
    )
    assert result.code == 0
    found = report(project)
    for image in found["images"]:
        image["builds"].sort(key=lambda build: str(build["edit"]))
    # Both ways of running share one snapshot.
    assert found == snapshot(name="report")


def test_the_report_is_written_when_a_check_fails(project: Project) -> None:
    project.script = BAD
    result = project.pytest("--dockercache-report=json:out/report.json")
    assert result.code == 1
    checks = {check["id"]: check for check in report(project)["images"][0]["checks"]}
    assert checks["env-layer-cached"]["outcome"] == "failed"
    assert checks["env-layer-cached"]["message"].startswith("env layer was rebuilt")
    assert checks["env-layer-cached"]["nodeid"] == "Dockerfile::env-layer-cached"
    assert checks["builds"]["outcome"] == "passed"


def test_skips_and_errors_are_reported_with_their_reasons(project: Project) -> None:
    project.files["Dockerfile"] = "FROM debian:12\nCOPY src/ /app/\n"
    project.script = {"first": {}, "src/main.py": {"miss": {}}}
    project.pytest("--dockercache-report=json:out/report.json")
    checks = {check["id"]: check for check in report(project)["images"][0]["checks"]}
    assert checks["env-layer-cached"]["outcome"] == "skipped"
    assert checks["env-layer-cached"]["skip"] == "does-not-apply"
    assert checks["env-layer-cached"]["message"].startswith("no environment step recognised")
    project.script = {"denied": "no permission on the socket"}
    project.pytest("--dockercache-report=json:out/report.json")
    checks = {check["id"]: check for check in report(project)["images"][0]["checks"]}
    assert {check["outcome"] for check in checks.values()} == {"error"}
    assert checks["builds"]["message"] == "no permission on the socket"
    assert checks["builds"]["skip"] is None


def test_why_and_fix_of_a_failure_are_keys_of_their_own(project: Project) -> None:
    project.script = BAD
    project.pytest("--dockercache-report=json:out/report.json", "-k", "env-layer")
    (check,) = report(project)["images"][0]["checks"]
    assert check["why"].startswith("nothing that we know of line 3 changed")
    assert check["fix"]["text"]
    assert check["fix"]["text"] in check["message"]
    assert (check["fix"]["patch"], check["fix"]["proven"]) == (None, False)


@pytest.mark.parametrize(
    "script",
    [
        {"denied": ["no permission on the socket", "join the group"]},
        {"absent": ["no daemon listens", "join the group"]},
    ],
)
def test_the_fix_of_an_error_or_a_skip_is_a_key_too(
    project: Project, script: dict[str, list[str]]
) -> None:
    project.script = script
    project.pytest("--dockercache-report=json:out/report.json", "Dockerfile::builds")
    (check,) = report(project)["images"][0]["checks"]
    verdict, fix = next(iter(script.values()))
    assert check["message"] == f"{verdict}\n  fix    {fix}"
    assert check["fix"] == {"text": fix, "patch": None, "proven": False}


@pytest.mark.parametrize("strict", [(), ("--dockercache-strict",)])
def test_what_could_not_be_verified_says_so_also_when_strict_fails_it(
    project: Project, strict: tuple[str, ...]
) -> None:
    project.script = {"absent": "no Docker daemon listens"}
    auto = "--dockercache-engine=auto"
    project.pytest(auto, "--dockercache-report=json:out/report.json", *strict)
    checks = report(project)["images"][0]["checks"]
    assert {check["outcome"] for check in checks} == {"failed" if strict else "skipped"}
    assert {check["skip"] for check in checks} == {"not-verified"}
    first, *others = (check["message"] for check in checks)
    assert first == "no Docker daemon listens"
    assert set(others) == {f"{first} (see Dockerfile::builds)" if strict else first}


@pytest.mark.parametrize("act", ["pytest.skip('on Mondays')", "raise OSError('disk full')"])
def test_what_a_hook_of_the_users_does_to_a_check_is_reported(project: Project, act: str) -> None:
    project.files["conftest.py"] = f"""
        import pytest
        import scripted_engine
        scripted_engine.install()

        def pytest_runtest_setup(item):
            {act}
        """
    project.pytest("--dockercache-report=json:out/report.json", "Dockerfile::builds")
    (check,) = report(project)["images"][0]["checks"]
    skipped = "skip" in act
    assert check["outcome"] == ("skipped" if skipped else "error")
    assert ("on Mondays" if skipped else "disk full") in check["message"]
    assert (check["skip"], check["fix"]) == (None, None)


def test_an_old_report_is_replaced_and_nothing_partial_stays(project: Project) -> None:
    project.files["out/report.json"] = "old"
    project.pytest("--dockercache-report=json:out/report.json", "Dockerfile::builds")
    assert report(project)["schema"] == 2
    assert [path.name for path in (project.root / "out").iterdir()] == ["report.json"]


def test_collecting_only_writes_no_report(project: Project) -> None:
    project.pytest("--dockercache-report=json:out/report.json", "--collect-only")
    assert not (project.root / "out").exists()


def test_a_build_that_failed_is_in_the_report_and_the_summary(project: Project) -> None:
    project.script = {**BAD, "environment.yml": {"fail": [4, "solver failed"]}}
    result = project.pytest("--dockercache-report=json:out/report.json", "-k", "env")
    builds = report(project)["images"][0]["builds"]
    assert [build["outcome"] for build in builds] == ["built", "stopped", "failed"]
    assert builds[2] == {
        "edit": {"kind": "append", "path": "environment.yml", "detail": "+1 comment line"},
        "outcome": "failed",
        "seconds": 0.0,
        "steps": [],
    }
    assert result.has("also: environment.yml (+1 comment line), failed\n")


def test_a_project_that_does_not_build_has_one_failed_build(project: Project) -> None:
    project.script = {"first": {"fail": [4, "solver failed"]}}
    result = project.pytest("--dockercache-report=json:out/report.json")
    (build,) = report(project)["images"][0]["builds"]
    assert (build["edit"], build["outcome"]) == (None, "failed")
    assert result.has("Dockerfile  (scripted)\nfirst build: failed\n")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_first_line_of_a_message_is_the_verdict_also_from_a_worker(
    project: Project, workers: str
) -> None:
    project.script = {**BAD, "environment.yml": {"fail": [4, "solver failed"]}}
    project.pytest("--dockercache-report=json:out/report.json", "-n", workers, process=True)
    checks = {check["id"]: check for check in report(project)["images"][0]["checks"]}
    assert checks["env-layer-cached"]["message"].startswith("env layer was rebuilt")
    assert checks["env-change-rebuilds"]["outcome"] == "error"
    assert checks["env-change-rebuilds"]["message"].startswith("line 4 failed: ")


@pytest.mark.parametrize("keywords", ["build_args={'FOO': '1'}", "engine='model'"])
def test_what_a_marked_test_builds_otherwise_has_no_check_of_the_dockerfile(
    project: Project, keywords: str
) -> None:
    project.files["test_image.py"] = f"""
        import pytest

        @pytest.mark.dockercache({keywords})
        def test_image(dockercache):
            dockercache.first
        """
    report_to = "--dockercache-report=json:out/report.json"
    project.pytest(report_to, "test_image.py", "Dockerfile::builds")
    judged, marked = report(project)["images"]
    assert [check["nodeid"] for check in judged["checks"]] == ["Dockerfile::builds"]
    assert (marked["dockerfile"], marked["checks"]) == ("Dockerfile", [])
    assert len(marked["builds"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [("-q", "-k", "nosuch"), ("-k", "nosuch"), ("-q", "tests"), ("-q", "-n", "2", "tests")],
)
def test_a_session_that_judges_nothing_leaves_no_report_of_an_earlier_one(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.files["out/report.json"] = "yesterday's"
    project.files["tests/test_a.py"] = "def test_a(): pass"
    project.pytest("--dockercache-report=json:out/report.json", *arguments, process=True)
    assert not [check for image in report(project)["images"] for check in image["checks"]]


@pytest.mark.parametrize("option", ["--collect-only", "--fixtures", "--markers"])
def test_what_runs_no_tests_leaves_a_report_as_it_is(project: Project, option: str) -> None:
    project.files["out/report.json"] = "yesterday's"
    project.pytest("--dockercache-report=json:out/report.json", option, "-q")
    assert (project.root / "out" / "report.json").read_text() == "yesterday's"


@pytest.mark.parametrize("place", ["/proc/report.json", "there", "a_file/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_built(
    project: Project, place: str
) -> None:
    project.files.update({"there/x": "", "a_file": ""})
    result = project.pytest(f"--dockercache-report=json:{place}")
    assert result.code == 4
    assert result.has("ERROR: --dockercache-report=json:")
    assert project.builds == []


def test_a_report_that_could_not_be_written_in_the_end_fails_the_run(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest("--dockercache-report=json:/dev/full", "Dockerfile::builds")
    assert result.counts == {"passed": 1}
    assert result.code == 1
    assert result.stable == snapshot


def test_a_report_is_written_through_a_link(project: Project) -> None:
    (project.root / "out").mkdir()
    (project.root / "link.json").symlink_to("out/report.json")
    project.pytest("--dockercache-report=json:link.json", "Dockerfile::builds")
    assert (project.root / "link.json").is_symlink()
    assert report(project)["schema"] == 2


def test_the_password_of_a_url_is_in_no_report(project: Project) -> None:
    url = "https://me:secret@pypi.test/simple"
    project.files["Dockerfile"] = f"ARG INDEX\nFROM debian\nRUN pip install -i {url} flask\n"
    project.script = {"first": {"fail": [3, f"cannot reach {url} \x1b[31mred"]}}
    result = project.pytest(
        "--dockercache-report=json:out/report.json", f"--dockercache-build-arg=INDEX={url}"
    )
    text = (project.root / "out" / "report.json").read_text()
    for shown in (result.text, text):
        assert "secret" not in shown
        assert "me:***@pypi.test" in shown
        assert "\x1b[31m" not in shown
    assert report(project)["images"][0]["build_args"] == {"INDEX": url.replace("secret", "***")}
