"""The environment files of a context, and the steps that read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockercache.context import IgnoreRules, context_files
from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import (
    EnvironmentFile,
    environment_commands,
    environment_files,
)
from pytest_dockercache.errors import ConfigError

ENVIRONMENT = "COPY environment.yml ./\nRUN conda env update -f environment.yml\n"
FILES = ("environment.yml", "src/main.py", "README.md", "Dockerfile")


class Example:
    """A project that exists as files, and the questions put to it."""

    def __init__(self, root: Path, dockerfile: str, files: tuple[str, ...]) -> None:
        self.root = root
        for path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("x\n")
        self.plan = plan(parse_dockerfile(dockerfile))
        self.rules = IgnoreRules.load(root, root / "Dockerfile")
        self.entries = tuple(context_files(root, self.rules))
        self.commands = tuple(filter(None, environment_commands(self.plan)))

    def environment(self, *named: str) -> tuple[EnvironmentFile, ...]:
        return environment_files(
            self.plan, self.entries, self.commands, named, context=self.root, ignore=self.rules
        )

    def readers(self) -> dict[str, tuple[int, ...]]:
        return {file.path: file.readers for file in self.environment()}


Make = Callable[..., Example]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def example(dockerfile: str, *files: str) -> Example:
        return Example(tmp_path, dockerfile, files or FILES)

    return example


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM a\nWORKDIR /w\nCOPY environment.yml .\nRUN conda env create -f environment.yml\n",
        "FROM a\nWORKDIR /w\nCOPY . .\nRUN conda env create -f environment.yml\n",
        "FROM a\nCOPY environment.yml /tmp\n\nRUN conda env create -f /tmp/environment.yml\n",
        "FROM a\nCOPY environment.yml /tmp/e.yml\n\nRUN conda env create -f /tmp/e.yml\n",
        "FROM a\nCOPY env*.yml /tmp/\n\nRUN mamba env create -f /tmp/environment.yml\n",
        "FROM a AS s\nCOPY . /s\nFROM b\nCOPY --from=s /s /t\n"
        "RUN conda env create -f /t/environment.yml\n",
        "FROM a AS s\nCOPY . /s\nFROM s\nRUN conda env create -f /s/environment.yml\n",
        "FROM a\n\n\nRUN --mount=type=bind,target=/c conda env create -f /c/environment.yml\n",
        "FROM a\n\n\nRUN --mount=type=bind,source=environment.yml,target=/e.yml "
        "conda env create -f /e.yml\n",
        "FROM a\nCOPY . /s\nWORKDIR /s\nRUN conda env create -f env*.yml\n",
        "FROM a\nCOPY . /s\n\nRUN conda env create -f $(pwd)/environment.yml\n",
        "FROM a\nCOPY . /s\n\nRUN cp /s/environment.yml /t && "
        "conda env create -f /t/environment.yml\n",
    ],
)
def test_a_manifest_is_followed_back_to_the_context(make: Make, dockerfile: str) -> None:
    line = next(
        number for number, text in enumerate(dockerfile.splitlines(), 1) if "env create" in text
    )
    assert make(dockerfile).readers() == {"environment.yml": (line,)}


def test_a_step_before_the_copy_is_no_reader(make: Make) -> None:
    example = make(f"FROM a\nRUN conda create -n tools jupyter\n{ENVIRONMENT}")
    assert example.readers() == {"environment.yml": (4,)}


def test_a_later_environment_step_reads_what_earlier_ones_copied(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}RUN conda create -n tools jupyter\n")
    assert example.readers() == {"environment.yml": (3, 4)}


def test_a_stage_that_takes_only_the_result_reads_nothing(make: Make) -> None:
    example = make(
        f"FROM a AS b\nWORKDIR /w\n{ENVIRONMENT}FROM a\n"
        "COPY --from=b /opt/conda /opt/conda\nRUN conda install jupyter\n"
    )
    assert example.readers() == {"environment.yml": (4,)}


def test_a_manifest_that_lies_there_unread_is_an_environment_file_without_reader(
    make: Make,
) -> None:
    """The image and the file drift apart: the negative control is to say so."""
    found = make("FROM a\nRUN conda create -n app python=3.10\nCOPY src src\n").environment()
    assert [(file.path, file.readers) for file in found] == [("environment.yml", ())]
    assert "installs by name" in found[0].why


def test_named_files_come_first_and_must_exist(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}")
    found = example.environment("src/main.py")
    assert [file.path for file in found] == ["src/main.py", "environment.yml"]
    assert found[0].readers == ()
    with pytest.raises(ConfigError, match=r"--dockercache-environment=absent\.yml: no such file"):
        example.environment("absent.yml")
    with pytest.raises(ConfigError, match=r"--dockercache-environment=src: is a directory"):
        example.environment("src")


def test_a_copied_manifest_that_is_missing_is_an_error(make: Make, tmp_path: Path) -> None:
    example = make(f"FROM a\nWORKDIR /w\n{ENVIRONMENT}", "src/main.py")
    with pytest.raises(ConfigError) as refused:
        example.environment()
    assert str(refused.value).splitlines() == [
        "environment file environment.yml is not in the build context, "
        "but line 3 copies it for line 4",
        f"  fix    create environment.yml in the build context {tmp_path}, or correct line 3",
    ]


def test_a_copied_manifest_that_is_ignored_is_an_error(make: Make, tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*.yml\n")
    with pytest.raises(ConfigError) as refused:
        make(f"FROM a\n{ENVIRONMENT}").environment()
    assert str(refused.value).splitlines() == [
        "environment file environment.yml is kept out of the build context by "
        ".dockerignore line 1 (*.yml), but line 2 copies it for line 3",
        "  fix    add '!environment.yml' at the end of .dockerignore",
    ]


def test_several_manifests_are_found_in_the_order_of_their_steps(make: Make) -> None:
    example = make(
        "FROM a\nWORKDIR /w\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        + ENVIRONMENT,
        "environment.yml",
        "requirements.txt",
    )
    assert example.readers() == {"requirements.txt": (4, 6), "environment.yml": (6,)}


def test_a_manifest_made_inside_the_image_is_no_environment_file(make: Make) -> None:
    example = make("FROM a\nRUN make-env > /e.yml && conda env create -f /e.yml\n", "src/main.py")
    assert example.environment() == ()


@pytest.mark.parametrize(
    ("dockerfile", "beside", "found"),
    [
        ("FROM a\nRUN pip install click\n", "", ["requirements.txt"]),
        ("FROM a\nRUN pip install click\n", "docker/app", []),
        ("FROM a\nRUN pip install -U pip setuptools wheel\n", "", []),
        ("FROM a\nRUN pip install poetry==1.8\n", "", []),
        (f"FROM a\nRUN pip install click\n{ENVIRONMENT}", "", ["environment.yml"]),
        ("FROM a\nRUN conda install click\n", "", ["environment.yml"]),
    ],
)
def test_only_the_manifest_beside_the_dockerfile_of_the_manager_that_installs_by_name_drifts(
    make: Make, dockerfile: str, beside: str, found: list[str]
) -> None:
    example = make(dockerfile, "environment.yml", "requirements.txt")
    files = environment_files(
        example.plan, example.entries, example.commands, context=example.root, beside=beside
    )
    assert [file.path for file in files] == found


def test_a_step_that_can_see_a_manifest_need_not_read_it(make: Make) -> None:
    example = make(
        "FROM a\nCOPY . .\nRUN pip install -r requirements.txt\nRUN pip install gunicorn\n",
        "requirements.txt",
    )
    (file,) = example.environment()
    assert (file.readers, file.read_by) == ((3, 4), (3,))


def test_files_that_find_hands_to_the_installer_are_environment_files(make: Make) -> None:
    run = "RUN find . -name 'requirements-*.txt' -exec pip install -r {} ';'\n"
    files = ("requirements-a.txt", "sub/requirements-b.txt", "requirements.txt")
    found = make(f"FROM a\nCOPY . .\n{run}", *files).environment()
    assert {file.path: file.readers for file in found} == {
        "requirements-a.txt": (3,),
        "sub/requirements-b.txt": (3,),
    }


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("/etc/passwd", "/etc/passwd: is outside of the build context"),
        ("../environment.yml", r"\.\./environment.yml: is outside of the build context"),
        ("src/../../x", r"src/\.\./\.\./x: is outside"),
        ("", ": names no file; give a path relative to the build context"),
        (".", r"\.: is a directory; name a file"),
    ],
)
def test_a_named_file_that_no_step_can_read_is_told_from_an_ignored_one(
    make: Make, named: str, said: str
) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}")
    with pytest.raises(ConfigError, match=f"^--dockercache-environment={said}"):
        example.environment(named)
