"""README and pages name what exists, and what they print for readers to use is used here.

Command lines of pytest run in a copy of a sample, without a daemon; programs,
tests, settings, pipelines and Dockerfiles are run or read. What is not run says
why (``NOT_RUN``). Listings of runs are held to real builds by
``tests/listings``.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented import PAGES, ROOT, Block, arguments, blocks, named, pytest_runs

from pytest_dockercache._pytest.discovery import DEFAULT_NAMES
from pytest_dockercache._pytest.options import Options, read_options
from pytest_dockercache.checks import CHECKS
from pytest_dockercache.context.entries import ContextEntry
from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.engines import daemon, docker_command, watching
from pytest_dockercache.environments import ContainerFiles, environment_commands
from pytest_dockercache.environments.tools import (
    Installation,
    recognised,
    runner_of,
    tool_of,
    tools,
)
from pytest_dockercache.patterns import SECONDS
from pytest_dockercache.plugin import OPTIONS as TABLE
from pytest_dockercache.plugin import pytest_addoption
from pytest_dockercache.report import baseline, markdown
from pytest_dockercache.shell.running import step_commands

sys.path.append(str(Path(__file__).parent / "image"))

from layer_maker import add, docker_archive, tar_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = ROOT / "README.md"
CHECK_PAGES = ROOT / "docs" / "checks"


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


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_has_a_gap_that_somebody_was_to_fill(page: Path) -> None:
    assert "@@" not in page.read_text(encoding="utf-8")


# -- defaults and figures -------------------------------------------------------------------------

STATED: dict[str, tuple[str, Callable[[Options], object]]] = {
    "engine": ("auto", lambda options: options.image.settings.engine),
    "max-hidden": ("10MB", lambda options: f"{options.image.check_settings.max_hidden // 10**6}MB"),
    "base-layers": ("ignore", lambda options: options.image.check_settings.base_layers),
    "dockerfile": ("Dockerfile, then Containerfile", lambda _: ", then ".join(DEFAULT_NAMES)),
    # Not a value, but what happens where none is given:
    "context": ("compose, bake or devcontainer.json", lambda options: options.image.context),
    "target": ("the last", lambda options: options.image.target),
    "builder": ("your own docker build", lambda options: options.image.settings.builder),
    "buildkit-image": ("buildx's own", lambda options: options.image.check_settings.buildkit_image),
    "edit": ("every one that the image takes", lambda options: options.image.settings.edit),
}
"""What is said to be the default of an option, and what it is."""

FIGURES = (
    ("docs/reports.md", "at most 60,000 bytes", markdown.COMMENT_LIMIT, 60_000),
    ("docs/reports.md", "at most 1,000,000", markdown.SUMMARY_LIMIT, 1_000_000),
    ("docs/reports.md", "100 kB or", baseline._WORTH_BYTES, 100_000),
    ("docs/reports.md", "half as long again", baseline._WORTH_FACTOR, 1.5),
    ("docs/reports.md", "two\nseconds more", baseline._WORTH_SECONDS, 2.0),
    ("docs/reliability.md", "an answer may take 120 s", daemon._CALL_SECONDS, 120),
    ("docs/reliability.md", "said nothing for 30 s", watching._QUIET_SECONDS, 30.0),
    ("docs/reliability.md", "cut off after two seconds", SECONDS, 2.0),
    ("docs/engines.md", "in version 0.13 or newer", docker_command._MINIMUM, (0, 13)),
)


def said_of_defaults(text: str) -> str | None:
    """What a text says of a default, without its marks; None if it says nothing."""
    plain = text.replace("`", "").replace("(default)", "(default: the first)")
    found = re.search(r"default:\s([^)]*)", plain)
    return None if found is None else found[1]


def test_what_is_said_of_defaults_is_true(pytester: pytest.Pytester) -> None:
    options = read_options(pytester.parseconfig(), tuple(CHECKS))
    rows = (ROOT / "docs/options.md").read_text() + README.read_text()
    for name, _, _, text in TABLE:
        written = re.findall(rf"(?m)^\| `--dockercache-{name}[=\[].*$", rows) if name else []
        said = [found for place in (text, *written) if (found := said_of_defaults(place))]
        assert bool(said) == (name in STATED), name
        if not said:
            continue
        stated, real = STATED[name]
        default = real(options)
        assert default in (None, stated)
        assert len(said) > 1, f"help or page says nothing of the default of {name}"
        assert all(stated in place or place == "the first" for place in said), said


@pytest.mark.parametrize(("page", "said", "found", "figure"), FIGURES)
def test_a_figure_is_that_of_the_code(page: str, said: str, found: object, figure: object) -> None:
    assert found == figure
    assert said in (ROOT / page).read_text()


def test_the_versions_that_the_readme_names_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.10"
    assert "pytest>=8.0" in project["dependencies"]
    pythons = [c.rsplit(" ", 1)[1] for c in project["classifiers"] if "Python :: 3." in c]
    assert f"Python {pythons[0]} to {pythons[-1]}, pytest 8 or newer" in README.read_text()


# -- the table of managers -----------------------------------------------------------------------

MANAGERS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/managers.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| manager")
]


NEED_A_WORD = (" install", " add", "require", "-S", "create", "install2.r", "--path")


def made_of(command: str, program: str) -> Installation | None:
    """What a command of the table installs; a call of R or Julia as its interpreter runs it."""
    text = command.replace("…", "a.example/b")
    if text.endswith("()"):
        by_name = re.search(r"packages|pkg_|Pkg\.add", text)
        call = text.replace("()", "('A')") if by_name else text
        text = f'{program} -e "{call}"'
    text += " x" if text.endswith(NEED_A_WORD) else ""
    step = plan(parse_dockerfile(f"FROM base\nRUN {text}\n"))[-1]
    found = [recognised(ran, step) for ran in step_commands(step, runner_of)]
    return next((item for item in found if item is not None), None)


@pytest.mark.parametrize("row", MANAGERS, ids=[row[0] for row in MANAGERS])
def test_a_row_of_the_table_of_managers_is_what_the_code_knows(row: list[str]) -> None:
    name, fetching, building, reading = row
    tool = next(tool for tool in tools() if tool.name == name)
    program = {"R": "Rscript", "julia": "julia --project"}.get(name, "")
    for cell, builds in ((fetching, False), (building, True)):
        for command in re.findall(r"`([^`]+)`", cell):
            found = made_of(command, program)
            assert found is not None, command
            assert tool_of(found.tool) is tool, command
            assert found.with_project == builds, command
    for file in re.findall(r"`([^`]+)`", reading):
        path = file.replace("*", "a").lower()
        path += "x" if path.endswith("/") else ""
        archives = tool.system and path[1:] in (".deb", ".apk", ".rpm")
        name_of = path.rpartition("/")[2]
        known = tool.manifests.fullmatch(name_of) or tool.kept.fullmatch(path)
        assert known or archives, file


def test_the_page_of_managers_shows_a_build_that_fetches_and_one_that_does_not() -> None:
    """The first is an environment step below the source, the second has one above it."""
    shown = [block.text for block in blocks("dockerfile") if block.page.stem == "managers"]
    entries = [ContextEntry(path, "file", 1, 0o644, 0, 0, 0) for path in ("go.mod", "go.sum")]
    files = ContainerFiles(lambda: entries, lambda path: "module a\nrequire b.example/c v1\n")
    lines = []
    for text in shown:
        steps = plan(parse_dockerfile(f"FROM golang\nWORKDIR /src\n{text}"))
        told = [command is not None for command in environment_commands(steps, None, files)]
        runs = zip(steps, told, strict=True)
        lines.append([found for step, found in runs if step.instruction.keyword == "RUN"])
    assert lines == [[True], [True, False]]


def test_the_table_has_every_manager_whose_commands_are_read() -> None:
    read = {tool.name for tool in tools() if tool.foreign and not tool.installs}
    assert {row[0] for row in MANAGERS} == read


# -- what can be run is run -------------------------------------------------------------------

NOT_RUN = {
    "apt-get update && apt-get install -y pipx && ": "sets a bare machine up, as root",
    "pip install": "installs: `.ci/package` tries the wheel in a clean environment",
    "cd your-project": "the project is the reader's",
    "git apply fix.patch": "the patch of the line above, proven by building (test_proofs.py)",
    "git clone": "the address is the reader's",
    "docker run": "the image is the reader's",
    "docker build": "needs a daemon: tests/engine builds every sample",
    "python -m venv .venv": "sets up a developer's environment",
    ".venv/bin/": "the same environment; what it names exists",
    "pipx run tox run": "these very tests; what it names exists",
    "tox run": "longer than all tests; what it names exists",
    "tools/docker-engine up": "starts a daemon: CI begins with it",
    "python benchmarks/": "measures for minutes; what it names exists",
}
"""Command lines that are not run here, by their beginning, and why not."""

SHELL = [(block, line) for block in blocks("sh") for line in block.lines]
OTHERS = [line for _, line in SHELL if not line.startswith(("pytest ", "python -c "))]
NEEDS_MORE = ("--dockercache-strict", "--dockercache-image=", "--dockercache-max-growth")
"""Options with which a run without a daemon may fail."""


@pytest.fixture
def reader(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of a reader: what the pages name is there, and no daemon."""
    root = pytester.path / "reader"
    shutil.copytree(ROOT / "fixtures" / "optimized", root)
    (root / "docker").mkdir()
    shutil.copy(ROOT / "fixtures" / "multistage" / "Dockerfile", root / "docker")
    (root / "ci").mkdir()
    shutil.copy(ROOT / "ci" / "dockercache.gitlab-ci.yml", root / "ci")
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "compose.yaml").write_text("services: {web: {build: .}}\n")
    (root / "app.tar").write_bytes(docker_archive([tar_of([add("srv/a.py", b"1")])]))
    monkeypatch.chdir(root)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    for name in ("DOCKER_CONTEXT", "PYTEST_ADDOPTS", "CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return root


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:syrupy", *options)


def write(root: Path, block: Block) -> Path:
    """Write a block to the file that its first line names."""
    assert block.file, f"{block} does not say which file it is"
    path = root / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)
    return path


