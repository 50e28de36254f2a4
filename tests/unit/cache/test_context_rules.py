"""The changes of the context that change a cache key, and those that stay unknown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comparing import FILES, Project

from pytest_dockercache.cache import BUILDKIT, BUILDKIT_OVER_API, CLASSIC, Dialect
from pytest_dockercache.errors import BuildFailed, ConfigError
from pytest_dockercache.model import Edit

HIT, MISS, UNKNOWN = "hit", "miss", "unknown"


@pytest.mark.parametrize(
    ("copy", "edit", "expected"),
    [
        ("src /x", Edit.append("src/main.py"), MISS),
        ("src /x", Edit.append("lib/main.py"), HIT),
        ("src /x", Edit.touch("src/main.py"), HIT),
        ("src /x", Edit.chmod("src/main.py", 0o755), MISS),
        ("src/main.py /x", Edit.chmod("src", 0o700), HIT),
        ("src/* /x/", Edit.chmod("src", 0o700), HIT),
        ("src /x", Edit.create("src/new.py"), MISS),
        ("src/*.py /x/", Edit.create("src/new.py"), MISS),
        ("src/*.py /x/", Edit.create("src/new.txt"), HIT),
        ("src/*.py /x/", Edit.append("src/sub/deep.py"), HIT),
        ("src /x", Edit.delete("src/util.py"), MISS),
        ("src /x", Edit.rename("src/util.py", "src/tools.py"), MISS),
        ("s*/main.py /x", Edit.rename("src", "sources"), HIT),
        (". /x", Edit.append("src/main.py"), MISS),
        (". /x", Edit.chmod("a.txt", 0o600), MISS),
        ("nothing* /x/", Edit.create("nothing.txt"), MISS),
    ],
)
def test_a_copy_misses_exactly_when_what_it_takes_changes(
    tmp_path: Path, copy: str, edit: Edit, expected: str
) -> None:
    project = Project(tmp_path, f"FROM base\nCOPY {copy}\n")
    os.chmod(tmp_path / "src", 0o755)
    os.chmod(tmp_path / "src/sub", 0o755)
    os.chmod(tmp_path / "a.txt", 0o644)
    assert project.statuses(edit) == {2: expected}


def test_the_mode_of_a_directory_counts_for_certain_only_in_an_upload(tmp_path: Path) -> None:
    text = "FROM base\nCOPY src /x\nCOPY src/* /x/\n"
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src").chmod(0o755)
    (tmp_path / "src/sub").chmod(0o755)
    edit = Edit.chmod("src/sub", 0o700)
    said = Project(tmp_path, text).after(edit)
    assert (said[2].status, said[3].status) == (UNKNOWN, UNKNOWN)
    assert said[2].note == (
        "only the mode of a directory in src changed, which a builder "
        "does not notice while it has the context of the last build"
    )
    assert Project(tmp_path, text, dialect=BUILDKIT_OVER_API).statuses(edit) == {2: MISS, 3: MISS}
    assert Project(tmp_path, text, dialect=CLASSIC).statuses(edit) == {2: MISS, 3: MISS}


def test_a_source_that_is_a_link_is_followed(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nCOPY link /x\n")
    (tmp_path / "link").symlink_to("src/main.py")
    assert project.statuses(Edit.append("src/main.py")) == {2: MISS}
    assert project.statuses(Edit.append("src/util.py")) == {2: HIT}


def test_a_link_inside_a_copied_directory_counts_by_its_text(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nCOPY src /x\n")
    (tmp_path / "src/link").symlink_to("../a.txt")
    assert project.statuses(Edit.append("a.txt")) == {2: HIT}
    project.dialect = CLASSIC  # The builder looks at the target of the link.
    assert project.statuses(Edit.append("a.txt")) == {2: MISS}


def test_an_ignored_file_cannot_change_anything(tmp_path: Path) -> None:
    files = {**FILES, ".dockerignore": ".git\n"}
    project = Project(tmp_path, "FROM base\nCOPY . /x\n", files)
    assert project.statuses(Edit.create(".git/new")) == {2: HIT}
    assert project.statuses(Edit.create("src/new")) == {2: MISS}


def test_a_bind_mount_reads_by_content(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nRUN --mount=type=bind,source=src,target=/m a\n")
    assert project.statuses(Edit.append("src/main.py")) == {2: MISS}
    assert project.statuses(Edit.append("a.txt")) == {2: HIT}


def test_what_a_missing_source_does_to_a_build_is_said(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nCOPY a.txt /x\n")
    with pytest.raises(BuildFailed) as failed:
        project.statuses(Edit.delete("a.txt"))
    assert str(failed.value).splitlines() == [
        "the image does not build: a.txt is not in the build context after the edit, "
        "but Dockerfile:2 copies it",
        "  fix    make an edit after which line 2 still finds a.txt",
    ]
    assert failed.value.line == 2


def test_an_edit_of_an_ignored_file_is_refused_with_the_line(tmp_path: Path) -> None:
    files = {**FILES, ".dockerignore": "# x\nsrc/util.py\n"}
    project = Project(tmp_path, "FROM base\nCOPY . /x\n", files)
    with pytest.raises(ConfigError, match=r"\.dockerignore line 2 \(src/util.py\)"):
        project.statuses(Edit.append("src/util.py"))


TWO_STAGES = """FROM base AS builder
WORKDIR /app
COPY environment.yml ./
RUN install
{more}
FROM base
COPY --from=builder {path} /env
COPY src /src
"""


def test_what_a_command_makes_that_runs_again_is_unknown(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="", path="/opt"))
    said = project.after(Edit.append("environment.yml"))
    assert {line: item.status for line, item in said.items()} == {
        2: HIT, 3: MISS, 4: MISS, 7: UNKNOWN, 8: UNKNOWN,
    }  # fmt: skip
    assert said[7].note == (
        "hits only if /opt of stage builder, where line 3 runs again, comes out the same"
    )
    assert said[8].note == "runs on top of line 7, which may hit or miss"


def test_a_step_below_an_unknown_one_that_changed_itself_is_a_miss(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="", path="/opt"))
    edits = Edit.append("environment.yml"), Edit.append("src/main.py")
    assert project.statuses(*edits)[8] == MISS


def test_a_path_that_the_steps_which_run_again_do_not_touch_is_a_hit(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="COPY src /app/src", path="/opt"))
    assert project.statuses(Edit.append("src/main.py")) == {
        2: HIT, 3: HIT, 4: HIT, 5: MISS, 7: HIT, 8: MISS,
    }  # fmt: skip


def test_a_file_beside_the_changed_one_of_a_copied_directory_is_a_hit(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="COPY src /app/src", path="/app/src/sub"))
    assert project.statuses(Edit.append("src/main.py"))[7] == HIT
    stage = "FROM scratch AS builder\nCOPY src /app/src\n"
    text = stage + "FROM base\nCOPY --from=builder /app/src/sub /x\n"
    assert Project(tmp_path, text).statuses(Edit.append("src/main.py")) == {2: MISS, 4: HIT}


@pytest.mark.parametrize("dialect", [BUILDKIT, CLASSIC])
def test_two_matches_of_one_name_are_two(tmp_path: Path, dialect: Dialect) -> None:
    files = {**FILES, "lib/main.py": "another\n"}
    project = Project(tmp_path, "FROM base\nCOPY */main.py /x/\n", files, dialect=dialect)
    assert project.statuses(Edit.delete("lib/main.py")) == {2: MISS}
    assert project.statuses(Edit.rename("lib", "tools")) == {2: MISS}
    assert project.statuses(Edit.append("src/util.py")) == {2: HIT}
    assert project.reason(2, Edit.delete("lib/main.py")) == "no longer contains lib/main.py"


def test_matches_that_change_places_are_not_the_same(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nCOPY */* /x/\n", {"a/x/f": "1", "c/y/f": "2"})
    assert project.statuses(Edit.rename("a", "b")) == {2: HIT}
    assert project.statuses(Edit.rename("a", "d")) == {2: MISS}


@pytest.mark.parametrize("path", ["/app", "/app/src", "/app/src/main.py", "/", "/app/*"])
def test_a_path_that_a_missed_copy_may_have_written_is_no_hit(tmp_path: Path, path: str) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="COPY src /app/src", path=path))
    assert project.statuses(Edit.append("src/main.py"))[7] != HIT


def test_a_link_that_a_command_may_have_made_leaves_nothing_untouched(tmp_path: Path) -> None:
    more = "RUN ln -s /opt /app/src\nCOPY src /app/src"
    project = Project(tmp_path, TWO_STAGES.format(more=more, path="/opt"))
    assert project.statuses(Edit.append("src/main.py"))[8] == UNKNOWN


def test_a_merged_directory_is_known_by_its_other_name(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO_STAGES.format(more="COPY src /lib/app", path="/usr/lib/app"))
    assert project.statuses(Edit.append("src/main.py"))[7] != HIT


def test_a_file_that_is_copied_through_stages_is_known_by_its_content(tmp_path: Path) -> None:
    text = "FROM scratch AS files\nCOPY a.txt b.txt /f/\nFROM base\nCOPY --from=files /f/b.txt /\n"
    project = Project(tmp_path, text)
    assert project.statuses(Edit.append("a.txt")) == {2: MISS, 4: HIT}
    assert project.statuses(Edit.append("b.txt")) == {2: MISS, 4: MISS}
    text = (
        "FROM scratch AS files\nCOPY a.txt /f/\nCOPY b.txt /f/\n"
        "FROM base\nCOPY --from=files /f/{} /\n"
    )
    project = Project(tmp_path, text.format("b.txt"))
    assert project.statuses(Edit.append("a.txt")) == {2: MISS, 3: MISS, 5: HIT}
    project = Project(tmp_path, text.format("a.txt"))
    assert project.statuses(Edit.append("a.txt")) == {2: MISS, 3: MISS, 5: MISS}


def test_urls_are_unknown_unless_a_checksum_pins_them(tmp_path: Path) -> None:
    url = "https://example.org/data.csv"
    project = Project(tmp_path, f"FROM base\nADD {url} /x\nRUN a\n")
    said = project.after(Edit.touch("a.txt"))
    assert said[2].status == UNKNOWN
    assert said[2].note == f"hits only if {url} holds what it held before"
    project = Project(tmp_path, f"FROM base\nADD --checksum=sha256:{'0' * 64} {url} /x\n")
    assert project.statuses(Edit.touch("a.txt")) == {2: HIT}


def test_another_name_of_the_same_image_is_the_same_base(tmp_path: Path) -> None:
    identities = {"base": "layers", "other": "layers"}
    text = "FROM base\nRUN a\n"
    known = Project(tmp_path, text, identities=identities)
    assert known.statuses(Edit.base("other")) == {2: HIT}
    assert Project(tmp_path, text).statuses(Edit.base("other")) == {2: MISS}
    blind = Project(tmp_path, text, known=False)
    assert blind.statuses(Edit.base("docker.io/library/base:latest")) == {2: HIT}


def test_what_only_the_base_knows_is_not_guessed(tmp_path: Path) -> None:
    text = "FROM base\nENV A=$FLAVOUR\nRUN a\n"
    project = Project(tmp_path, text, known=False)
    assert project.statuses(Edit.dockerfile(text.replace("$FLAVOUR", "vanilla"))) == {3: UNKNOWN}
    assert project.statuses(Edit.dockerfile(text.replace("$FLAVOUR", "$FLAVOUR-x"))) == {3: MISS}
    run = "FROM base\nRUN a\n"
    project = Project(tmp_path, run, known=False)
    assert project.statuses(Edit.dockerfile('FROM base\nRUN ["sh", "-c", "a"]\n')) == {2: UNKNOWN}
    assert project.statuses(Edit.dockerfile('FROM base\nRUN ["sh", "-c", "b"]\n')) == {2: MISS}
    copied = Project(tmp_path, "FROM base\nCOPY ${WHERE}.txt /x\n", known=False)
    assert copied.statuses(Edit.build_arg("A")) == {2: HIT}
    assert copied.after(Edit.append("a.txt"))[2].note == (
        "a variable that only the base image sets names what it copies"
    )
    workdir = "FROM base\nWORKDIR app\nRUN a\n"
    project = Project(tmp_path, workdir, known=False)
    assert project.statuses(Edit.dockerfile(workdir.replace("app", "/app"))) == {
        2: UNKNOWN,
        3: UNKNOWN,
    }
    project = Project(tmp_path, workdir.replace("base", "python:3-onbuild"), known=False)
    assert set(project.statuses(Edit.touch("a.txt")).values()) == {UNKNOWN}


def test_the_classic_builder_counts_the_whole_path(tmp_path: Path) -> None:
    project = Project(tmp_path, "FROM base\nCOPY s*/main.py /x\n", dialect=CLASSIC)
    assert project.statuses(Edit.rename("src", "sources")) == {2: MISS}


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("COPY src /k/\nCOPY a.txt /k/main.py", "/k/main.py"),
        ("COPY src /k/", "/k/su*"),
    ],
)
def test_what_may_have_been_written_over_or_left_out_is_no_certain_miss(
    tmp_path: Path, stage: str, path: str
) -> None:
    text = f"FROM scratch AS one\n{stage}\nFROM base\nCOPY --from=one {path} /x/\n"
    statuses = Project(tmp_path, text).statuses(Edit.append("src/main.py"))
    assert statuses[max(statuses)] == UNKNOWN


SECRET = """FROM base
COPY src/main.py /main.py
{between}
RUN --mount=type={mount} install
COPY a.txt /a.txt
"""


@pytest.mark.parametrize(
    "mount", ["secret,id=token", "ssh", "secret,id=token --mount=type=tmpfs,target=/t"]
)
def test_a_command_with_a_secret_stands_on_content(tmp_path: Path, mount: str) -> None:
    """On BuildKit it hits although the step below ran again, if that made the same."""
    text = SECRET.format(between="RUN strip /main.py", mount=mount)
    said = Project(tmp_path, text).after(Edit.append("src/main.py"))
    assert {line: item.status for line, item in said.items()} == {
        2: MISS, 3: MISS, 4: UNKNOWN, 5: UNKNOWN,
    }  # fmt: skip
    assert said[4].note == (
        "hits only if the files it stands on, made anew from line 2 on, are the same"
    )
    classic = Project(tmp_path, text, dialect=CLASSIC)
    assert set(classic.statuses(Edit.append("src/main.py")).values()) == {MISS}


def test_a_command_with_a_secret_on_a_changed_file_is_a_miss(tmp_path: Path) -> None:
    text = SECRET.format(between="WORKDIR /w", mount="secret,id=token")
    assert Project(tmp_path, text).statuses(Edit.append("src/main.py")) == {
        2: MISS, 3: MISS, 4: MISS, 5: MISS,
    }  # fmt: skip


def test_a_command_with_a_secret_hits_on_a_step_that_is_only_said_otherwise(tmp_path: Path) -> None:
    project = Project(tmp_path, SECRET.format(between="WORKDIR /w", mount="secret,id=token"))
    text = (tmp_path / "Dockerfile").read_text().replace("COPY src", "COPY --chmod=644 src")
    assert project.statuses(Edit.dockerfile(text))[4] != HIT


ITSELF = """FROM base AS s0
COPY a.txt /a.txt
FROM s0 AS s1
{step}
FROM s0 AS s2
{copy}
"""


@pytest.mark.parametrize(
    "copy", ["COPY --from=s1 /etc /f/", "RUN --mount=type=bind,from=s1,source=/etc,target=/m ls /m"]
)
def test_a_stage_that_was_the_step_itself_is_another_source(tmp_path: Path, copy: str) -> None:
    """BuildKit gives an operation on two equal states one input, and so another key."""
    for number, (before, after, expected) in enumerate(
        [
            ("WORKDIR /", "WORKDIR /w", MISS),
            ("WORKDIR /w", "ENV A=1", MISS),
            ("WORKDIR /w", "WORKDIR /v", HIT),
            ("ENV A=1", "ENV A=2", HIT),
        ]
    ):
        project = Project(tmp_path / str(number), ITSELF.format(step=before, copy=copy))
        edit = Edit.dockerfile(ITSELF.format(step=after, copy=copy))
        said = project.after(edit)[6]
        assert said.status == expected, (before, after)
        if expected == MISS:
            assert said.reason is not None
            assert said.reason.message.startswith("stage s1 is now ")
            assert said.reason.message.endswith("what this step stands on")


def test_stages_that_copy_much_from_one_another_are_judged_at_once(tmp_path: Path) -> None:
    """Describing each stage anew for every COPY would take four to the power of thirty."""
    text = "FROM base AS s0\nCOPY a.txt /x/\n" + "".join(
        f"FROM base AS s{number}\n"
        + "".join(f"COPY --from=s{number - 1} /x/a.txt /{place}/\n" for place in "xyzw")
        for number in range(1, 31)
    )
    said = Project(tmp_path, text).statuses(Edit.append("a.txt"))
    assert len(said) == 1 + 30 * 4
    assert said[2] == MISS
    assert HIT not in said.values()
