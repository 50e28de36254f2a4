"""Several Dockerfiles in one repository: the one of a marked test that names none."""

from __future__ import annotations

import pytest
from example import DOCKERFILE, Project

MARKED = """
    import pytest

    @pytest.mark.dockercache
    def test_image(dockercache_spec, pytestconfig):
        found = dockercache_spec.dockerfile.relative_to(pytestconfig.rootpath)
        assert f"{found.as_posix()}[{dockercache_spec.target}]" == "WANTED"
    """

BUILDS = """
    import pytest

    @pytest.mark.dockercache
    def test_image(dockercache):
        dockercache.assert_hit("conda env update")
    """


def wanted(dockerfile: str, target: str | None = None) -> str:
    return MARKED.replace("WANTED", f"{dockerfile}[{target}]")


@pytest.fixture
def services(project: Project) -> Project:
    """A Dockerfile at the root, and one of a service with a test of its own."""
    for name in ("Dockerfile", "environment.yml", "src/main.py"):
        project.files[f"services/api/{name}"] = project.files[name]
    project.files["services/api/tests/test_image.py"] = wanted("services/api/Dockerfile")
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (".",),
        ("services/api",),
        ("services/api/tests",),
        ("services/api/tests/test_image.py::test_image",),
        ("services/api/Dockerfile", "services/api/tests"),
        ("services/api/Dockerfile::builds", "services/api/tests"),
        ("Dockerfile", "services/api/tests"),
    ],
)
def test_a_marked_test_is_about_the_dockerfile_nearest_above_it(
    services: Project, arguments: tuple[str, ...]
) -> None:
    result = services.pytest(*arguments, "-k", "test_image")
    assert result.counts["passed"] == 1, result.text


def test_a_test_at_the_root_is_about_the_dockerfile_of_the_root(services: Project) -> None:
    services.files["tests/test_root.py"] = wanted("Dockerfile")
    assert services.pytest("tests", "services/api").counts["passed"] > 1


def test_it_is_the_same_dockerfile_from_within_the_service(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.write()
    monkeypatch.chdir(services.root / "services" / "api")
    assert services.pytest("-q", "tests").counts == {"passed": 1}


def test_the_dockerfile_may_lie_between_the_rootdir_and_the_invocation_directory(
    services: Project,
) -> None:
    services.files["services/api/tests/test_image.py"] = """
        def test_image(dockercache_spec, pytestconfig):
            assert pytestconfig.rootpath.name == "tests"
            assert dockercache_spec.dockerfile.parts[-3:] == ("services", "api", "Dockerfile")
        """
    result = services.pytest("--rootdir=services/api/tests", "services/api/tests")
    assert result.counts == {"passed": 1}


def test_what_is_built_is_the_dockerfile_that_the_header_names(services: Project) -> None:
    services.files["services/api/tests/test_image.py"] = BUILDS
    result = services.pytest("services/api", "-k", "test_image")
    assert result.counts["passed"] == 1
    assert result.has(
        "dockercache: services/api/Dockerfile (context services/api)",
        "dockercache: Dockerfile is not among the arguments, so it is not checked",
        "\nservices/api/Dockerfile  (scripted)\n",
    )
    assert "\nDockerfile  (scripted)" not in result.text
    assert "marked tests build" not in result.text


def test_a_dockerfile_that_only_marked_tests_build_is_named_before_they_run(
    services: Project,
) -> None:
    services.files["services/api/tests/test_image.py"] = BUILDS
    result = services.pytest("services/api/tests")
    assert result.counts == {"passed": 1}
    assert result.has("dockercache: marked tests build services/api/Dockerfile\n")


def test_workers_agree(services: Project) -> None:
    result = services.pytest("-n", "2", "services/api/tests", process=True)
    assert result.counts == {"passed": 1}


def test_of_several_in_one_directory_it_is_the_one_that_is_an_argument(services: Project) -> None:
    services.files["services/api/Dockerfile.gpu"] = DOCKERFILE.replace(":latest", " AS gpu")
    services.files["services/api/tests/test_image.py"] = wanted(
        "services/api/Dockerfile.gpu", "gpu"
    )
    result = services.pytest("services/api/Dockerfile.gpu[gpu]::builds", "services/api/tests")
    assert result.counts == {"passed": 2}


def test_the_only_dockerfile_of_the_arguments_is_meant_where_none_lies_above(
    project: Project,
) -> None:
    project.files["docker/Dockerfile.gpu"] = project.files.pop("Dockerfile")
    project.files["tests/test_image.py"] = wanted("docker/Dockerfile.gpu")
    assert project.pytest("docker/Dockerfile.gpu::builds", "tests").counts == {"passed": 2}


@pytest.mark.parametrize("given", ["option", "ini"])
def test_an_option_that_names_one_dockerfile_names_it_for_every_test(
    services: Project, given: str
) -> None:
    services.files["docker/Dockerfile"] = DOCKERFILE
    services.files["services/api/tests/test_image.py"] = wanted("docker/Dockerfile")
    options = []
    if given == "ini":
        services.ini = "dockercache_dockerfile = docker/Dockerfile"
    else:
        options = ["--dockercache-dockerfile=docker/Dockerfile"]
    result = services.pytest(*options, "services/api", "-k", "test_image")
    assert result.counts["passed"] == 1, result.text


@pytest.mark.parametrize("given", ["option", "ini"])
def test_of_several_that_are_named_each_test_has_the_nearest_above_it(
    services: Project, given: str
) -> None:
    services.files["services/web/tests/test_web.py"] = wanted("Dockerfile")
    options = []
    if given == "ini":
        services.ini = "dockercache_dockerfile =\n  Dockerfile\n  services/api/Dockerfile"
    else:
        options = [
            f"--dockercache-dockerfile={name}" for name in ("Dockerfile", "services/api/Dockerfile")
        ]
    tests = ("services/api/tests", "services/web/tests")
    result = services.pytest(*options, *tests, "-k", "test_image or test_web")
    assert result.counts["passed"] == 2, result.text


def test_a_dockerfile_that_is_an_argument_counts_beside_those_of_the_ini_file(
    services: Project,
) -> None:
    services.ini = "dockercache_dockerfile = Dockerfile"
    result = services.pytest("services/api/Dockerfile::builds", "services/api/tests")
    assert result.counts == {"passed": 2}


def test_a_service_that_is_built_from_the_root_has_the_root_as_context(services: Project) -> None:
    services.files["services/api/Dockerfile"] = DOCKERFILE.replace(
        "COPY src/", "COPY services/api/src/"
    )
    services.files["services/api/tests/test_image.py"] = """
        def test_image(dockercache_spec, pytestconfig):
            assert dockercache_spec.context == pytestconfig.rootpath
        """
    for arguments in (("services/api",), ("services/api/tests",)):
        result = services.pytest(*arguments, "-k", "test_image")
        assert result.counts["passed"] == 1, result.text
