"""Images of compose and bake files: options, node IDs, arguments, and what is found by itself."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from example import DOCKERFILE, Project

from pytest_dockercache.definitions.bake import has_buildx

MONOREPO = Path(__file__).resolve().parents[2] / "fixtures" / "monorepo"

COMPOSE = """\
services:
  db: {image: postgres}
  web:
    build: {context: web, args: {GIT_SHA: abc}}
  job:
    build: {context: web, args: {GIT_SHA: def}}
  remote:
    build: https://github.com/example/app.git
"""


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with services and no Dockerfile at its root; compose is read without buildx."""
    monkeypatch.setattr("pytest_dockercache.definitions.finding.has_buildx", lambda: False)
    for name in list(project.files):
        project.files[f"web/{name}"] = project.files.pop(name)
    project.files["compose.yaml"] = COMPOSE
    return project


def nodes(project: Project, *arguments: str) -> list[str]:
    result = project.pytest("--collect-only", "-q", *arguments)
    assert result.code == 0, result.text
    lines = [line for line in result.text.splitlines() if line.endswith("::builds")]
    return [line.removesuffix("::builds") for line in lines]


ALL = ["compose.yaml::web", "compose.yaml::job", "compose.yaml::remote"]


@pytest.mark.parametrize(
    ("arguments", "judged"),
    [
        ((), ALL),
        ((".",), ALL),
        (("--dockercache-compose",), ALL),
        (("--dockercache-compose=compose.yaml,target=job",), ALL[1:2]),
        (("--dockercache-compose=,target=job",), ALL[1:2]),
        (("compose.yaml",), ALL),
        (("compose.yaml::job",), ALL[1:2]),
        (("compose.yaml::job::builds", "compose.yaml::web::builds"), [ALL[1], ALL[0]]),
        (("web",), ALL[:2]),
    ],
)
def test_what_a_compose_file_builds_is_collected(
    shop: Project, arguments: tuple[str, ...], judged: list[str]
) -> None:
    assert nodes(shop, *arguments) == judged


def test_every_heading_names_the_image_that_it_is_about(shop: Project) -> None:
    shop.files["web/Dockerfile"] = "FROM a\nCOPY . .\nRUN pip install -r requirements.txt\n"
    shop.files["web/requirements.txt"] = "six\n"
    shop.files["compose.yaml"] = "services: {web: {build: web}, x.y: {build: web}}"
    shop.files["deploy/compose.yaml"] = (
        "services: {web: {build: {context: ../web, platforms: [linux/amd64, linux/arm64]}}}"
    )
    shop.files["docker-bake.json"] = '{"target": {"default": {"context": "web"}}}'
    shop.files["pyproject.toml"] = """
        [[tool.dockercache.image]]
        dockerfile = "web/Dockerfile"
        name = "v1.2"
        [[tool.dockercache.image]]
        dockerfile = "web/Dockerfile"
        """
    shop.ini = """
        dockercache_compose =
            compose.yaml
            deploy/compose.yaml
        dockercache_bake = docker-bake.json
        """
    result = shop.pytest("--dockercache-engine=model", "-k", "layer-cached", "-v")
    assert result.code == 1, result.text
    images = [
        "web/Dockerfile[v1.2]",
        "web/Dockerfile",
        "compose.yaml::web",
        "compose.yaml::x.y",
        "deploy/compose.yaml::web,linux/amd64",
        "deploy/compose.yaml::web,linux/arm64",
        "docker-bake.json::default",
    ]
    headings = re.findall(r"^_+ (\S+?):+ ?env-layer-cached _+$", result.text, re.MULTILINE)
    assert sorted(headings) == sorted(images)
    for image in images:
        assert f"{image}::env-layer-cached FAILED" in result.text
        assert f"FAILED {image}::env-layer-cached - " in result.text


def test_each_service_is_judged_with_its_own_arguments(shop: Project) -> None:
    result = shop.pytest("--dockercache-report=json:out.json", "compose.yaml::web", "-rs")
    assert result.counts["passed"] >= 4, result.text
    assert result.has("compose.yaml::web (context web)")
    text = (shop.root / "out.json").read_text()
    assert '"node": "compose.yaml::web"' in text
    assert '"build_args": {"GIT_SHA": "abc"}' in text


def test_a_service_that_cannot_be_judged_says_why_beside_the_others(shop: Project) -> None:
    result = shop.pytest("-rs", "-k", "builds and not change")
    assert result.counts == {"passed": 2, "skipped": 1, "deselected": 12}
    assert result.has(
        "not verified: compose.yaml::remote is built from https://github.com/example/app.git, "
        "which is not on this machine"
    )


