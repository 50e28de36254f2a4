"""The table of package managers is open: one record makes one more manager known everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from layer_maker import add, layer

from pytest_dockercache.cache import predict
from pytest_dockercache.context.edits import appended
from pytest_dockercache.dockerfile.syntax import PlannedStep
from pytest_dockercache.environments import tools
from pytest_dockercache.environments.tools import Installation, Tool
from pytest_dockercache.image import CacheKind, CachePart, CacheProof, package_caches, replay
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Project, Settings
from pytest_dockercache.shell.running import Runner
from pytest_dockercache.shell.script import Command

DOCKERFILE = """\
FROM base
ARG FROB_MIRROR=here
ARG GIT_SHA=unknown
WORKDIR /app
COPY frob.spec frob.lck ./
RUN frobpack run -n x frobpack fetch && rm -rf /tmp/x
RUN frobpack fetch
COPY . .
RUN frobpack show
"""


def frobpack_reads(command: Command, step: PlannedStep) -> Installation | None:
    if [word.text for word in command.words[1:]] != ["fetch"]:
        return None
    return Installation(
        "frobpack", (f"{command.directory}/frob.spec", f"{command.directory}/frob.lck")
    )


FROBPACK = Tool(
    name="frobpack",
    programs=re.compile("frobpack"),
    reads=frobpack_reads,
    installs=frozenset({"graft"}),
    conventional=("frob.spec",),
    manifests=re.compile(r"frob\.(spec|lck)"),
    kept=re.compile(r"\.frob/.*"),
    comments={r"(^|/)frob\.(spec|lck)$": ";;"},
    comparable=lambda path: path.name == "frob.lck",
    variables=re.compile(r"FROB(_\w*)?"),
    places=re.compile("/frobs/"),
    caches=lambda: [
        CacheKind(
            tool="frobpack",
            proofs=(CacheProof(".frob\0", r"(?P<place>.*)/[^/]+\.frob"),),
            parts=(CachePart("frob-cache", "frobpack's cache", r"[^/]+\.frob\Z"),),
            avoid="frobpack --no-cache",
        )
    ],
    runner=Runner("-n"),
)


@pytest.fixture(autouse=True)
def _frobpack() -> Iterator[None]:
    tools.register(FROBPACK)
    yield
    tools.forget("frobpack")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for name in ("frob.spec", "frob.lck", "main.py"):
        (tmp_path / name).write_text("x\n")
    return Project.read(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings())


def test_its_commands_are_environment_steps(project: Project) -> None:
    assert [(command.tool, command.line) for command in project.commands] == [
        ("frobpack", 6),
        ("frobpack", 7),
    ]


def test_its_manifests_are_environment_files(project: Project) -> None:
    assert {file.path: file.readers for file in project.environment_files} == {
        "frob.spec": (6, 7),
        "frob.lck": (6, 7),
    }


def test_its_manifests_are_never_the_source_edit(project: Project) -> None:
    assert project.source.path == "main.py"


def project_of(root: Path, dockerfile: str, *names: str) -> Project:
    (root / "Dockerfile").write_text(dockerfile)
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x\n")
    return Project.read(BuildSpec(root / "Dockerfile", root), Settings())


def test_every_file_has_its_role_for_the_environment(tmp_path: Path) -> None:
    text = "FROM base\nWORKDIR /app\nCOPY . .\nRUN frobpack fetch\n"
    files = ("frob.spec", "frob.lck", ".frob/mirrors", "main.py")
    groups = project_of(tmp_path, text, *files).survey.groups
    assert {path: group.role for group in groups for path in group.paths} == {
        "frob.spec": "input",
        "frob.lck": "input",
        ".frob/mirrors": "input",
        "main.py": "source",
    }


def test_an_edit_of_its_manifest_rebuilds_and_one_of_the_source_does_not(
    project: Project,
) -> None:
    def missed(path: str) -> list[int]:
        edit = Edit.append(path)
        after = project.snapshot.after(project.spec_after([edit], "n"), [edit], nonce="n")
        found = predict(project.snapshot, after)
        return [item.step.line for item in found if item.status == "miss"]

    assert missed("frob.spec") == [5, 6, 7, 8, 9]
    assert missed("main.py") == [8, 9]


def test_what_installs_and_is_not_taken_apart_is_asked_about(tmp_path: Path) -> None:
    text = "FROM base\nRUN frobpack fetch\nRUN frobpack graft tree\nRUN frobpack show\n"
    project = project_of(tmp_path, text, "frob.spec")
    assert [found.step.line for found in project.unrecognised] == [3]


def test_an_edit_of_its_manifest_is_a_comment_of_its_own_kind() -> None:
    assert appended("sub/frob.lck", b"x\n", None, "n1").startswith(b"x\n;; ")


def test_an_argument_that_it_reads_by_itself_is_not_called_late(project: Project) -> None:
    judged = project.survey.arguments.judged
    assert list(judged) == ["GIT_SHA"]


@pytest.mark.parametrize("directory", ["root/.cache/frobs", "var/frobs"])
def test_its_cache_is_found_in_the_image(directory: str) -> None:
    view = replay([layer(add(f"{directory}/a.frob", b"12345"))])
    (found,) = package_caches(view, {0}, tools.caches())
    assert (found.kind, found.place, found.bytes) == ("frob-cache", f"/{directory}", 5)


def test_its_places_and_files_are_known() -> None:
    assert tools.is_installed_place("/opt/frobs/x")
    assert tools.is_comparable(Path("frob.lck"))
    assert not tools.is_comparable(Path("frob.spec"))


def test_a_tool_that_is_forgotten_is_known_no_more(project: Project) -> None:
    tools.forget("frobpack")
    assert project.commands == ()
    tools.register(FROBPACK)


@pytest.mark.parametrize(
    ("program", "family"),
    [
        ("micromamba", "conda"),
        ("conda-lock", "conda"),
        ("pip3.11", "pip"),
        ("pip-sync", "pip"),
        ("pipenv", "pipenv"),
        ("pipx", "pipx"),
        ("who-knows", "who-knows"),
    ],
)
def test_a_program_belongs_to_the_family_of_its_manager(program: str, family: str) -> None:
    assert tools.family_of(program) == family
