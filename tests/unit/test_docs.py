"""The documentation names what exists: options, checks, files, and code that parses."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from pytest_dockercache.checks import CHECKS
from pytest_dockercache.plugin import pytest_addoption

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CHECK_PAGES = ROOT / "docs" / "checks"
PAGES = sorted(
    [README, *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md", ROOT / "fixtures/README.md"]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Registered:
    """Takes the place of pytest's parser, and remembers the options and ini keys."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.keys: list[str] = []
        pytest_addoption(self)  # type: ignore[arg-type]

    def getgroup(self, name: str, description: str) -> Registered:
        return self

    def addoption(self, option: str, *, dest: str, **attributes: object) -> None:
        self.options[option] = dest

    def addini(self, key: str, *described: object, **attributes: object) -> None:
        self.keys.append(key)


OPTIONS = Registered().options


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[object]:
    found: list[object] = []
    for page in PAGES:
        for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            if block[0] == language:
                found.append(pytest.param(block[1], id=f"{named(page)}-{number}"))
    return found


def test_every_option_has_an_ini_key_of_the_same_name() -> None:
    assert Registered().keys == list(OPTIONS.values())


@pytest.mark.parametrize(("option", "key"), OPTIONS.items())
def test_the_page_of_options_lists_every_one_with_its_ini_key(option: str, key: str) -> None:
    row = re.compile(rf"^\| `{option}(=[^`]*|\[[^`]*)?` \| `{key}` \| .+ \|$", re.MULTILINE)
    assert row.search((ROOT / "docs/options.md").read_text(encoding="utf-8")), f"no row: {option}"


def test_the_readme_has_ten_options_and_says_of_them_what_their_page_says() -> None:
    row = re.compile(r"^\| `--dockercache.*\|$", re.MULTILINE)
    few = [line.replace("](docs/", "](") for line in row.findall(README.read_text("utf-8"))]
    every = row.findall((ROOT / "docs/options.md").read_text(encoding="utf-8"))
    assert len(few) == 10
    assert set(few) <= set(every)


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([\w.-]+)\)", index))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_an_option_that_does_not_exist(page: Path) -> None:
    mentioned = set(re.findall(r"--dockercache[a-z-]*", page.read_text(encoding="utf-8")))
    # "--dockercache-cache-from/-to" and the like end where the option does.
    assert {option.rstrip("-") for option in mentioned} <= set(OPTIONS)


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_a_page_that_the_readme_links(check: str) -> None:
    page = CHECK_PAGES / f"{check}.md"
    assert page.read_text(encoding="utf-8").startswith(f"# `{check}`\n")
    assert f"[`{check}`](docs/checks/{check}.md)" in README.read_text(encoding="utf-8")
    index = (CHECK_PAGES / "README.md").read_text(encoding="utf-8")
    assert f"[`{check}`]({check}.md)" in index


def test_every_page_of_a_check_belongs_to_one_that_exists() -> None:
    assert {page.stem for page in CHECK_PAGES.glob("*.md")} - {"README"} <= set(CHECKS)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("text", blocks("python"))
def test_python_examples_parse(text: str) -> None:
    ast.parse(text)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_examples_parse(text: str) -> None:
    assert yaml.safe_load(text)


@pytest.mark.parametrize("text", blocks("json"))
def test_json_examples_parse(text: str) -> None:
    assert json.loads(text)["schema"] == 2


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_has_a_gap_that_somebody_was_to_fill(page: Path) -> None:
    assert "@@" not in page.read_text(encoding="utf-8")
