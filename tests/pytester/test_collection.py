"""The items that ``pytest --dockercache`` collects, and their sources."""

from __future__ import annotations

import pytest
from example import CACHE_CHECKS, DOCKERFILE, Outcome, Project

from pytest_dockercache.checks import CHECKS

TWO_STAGES = """\
FROM continuumio/miniconda3:latest AS builder
COPY environment.yml ./
RUN conda env update -n base -f environment.yml
FROM builder AS runtime
COPY src/ ./src/
"""


def collected(result: Outcome) -> list[str]:
    return [line for line in result.text.splitlines() if "::" in line]


def ids(node: str) -> list[str]:
    return [f"{node}::{check}" for check in CACHE_CHECKS]


def test_a_dockerfile_is_collected_with_one_item_a_check(project: Project) -> None:
    result = project.pytest("--collect-only", "-q")
    assert result.code == 0
    assert collected(result) == ids("Dockerfile")


def test_collecting_builds_nothing_and_asks_no_daemon(project: Project) -> None:
    project.script = {"denied": "the engine was asked"}
    result = project.pytest("--collect-only")
    assert result.code == 0
    assert "the engine was asked" not in result.text
    assert project.builds == []


def test_a_containerfile_is_the_second_choice(project: Project) -> None:
    project.files["Containerfile"] = project.files.pop("Dockerfile")
    assert collected(project.pytest("--collect-only", "-q")) == ids("Containerfile")


def test_dockerfiles_come_after_the_tests_of_the_project(project: Project) -> None:
    project.files["tests/test_a.py"] = "def test_a(): pass"
    listed = collected(project.pytest("--collect-only", "-q"))
    assert listed == ["tests/test_a.py::test_a", *ids("Dockerfile")]


def test_testpaths_do_not_hide_the_dockerfile(project: Project) -> None:
    project.ini = "testpaths = tests"
    project.files["tests/test_a.py"] = "def test_a(): pass"
    listed = collected(project.pytest("--collect-only", "-q"))
    assert listed == ["tests/test_a.py::test_a", *ids("Dockerfile")]


