"""The pytest outcomes of judgements, and the texts that a user reads."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from example import BAD, DOCKERFILE, GOOD, Project
from syrupy.assertion import SnapshotAssertion

SOURCE_FIRST = """\
FROM continuumio/miniconda3:latest
WORKDIR /opt/app
COPY . .
RUN conda env update -n base -f environment.yml && conda clean -afy
CMD ["python", "src/main.py"]
"""

REBUILT = {
    "first": {"miss": {"3": 0.1, "4": 94.1}, "seconds": 96.0},
    "src/main.py": {"miss": {"3": 0.1, "4": 94.1}, "seconds": 0.3},
    "environment.yml": {"miss": {"3": 0.1, "4": 94.1}, "seconds": 0.3},
}

FAILED = {"first": {"fail": [4, "PackagesNotFoundError: nosuchpackage"]}}


@pytest.fixture
def source_first(project: Project) -> Project:
    """A project that copies its source before the environment is made."""
    project.files["Dockerfile"] = SOURCE_FIRST
    project.script = REBUILT
    return project


def test_a_good_project_passes_and_shows_its_table(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest("-v")
    assert result.code == 0
    assert result.stable == snapshot


def test_a_check_that_does_not_hold_fails_with_its_message_alone(
    source_first: Project, snapshot: SnapshotAssertion
) -> None:
    result = source_first.pytest("-k", "env-layer-cached")
    assert result.counts == {"failed": 1, "deselected": 4}
    assert result.stable == snapshot


def test_a_failure_looks_the_same_from_a_worker(source_first: Project) -> None:
    result = source_first.pytest("-n", "2", "-k", "env-layer-cached", process=True)
    assert result.counts["failed"] == 1
    assert result.has(
        "FAILED Dockerfile::env-layer-cached - env layer was rebuilt",
        "\nenv layer was rebuilt: ",
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_failure_uses_the_width_of_the_terminal(
    source_first: Project, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    result = source_first.pytest("-n", workers, "-k", "env-layer-cached", process=True)
    whole = "RUN conda env update -n base -f environment.yml && conda clean -afy"
    assert result.has(f"{whole} MISS  94.1 s again on every source edit")


def test_a_failure_is_located_at_the_guilty_line(source_first: Project) -> None:
    source_first.files["conftest.py"] = """
        import scripted_engine
        scripted_engine.install()
        def pytest_runtest_logreport(report):
            if report.failed:
                print("LOCATION", report.location, report.longrepr.reprcrash.lineno)
        """
    result = source_first.pytest("-s", "Dockerfile::env-layer-cached")
    assert result.has("LOCATION ('Dockerfile', 2, 'Dockerfile::env-layer-cached') 3")


def test_a_failed_build_fails_builds_and_skips_the_rest_with_the_reason(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.script = FAILED
    result = project.pytest("-rs")
    assert result.counts == {"failed": 1, "skipped": 4}
    assert project.builds == ["first"]
    assert result.stable == snapshot


def test_a_failed_build_is_an_error_where_builds_is_not_selected(project: Project) -> None:
    project.script = FAILED
    result = project.pytest("-k", "env-layer-cached")
    assert result.counts["errors"] == 1
    assert result.code == 1
    assert result.has("line 4 failed: RUN conda env update", "PackagesNotFoundError")
    assert "Traceback" not in result.text


def test_a_rebuild_that_fails_is_an_error_with_its_own_message(project: Project) -> None:
    project.script = {**GOOD, "src/main.py": {"fail": [5, "no space left on device"]}}
    result = project.pytest("Dockerfile::builds", "Dockerfile::env-layer-cached")
    assert result.counts == {"passed": 1, "errors": 1}
    assert result.has("ERROR at setup of Dockerfile::env-layer-cached", "no space left on device")


def test_what_does_not_apply_is_skipped_also_when_strict(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["Dockerfile"] = "FROM debian:12\nCOPY src/ /app/\n"
    project.script = {"first": {}, "src/main.py": {"miss": {"2": 0.1}}}
    result = project.pytest("-rs", "-k", "env-layer-cached", "--dockercache-strict")
    assert result.counts == {"skipped": 1, "deselected": 4}
    assert result.stable == snapshot


def test_what_cannot_be_verified_fails_when_strict(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest(
        "-k", "env-layer-cached", "--dockercache-engine=auto", "--dockercache-strict"
    )
    assert result.counts == {"failed": 1, "deselected": 4}
    assert result.stable == snapshot


def test_an_edit_that_never_reaches_the_image_is_an_error(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.script = {**GOOD, "src/main.py": {"miss": {}}}
    result = project.pytest("Dockerfile::env-layer-cached")
    assert result.counts == {"errors": 1}
    assert result.stable == snapshot


def test_without_a_daemon_every_check_is_skipped_and_the_summary_says_so(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest("--dockercache-engine=auto", "-rs")
    assert result.counts == {"skipped": 5}
    assert result.code == 0
    assert result.stable == snapshot


def test_without_a_daemon_every_check_fails_when_strict(project: Project) -> None:
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest("--dockercache-engine=auto", "--dockercache-strict")
    assert result.counts == {"failed": 5}
    assert result.has("(--dockercache-strict)")


def test_an_engine_that_was_named_and_is_not_there_is_an_error(project: Project) -> None:
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest("Dockerfile::builds")
    assert result.counts == {"errors": 1}
    assert result.has("no Docker daemon listens")


def test_an_engine_that_refuses_is_an_error_of_every_check(project: Project) -> None:
    project.script = {"denied": "no permission on /var/run/docker.sock"}
    result = project.pytest()
    assert result.counts == {"errors": 5}
    assert result.has("dockercache: no engine: no permission on /var/run/docker.sock")
    assert "Traceback" not in result.text


def test_a_dockerfile_that_cannot_be_read_is_an_error_without_a_traceback(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["Dockerfile"] = ""
    result = project.pytest("Dockerfile::builds")
    assert result.counts == {"errors": 1}
    assert result.stable == snapshot


def test_an_unknown_target_is_an_error_that_names_the_valid_ones(project: Project) -> None:
    project.files["Dockerfile"] = "FROM debian AS build\nRUN true\nFROM debian AS run\n"
    result = project.pytest("--dockercache-target=biuld", "Dockerfile::builds")
    assert result.counts == {"errors": 1}
    assert result.has("biuld", "build", "run")
    assert "Traceback" not in result.text


def test_a_bug_of_ours_keeps_its_traceback(project: Project) -> None:
    project.script = {"first": {"miss": {"3": "not a number"}, "seconds": "soon"}}
    result = project.pytest("Dockerfile::builds")
    assert result.counts == {"errors": 1}
    assert "scripted_engine.py" in result.text or "subject.py" in result.text


def test_each_distinct_build_happens_once_with_four_workers(project: Project) -> None:
    result = project.pytest("-n", "4", process=True)
    assert result.counts == {"passed": 5}
    assert sorted(project.builds) == [
        ".git/pytest-dockercache-probe",
        "environment.yml",
        "first",
        "src/main.py",
    ]


def test_a_failed_build_is_shared_between_workers(project: Project) -> None:
    project.script = FAILED
    result = project.pytest("-n", "4", process=True)
    assert result.counts == {"failed": 1, "skipped": 4}
    assert project.builds == ["first"]


def test_junit_xml_has_the_properties_of_each_check(source_first: Project) -> None:
    source_first.pytest("--junitxml=out.xml", "Dockerfile::builds", "Dockerfile::env-layer-cached")
    cases = {
        case.get("name"): case for case in ET.parse(source_first.root / "out.xml").iter("testcase")
    }
    failed = cases["env-layer-cached"]
    properties = {item.get("name"): item.get("value") for item in failed.iter("property")}
    assert properties["dockercache.check"] == "env-layer-cached"
    assert properties["dockercache.dockerfile"] == "Dockerfile"
    assert properties["dockercache.engine"] == "scripted"
    assert properties["dockercache.line"] == "3"
    steps = json.loads(properties["dockercache.steps"] or "")
    assert steps[0][:2] == ["", "built"]
    assert steps[1] == [
        "src/main.py (+1 comment line)",
        "stopped",
        {"1": "hit", "2": "hit", "3": "miss", "4": "miss", "5": "not-reached"},
    ]
    failure = failed.find("failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("env layer was rebuilt:")


def test_an_interrupted_session_is_cleaned_up_and_still_reports(project: Project) -> None:
    project.script = {**GOOD, "src/main.py": {"interrupt": True}}
    result = project.pytest("--dockercache-report=json:out.json", process=True)
    assert result.code == 2
    assert result.has("Dockerfile  (scripted)")
    report = json.loads((project.root / "out.json").read_text())
    assert [check["id"] for check in report["images"][0]["checks"]] == ["builds"]
    runs = project.root / ".xdg" / "pytest-dockercache" / "runs"
    assert [path.name for path in runs.iterdir() if path.name != "sweep.lock"] == []


def test_what_could_not_be_removed_is_named_at_the_end(project: Project) -> None:
    project.script = {**GOOD, "stuck": ["container 0123abcd"]}
    assert project.pytest("Dockerfile::builds").has("left behind: container 0123abcd")


def test_images_that_are_kept_are_named_at_the_end(project: Project) -> None:
    result = project.pytest("--dockercache-keep", "Dockerfile::builds")
    assert result.has("kept: pytest-dockercache/kept:")


def test_several_dockerfiles_have_a_table_each(project: Project) -> None:
    project.files["other/Dockerfile"] = DOCKERFILE
    project.files["other/environment.yml"] = project.files["environment.yml"]
    project.files["other/src/main.py"] = "print()\n"
    result = project.pytest(
        "--dockercache-dockerfile=Dockerfile",
        "--dockercache-dockerfile=other/Dockerfile",
        "-k",
        "layer-cached or args-late",
    )
    assert result.counts["passed"] == 4
    assert result.has("\nDockerfile  (scripted)\n", "\nother/Dockerfile  (scripted)\n")
    assert result.has("dockercache: other/Dockerfile (context other)")


@pytest.mark.parametrize("script", [GOOD, BAD])
def test_the_quiet_report_has_the_table_and_no_header(
    project: Project, script: dict[str, object]
) -> None:
    project.script = script
    result = project.pytest("-q", "-k", "env-layer-cached")
    assert "first build: line" not in result.text
    assert result.has("line  step")


@pytest.mark.parametrize("marker", ["skip(reason='not today')", "xfail(reason='known')"])
def test_a_check_can_be_marked_like_any_test(project: Project, marker: str) -> None:
    project.script = BAD
    project.files["conftest.py"] = f"""
        import pytest
        import scripted_engine
        scripted_engine.install()

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "env-layer-cached":
                    item.add_marker(pytest.mark.{marker})
        """
    result = project.pytest("Dockerfile::env-layer-cached", "-rsx")
    assert "INTERNALERROR" not in result.text
    assert result.counts == {
        marker.partition("(")[0].replace("xfail", "xfailed").replace("skip", "skipped"): 1
    }


@pytest.mark.parametrize("arguments", [(), ("-q",), ("-n", "2")])
def test_a_cache_directory_that_cannot_be_written_is_one_usage_error(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    project.files["home"] = "a file, and no directory"
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.root / "home"))
    result = project.pytest(*arguments, process=True)
    assert result.code == 4
    assert "Traceback" not in result.text
    said = "ERROR: cannot write to ROOT/home/pytest-dockercache/runs: Not a directory; set XDG_"
    assert result.text.count(said) == 1
    assert result.text.count("cannot write to") == 1


def test_a_cache_directory_that_cannot_be_written_does_not_matter_to_other_tests(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.files["home"] = "a file, and no directory"
    project.files["tests/test_a.py"] = "def test_a(): pass"
    project.ini = "dockercache = true"
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.root / "home"))
    assert project.pytest("tests", off=True).counts == {"passed": 1}
    assert project.pytest("--collect-only").code == 0


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
def test_a_plan_of_the_setups_builds_nothing(project: Project, option: str) -> None:
    result = project.pytest(option, "--dockercache-report=json:report.json")
    assert result.code == 0
    assert project.builds == []
    assert not (project.root / "report.json").exists()


def test_a_problem_that_stops_all_checks_is_told_once(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.script = {"denied": ["no permission to use the daemon", "join the group"]}
    result = project.pytest("-rN")
    assert result.counts == {"errors": 5}
    assert result.text.count("join the group") == 1
    assert result.stable == snapshot


@pytest.mark.parametrize("alone", [False, True])
def test_an_environment_file_that_cannot_be_read_is_named_first(
    project: Project, alone: bool, snapshot: SnapshotAssertion
) -> None:
    project.files["environment.yml"] = "name: app\ndependencies: [python=3.10\n"
    project.script = {"first": {"fail": [4, "EnvironmentFileInvalid"]}}
    check = "env-change-rebuilds" if alone else "builds"
    result = project.pytest(f"Dockerfile::{check}")
    assert result.code == 1
    assert "environment.yml:3:1: invalid YAML" in result.text
    assert result.stable == snapshot


def test_a_terminal_is_not_at_the_mercy_of_a_dockerfile(project: Project) -> None:
    project.files["Dockerfile"] = "FROM debian\nCOPY src/ /\x1b]0;title\x07/\nRUN pip install x\n"
    project.script = {"first": {"fail": [3, "\x1b[2J gone"]}}
    result = project.pytest("-v")
    assert "\\x1b[2J gone" in result.text
    assert not re.search("[\x00-\x08\x0b-\x1f]", result.text)