def test_the_failures_of_two_services_are_told_apart(shop: Project) -> None:
    shop.files["web/Dockerfile"] = "FROM a\nCOPY . .\nRUN pip install -r requirements.txt\n"
    shop.files["web/requirements.txt"] = "six\n"
    result = shop.pytest("--dockercache-engine=model", "-k", "layer-cached")
    assert result.code == 1, result.text
    assert re.findall(r"^_+ (\S+) env-layer-cached _+$", result.text, re.MULTILINE) == [
        "compose.yaml::web:",
        "compose.yaml::job:",
    ]


def test_every_platform_of_a_service_is_judged_for_itself(shop: Project) -> None:
    shop.files["compose.yaml"] = """
        services:
          web: {build: {context: web, platforms: [linux/amd64, linux/arm64]}}
          job: {build: {context: web, args: {GIT_SHA: def}, platforms: [linux/arm64]}}
        """
    both = ["compose.yaml::web,linux/amd64", "compose.yaml::web,linux/arm64"]
    assert sorted(nodes(shop)) == ["compose.yaml::job", *both]
    assert sorted(nodes(shop, "compose.yaml::web")) == both
    assert sorted(nodes(shop, "compose.yaml::web::builds")) == both
    assert nodes(shop, f"{both[1]}::builds") == both[1:]
    assert nodes(shop, both[1]) == both[1:]
    asked = "--dockercache-platform=linux/amd64"
    assert nodes(shop, asked) == ["compose.yaml::web", "compose.yaml::job"]
    result = shop.pytest("-k", "builds and not change", "-v")
    assert result.counts["passed"] == 3
    again = shop.pytest("--lf", "-n", "2", "-k", "builds and not change", process=True)
    assert again.counts["passed"] == 3


def test_a_service_without_a_cache_fails_with_its_line(shop: Project) -> None:
    shop.files["compose.yaml"] = """
        services:
          web:
            build:
              context: web
              no_cache: true
        """
    result = shop.pytest("-rs")
    assert result.counts == {"passed": 1, "failed": 1, "skipped": 3}, result.text
    assert result.has("env layer is rebuilt by every build: compose.yaml:6: no_cache")


def test_a_dockerfile_inside_a_compose_file_is_judged_with_the_lines_of_that_file(
    shop: Project,
) -> None:
    shop.files["web/requirements.txt"] = "six\n"
    shop.files["compose.yaml"] = """\
services:
  web:
    build:
      context: web
      dockerfile_inline: |
        FROM a
        COPY . .
        RUN pip install -r requirements.txt
"""
    shop.image_checks = True
    result = shop.pytest(
        "--dockercache-engine=model", "-k", "layer-cached", "--dockercache-report=json:out.json"
    )
    assert result.counts["failed"] == 1
    assert result.has("   7  COPY . .  ", "line 8 runs on top of line 7"), result.text
    [image] = json.loads((shop.root / "out.json").read_text())["images"]
    assert (image["dockerfile"], image["node"]) == ("compose.yaml", "compose.yaml::web")
    [check] = [one for one in image["checks"] if one["outcome"] == "failed"]
    assert check["line"] == 7
    assert check["fix"]["patch"] is None


def test_a_pattern_is_looked_for_beside_what_cannot_be_judged(shop: Project) -> None:
    result = shop.pytest("--dockercache-env-step=no such step", "-k", "builds and not change")
    assert result.counts["passed"] == 2


def test_keys_after_the_comma_hold_for_each_image(shop: Project) -> None:
    shop.files["conftest.py"] = """
        import scripted_engine
        scripted_engine.install()

        def pytest_collection_finish(session):
            from pytest_dockercache._pytest import judge_of
            targets = judge_of(session.config).selection.targets
            assert [target.options.settings.timeout for target in targets] == [7, 7, 7]
            args = [dict(target.options.build_args) for target in targets]
            assert [one["X"] for one in args] == ["1", "1", "1"]
            assert args[0]["GIT_SHA"] == "cli"
        """
    result = shop.pytest(
        "--dockercache-compose=compose.yaml,timeout=7",
        "--dockercache-build-arg=X=1",
        "--dockercache-build-arg=GIT_SHA=cli",
        "--collect-only",
    )
    assert result.code == 0, result.text


def test_a_dockerfile_at_the_root_comes_before_definitions(shop: Project) -> None:
    shop.files["Dockerfile"] = DOCKERFILE
    assert nodes(shop) == ["Dockerfile"]
    assert nodes(shop, "--dockercache-compose") == ALL
    assert nodes(shop, "compose.yaml::web") == ALL[:1]


