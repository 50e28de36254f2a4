"""The values that the options accept, and the errors for all others."""

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
    "image=missing.tar",
    "image=./src",
    "image=",
    "base-image=debian",
    "compare=missing.tar",
    "cache-from=type=local",
    "cache-from=type=registry",
    "cache-from=type=inline",
    "cache-from=mode=max",
    "cache-to=type=local,src=a",
    "cache-to=a,b",
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
            from pytest_dockercache._pytest import judge_of
            assert judge_of(session.config).options.image.check_settings.max_hidden == {size}
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


@pytest.mark.skipif(pytest.version_tuple < (8, 2), reason="pytest reads such files from 8.2 on")
def test_a_file_of_arguments_may_hold_our_options(project: Project) -> None:
    project.files["arguments"] = "--dockercache\n--dockercache-engine=scripted\n"
    assert project.pytest("@arguments", "Dockerfile::builds", off=True).counts == {"passed": 1}


def test_ini_keys_serve_where_no_option_is_given(project: Project) -> None:
    project.ini = "dockercache = true\ndockercache_engine = auto\ndockercache_strict = true"
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest("-k", "layer", off=True)
    assert result.counts["failed"] == 1
    assert result.has("(--dockercache-strict)")


MAKE_STEPS = """\
    FROM debian:12
    COPY environment.yml ./
    RUN conda env update -n base -f environment.yml
    RUN make deps
    COPY src/ ./src/
    """
"""A Dockerfile with a step that only its owner knows to install something."""


def test_an_env_step_that_matches_no_run_at_all_is_a_usage_error_that_lists_them(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["Dockerfile"] = MAKE_STEPS
    result = project.pytest("--dockercache-env-step=make +install")
    assert result.code == 4
    assert project.builds == []
    assert result.stable.strip() == snapshot
    assert project.pytest("--dockercache-env-step=make +install", "--collect-only").code == 4


def test_an_env_step_of_the_ini_file_is_refused_by_its_key(project: Project) -> None:
    project.ini = "dockercache_env_step = COPY"
    result = project.pytest("Dockerfile::builds")
    assert result.code == 4
    assert result.has(
        "dockercache_env_step (pytest.ini)=COPY: matches no RUN instruction of Docker"
    )


@pytest.mark.parametrize("pattern", ["make", "deps$", "conda env"])
def test_an_env_step_that_matches_a_run_is_taken(project: Project, pattern: str) -> None:
    project.files["Dockerfile"] = MAKE_STEPS
    result = project.pytest(f"--dockercache-env-step={pattern}", "Dockerfile::builds")
    assert result.counts == {"passed": 1}
    assert "matches no RUN" not in result.text


def test_an_env_step_needs_to_match_in_one_of_several_dockerfiles(project: Project) -> None:
    project.files["other/Dockerfile"] = MAKE_STEPS
    both = ["--dockercache-dockerfile=Dockerfile", "--dockercache-dockerfile=other/Dockerfile"]
    result = project.pytest(*both, "--dockercache-env-step=make", "-k", "args-late")
    assert result.counts["passed"] == 2
    assert result.text.count("--dockercache-env-step=make: matches no RUN instruction here") == 1
    header = result.text.partition("dockercache: other/Dockerfile")[0]
    assert "matches no RUN instruction here" in header
    result = project.pytest(*both, "--dockercache-env-step=mkae", "-k", "args-late")
    assert result.code == 4
    assert result.has("matches no RUN instruction of Dockerfile, other/Dockerfile; ")


def test_an_env_step_that_matches_nothing_is_refused_with_workers_too(project: Project) -> None:
    result = project.pytest("--dockercache-env-step=mkae", "-n", "2", process=True)
    assert result.code == 4
    assert result.has("--dockercache-env-step=mkae: matches no RUN instruction of Dockerfile; ")
    assert project.builds == []


MARKED = """
    import pytest

    @pytest.mark.dockercache(dockerfile="other/Dockerfile", context=".")
    def test_marked(dockercache):
        dockercache.assert_hit(role="environment")
    """


def test_a_marked_test_counts_among_the_dockerfiles_that_are_judged(project: Project) -> None:
    project.files.update({"other/Dockerfile": MAKE_STEPS, "test_image.py": MARKED})
    result = project.pytest("--dockercache-env-step=make", "test_image.py")
    assert result.counts == {"passed": 1}
    result = project.pytest("--dockercache-env-step=mkae", "test_image.py")
    assert result.code == 4
    assert result.has("matches no RUN instruction of Dockerfile, other/Dockerfile; ")


def test_a_spec_that_only_a_fixture_knows_is_held_to_the_env_step_when_it_is_known(
    project: Project,
) -> None:
    project.files["other/Dockerfile"] = MAKE_STEPS
    project.files["test_image.py"] = """
        import pytest
        from pytest_dockercache.model import BuildSpec

        @pytest.fixture
        def dockercache_spec(pytestconfig):
            root = pytestconfig.rootpath
            return BuildSpec(root / "other/Dockerfile", root)

        def test_marked(dockercache):
            dockercache.assert_hit(role="environment")
        """
    result = project.pytest("--dockercache-env-step=make", "test_image.py")
    assert result.counts == {"passed": 1}
    result = project.pytest("--dockercache-env-step=mkae", "test_image.py")
    assert result.counts == {"errors": 1}
    assert result.has("matches no RUN instruction of Dockerfile, other/Dockerfile; ")


def test_an_env_step_is_not_refused_where_a_dockerfile_cannot_be_read(project: Project) -> None:
    project.files["Dockerfile"] = "RUN no from\n"
    result = project.pytest("--dockercache-env-step=mkae", "Dockerfile::builds")
    assert result.counts == {"errors": 1}
    assert "matches no RUN" not in result.text
