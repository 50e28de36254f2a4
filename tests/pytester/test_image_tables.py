"""Images of ``[[tool.dockercache.image]]``, and the keys after a Dockerfile's comma."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from example import DOCKERFILE, Project
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache._pytest.image_options import IMAGE_KEYS
from pytest_dockercache.plugin import OPTIONS

TABLES = """\
[project]
name = "shop"

[[tool.dockercache.image]]
dockerfile = "api/Dockerfile"
context = "api"
build-arg = { GIT_SHA = "abc", RELEASE = 1.10 }
python = 3.10

# The same Dockerfile for another machine.
[[tool.dockercache.image]]
name = "gpu"
dockerfile = "api/Dockerfile"
context = "api"
timeout = 60
max-hidden = "2MB"
skip = ["env-change-rebuilds"]
platform = "linux/arm64"
cache-from = "type=local,src=cache"
cache-to = ["type=local,dest=cache"]
"""

ASKED = """
    import json
    import scripted_engine
    scripted_engine.install()

    def pytest_collection_finish(session):
        from pytest_dockercache._pytest import judge_of
        known = {}
        for target in judge_of(session.config).selection.targets:
            own, spec = target.options, target.spec()
            known[target.node] = {
                "context": spec.context.name,
                "args": dict(spec.build_args),
                "platform": spec.platform,
                "target": spec.target,
                "timeout": own.settings.timeout,
                "python": own.check_settings.python,
                "max-hidden": own.check_settings.max_hidden,
                "skip": sorted(own.skip & {"builds", "env-change-rebuilds"}),
                "cache": [*own.check_settings.cache_from, *own.check_settings.cache_to],
            }
        (session.config.rootpath / "asked.json").write_text(json.dumps(known))
    """


@pytest.fixture
def shop(project: Project) -> Project:
    """A project whose Dockerfile lies in ``api``, with two images of it."""
    for name in list(project.files):
        project.files[f"api/{name}"] = project.files.pop(name)
    project.files["pyproject.toml"] = TABLES
    return project


def asked(project: Project, *arguments: str) -> dict[str, dict[str, object]]:
    """What each image is judged with, by its node."""
    project.files["conftest.py"] = ASKED
    result = project.pytest("--collect-only", *arguments)
    assert result.code == 0, result.text
    known: dict[str, dict[str, object]] = json.loads((project.root / "asked.json").read_text())
    return known


def test_each_image_has_its_own_options(shop: Project) -> None:
    known = asked(shop)
    cache = shop.root / "cache"
    assert known == {
        "api/Dockerfile": {
            "context": "api",
            "args": {"GIT_SHA": "abc", "RELEASE": "1.10"},
            "platform": None,
            "target": None,
            "timeout": None,
            "python": "3.10",
            "max-hidden": 10_000_000,
            "skip": [],
            "cache": [],
        },
        "api/Dockerfile[gpu]": {
            "context": "api",
            "args": {},
            "platform": "linux/arm64",
            "target": None,
            "timeout": 60,
            "python": None,
            "max-hidden": 2_000_000,
            "skip": ["env-change-rebuilds"],
            "cache": [f"type=local,src={cache}", f"type=local,dest={cache}"],
        },
    }


def test_the_command_line_wins_then_the_image_then_the_ini_file(shop: Project) -> None:
    shop.ini = """
        dockercache_timeout = 5
        dockercache_build_arg =
            GIT_SHA=ini
            FROM_INI=1
        """
    known = asked(shop, "--dockercache-max-hidden=3MB", "--dockercache-python=3.11")
    assert [image["timeout"] for image in known.values()] == [5, 60]
    assert [image["max-hidden"] for image in known.values()] == [3_000_000, 3_000_000]
    assert [image["python"] for image in known.values()] == ["3.11", "3.11"]
    merged = {"GIT_SHA": "abc", "FROM_INI": "1", "RELEASE": "1.10"}
    assert known["api/Dockerfile"]["args"] == merged
    known = asked(shop, "--dockercache-build-arg=GIT_SHA=cli")
    assert known["api/Dockerfile"]["args"] == {"GIT_SHA": "cli", "RELEASE": "1.10"}


def test_a_dockerfile_of_the_command_line_has_the_options_of_its_tables(shop: Project) -> None:
    shop.files["Dockerfile"] = DOCKERFILE
    assert list(asked(shop, "--dockercache-dockerfile=Dockerfile")) == ["Dockerfile"]
    named = asked(shop, "--dockercache-dockerfile=api/Dockerfile,name=gpu,timeout=7")
    assert list(named) == ["api/Dockerfile[gpu]"]
    assert named["api/Dockerfile[gpu]"]["timeout"] == 7
    assert named["api/Dockerfile[gpu]"]["platform"] == "linux/arm64"
    assert list(asked(shop, "--dockercache-dockerfile=api/Dockerfile")) == [
        "api/Dockerfile",
        "api/Dockerfile[gpu]",
    ]


def test_keys_follow_the_comma_and_a_spec_keeps_its_own(shop: Project) -> None:
    given = "api/Dockerfile,name=cpu,cache-from=type=local,src=here,build-arg=A=1,build-arg=B=2"
    known = asked(shop, f"--dockercache-dockerfile={given},max-hidden=1MB")
    assert list(known) == ["api/Dockerfile[cpu]"]
    assert known["api/Dockerfile[cpu]"]["args"] == {"A": "1", "B": "2"}
    assert known["api/Dockerfile[cpu]"]["cache"] == [f"type=local,src={shop.root / 'here'}"]
    assert known["api/Dockerfile[cpu]"]["max-hidden"] == 1_000_000


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_two_images_of_one_dockerfile_are_told_apart(
    shop: Project, workers: tuple[str, ...]
) -> None:
    report = "--dockercache-report=json:out.json"
    result = shop.pytest(report, "api/Dockerfile[gpu]", *workers, process=bool(workers))
    nodes = [image["node"] for image in read(shop.root / "out.json")["images"]]
    assert (nodes, result.counts["passed"]) == (["api/Dockerfile[gpu]"], 4)
    result = shop.pytest(report, *workers, process=bool(workers))
    images = read(shop.root / "out.json")["images"]
    assert [image["node"] for image in images] == ["api/Dockerfile", "api/Dockerfile[gpu]"]
    assert [len(image["checks"]) for image in images] == [5, 5]
    assert images[0]["build_args"] == {"GIT_SHA": "abc", "RELEASE": "1.10"}
    assert result.counts["passed"] == 9


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_marked_test_builds_with_the_options_of_its_image(shop: Project) -> None:
    shop.files["api/tests/test_image.py"] = """
        def test_image(dockercache_spec):
            assert dict(dockercache_spec.build_args) == {"GIT_SHA": "abc", "RELEASE": "1.10"}
        """
    assert shop.pytest("api/tests").counts == {"passed": 1}


def test_a_pattern_for_one_image_that_finds_nothing_there_is_refused(shop: Project) -> None:
    shop.files["pyproject.toml"] = TABLES + 'env-step = "make deps"\n'
    result = shop.pytest()
    assert result.code == 4
    assert result.has(
        "ERROR: pyproject.toml:21: env-step = make deps: matches no RUN instruction of "
        "api/Dockerfile[gpu]; "
    )


WRONG = {
    "unknown key": 'max-hiden = "2MB"',
    "key of the session": "strict = true",
    "wrong value": 'max-size = "lots"',
    "wrong type": "target = true",
    "wrong type in a list": 'skip = ["builds", {}]',
    "unknown check": 'skip = "builts"',
    "missing file": 'dockerfile = "web/Dockerfile"',
    "missing context": 'context = "web"',
    "no name": 'name = "a/b"',
}


def test_what_is_no_toml_is_said_with_its_place(project: Project) -> None:
    """A pytest that reads pyproject.toml says so itself, in its own words."""
    project.files["pyproject.toml"] = """
        [[tool.dockercache.image]]
        target =
        """
    result = project.pytest()
    assert result.code == 4
    assert re.search(r"pyproject\.toml:.*Invalid value", result.text), result.text
    assert re.search(r"pyproject\.toml:3:|line 3", result.text), result.text


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_names_file_line_key_and_what_is_valid(
    project: Project, kind: str, snapshot: SnapshotAssertion
) -> None:
    project.files["pyproject.toml"] = f"""
        [[tool.dockercache.image]]
        python = 3.10
        {WRONG[kind]}
        """
    result = project.pytest()
    assert result.code == 4
    assert result.text.strip() == snapshot


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.dockercache]\nimages = []", "pyproject.toml:2: unknown key images of [tool"),
        (
            "[tool.dockercache.image]\ntarget = 'a'",
            "pyproject.toml:1: image of [tool.dockercache] ",
        ),
    ],
)
def test_a_table_of_another_form_is_refused(project: Project, text: str, said: str) -> None:
    project.files["pyproject.toml"] = text
    result = project.pytest()
    assert result.code == 4
    assert result.has(said)


def test_the_line_is_left_out_where_a_table_is_written_otherwise(project: Project) -> None:
    project.files["pyproject.toml"] = "[tool.dockercache]\nimage = [{tarjet = 'a'}]\n"
    result = project.pytest()
    assert result.has("ERROR: pyproject.toml: unknown key tarjet of [[tool.dockercache.image]]; ")


def test_two_images_with_one_node_are_refused(project: Project) -> None:
    project.files["pyproject.toml"] = "[[tool.dockercache.image]]\n" * 2
    result = project.pytest()
    assert result.code == 4
    assert result.has("Dockerfile is named twice")
    assert result.has("or give each a name")


def test_every_key_is_an_option_and_the_page_lists_them() -> None:
    assert set(IMAGE_KEYS) <= {name for name, *_ in OPTIONS}
    page = (Path(__file__).resolve().parents[2] / "docs/options.md").read_text()
    listed = page.partition("without its prefix: ")[2].partition(".")[0]
    assert re.findall(r"`([a-z-]+)`", listed) == list(IMAGE_KEYS)