@pytest.mark.parametrize("line", OTHERS)
def test_a_command_that_is_not_run_says_why(line: str) -> None:
    assert any(line.startswith(beginning) for beginning in NOT_RUN), line


def test_no_reason_is_left_of_a_command_that_is_gone() -> None:
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in OTHERS)] == []


@pytest.mark.parametrize(("block", "line"), pytest_runs(), ids=str)
def test_every_command_line_of_pytest_runs_as_printed(
    block: Block, line: str, reader: Path, pytester: pytest.Pytester
) -> None:
    """Without a daemon the model judges: a usage error, a crash or a missing file is a lie."""
    if "main.json" in line:
        run(pytester, "--dockercache", "--dockercache-report=json:main.json", "Dockerfile")
    if "build.log" in line:
        (reader / "build.log").write_text("what a job said, without a build\n")
    for example in blocks("python"):
        if example.file and example.file in line:
            write(reader, example)
    result = run(pytester, *arguments(line))
    allowed = (0, 1) if any(option in line for option in NEEDS_MORE) else (0,)
    assert result.ret in allowed, "\n".join((*result.outlines, *result.errlines))
    written = re.findall(r"--dockercache-report=\w+:(\S+)|--junitxml=(\S+)", line)
    assert [name for names in written for name in names if name and not Path(name).exists()] == []


