"""What the options accept, and what they say to a value that they do not."""

from __future__ import annotations

import pytest
from example import Project
from syrupy.assertion import SnapshotAssertion

WRONG = [
    "engine=dcoker",
    "engine=podman",
    "timeout=soon",
    "timeout=0",
    "timeout=nan",
    "skip=env-layer",
    "report=html:out.html",
    "report=xml:out.xml",
    "report=out.json",
    "report=json:src",
    "report=json:Dockerfile/out.json",
    "dockerfile=missing/Dockerfile",
    "dockerfile=src",
    "dockerfile=Dockerfile,context=nowhere",
    "dockerfile=Dockerfile,context=environment.yml",
    "dockerfile=Dockerfile,stage=runtime",
    "dockerfile=Dockerfile,target=",
    "context=nowhere",
    "build-arg=1=2",
    "env-step=pixi(",
    "python=3.10-dev",
    "max-hidden=lots",
    "max-size=1XB",
    "min-saving=8",
    "base-layers=yes",
    "cache-from=type=gha",
    "cache-to=type=inline",
    "image=missing.tar",
    "image=./src",
    "image=",
    "base-image=debian",
    "compare=missing.tar",
]


@pytest.mark.parametrize("option", WRONG)
def test_a_wrong_value_is_a_usage_error_that_says_what_is_valid(
    project: Project, option: str, snapshot: SnapshotAssertion
) -> None:
    result = project.pytest(f"--dockercache-{option}")
    assert result.code == 4
    assert result.text.strip() == snapshot


def test_the_same_dockerfile_and_target_twice_is_a_usage_error(project: Project) -> None:
    result = project.pytest(*["--dockercache-dockerfile=Dockerfile"] * 2)
    assert result.code == 4
    assert result.has("Dockerfile is named twice; give each Dockerfile and target once")


def test_a_wrong_ini_value_names_the_key_and_the_file(project: Project) -> None:
    project.ini = "dockercache_timeout = soon"
    result = project.pytest()
    assert result.code == 4
    assert result.has(
        "ERROR: dockercache_timeout (pytest.ini)=soon: not a number of seconds above 0"
    )


def test_the_command_line_wins_over_the_ini_file(project: Project) -> None:
    project.ini = "dockercache_engine = podman\ndockercache_timeout = soon"
    result = project.pytest("--dockercache-timeout=60", "Dockerfile::builds")
    assert result.counts == {"passed": 1}


def test_a_directory_without_write_permission_is_refused_before_any_build(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere; what the system would say is all that counts here.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    result = project.pytest("--dockercache-report=json:out.json")
    assert result.code == 4
    assert result.has("no permission to write there")
    assert project.builds == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("500000", 500_000), ("10MB", 10**7), ("10 mb", 10**7), ("1.5GiB", 1_610_612_736), ("0", 0)],
)
def test_sizes_are_read_with_their_units(project: Project, text: str, size: int) -> None:
    project.files["conftest.py"] = f"""
        import scripted_engine
        scripted_engine.install()
        def pytest_collection_finish(session):
            from pytest_dockercache._pytest import gate_of
            assert gate_of(session.config).options.settings.max_hidden == {size}
        """
    assert project.pytest(f"--dockercache-max-hidden={text}", "--collect-only").code == 0


def test_options_without_dockercache_are_said_to_have_no_effect(project: Project) -> None:
    project.files["test_a.py"] = "def test_a(): pass"
    result = project.pytest("--dockercache-strict", off=True)
    assert result.counts == {"passed": 1}
    assert result.has("dockercache: off, --dockercache-strict without --dockercache")


def test_help_lists_the_options_and_ini_keys_even_when_active(project: Project) -> None:
    result = project.pytest("--help")
    assert result.code == 0
    assert result.has("--dockercache-env-step=REGEX", "dockercache_env_step")


def test_the_marker_is_registered(project: Project) -> None:
    result = project.pytest("--markers", off=True)
    assert result.has("@pytest.mark.dockercache(dockerfile=None, context=None, target=None")


@pytest.mark.parametrize("switch", ["-h", "--help", "-vh"])
def test_help_lists_the_options_when_the_plugin_is_off(project: Project, switch: str) -> None:
    assert project.pytest(switch, off=True).has("--dockercache-env-step=REGEX")


def test_addopts_may_hold_our_options(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.ini = "addopts = --dockercache --dockercache-engine=scripted"
    assert project.pytest("-k", "Dockerfile and builds and not env", off=True).counts["passed"] == 1
    project.ini = ""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--dockercache --dockercache-engine=scripted")
    assert project.pytest("-k", "Dockerfile and builds and not env", off=True).counts["passed"] == 1


def test_a_file_of_arguments_may_hold_our_options(project: Project) -> None:
    project.files["arguments"] = "--dockercache\n--dockercache-engine=scripted\n"
    assert project.pytest("@arguments", "Dockerfile::builds", off=True).counts == {"passed": 1}


def test_ini_keys_serve_where_no_option_is_given(project: Project) -> None:
    project.ini = "dockercache = true\ndockercache_engine = scripted\ndockercache_strict = true"
    project.files["Dockerfile"] = "FROM debian:12\nCOPY src/ /app/\n"
    result = project.pytest("-k", "layer", off=True)
    assert result.counts["failed"] == 1
    assert result.has("(--dockercache-strict)")