def test_without_arguments_a_subdirectory_finds_the_dockerfile_of_the_root(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write()
    monkeypatch.chdir(project.root / "src")
    assert collected(project.pytest("--collect-only", "-q")) == ids("Dockerfile")


def test_the_dockerfile_of_the_invocation_directory_comes_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.files["api/Dockerfile"] = DOCKERFILE
    project.write()
    monkeypatch.chdir(project.root / "api")
    assert collected(project.pytest("--collect-only", "-q")) == ids("api/Dockerfile")


def test_a_check_is_selected_by_its_node_id(project: Project) -> None:
    result = project.pytest("Dockerfile::env-layer-cached")
    assert result.counts == {"passed": 1}
    assert project.builds == ["first", "src/main.py"]


def test_several_checks_of_one_dockerfile_are_one_collection(project: Project) -> None:
    listed = collected(
        project.pytest("--collect-only", "-q", "Dockerfile::build-args-late", "Dockerfile::builds")
    )
    assert listed == ["Dockerfile::builds", "Dockerfile::build-args-late"]


def test_a_dockerfile_that_is_an_argument_needs_no_option(project: Project) -> None:
    project.files["docker/Dockerfile.gpu"] = DOCKERFILE
    listed = collected(project.pytest("--collect-only", "-q", "docker/Dockerfile.gpu"))
    assert listed == ids("docker/Dockerfile.gpu")


def test_a_directory_that_is_an_argument_gives_its_dockerfile(project: Project) -> None:
    project.files["services/api/Dockerfile"] = DOCKERFILE
    listed = collected(project.pytest("--collect-only", "-q", "services/api"))
    assert listed == ids("services/api/Dockerfile")


def test_a_stage_of_a_dockerfile_has_its_name_in_the_node_id(project: Project) -> None:
    project.files["Dockerfile"] = TWO_STAGES
    both = [f"--dockercache-dockerfile=Dockerfile,target={name}" for name in ("builder", "runtime")]
    listed = collected(project.pytest("--collect-only", "-q", *both))
    assert listed == [*ids("Dockerfile[builder]"), *ids("Dockerfile[runtime]")]
    assert collected(
        project.pytest("--collect-only", "-q", *both, "Dockerfile[runtime]::builds")
    ) == ["Dockerfile[runtime]::builds"]
    assert collected(project.pytest("--collect-only", "-q", "Dockerfile[builder]::builds")) == [
        "Dockerfile[builder]::builds"
    ]


def test_the_target_option_is_in_the_node_id(project: Project) -> None:
    project.files["Dockerfile"] = TWO_STAGES
    listed = collected(project.pytest("--collect-only", "-q", "--dockercache-target=builder"))
    assert listed == ids("Dockerfile[builder]")


def test_an_explicit_dockerfile_is_collected_beside_other_arguments(project: Project) -> None:
    project.files["build/Dockerfile"] = DOCKERFILE  # pytest does not walk into build/
    project.files["tests/test_a.py"] = "def test_a(): pass"
    listed = collected(
        project.pytest(
            "--collect-only", "-q", "--dockercache-dockerfile=build/Dockerfile", "tests/test_a.py"
        )
    )
    assert listed == ["tests/test_a.py::test_a", *ids("build/Dockerfile")]


def test_a_dockerfile_outside_the_root_keeps_its_whole_path(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "Dockerfile"
    elsewhere.write_text(DOCKERFILE)
    listed = collected(
        project.pytest("--collect-only", "-q", f"--dockercache-dockerfile={elsewhere}")
    )
    assert listed == ids(str(elsewhere))


def test_ini_keys_name_dockerfiles_relative_to_the_ini_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.ini = """
        dockercache_dockerfile =
            docker/one.Dockerfile
            docker/two.Dockerfile,context=src
        """
    project.files["docker/one.Dockerfile"] = DOCKERFILE
    project.files["docker/two.Dockerfile"] = DOCKERFILE
    project.write()
    monkeypatch.chdir(project.root / "src")
    listed = collected(project.pytest("--collect-only", "-q"))
    assert listed == [*ids("docker/one.Dockerfile"), *ids("docker/two.Dockerfile")]


def test_the_ini_key_switches_the_plugin_on(project: Project) -> None:
    project.ini = "dockercache = true\ndockercache_engine = scripted"
    listed = collected(project.pytest("--collect-only", "-q", off=True))
    assert listed == ids("Dockerfile")


def test_keyword_and_deselect_choose_among_the_checks(project: Project) -> None:
    listed = collected(project.pytest("--collect-only", "-q", "-k", "env"))
    assert listed == ["Dockerfile::env-layer-cached", "Dockerfile::env-change-rebuilds"]
    listed = collected(project.pytest("--collect-only", "-q", "--deselect=Dockerfile::builds"))
    assert listed == ids("Dockerfile")[1:]


def test_a_skipped_check_is_not_collected(project: Project) -> None:
    project.image_checks = True
    only = [f"--dockercache-skip={check}" for check in CACHE_CHECKS[1:]]
    listed = collected(project.pytest("--collect-only", "-q", *only))
    assert not set(listed) & set(ids("Dockerfile")[1:])
    assert "Dockerfile::builds" in listed


def test_last_failed_runs_a_failed_check_again_and_no_other(project: Project) -> None:
    project.files["Dockerfile"] = TWO_STAGES
    project.files["tests/test_a.py"] = "def test_a(): assert False"
    project.script = {"first": {"fail": [3, "solver failed"]}}
    target = "--dockercache-dockerfile=Dockerfile,target=runtime"
    assert project.pytest(target, "-k", "builds or test_a").counts["failed"] == 2
    project.files["tests/test_a.py"] = "def test_a(): pass"
    project.script = {}
    again = project.pytest(target, "--lf", "-v")
    assert again.has("Dockerfile[runtime]::builds PASSED", "test_a.py::test_a PASSED")
    assert again.counts["passed"] == 2


def test_no_dockerfile_and_no_marked_test_is_a_usage_error(project: Project) -> None:
    del project.files["Dockerfile"]
    project.files["tests/test_a.py"] = "def test_a(): pass"
    result = project.pytest()
    assert result.code == 4
    assert result.has(
        "ERROR: --dockercache: no Dockerfile or Containerfile in ROOT, and no marked test; "
        "name one with --dockercache-dockerfile=PATH"
    )


SERVICES = "a/Dockerfile", "b/c/Dockerfile.gpu"


@pytest.fixture
def monorepo(project: Project) -> Project:
    """Two services, and no Dockerfile at the root."""
    text = project.files.pop("Dockerfile")
    for name in SERVICES:
        place = name.rpartition("/")[0]
        project.files[name] = text
        project.files[f"{place}/environment.yml"] = project.files["environment.yml"]
        project.files[f"{place}/src/main.py"] = project.files["src/main.py"]
    project.files["tests/data/Dockerfile"] = text
    project.files["compose.yaml"] = "services: {}\n"
    return project


@pytest.mark.parametrize(
    ("ini", "start", "each", "end"),
    [
        (
            "pyproject.toml",
            "  [tool.pytest.ini_options]|  dockercache_dockerfile = [",
            '"{}",',
            "]",
        ),
        ("pytest.ini", "  [pytest]|  dockercache_dockerfile =", "{}", ""),
    ],
)
def test_the_lines_that_judge_every_dockerfile_are_printed_and_work(
    monorepo: Project, ini: str, start: str, each: str, end: str
) -> None:
    monorepo.files[ini] = "[tool.pytest.ini_options]\n" if "toml" in ini else "[pytest]\n"
    result = monorepo.pytest("-c", ini)
    assert result.code == 4
    lines = [*start.split("|"), *("    " + each.format(name) for name in SERVICES)]
    lines += [f"  {end}"] if end else []
    assert result.has(
        "ERROR: --dockercache: no Dockerfile or Containerfile in ROOT, and no marked test; "
        "there are others:",
        *(f"  {name}" for name in SERVICES),
        f"to judge them all, write into {ini}:",
        *lines,
        "or name those to judge: pytest --dockercache a/Dockerfile",
        "left out as samples of tests: tests/data/Dockerfile",
        "compose.yaml may define builds; to judge what one builds: "
        "pytest --dockercache compose.yaml",
    ), result.text
    monorepo.files[ini] = "\n".join(line.removeprefix("  ") for line in lines) + "\n"
    judged = monorepo.pytest("-c", ini, "-k", "builds and not change", "-v")
    assert judged.has("a/Dockerfile::builds PASSED", "b/c/Dockerfile.gpu::builds PASSED")
    assert judged.counts["passed"] == 2


BELOW = {
    "deploy/compose.yaml": """
        services:
          first: {build: {context: ../a, args: {GIT_SHA: "1"}}}
          second: {build: {context: ../a, args: {GIT_SHA: "2"}}}
        """,
    "deploy/compose.prod.yaml": 'services: {first: {build: {context: ../a, args: {GIT_SHA: "1"}}}}',
    "deploy/compose.override.yaml": "services: {}",
    "broken/compose.yaml": "services: {first: {build: nowhere}}",
    "b/docker-bake.json": (
        '{"target": {"default": {"context": "c", "dockerfile": "Dockerfile.gpu"}}}'
    ),
    "alone/Containerfile": DOCKERFILE,
}


@pytest.mark.parametrize("ini", ["pyproject.toml", "pytest.ini"])
def test_the_lines_name_the_files_that_define_more(
    monorepo: Project, ini: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_dockercache.definitions.finding.has_buildx", lambda: False)
    monorepo.files |= BELOW
    monorepo.files["alone/environment.yml"] = monorepo.files["a/environment.yml"]
    monorepo.files["alone/src/main.py"] = ""
    monorepo.files[ini] = "[tool.pytest.ini_options]\n" if "toml" in ini else "[pytest]\n"
    result = monorepo.pytest("-c", ini)
    assert result.code == 4
    lines = result.text.partition(f"to judge them all, write into {ini}:\n")[2]
    lines, _, rest = lines.partition("or name those to judge: pytest --dockercache alone/Containe")
    assert [word.strip('", ') for word in lines.splitlines() if word[2:6] != "    "][:1] == [
        "[tool.pytest.ini_options]" if "toml" in ini else "[pytest]"
    ]
    named = [word.strip('", ') for word in lines.splitlines() if "/" in word]
    assert named == ["alone/Containerfile", "deploy/compose.yaml", "b/docker-bake.json"]
    assert "broken/compose.yaml" in rest
    monorepo.files[ini] = "\n".join(line.removeprefix("  ") for line in lines.splitlines())
    judged = monorepo.pytest("-c", ini, "--collect-only", "-q")
    nodes = {line.rpartition("::")[0] for line in judged.text.splitlines() if "::" in line}
    assert nodes == {
        "alone/Containerfile",
        "deploy/compose.yaml::first",
        "deploy/compose.yaml::second",
        "b/docker-bake.json::default",
    }


@pytest.mark.parametrize(
    ("place", "judged"), [(".", SERVICES), ("b", SERVICES[1:]), ("b/c/", SERVICES[1:])]
)
def test_a_directory_names_the_dockerfiles_below_it_where_the_root_has_none(
    monorepo: Project, place: str, judged: tuple[str, ...]
) -> None:
    result = monorepo.pytest(place, "-k", "builds and not change", "-v")
    assert result.has(*(f"{name}::builds PASSED" for name in judged)), result.text
    assert result.counts["passed"] == len(judged)


def test_a_directory_names_no_dockerfiles_below_it_where_the_root_has_one(project: Project) -> None:
    project.files["a/Dockerfile"] = project.files["Dockerfile"]
    result = project.pytest(".", "-k", "builds and not change", "-v")
    assert result.counts["passed"] == 1
    assert result.has("Dockerfile::builds PASSED")


def test_nothing_of_ours_among_the_arguments_is_a_usage_error(project: Project) -> None:
    project.files["tests/test_a.py"] = "def test_a(): pass"
    result = project.pytest("tests/")
    assert result.code == 4
    assert result.has(
        "ERROR: --dockercache: nothing to check among the arguments; "
        "add Dockerfile, or mark tests with @pytest.mark.dockercache"
    )


def test_marked_tests_among_the_arguments_are_something_to_do(project: Project) -> None:
    project.files["tests/test_a.py"] = """
        import pytest
        @pytest.mark.dockercache
        def test_a(dockercache):
            dockercache.assert_hit(role="environment")
        """
    result = project.pytest("tests/")
    assert result.counts == {"passed": 1}
    assert result.has("dockercache: Dockerfile is not among the arguments, so it is not checked")


def test_switched_on_in_the_ini_file_other_arguments_are_no_error(project: Project) -> None:
    project.ini = "dockercache = true"
    project.files["tests/test_a.py"] = "def test_a(): pass"
    result = project.pytest("tests/test_a.py", off=True)
    assert result.counts == {"passed": 1}
    assert result.has("dockercache: Dockerfile is not among the arguments, so it is not checked")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_nothing_to_do_is_the_same_usage_error_with_workers(project: Project, workers: str) -> None:
    project.files["tests/test_a.py"] = "def test_a(): pass"
    result = project.pytest("-n", workers, "tests/", process=True)
    assert result.code == 4
    assert result.has("ERROR: --dockercache: nothing to check among the arguments; add Dockerfile")
    assert "Traceback" not in result.text


def test_an_unknown_check_names_the_valid_ones(project: Project) -> None:
    result = project.pytest("Dockerfile::env-layer")
    assert result.code == 4
    assert result.has("ERROR: Dockerfile::env-layer: unknown check env-layer; valid: builds, env-")


def test_an_argument_that_does_not_exist_stays_pytests_own_error(project: Project) -> None:
    result = project.pytest("Dockerfile.missing")
    assert result.code == 4
    assert result.has("file or directory not found: Dockerfile.missing")


def test_a_python_file_named_like_a_dockerfile_is_a_test_file(project: Project) -> None:
    project.files["dockerfile_test.py"] = "def test_a(): pass"
    result = project.pytest("dockerfile_test.py", "Dockerfile::builds", "--collect-only", "-q")
    assert collected(result) == ["dockerfile_test.py::test_a", "Dockerfile::builds"]


@pytest.mark.parametrize(
    ("kind", "what"), [("directory", "a directory"), ("link", "no file that can be read")]
)
def test_a_dockerfile_that_is_no_file_is_not_said_to_be_absent(
    project: Project, kind: str, what: str
) -> None:
    del project.files["Dockerfile"]
    if kind == "directory":
        project.files["Dockerfile/readme.txt"] = "for Docker"
    else:
        (project.root / "Dockerfile").symlink_to("nowhere")
    result = project.pytest()
    assert result.code == 4
    assert result.has(
        f"ERROR: --dockercache: ROOT/Dockerfile is {what}; "
        "name a Dockerfile with --dockercache-dockerfile=PATH"
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_leaving_out_every_check_is_said_to_be_that(project: Project, workers: str) -> None:
    project.image_checks = True
    skips = [f"--dockercache-skip={check}" for check in CHECKS]
    result = project.pytest(*skips, "-n", workers, process=True)
    assert result.code == 4
    assert result.has(
        "ERROR: --dockercache: --dockercache-skip leaves out every check of Dockerfile, "
        "and there is no marked test; leave out fewer checks"
    )
    named = project.pytest("--dockercache-skip=builds", "Dockerfile::builds")
    assert named.has("ERROR: --dockercache: --dockercache-skip leaves out Dockerfile::builds, and")


def test_a_check_that_wants_an_option_is_said_to_want_it(project: Project) -> None:
    result = project.pytest("Dockerfile::rebuild-saving")
    assert result.code == 4
    assert result.has(
        "ERROR: --dockercache: Dockerfile::rebuild-saving is judged only where "
        "its own option is given"
    )