@pytest.mark.parametrize("line", OTHERS)
def test_what_a_command_names_exists(line: str) -> None:
    paths = re.findall(r"(?<![\w./-])((?:tests|tools|benchmarks|fixtures)/[\w./-]+)", line)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    for name in re.findall(r"tox run -e (\w+)", line):
        commands = tox.get(f"testenv:{name}", "commands")
        where = {ROOT / path for path in re.findall(r"(?:tests|tools)/\w+", commands)}
        texts = "".join(
            file.read_text()
            for path in where
            for file in (path.glob("*.py") if path.is_dir() else [path])
        )
        flags = re.findall(r"--[a-z]+", line.partition(" -- ")[2])
        assert [flag for flag in flags if f'"{flag}"' not in texts] == []
    for script in re.findall(r"benchmarks/\w+\.py", line):
        texts = (ROOT / script).read_text() + (ROOT / "benchmarks/_measure.py").read_text()
        assert [flag for flag in re.findall(r"--[a-z]+", line) if f'"{flag}"' not in texts] == []


@pytest.mark.parametrize(
    "line",
    [line for _, line in SHELL if line.startswith("python -c ")],
    ids=lambda line: line[-40:],
)
def test_a_program_that_reads_the_report_runs_on_a_report(
    line: str, reader: Path, pytester: pytest.Pytester
) -> None:
    run(pytester, "--dockercache", "--dockercache-report=json:dockercache.json", "Dockerfile")
    report = json.loads(Path("dockercache.json").read_text())
    for build in report["images"][0]["builds"]:
        build["outcome"] = "built"
    Path("dockercache.json").write_text(json.dumps(report))
    done = subprocess.run([sys.executable, *arguments(line)], capture_output=True, text=True)
    printed = done.stdout
    assert done.returncode == 0, done.stderr
    assert "Dockerfile::builds" in printed or "src/main.py 0" in printed


