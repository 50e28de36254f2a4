"""Several values of ``--dockercache-platform``: each is an image of its own."""

from __future__ import annotations

import json

import pytest
from example import CACHE_CHECKS, Outcome, Project

BOTH = "--dockercache-platform=linux/amd64,linux/arm64"

STAGES = """\
FROM continuumio/miniconda3:latest AS builder
COPY environment.yml ./
RUN conda env update -n base -f environment.yml
FROM builder AS runtime
COPY src/ ./src/
"""

ASKED = """
    import json
    import scripted_engine
    scripted_engine.install()

    def pytest_collection_finish(session):
        from pytest_dockercache._pytest import judge_of
        for target in judge_of(session.config).selection.targets:
            demands, spec = target.options.check_settings, target.spec()
            told = [target.node, spec.platform, spec.cache_from, demands.cache_to]
            print("asked", json.dumps([*told, target.options.settings.builder]))
"""


def nodes(result: Outcome) -> list[str]:
    found = [line.partition("::")[0] for line in result.text.splitlines() if "::" in line]
    return list(dict.fromkeys(found))


def asked(result: Outcome) -> list[list[object]]:
    lines = [line for line in result.text.splitlines() if line.startswith("asked ")]
    return [json.loads(line.removeprefix("asked ")) for line in lines]


def test_each_of_several_platforms_is_judged_for_itself(project: Project) -> None:
    result = project.pytest("--collect-only", "-q", BOTH)
    listed = [line for line in result.text.splitlines() if "::" in line]
    assert listed == [
        f"Dockerfile[{platform}]::{check}"
        for platform in ("linux/amd64", "linux/arm64")
        for check in CACHE_CHECKS
    ]


def test_the_builds_of_each_are_of_that_platform(project: Project) -> None:
    project.files["conftest.py"] = ASKED
    result = project.pytest("--collect-only", "-q", BOTH, "--dockercache-platform=linux/386")
    assert [one[:2] for one in asked(result)] == [
        ["Dockerfile[linux/amd64]", "linux/amd64"],
        ["Dockerfile[linux/arm64]", "linux/arm64"],
        ["Dockerfile[linux/386]", "linux/386"],
    ]


def test_one_platform_leaves_the_nodes_as_they_are(project: Project) -> None:
    result = project.pytest("--collect-only", "-q", "--dockercache-platform=linux/arm64")
    assert nodes(result) == ["Dockerfile"]


def test_the_ini_file_names_one_a_line_or_several(project: Project) -> None:
    project.ini = "dockercache_platform =\n    linux/amd64\n    linux/arm64, linux/386"
    result = project.pytest("--collect-only", "-q")
    assert nodes(result) == [
        f"Dockerfile[{name}]" for name in ("linux/amd64", "linux/arm64", "linux/386")
    ]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["Dockerfile[linux/arm64]::builds"], ["Dockerfile[linux/arm64]"]),
        (["Dockerfile::builds"], ["Dockerfile[linux/amd64]", "Dockerfile[linux/arm64]"]),
        (
            ["Dockerfile[runtime]::builds"],
            ["Dockerfile[runtime,linux/amd64]", "Dockerfile[runtime,linux/arm64]"],
        ),
        (["Dockerfile[linux/s390x]::builds"], ["Dockerfile[linux/s390x]"]),
        (
            ["Dockerfile[builder,linux/arm64]::builds", "--dockercache-target=builder"],
            ["Dockerfile[builder,linux/arm64]"],
        ),
        (
            ["Dockerfile[builder]::builds", "--dockercache-target=builder"],
            ["Dockerfile[builder,linux/amd64]", "Dockerfile[builder,linux/arm64]"],
        ),
    ],
)
def test_an_argument_names_one_platform_or_all(
    project: Project, arguments: list[str], wanted: list[str]
) -> None:
    project.files["Dockerfile"] = STAGES
    result = project.pytest("--collect-only", "-q", BOTH, *arguments)
    listed = [line for line in result.text.splitlines() if "::" in line]
    assert listed == [f"{node}::builds" for node in wanted]


def test_the_platform_stands_in_the_place_of_a_cache(project: Project) -> None:
    project.files["conftest.py"] = ASKED
    cache = "type=registry,ref=registry.test/app:cache-{platform}"
    result = project.pytest(
        "--collect-only",
        "-q",
        "--dockercache-platform=linux/amd64,linux/arm/v7",
        f"--dockercache-cache-from={cache}",
        f"--dockercache-cache-to={cache},mode=max",
    )
    assert [one[2:4] for one in asked(result)] == [
        [
            [f"type=registry,ref=registry.test/app:cache-{name}"],
            [f"type=registry,ref=registry.test/app:cache-{name},mode=max"],
        ]
        for name in ("linux-amd64", "linux-arm-v7")
    ]


def test_two_platforms_do_not_export_to_one_place(project: Project) -> None:
    to = "--dockercache-cache-to=type=registry,ref=registry.test/app:cache"
    result = project.pytest(BOTH, to)
    assert result.code == 4
    assert (
        f"{to}: each platform would replace the cache of the one before; put {{platform}} into "
        "its place, for example ref=REGISTRY/APP:cache-{platform}"
    ) in result.text
    assert project.pytest("--collect-only", BOTH, "--dockercache-cache-to=type=inline").code == 0
    assert project.pytest("--collect-only", "--dockercache-platform=linux/arm64", to).code == 0


@pytest.mark.parametrize("value", ["", "linux/amd64,", "linux amd64", "a/b/c/d"])
def test_what_is_no_platform_is_refused(project: Project, value: str) -> None:
    result = project.pytest(f"--dockercache-platform={value or ','}")
    assert result.code == 4
    assert "not a platform; for example linux/amd64 or linux/arm64" in result.text


def test_an_image_may_have_platforms_and_a_builder_of_its_own(project: Project) -> None:
    project.files["conftest.py"] = ASKED
    project.files["other/Dockerfile"] = STAGES
    project.files["pyproject.toml"] = """
        [[tool.dockercache.image]]
        dockerfile = "Dockerfile"
        builder = "first"

        [[tool.dockercache.image]]
        dockerfile = "other/Dockerfile"
        name = "other"
        context = "."
        platform = ["linux/amd64", "linux/arm64"]
        builder = "second"
    """
    result = project.pytest("--collect-only", "-q")
    assert [(one[0], one[1], one[4]) for one in asked(result)] == [
        ("Dockerfile", None, "first"),
        ("other/Dockerfile[other,linux/amd64]", "linux/amd64", "second"),
        ("other/Dockerfile[other,linux/arm64]", "linux/arm64", "second"),
    ]
