"""``dockerignore-effective``: the steps that take changing paths, asked for or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, subject

from pytest_dockercache.checks import CHECKS
from pytest_dockercache.checks.verdict import Verdict
from pytest_dockercache.engines import close_engines
from pytest_dockercache.errors import CacheAssertionError, Unverifiable
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Settings
from pytest_dockercache.runs import Run
from pytest_dockercache.subject import Subject

CHECK = CHECKS["dockerignore-effective"]
CONDA = "RUN conda env create -f environment.yml\n"
FILES = {"environment.yml": "name: a\n", "src/main.py": "x\n", ".git/HEAD": "ref\n",
         ".git/refs/heads/main": "0\n"}  # fmt: skip


def judged(tmp_path: Path, dockerfile: str, ignore: str = "", **files: str) -> Verdict:
    """The model's predictions for a project; ``files`` are more files."""
    root = tmp_path / "project"
    everything = {**FILES, **files, "Dockerfile": dockerfile}
    if ignore:
        everything[".dockerignore"] = ignore
    for name, text in everything.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    spec = BuildSpec(root / "Dockerfile", root)
    return CHECK.judge(Subject(spec, Settings(engine="model", root=tmp_path), Run.start(tmp_path)))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    close_engines()


def failure(tmp_path: Path, dockerfile: str, ignore: str = "", **files: str) -> CacheAssertionError:
    with pytest.raises(CacheAssertionError) as caught:
        judged(tmp_path, dockerfile, ignore, **files)
    return caught.value


REST = ".pytest_cache\n**/__pycache__\n"
ABOVE = f"FROM a\nCOPY .git .git\nCOPY environment.yml .\n{CONDA}COPY src src\n"


def test_bytecode_that_is_ignored_by_its_suffix_is_ignored(tmp_path: Path) -> None:
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY . .\n"
    judged(tmp_path, text, ".git\n.pytest_cache\n**/*.pyc\n")


def test_what_the_dockerfile_names_below_the_environment_is_wanted(tmp_path: Path) -> None:
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY .git .git\nCOPY src src\n"
    assert ".git" not in judged(tmp_path, text, REST).message


@pytest.mark.parametrize(
    ("text", "line", "fix"),
    [
        (ABOVE, 2, 'move "COPY .git .git" (line 2) below line 4'),
        (f"FROM a\nCOPY . .\nCOPY .git .git\n{CONDA}", 2, None),
        (f"FROM a\nCOPY .git/HEAD /v\nCOPY environment.yml .\n{CONDA}", 2, 'move "COPY .git/HEAD'),
        (f"FROM a\nCOPY .git/refs/heads/* /v/\nCOPY environment.yml .\n{CONDA}", 2, "below line 4"),
        (f"FROM a AS g\nCOPY .git /g\nFROM g\nCOPY environment.yml .\n{CONDA}",
         2, None),
        (f"FROM a\nCOPY environment.yml .\nRUN --mount=type=bind,source=.git,target=.git "
         f"{CONDA[4:]}", 3, "in a step of its own below line 3"),
    ],
    ids=["copied", "copied with everything", "a file of it", "some of it", "in a stage", "mounted"],
)  # fmt: skip
def test_an_environment_that_stands_on_the_repository_is_installed_at_every_commit(
    tmp_path: Path, text: str, line: int, fix: str | None
) -> None:
    problem = failure(tmp_path, text, REST)
    assert problem.line == line
    assert ".git" in str(problem).splitlines()[0]
    if fix is not None:
        assert fix in str(problem)


def test_a_file_of_the_repository_that_is_named_exempts_that_file_alone(tmp_path: Path) -> None:
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY .git/HEAD /v\nCOPY . .\n"
    problem = failure(tmp_path, text, REST)
    assert problem.line == 5
    assert "build context lets in .git/: line 5 was rebuilt" in str(problem)
    assert "end project/.dockerignore with the lines .git/*, !.git/HEAD (predicted)" in str(problem)


def test_a_context_with_the_repository_kept_out_but_for_a_named_file_is_fine(
    tmp_path: Path,
) -> None:
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY .git/HEAD /v\nCOPY . .\n"
    judged(tmp_path, text, f".git/*\n!.git/HEAD\n{REST}")


def test_the_directory_that_lacks_an_ignore_file_is_named(tmp_path: Path) -> None:
    problem = failure(tmp_path, f"FROM a\nCOPY environment.yml .\n{CONDA}COPY . .\n")
    assert "there is no .dockerignore in the build context project/" in str(problem)


def test_a_repository_behind_a_link_is_left_out(tmp_path: Path) -> None:
    """A build sees the link's text, which no commit changes."""
    root = tmp_path / "project"
    (tmp_path / "elsewhere").mkdir()
    root.mkdir()
    (root / ".pytest_cache").symlink_to(tmp_path / "elsewhere")
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY . .\n"
    assert ".pytest_cache" not in judged(tmp_path, text, ".git\n**/__pycache__\n").message


def test_many_directories_are_counted(tmp_path: Path) -> None:
    more: dict[str, Any] = {f"src/p{number}/m.py": "x\n" for number in range(9)}
    text = f"FROM a\nCOPY environment.yml .\n{CONDA}COPY . .\n"
    assert "and 9 more" in judged(tmp_path, text, f".git\n{REST}", **more).message


def test_a_miss_that_no_change_explains_is_not_verified(tmp_path: Path) -> None:
    """An ADD of a URL whose body is another each time has nothing to do with the context."""
    files = {
        **FILES,
        "Dockerfile": f"FROM a\nADD http://x/v /v\nCOPY environment.yml .\n{CONDA}COPY src src\n",
        ".dockerignore": f".git\n{REST}",
    }
    probes = (
        ".git/pytest-dockercache-probe .pytest_cache/pytest-dockercache-probe "
        "src/__pycache__/pytest-dockercache-probe.cpython-310.pyc"
    )
    made: Scripted = subject(tmp_path, files, misses={probes: [2, 3, 4, 5]})
    with pytest.raises(Unverifiable, match=r"line 2 \(ADD .* takes none of \.git/"):
        CHECK.judge(made)
