"""The marker and the fixtures in a team's own tests."""

from __future__ import annotations

import pytest
from example import DOCKERFILE, GOOD, Project
from syrupy.assertion import SnapshotAssertion

MARKED = """
    import pytest

    @pytest.mark.dockercache(edit="src/main.py")
    def test_a_source_edit_keeps_the_environment(dockercache):
        dockercache.assert_hit("conda env update")
        dockercache.assert_miss("COPY src/")
        dockercache.assert_hit(role="environment")
    """


def test_a_marked_test_asserts_about_its_own_rebuild(project: Project) -> None:
    project.files["test_image.py"] = MARKED
    assert project.pytest("test_image.py").counts == {"passed": 1}
    assert project.builds == ["first", "src/main.py"]


def test_marked_tests_and_checks_share_their_builds(project: Project) -> None:
    project.files["test_image.py"] = MARKED
    result = project.pytest("test_image.py", "Dockerfile::builds")
    assert result.counts == {"passed": 2}
    assert project.builds.count("first") == 1


def test_without_dockercache_a_marked_test_is_skipped_with_one_line(project: Project) -> None:
    project.files["test_image.py"] = MARKED
    result = project.pytest("-rs", off=True)
    assert result.counts == {"skipped": 1}
    assert result.has("SKIPPED [1] test_image.py:4: needs --dockercache (builds Docker images)")


@pytest.mark.parametrize(
    "fixture", ["dockercache", "dockercache_spec", "dockercache_edit", "dockercache_engine"]
)
def test_without_dockercache_an_unmarked_test_with_a_fixture_is_skipped(
    project: Project, fixture: str
) -> None:
    project.files["test_image.py"] = f"def test_image({fixture}): pass"
    result = project.pytest("-rs", off=True)
    assert result.counts == {"skipped": 1}
    assert result.has("needs --dockercache (builds Docker images)")


def test_an_unmarked_test_gets_the_default_dockerfile_and_the_source_edit(
    project: Project,
) -> None:
    project.files["test_image.py"] = """
        def test_image(dockercache, dockercache_spec, dockercache_engine):
            assert dockercache_spec.dockerfile.name == "Dockerfile"
            assert dockercache_engine == "scripted"
            assert [edit.path for edit in dockercache.edits] == ["src/main.py"]
            dockercache.assert_hit(role="environment")
        """
    assert project.pytest("test_image.py").counts == {"passed": 1}