# -- Python -------------------------------------------------------------------------------------

PYTHON = blocks("python")
TESTS = [block for block in PYTHON if "\ndef test_" in block.text]


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_the_tests_of_the_pages_hold_for_a_sample(
    block: Block, reader: Path, pytester: pytest.Pytester
) -> None:
    """The model predicts; what asks for an image is skipped (tests/engine has a daemon)."""
    name = block.file or "tests/test_it.py"
    path = reader / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(block.text)
    result = run(pytester, "--dockercache", name)
    counts = result.parseoutcomes()
    functions = re.split(r"(?m)^def (?=test_)", block.text)[1:]
    images = sum("image" in function.replace("test_the_image", "") for function in functions)
    expected = {"skipped": images, "passed": len(functions) - images}
    assert counts == {word: many for word, many in expected.items() if many}


@pytest.mark.parametrize("block", [block for block in PYTHON if block not in TESTS], ids=str)
def test_an_overridden_fixture_is_the_one_that_is_used(
    block: Block, reader: Path, pytester: pytest.Pytester
) -> None:
    write(reader, block)
    (reader / "tests" / "test_it.py").write_text(
        "import pytest\n@pytest.mark.dockercache\ndef test_it(dockercache):\n"
        "    dockercache.assert_hit(role='environment')\n"
    )
    dockerfile = reader / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "ARG GIT_SHA\nRUN echo $GIT_SHA > /version\n")
    result = run(pytester, "--dockercache", "--dockercache-report=json:r.json", "-rs", "tests")
    if "dockercache_engine" in block.text:
        # The page names an engine that needs a daemon.
        result.stdout.fnmatch_lines(["*no Docker daemon listens*"])
        return
    assert result.parseoutcomes() == {"passed": 1}
    (image,) = (i for i in json.loads(Path("r.json").read_text())["images"] if i["build_args"])
    assert image["build_args"] == {"GIT_SHA": "0000000"}


# -- Dockerfiles, ignore files, settings, pipelines -----------------------------------------------


WRITTEN = [block for block in blocks("dockerfile", "") if block.page.stem in CHECKS]


@pytest.mark.parametrize("block", WRITTEN, ids=str)
def test_what_a_page_says_to_write_mends_what_its_check_finds(
    block: Block, reader: Path, pytester: pytest.Pytester
) -> None:
    check = block.page.stem
    start = "FROM continuumio/miniconda3:latest\nWORKDIR /opt/app\n"
    if block.language == "":
        (reader / ".dockerignore").write_text(block.text)
        text = f"{start}COPY . .\n"
    elif "COPY environment.yml" in block.text:
        text = start + block.text
    else:
        text = f"{start}COPY environment.yml ./\n{block.text}"
    (reader / "Dockerfile").write_text(text)
    result = run(pytester, "--dockercache", f"Dockerfile::{check}")
    judged = CHECKS[check].needs != "image"
    assert result.parseoutcomes() == ({"passed": 1} if judged else {"skipped": 1})


