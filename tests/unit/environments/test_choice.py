"""Which file the source edit changes, and which files are environment files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockercache.context import IgnoreRules, context_files
from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import (
    Choice,
    EnvironmentFile,
    choose_source,
    environment_commands,
    environment_files,
)
from pytest_dockercache.errors import ConfigError, Unverifiable

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

    def source(self) -> Choice:
        return choose_source(
            self.plan,
            self.entries,
            [command.line for command in self.commands],
            exclude=[file.path for file in self.environment()],
            context=self.root,
        )

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


# -- the source edit


def test_a_file_copied_after_the_environment_comes_first(make: Make) -> None:
    chosen = make(f"FROM a\n{ENVIRONMENT}COPY src/ src/\n").source()
    assert chosen == Choice("src/main.py", "line 4 copies it after the environment")


def test_the_program_is_preferred_among_files_copied_after_it(make: Make) -> None:
    example = make(
        f"FROM a\nWORKDIR /w\n{ENVIRONMENT}COPY . .\nCMD python src/main.py\n",
        *FILES,
        "aaa.py",
    )
    assert example.source() == Choice("src/main.py", "line 5 copies it after the environment")


@pytest.mark.parametrize(
    "program",
    [
        'CMD ["python", "src/main.py"]',
        "CMD python src/main.py --port 1",
        'ENTRYPOINT ["python", "-m", "src.main"]',
        'CMD ["uvicorn", "src.main:app"]',
        'CMD ["sh", "-c", "exec python /w/src/main.py"]',
    ],
)
def test_the_program_is_next_when_everything_is_copied_before(make: Make, program: str) -> None:
    example = make(f"FROM a\nWORKDIR /w\nCOPY . .\n{ENVIRONMENT}{program}\n", *FILES, "aaa.py")
    assert example.source() == Choice("src/main.py", "line 3 copies it before the environment")


def test_the_program_is_chosen_where_there_is_no_environment(make: Make) -> None:
    example = make("FROM a\nWORKDIR /w\nCOPY . .\nCMD python src/main.py\n", *FILES, "aaa.py")
    assert example.source() == Choice("src/main.py", "line 4 runs it")


def test_source_code_is_preferred_to_a_text_when_nothing_runs_it(make: Make) -> None:
    chosen = make(f"FROM a\nCOPY . .\n{ENVIRONMENT}").source()
    assert chosen == Choice("src/main.py", "line 2 copies it before the environment")


def test_a_text_copied_after_the_environment_does_not_hide_source_copied_before_it(
    make: Make,
) -> None:
    """Editing the README would pass, although every source edit rebuilds the environment."""
    example = make(f"FROM a\nCOPY src src\n{ENVIRONMENT}COPY README.md ./\n")
    assert example.source() == Choice("src/main.py", "line 2 copies it before the environment")


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        (f"FROM a\nCOPY src src\n{ENVIRONMENT}COPY start.sh /\nENTRYPOINT /start.sh\n", 2),
        (f"FROM a\nCOPY src src\n{ENVIRONMENT}COPY tools tools\nCMD python src/main.py\n", 2),
        (
            f"FROM a AS e\nCOPY src src\n{ENVIRONMENT}FROM w AS w\nCOPY tools t\n"
            "FROM e\nCOPY --from=w t t\n",
            2,
        ),
        (f"FROM a AS s\nCOPY src src\nFROM s\n{ENVIRONMENT}COPY tools tools\n", 2),
        (f"FROM a AS s\nCOPY src /s\nFROM b\nCOPY --from=s /s /s\n{ENVIRONMENT}COPY tools t\n", 4),
        (f"FROM a\nRUN --mount=source=src,target=/s make -C /s\n{ENVIRONMENT}COPY tools t\n", 2),
        (f"FROM a\nCOPY src src\nRUN chmod +x src/main.py\n{ENVIRONMENT}COPY tools tools\n", 2),
        (f"FROM a\nCOPY src /s/\nRUN rm -rf /s/*\n{ENVIRONMENT}COPY tools tools\n", 2),
    ],
    ids=["entry point", "a tool", "stage", "parent", "through a stage", "mount", "chmod", "rm"],
)
def test_what_is_copied_after_the_environment_hides_no_source_copied_before_it(
    make: Make, dockerfile: str, line: int
) -> None:
    """Editing the late file would pass, although every edit of src/ makes the environment anew."""
    example = make(dockerfile, *FILES, "start.sh", "tools/tool.py")
    why = f"line {line} copies it before the environment"
    assert example.source() == Choice("src/main.py", why)


@pytest.mark.parametrize(
    "copies",
    ["COPY --from=w /dist static/\n", "RUN --mount=from=w,source=/dist,target=/d cp -r /d /s\n"],
)
def test_what_another_stage_makes_for_the_environment_is_made_of_source(
    make: Make, copies: str
) -> None:
    example = make(
        f"FROM n AS w\nCOPY web web\nRUN build web > /dist/app.js\nFROM a\n{copies}{ENVIRONMENT}"
        "COPY src src\n",
        *FILES,
        "web/app.js",
    )
    why = "line 2 copies it into a stage that the environment stands on"
    assert example.source() == Choice("web/app.js", why)


def test_a_stage_that_is_copied_after_the_environment_hides_nothing(make: Make) -> None:
    example = make(
        f"FROM n AS w\nCOPY web web\nRUN build web > /dist/app.js\nFROM a\n{ENVIRONMENT}"
        "COPY --from=w /dist static/\nCOPY src src\n",
        *FILES,
        "web/app.js",
    )
    assert example.source() == Choice("src/main.py", "line 8 copies it after the environment")


def test_a_notebook_copied_before_the_environment_is_source_too(make: Make) -> None:
    example = make(
        f"FROM a\nCOPY notebooks n\n{ENVIRONMENT}COPY src src\n", *FILES, "notebooks/a.ipynb"
    )
    assert example.source().path == "notebooks/a.ipynb"


@pytest.mark.parametrize(
    ("before", "file"),
    [
        ("COPY setup.sh /\nRUN /setup.sh\n", "setup.sh"),
        ("COPY setup.sh /i.sh\nRUN sh /i.sh\n", "setup.sh"),
        ("COPY docker /d\nRUN for each in /d/*.sh; do $each; done\n", "docker/setup.sh"),
        ('COPY shell.sh /\nSHELL ["/shell.sh"]\n', "shell.sh"),
        ("COPY src/__init__.py src/\n", "src/__init__.py"),
        ("COPY src/_version.py src/\n", "src/_version.py"),
        ("COPY tests tests\n", "tests/test_a.py"),
        ("COPY setup.py ./\n", "setup.py"),
    ],
)
def test_what_the_environment_needs_is_not_the_source_in_front_of_it(
    make: Make, before: str, file: str
) -> None:
    example = make(f"FROM a\n{before}{ENVIRONMENT}COPY src/main.py src/\n", *FILES, file)
    assert example.source().path == "src/main.py"


def test_a_local_package_of_the_environment_file_is_no_source_in_front_of_it(make: Make) -> None:
    example = make(
        f"FROM a\nCOPY libs libs\n{ENVIRONMENT}COPY src src\n", *FILES, "libs/common/code.py"
    )
    assert example.source().path == "libs/common/code.py"
    (example.root / "environment.yml").write_text("dependencies:\n- pip:\n  - -e ./libs/common\n")
    assert example.source().path == "src/main.py"


def test_a_file_copied_twice_is_not_one_copied_after(make: Make) -> None:
    example = make(
        f"FROM a\nCOPY setup.sh ./\nRUN ./setup.sh\n{ENVIRONMENT}COPY . .\n", *FILES, "setup.sh"
    )
    assert example.source().path == "src/main.py"


def test_a_text_serves_when_there_is_no_source_code(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}COPY . .\n", "environment.yml", "README.md", "LICENSE")
    assert example.source().path == "README.md"


def test_tests_manifests_and_data_are_not_chosen(make: Make) -> None:
    example = make(
        f"FROM a\n{ENVIRONMENT}COPY . .\n",
        "environment.yml",
        "requirements-dev.txt",
        "poetry.lock",
        "pyproject.toml",
        "setup.py",
        ".dockerignore",
        "Dockerfile",
        "docker/Dockerfile.gpu",
        "data.csv",
        "config.json",
        "tests/test_a.py",
        "conftest.py",
        "src/test_b.py",
        "zoo.py",
    )
    assert example.source().path == "zoo.py"


def test_a_bind_mounted_file_counts_as_taken(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}RUN --mount=type=bind,source=src,target=/s make -C /s\n")
    assert example.source() == Choice("src/main.py", "line 4 copies it after the environment")


def test_a_binary_file_with_a_texts_name_is_passed_over(make: Make) -> None:
    example = make(
        f"FROM a\n{ENVIRONMENT}COPY src src\n", "environment.yml", "src/a.py", "src/b.py"
    )
    (example.root / "src/a.py").write_bytes(b"\0\0")
    assert example.source().path == "src/b.py"


def test_nothing_to_edit_is_said_with_the_way_out(make: Make) -> None:
    with pytest.raises(Unverifiable, match=r"--dockercache-edit=PATH"):
        make(f"FROM a\n{ENVIRONMENT}").source()


def test_an_ignored_file_is_not_chosen(make: Make, tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("src/aaa.py\n")
    example = make(f"FROM a\n{ENVIRONMENT}COPY src src\n", *FILES, "src/aaa.py")
    assert example.source().path == "src/main.py"


# -- environment files


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