def test_the_ini_file_names_a_compose_file(shop: Project) -> None:
    shop.ini = "dockercache_compose = compose.yaml,target=web"
    shop.files["Dockerfile"] = DOCKERFILE
    assert nodes(shop) == ALL[:1]
    assert nodes(shop, "--dockercache-dockerfile=Dockerfile") == ["Dockerfile"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--dockercache-compose=none.yaml", "ROOT/none.yaml does not exist; name a compose file"),
        ("--dockercache-compose=compose.yaml,target=wbe", "builds no service wbe; it builds: web,"),
        ("--dockercache-compose=compose.yaml,context=x", "cannot use 'context=x'; valid: PATH[,"),
        ("--dockercache-bake", "no bake file in ROOT; name one"),
        ("compose.yaml::wbe", "compose.yaml builds no wbe; it builds: web, job, remote"),
        ("compose.yaml::web::bulds", "unknown check bulds; valid: builds, "),
    ],
)
def test_what_is_not_there_is_a_usage_error(shop: Project, argument: str, said: str) -> None:
    result = shop.pytest(argument)
    assert result.code == 4
    assert result.has(said), result.text


def test_a_bake_file_without_buildx_is_not_verified_where_nobody_named_it(shop: Project) -> None:
    shop.files["docker-bake.hcl"] = 'target "web" { context = "web" }\n'
    result = shop.pytest("-rs", "-k", "builds and not change")
    assert result.has("not verified: docker-bake.hcl: what a bake file builds is known to docker")
    assert result.counts["passed"] == 2
    result = shop.pytest("--dockercache-bake")
    assert result.code == 4
    assert result.has("install docker-buildx, or name the Dockerfiles")


def test_workers_judge_the_same_images(shop: Project) -> None:
    result = shop.pytest("-n", "2", "-k", "builds and not change", process=True)
    assert result.counts["passed"] == 2, result.text


def test_a_marked_test_builds_as_the_service_of_its_dockerfile_does(shop: Project) -> None:
    shop.files["web/tests/test_image.py"] = """
        def test_image(dockercache_spec):
            assert dict(dockercache_spec.build_args) == {"GIT_SHA": "abc"}
        """
    assert shop.pytest("web/tests").counts == {"passed": 1}


def test_a_file_without_builds_leaves_the_message_as_it_was(shop: Project) -> None:
    shop.files["compose.yaml"] = "services: {db: {image: postgres}}"
    result = shop.pytest()
    assert result.code == 4
    assert result.has("no Dockerfile or Containerfile in ROOT", "  web/Dockerfile")


def test_the_model_finds_exactly_the_broken_service_of_the_monorepo(
    pytester: pytest.Pytester, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pytester.path / "monorepo"
    shutil.copytree(MONOREPO, root)
    monkeypatch.chdir(root)
    arguments = ("--dockercache", "--dockercache-engine=model", "-p", "no:cacheprovider")
    result = pytester.runpytest_inprocess(*arguments, "--dockercache-report=json:out.json")
    assert result.ret == 1
    images = json.loads((root / "out.json").read_text())["images"]
    failed = {
        check["nodeid"]: check["line"]
        for image in images
        for check in image["checks"]
        if check["outcome"] in ("failed", "error")
    }
    assert failed == {"compose.yaml::reports::env-layer-cached": 6}
    if has_buildx():
        named = ["api", "worker", "reports", "jobs", "web", "gateway"]
        assert [image["node"].rpartition("::")[2] for image in images] == named
        assert result.parseoutcomes()["passed"] == 23


FOUR = "services:\n" + "".join(
    f"  s{number}: {{build: {{context: web, args: {{N: '{number}'}}}}}}\n" for number in range(4)
)


def test_the_summary_of_many_images_is_one_table(shop: Project) -> None:
    shop.files["compose.yaml"] = FOUR
    result = shop.pytest()
    assert result.has(
        "image             verdict\n"
        "compose.yaml::s0  5 passed\n"
        "compose.yaml::s1  5 passed\n"
        "compose.yaml::s2  5 passed\n"
        "compose.yaml::s3  5 passed\n"
    ), result.text
    assert "first build after edit" not in result.text


def test_the_row_of_an_image_names_what_failed_and_counts_errors(shop: Project) -> None:
    shop.files["compose.yaml"] = FOUR.replace(
        "s2: {build: {context: web", "s2: {build: {context: bad"
    ).replace("N: '3'}", "N: '3'}, no_cache: true")
    result = shop.pytest()
    assert result.code == 1
    assert result.has(
        "compose.yaml::s1  5 passed\n",
        "compose.yaml::s2  5 errors\n",
        "compose.yaml::s3  env-layer-cached failed, 1 passed\n",
    ), result.text