def test_a_failed_assertion_shows_the_users_line_and_no_frame_of_ours(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["test_image.py"] = MARKED.replace("assert_hit(role", "assert_miss(role")
    result = project.pytest("test_image.py", "--dockercache-engine=scripted")
    assert result.counts == {"failed": 1}
    assert "pytest_dockercache/" not in result.text.replace("pytest_dockercache.errors", "")
    assert result.stable == snapshot


def test_a_failed_build_in_a_test_shows_no_frame_of_ours(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.files["test_image.py"] = MARKED
    project.script = {"first": {"fail": [4, "PackagesNotFoundError: nosuchpackage"]}}
    result = project.pytest("test_image.py")
    assert result.counts == {"failed": 1}
    assert result.stable == snapshot


def test_the_marker_chooses_dockerfile_context_target_and_arguments(project: Project) -> None:
    project.files["docker/gpu.Dockerfile"] = DOCKERFILE.replace("conda3:latest", "conda3 AS gpu")
    project.files["test_image.py"] = """
        import pytest

        @pytest.mark.dockercache(
            dockerfile="docker/gpu.Dockerfile", context="src", target="gpu",
            build_args={"VERSION": 3}, engine="scripted",
        )
        def test_image(dockercache_spec, pytestconfig):
            root = pytestconfig.rootpath
            assert dockercache_spec.dockerfile == root / "docker" / "gpu.Dockerfile"
            assert dockercache_spec.context == root / "src"
            assert dockercache_spec.target == "gpu"
            assert dockercache_spec.build_args == (("VERSION", "3"),)
        """
    assert project.pytest("test_image.py").counts == {"passed": 1}


def test_a_dockerfile_below_the_root_that_copies_from_the_root_gets_the_root_as_context(
    project: Project,
) -> None:
    project.files["docker/Dockerfile"] = project.files.pop("Dockerfile")
    result = project.pytest("docker/Dockerfile::env-layer-cached")
    assert result.counts == {"passed": 1}
    assert result.has("dockercache: docker/Dockerfile (context .)")


def test_the_marker_of_a_class_holds_for_its_tests_and_theirs_comes_first(
    project: Project,
) -> None:
    project.files["test_image.py"] = """
        import pytest

        @pytest.mark.dockercache(target="nosuch", edit="src/main.py")
        class TestImage:
            @pytest.mark.dockercache(target="0")
            def test_image(self, dockercache_spec, dockercache_edit):
                assert (dockercache_spec.target, dockercache_edit) == ("0", "src/main.py")
        """
    assert project.pytest("test_image.py").counts == {"passed": 1}


def test_fixtures_can_be_overridden(project: Project) -> None:
    project.script = {**GOOD, "environment.yml": {"miss": {"3": 0.1, "4": 94.1}}}
    project.files["test_image.py"] = """
        import dataclasses
        import pytest
        from pytest_dockercache.model import Edit

        @pytest.fixture
        def dockercache_edit():
            return Edit.append("environment.yml")

        @pytest.fixture
        def dockercache_spec(dockercache_spec):
            return dataclasses.replace(dockercache_spec, platform="linux/amd64")

        def test_image(dockercache, dockercache_spec):
            assert dockercache_spec.platform == "linux/amd64"
            dockercache.assert_miss(role="environment")
        """
    assert project.pytest("test_image.py").counts == {"passed": 1}


@pytest.mark.parametrize(
    "keywords",
    [
        "docker_file='x'",
        "'Dockerfile'",
        "dockerfile='missing/Dockerfile'",
        "dockerfile=3",
        "context='missing'",
        "context=['.']",
        "target=['runtime']",
        "build_args=['VERSION=3']",
        "edit=3",
        "engine='dcoker'",
        "engine='podman'",
    ],
)
def test_a_wrong_marker_is_an_error_that_says_what_is_valid(
    project: Project, keywords: str, snapshot: SnapshotAssertion
) -> None:
    project.files["test_image.py"] = f"""
        import pytest

        @pytest.mark.dockercache({keywords})
        def test_image(dockercache): pass
        """
    result = project.pytest("test_image.py", "--no-header")
    assert result.counts == {"errors": 1}
    assert "Traceback" not in result.text
    assert result.stable == snapshot


@pytest.mark.parametrize("keywords", ["dockerfile=3", "target=['runtime']"])
def test_a_wrong_marker_is_one_error_beside_an_env_step(project: Project, keywords: str) -> None:
    project.files["test_image.py"] = f"""
        import pytest

        @pytest.mark.dockercache({keywords})
        def test_image(dockercache): pass
        """
    result = project.pytest("--dockercache-env-step=conda", "test_image.py")
    assert "INTERNALERROR" not in result.text
    assert result.counts == {"errors": 1}


NO_SOURCE = "FROM debian:12\nRUN true\n"
"""A Dockerfile that takes nothing from its build context: no file stands for an edit."""


def test_what_a_test_cannot_know_skips_it_and_fails_it_when_strict(project: Project) -> None:
    project.files["Dockerfile"] = NO_SOURCE
    project.files["test_image.py"] = "def test_image(dockercache): dockercache.assert_hit('RUN')"
    result = project.pytest("test_image.py", "-rs")
    assert result.counts == {"skipped": 1}
    assert result.has("no source file of the build context reaches the image")
    assert project.pytest("test_image.py", "--dockercache-strict").counts == {"failed": 1}


def test_what_needs_no_edit_is_judged_in_a_project_without_a_file_to_edit(
    project: Project,
) -> None:
    project.files["Dockerfile"] = NO_SOURCE
    project.script = {"None": {"miss": {"2": 0.1}}}
    project.files["test_image.py"] = """
        from pytest_dockercache import Edit

        def test_id(dockercache):
            assert dockercache.image.id == "another"

        def test_command(dockercache):
            assert dockercache.image.run(["false"]).code == 1

        def test_rebuild(dockercache):
            again = dockercache.rebuild(Edit.dockerfile("FROM debian:12\\nRUN false\\n"))
            again.assert_hit("RUN")

        def test_first(dockercache):
            assert dockercache.first.steps[-1].status == "hit"
        """
    result = project.pytest("test_image.py")
    assert result.counts == {"failed": 3, "passed": 1}
    assert result.has("== 'another'", "assert 0 == 1", "line 2 was rebuilt: RUN false")


def test_an_edit_that_cannot_be_made_is_an_error_before_anything_is_built(
    project: Project,
) -> None:
    project.files["test_image.py"] = "def test_image(dockercache): dockercache.image"
    result = project.pytest("test_image.py", "--dockercache-edit=src/nosuch.py")
    assert result.counts == {"errors": 1}
    assert result.has("--dockercache-edit=src/nosuch.py")
    assert project.builds == []


@pytest.mark.parametrize("strict", [False, True])
def test_without_a_daemon_a_test_of_the_image_is_skipped_with_the_reason(
    project: Project, strict: bool
) -> None:
    project.files["test_image.py"] = "def test_image(dockercache): dockercache.image"
    options = ["--dockercache-strict"] if strict else []
    result = project.pytest("--dockercache-engine=model", "-rs", "test_image.py", *options)
    assert result.counts == ({"failed": 1} if strict else {"skipped": 1})
    assert result.has("needs an image, and the model builds none: ")


REWRITTEN = """
    import pytest
    from pytest_dockercache import Edit

    TEXT = "FROM debian:12\\nCOPY src/ two/\\nCOPY src/ one/\\nCOPY src/ three/\\n"
    EDIT = Edit.replace("Dockerfile", "COPY src/ one/", "COPY src/ two/\\nCOPY src/ one/")

    @pytest.mark.parametrize("edit", [Edit.dockerfile(TEXT), EDIT])
    @pytest.mark.parametrize(("stop", "last"), [("two/", 2), ("one/", 3), (3, 3)])
    def test_image(dockercache, edit, stop, last):
        again = dockercache.rebuild(edit, stop=stop)
        assert [step.line for step in again.steps if step.status == "miss"][-1] == last
        again.assert_miss(stop)

    def test_nothing_matches(dockercache):
        with pytest.raises(pytest.UsageError, match="no step of this build matches 'one/'"):
            dockercache.rebuild(Edit.dockerfile("FROM debian:12\\nCOPY src/ two/\\n"), stop="one/")
    """


def test_stop_names_a_step_of_the_text_that_is_built(project: Project) -> None:
    project.files["Dockerfile"] = "FROM debian:12\nCOPY src/ one/\nCOPY src/ three/\n"
    every = {"miss": {"2": 0.1, "3": 0.1, "4": 0.1}}
    project.script = {"None": every, "Dockerfile": every}
    project.files["test_image.py"] = REWRITTEN
    result = project.pytest("test_image.py")
    assert result.counts == {"passed": 7}, result.text


def test_without_a_daemon_a_marked_test_is_skipped_with_the_reason(project: Project) -> None:
    project.files["test_image.py"] = MARKED
    project.script = {"absent": "no Docker daemon listens"}
    result = project.pytest("--dockercache-engine=auto", "-rs", "test_image.py")
    assert result.counts == {"skipped": 1}
    assert result.has("no Docker daemon listens")


def test_builds_of_marked_tests_have_a_table_also_with_workers(project: Project) -> None:
    project.files["docker/Dockerfile"] = project.files.pop("Dockerfile")
    project.files["test_image.py"] = MARKED.replace(
        "edit=", "dockerfile='docker/Dockerfile', edit="
    )
    result = project.pytest("-n", "2", process=True)
    assert result.counts == {"passed": 1}
    assert result.has("\ndocker/Dockerfile  (scripted)\n")


def test_the_edit_of_a_test_wins_over_that_of_its_project(project: Project) -> None:
    project.files["conftest.py"] = """
        import pytest
        import scripted_engine
        scripted_engine.install()

        @pytest.fixture
        def dockercache_edit():
            return "src/main.py"
        """
    project.files["test_edit.py"] = """
        import pytest

        @pytest.mark.dockercache(edit="environment.yml")
        def test_own(dockercache):
            assert [edit.path for edit in dockercache.edits] == ["environment.yml"]
            dockercache.assert_miss(role="environment")

        @pytest.mark.dockercache
        def test_project(dockercache):
            assert [edit.path for edit in dockercache.edits] == ["src/main.py"]
            dockercache.assert_hit(role="environment")
        """
    assert project.pytest("test_edit.py").counts == {"passed": 2}


def test_the_types_of_what_a_test_holds_are_public(project: Project) -> None:
    project.files["test_types.py"] = """
        import pytest
        from pytest_dockercache import CacheAssertionError, DockerCache, Execution, Image

        @pytest.mark.dockercache
        def test_image(dockercache: DockerCache):
            image: Image = dockercache.image
            done: Execution = image.run("python --version")
            assert isinstance(image, Image)
            assert isinstance(done, Execution)
            with pytest.raises(CacheAssertionError) as caught:
                dockercache.assert_hit("COPY src")
            assert caught.value.finding.verdict.startswith("line 5 was rebuilt")
            assert caught.value.finding.line == 5
        """
    assert project.pytest("test_types.py").counts == {"passed": 1}