def test_the_ignore_file_of_the_page_is_what_makes_the_difference(
    reader: Path, pytester: pytest.Pytester
) -> None:
    (reader / "Dockerfile").write_text("FROM continuumio/miniconda3:latest\nCOPY . .\n")
    (reader / ".dockerignore").unlink()
    result = run(pytester, "--dockercache", "Dockerfile::dockerignore-effective")
    assert result.parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_are_those_that_a_run_reads(
    block: Block, reader: Path, pytester: pytest.Pytester
) -> None:
    tool = tomllib.loads(block.text)["tool"]
    nodes = ["docker/Dockerfile", "docker/Dockerfile[[]builder]"]
    if "pytest" in tool:
        assert set(tool["pytest"]["ini_options"]) <= set(OPTIONS.values())
        (reader / "pytest.ini").unlink()
    else:
        nodes = []
        for table in tool["dockercache"]["image"]:
            place = reader / table["dockerfile"]
            place.parent.mkdir(parents=True)
            shutil.copy(reader / "docker" / "Dockerfile", place)
            label = table.get("name") or table.get("target")
            nodes.append(table["dockerfile"] + (f"[[]{label}]" if label else ""))
    (reader / "pyproject.toml").write_text(block.text)
    result = run(pytester, "--dockercache", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{node}::builds" for node in nodes])


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_pipeline_is_one_by_the_schema_of_its_host(block: Block, tmp_path: Path) -> None:
    document = yaml.safe_load(block.text)
    assert document
    job: dict[str, Any] = {"runs-on": "ubuntu-latest", "steps": [{"run": "true"}]}
    if isinstance(document, list):
        document, schema = {"on": "push", "jobs": {"it": {**job, "steps": document}}}, "github"
    elif True in document:  # what YAML makes of `on`
        document = {"on": document[True], **{"jobs": {"it": job}, **document}}
        del document[True]
        schema = "github"
    elif "repos" in document:
        ids = {hook["id"] for repo in document["repos"] for hook in repo["hooks"]}
        assert ids <= {
            hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
        }
        return
    else:
        schema = "gitlab"
    path = tmp_path / "pipeline.yml"
    path.write_text(yaml.safe_dump(document))
    tool = shutil.which("check-jsonschema")
    if tool is None:
        pytest.skip("check-jsonschema is not installed (pip install check-jsonschema)")
    vendored = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}[schema]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([tool, "--builtin-schema", vendored, path], env=own, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def test_the_example_of_the_action_has_inputs_that_exist_and_options_that_run(
    reader: Path, pytester: pytest.Pytester
) -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    used = [
        step["with"]
        for block in blocks("yaml")
        for step in yaml.safe_load(block.text)
        if isinstance(step, dict) and str(step.get("uses", "")).startswith("pytest-dockercache/")
    ]
    assert used
    for given in used:
        assert set(given) <= set(inputs)
        options = [f"--dockercache-dockerfile={line}" for line in given["dockerfile"].split()]
        result = run(
            pytester, "--dockercache", *options, *given["args"].split(), "docker/Dockerfile"
        )
        assert result.ret == 0


# -- the JSON report ------------------------------------------------------------------------------


def keys(value: Any) -> Any:
    """The keys of every object in a document, one object standing for all of a list."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        merged: dict[str, Any] = {}
        for item in value:
            merged = {**merged, **{k: v for k, v in keys(item).items() if v is not None}}
        return [merged]
    return None


def test_the_example_of_the_json_report_has_the_keys_of_a_report(
    reader: Path, pytester: pytest.Pytester
) -> None:
    (block,) = blocks("json")
    example = json.loads(block.text)
    text = (reader / "Dockerfile").read_text()
    copied = "COPY src/ src/\n"
    (reader / "Dockerfile").write_text(
        text.replace(copied, "").replace("COPY env", copied + "COPY env")
    )
    run(pytester, "--dockercache", "--dockercache-report=json:r.json", "Dockerfile")
    report = json.loads(Path("r.json").read_text())
    page = block.page.read_text()
    for where, shown, real in _objects(example, report, "report"):
        assert set(shown) == set(real), where
    for name in _names(report):
        assert (
            f"`{name}`" in page or f".{name}`" in page or f"{name}," in page or f"{name}}}" in page
        )


def _objects(shown: Any, real: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(shown, dict) and isinstance(real, dict):
        yield where, shown, real
        for key in shown:
            yield from _objects(shown[key], real.get(key), f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        same = [
            item
            for item in real
            if isinstance(item, dict) and item.get("id") in ("env-layer-cached", None)
        ]
        for item in shown:
            for other in same:
                yield from _objects(item, other, where)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "build_args":
                yield key
                yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
