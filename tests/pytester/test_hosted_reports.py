"""Reports of every type, on the standard output too, and the unasked ones for a CI host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from example import BAD, Project

ANNOTATION = "::error file=Dockerfile,line="


def test_several_reports_are_written_in_one_run(project: Project) -> None:
    project.script = BAD
    kinds = {
        "json": "{",
        "md": "## ❌",
        "html": "<!doctype html>",
        "sarif": "{",
        "codequality": "[",
        "annotations": "::error",
    }
    result = project.pytest(*(f"--dockercache-report={kind}:out/{kind}" for kind in kinds))
    assert result.code == 1
    for kind, start in kinds.items():
        text = (project.root / "out" / kind).read_text()
        assert text.startswith(start), kind
        assert "env layer was rebuilt" in text


def test_a_dash_is_the_standard_output(project: Project) -> None:
    project.script = BAD
    result = project.pytest("--dockercache-report=annotations:-", "--dockercache-report=md:-")
    assert result.has(ANNOTATION, "## ❌ Docker build cache: 1 of 5 checks fails")
    assert not (project.root / "-").exists()


def test_an_unknown_type_is_a_usage_error_that_names_the_types(project: Project) -> None:
    result = project.pytest("--dockercache-report=xml:report.xml")
    assert result.code == 4
    assert result.has("unknown report type xml", "md:PATH, html:PATH, sarif:PATH", "none")


def test_paths_start_at_the_root_of_the_repository(project: Project) -> None:
    above = project.root.parent / ".git"
    above.mkdir()
    project.script = BAD
    try:
        project.pytest("--dockercache-report=codequality:q.json")
    finally:
        above.rmdir()
    (issue,) = json.loads((project.root / "q.json").read_text())
    assert issue["location"]["path"] == f"{project.root.name}/Dockerfile"


@pytest.fixture
def summary(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of GitHub Actions, and its summary."""
    path = project.root.parent / f"{project.root.name}-summary.md"
    path.write_text("of a step before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def test_github_gets_a_summary_and_annotations_unasked(project: Project, summary: Path) -> None:
    project.script = BAD
    result = project.pytest("-n2", process=True)
    assert result.text.count(ANNOTATION) == 1
    text = summary.read_text()
    assert text.startswith("of a step before\n## ❌ Docker build cache: 1 of 5 checks fails")


def test_none_turns_the_unasked_off_and_leaves_the_asked(project: Project, summary: Path) -> None:
    project.script = BAD
    result = project.pytest("--dockercache-report=none", "--dockercache-report=md:out.md")
    assert ANNOTATION not in result.text
    assert summary.read_text() == "of a step before\n"
    assert (project.root / "out.md").read_text().startswith("## ❌")


def test_nothing_comes_unasked_elsewhere(
    project: Project, summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.script = BAD
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.setenv("GITLAB_CI", "true")
    result = project.pytest()
    assert ANNOTATION not in result.text
    assert summary.read_text() == "of a step before\n"


def test_what_is_asked_for_is_not_written_twice(project: Project, summary: Path) -> None:
    project.script = BAD
    result = project.pytest(
        "--dockercache-report=annotations:-", f"--dockercache-report=md:{summary}"
    )
    assert result.text.count(ANNOTATION) == 1
    assert summary.read_text().count("## ❌ Docker") == 1


def test_a_failure_that_another_plugin_annotates_is_not_annotated_again(
    project: Project, summary: Path
) -> None:
    plugin = "pytest_github_actions_annotate_failures"
    project.files["conftest.py"] = f"""
        import scripted_engine
        from types import ModuleType

        scripted_engine.install()

        def pytest_configure(config):
            config.pluginmanager.register(ModuleType("annotating"), "{plugin}")
        """
    project.script = BAD
    assert ANNOTATION not in project.pytest("--dockercache-report=annotations:-").text
    assert summary.read_text().count("## ❌ Docker") == 1
    # The other plugin says nothing about failures before a test is called.
    project.script = {"denied": "no permission on the socket"}
    assert project.pytest().text.count("::error file=Dockerfile,line=1,title=builds") == 1


def test_a_session_that_judged_nothing_has_no_summary(project: Project, summary: Path) -> None:
    project.pytest("-k", "nothing_of_this_name")
    assert summary.read_text() == "of a step before\n"


def test_a_summary_that_cannot_be_written_does_not_fail_the_run(
    project: Project, summary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary.parent))
    result = project.pytest()
    assert result.code == 0
    assert result.has("the job's summary could not be written: Is a directory")


def test_no_module_of_a_report_is_imported_unless_it_is_asked_for(project: Project) -> None:
    project.files["conftest.py"] = """
        import sys
        import scripted_engine

        scripted_engine.install()

        def pytest_unconfigure():
            room = "pytest_dockercache.report."
            names = sorted(n.removeprefix(room) for n in sys.modules if n.startswith(room))
            print("IMPORTED", *names)
        """
    imported = project.pytest("-s", process=True).text.split("IMPORTED ")[1].split()
    assert not {"markdown", "html", "sarif", "codequality", "annotations"} & set(imported)


# --- since an earlier run -------------------------------------------------------------------------


def test_a_run_says_what_became_worse_since_an_earlier_one(project: Project) -> None:
    assert project.pytest("--dockercache-report=json:main.json").code == 0
    project.script = BAD
    result = project.pytest("--dockercache-baseline=main.json", "--dockercache-report=md:-")
    assert result.has("since main.json:", "**Since `main.json`**")
    assert "line 4 (RUN conda env update -n base -f environment.yml &…) began to run again" in (
        result.text
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dockercache-baseline=none.json"], "no file ROOT/none.json"),
        (["--dockercache-baseline=environment.yml"], "it is no JSON report of ours"),
        (["--dockercache-baseline=src"], "a directory"),
        (["--dockercache-max-growth=10MB"], "there is nothing to have grown from"),
    ],
)
def test_a_baseline_that_is_none_is_a_usage_error(
    project: Project, options: list[str], said: str
) -> None:
    result = project.pytest(*options)
    assert result.code == 4
    assert said in result.text


def test_an_image_that_has_grown_by_more_than_it_may_fails_a_run_of_passed_checks(
    project: Project,
) -> None:
    project.files["conftest.py"] = """
        import scripted_engine
        from pytest_dockercache._pytest import session_report
        from pytest_dockercache.checks.layer_summary import LayerSummary

        scripted_engine.install()
        size = 10**8 + 10**7 * bool(__import__("os").environ.get("LATER"))
        session_report.recall_layers = lambda *given: (
            LayerSummary(4, "RUN conda", size, False, 0, 0, 0, ()),
        )
        """
    assert project.pytest("--dockercache-report=json:main.json", process=True).code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATER", "1")
        options = ("--dockercache-baseline=main.json", "--dockercache-max-growth=20MB")
        assert project.pytest(*options, process=True).code == 0
        result = project.pytest(options[0], "--dockercache-max-growth=5MB", process=True)
    assert result.code == 1
    assert result.has(
        "ERROR: Dockerfile has grown by 10.0 MB since main.json, and may by 5.0 MB",
        "line 4 (RUN conda) has grown from 100.0 MB to 110.0 MB",
        "5 passed",
    )
