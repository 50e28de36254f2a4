"""What the model makes of files of named contexts: the same as of the main one's."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparing import Project

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.model import BuildSpec, Edit

FILES = {
    "app/a.txt": "a\n",
    "shared/a.txt": "s\n",
    "shared/src/main.py": "print()\n",
    "shared/skip/x": "x\n",
    "shared/.dockerignore": "skip\n",
}


def project(root: Path, text: str, **contexts: str) -> Project:
    made = Project(root, "FROM base\n", FILES)
    (root / "app/Dockerfile").write_text(text)
    named = contexts or {"shared": str(root / "shared")}
    made.spec = BuildSpec(root / "app/Dockerfile", root / "app", contexts=tuple(named.items()))
    return made


@pytest.mark.parametrize(
    ("step", "path", "status"),
    [
        ("COPY --from=shared a.txt /", "shared:/a.txt", "miss"),
        ("COPY --from=shared a.txt /", "shared:/src/main.py", "hit"),
        ("COPY --from=shared a.txt /", "a.txt", "hit"),
        ("COPY --from=shared . /s/", "shared:/src/main.py", "miss"),
        ("COPY --from=SHARED . /s/", "shared:/src/main.py", "hit"),
        ("COPY --from=shared *.txt /", "shared:/a.txt", "miss"),
        ("COPY --from=shared ../src /s", "shared:/src/main.py", "miss"),
        ("COPY --from=shared --parents src/ /s/", "shared:/src/main.py", "miss"),
        ("COPY --from=shared --exclude=*.txt . /s/", "shared:/a.txt", "hit"),
        ("COPY --from=shared --exclude=*.txt . /s/", "shared:/src/main.py", "miss"),
        ("COPY . /s/", "shared:/a.txt", "hit"),
        ("COPY * /s/", "shared:/a.txt", "hit"),
        ("COPY . /s/", "a.txt", "miss"),
        ("RUN --mount=from=shared,target=/s true", "shared:/a.txt", "miss"),
        ("RUN --mount=from=shared,source=src,target=/s true", "shared:/a.txt", "hit"),
        ("RUN --mount=from=shared,source=src,target=/s true", "shared:/src/main.py", "miss"),
        ("COPY --from=docker.io/library/shared:latest a.txt /", "shared:/a.txt", "miss"),
    ],
)
def test_a_step_misses_after_an_edit_of_what_it_takes(
    tmp_path: Path, step: str, path: str, status: str
) -> None:
    after = project(tmp_path, f"FROM base\n{step}\n").statuses(Edit.append(path))
    assert after[2] == status


def test_the_reason_names_the_file_and_its_context(tmp_path: Path) -> None:
    made = project(tmp_path, "FROM base\nCOPY --from=shared . /s/\n")
    assert made.reason(2, Edit.append("shared:/src/main.py")) == "contains shared:/src/main.py"


def test_what_the_ignore_file_keeps_out_changes_nothing(tmp_path: Path) -> None:
    made = project(tmp_path, "FROM base\nCOPY --from=shared . /s/\n")
    (tmp_path / "shared/.dockerignore").write_text(".git\nskip\n")
    assert made.statuses(Edit.create("shared:/.git/x"))[2] == "hit"
    (tmp_path / "shared/.dockerignore").unlink()
    assert made.statuses(Edit.create("shared:/.git/x"))[2] == "miss"


def test_what_stands_on_a_directory_runs_again_in_every_build(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        "FROM shared AS s\nRUN true\nFROM base\nCOPY a.txt /\nCOPY --from=s /src /src\n",
    )
    said = made.after(Edit.append("a.txt"))
    assert {line: item.status for line, item in said.items()} == {
        2: "miss",
        4: "miss",
        5: "miss",
    }
    said = made.after(Edit.touch("a.txt"))
    assert (said[2].status, said[4].status, said[5].status) == ("miss", "hit", "unknown")
    assert "starts from the directory of the named context shared" in said[2].reason.message  # type: ignore[union-attr]


def test_an_edit_of_a_file_of_two_contexts_misses_in_both(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        "FROM base AS one\nCOPY a.txt /\nFROM base\nCOPY --from=repo app/a.txt /\n"
        "COPY --from=one /a.txt /b\n",
        repo=str(tmp_path),
    )
    assert set(made.statuses(Edit.append("a.txt")).values()) == {"miss"}


@pytest.mark.parametrize("top", ["shared:", ""])
def test_a_from_of_a_named_context_has_no_number_of_its_own(top: str) -> None:
    """Run with BuildKit 0.13: ``[two 1/4] RUN …`` is the first step on a named context."""
    from dataclasses import replace

    text = "FROM shared AS two\nRUN true\nWORKDIR /z\nCOPY x /\n"
    dockerfile = replace(parse_dockerfile(text), contexts=(("shared", top),))
    assert [(step.ordinal, step.total) for step in plan(dockerfile)] == [
        (None, 4),
        (1, 4),
        (2, 4),
        (3, 4),
    ]
