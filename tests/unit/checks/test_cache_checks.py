"""The conclusions of the cache checks from builds, and their texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, subject
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks import CHECKS, Check, CheckSettings
from pytest_dockercache.errors import (
    CacheAssertionError,
    DockerCacheError,
    DoesNotApply,
    Unverifiable,
)
from pytest_dockercache.project import Settings

ENVIRONMENT = "name: app\ndependencies:\n  - python=3.10\n"
FILES = {"environment.yml": ENVIRONMENT, "src/main.py": "print(1)\n"}

GOOD = """\
FROM continuumio/miniconda3
COPY environment.yml ./
RUN conda env update --name app --file environment.yml
COPY src/ src/
CMD ["python", "src/main.py"]
"""

SOURCE_FIRST = """\
FROM continuumio/miniconda3
COPY src/ src/
COPY environment.yml ./
RUN conda env update --name app --file environment.yml
CMD ["python", "src/main.py"]
"""

CONTEXT_FIRST = """\
FROM continuumio/miniconda3
COPY . /opt/app
RUN conda env update --name app --file /opt/app/environment.yml
CMD ["python", "/opt/app/src/main.py"]
"""

MOUNTED = """\
FROM continuumio/miniconda3
RUN --mount=type=bind,target=/ctx conda env update --name app --file /ctx/environment.yml
COPY src/ src/
CMD ["python", "src/main.py"]
"""

ARGUMENT = """\
FROM continuumio/miniconda3
ARG GIT_SHA=unknown
COPY environment.yml ./
RUN conda env update --name app --file environment.yml
COPY src/ src/
CMD ["python", "src/main.py"]
"""

TWO_STAGES = """\
FROM continuumio/miniconda3 AS source
COPY src/ /src/
RUN touch /src/built
FROM continuumio/miniconda3
COPY --from=source /src /src
COPY environment.yml ./
RUN conda env update --name app --file environment.yml
CMD ["python", "/src/main.py"]
"""

Make = Callable[..., Scripted]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a subject of the usual files and this Dockerfile."""

    def made(dockerfile: str, **given: Any) -> Scripted:
        files = {**FILES, **given.pop("files", {}), "Dockerfile": dockerfile}
        return subject(tmp_path, files, **given)

    return made


def failure(check: Check, judged: Scripted) -> CacheAssertionError:
    with pytest.raises(CacheAssertionError) as caught:
        check.judge(judged)
    return caught.value


LAYER = CHECKS["env-layer-cached"]
CHANGE = CHECKS["env-change-rebuilds"]
LATE = CHECKS["build-args-late"]
IGNORE = CHECKS["dockerignore-effective"]


def test_an_edit_that_only_misses_below_the_environment_passes(make: Make) -> None:
    verdict = LAYER.judge(make(GOOD, misses={"src/main.py": [4]}))
    assert verdict.message == "line 3 hit after src/main.py (+1 comment line)"


def test_source_copied_before_the_environment_names_the_copy_and_the_move(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged = make(SOURCE_FIRST, misses={"src/main.py": [2, 3, 4]}, known_seconds={4: 94.1})
    problem = failure(LAYER, judged)
    assert problem.line == 2
    assert str(problem) == snapshot


def test_the_whole_context_copied_first_gets_a_copy_of_the_environment_file_as_fix(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    problem = failure(LAYER, make(CONTEXT_FIRST, misses={"src/main.py": [2, 3]}))
    assert problem.line == 2
    assert str(problem) == snapshot


def test_a_mounted_context_is_the_environment_steps_own_fault(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    problem = failure(LAYER, make(MOUNTED, misses={"src/main.py": [2, 3]}))
    assert str(problem) == snapshot


def test_a_source_that_arrives_through_another_stage_is_followed_to_it(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    problem = failure(LAYER, make(TWO_STAGES, misses={"src/main.py": [2, 3, 5, 6, 7]}))
    assert str(problem) == snapshot


def test_a_miss_that_the_edit_does_not_explain_is_not_given_a_wrong_cause(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    problem = failure(LAYER, make(GOOD, misses={"src/main.py": [3, 4]}))
    assert "does not explain" in str(problem)
    assert str(problem) == snapshot


BUNDLED = """\
FROM node AS web
COPY web/ /web/
RUN minify /web/app.js > /dist/app.js
FROM continuumio/miniconda3
COPY --from=web /dist static/
COPY environment.yml ./
RUN conda env update --name app --file environment.yml
COPY src/ src/
"""

BUILDER = """\
FROM continuumio/miniconda3 AS builder
WORKDIR /work
COPY environment.yml ./
RUN conda env update --prefix /env --file environment.yml
COPY src/ src/
RUN pytest
FROM continuumio/miniconda3
COPY --from=builder /env /env
RUN conda install --name base jupyterlab
COPY src/ src/
"""


def test_a_comment_that_another_stage_may_drop_proves_nothing(make: Make) -> None:
    files = {"web/app.js": "x()\n"}
    bundled = make(BUNDLED, misses={"web/app.js": [2, 3], "src/main.py": [8]}, files=files)
    with pytest.raises(Unverifiable) as unknown:
        LAYER.judge(bundled)
    assert str(unknown.value) == (
        "whether an edit of web/app.js rebuilds the environment is not known: line 3 ran again, "
        "and what line 5 copies of its stage came out as before, perhaps because a comment does "
        "not show in it"
    )
    bundled = make(
        BUNDLED, misses={"web/app.js": [2, 3, 5, 6, 7, 8], "src/main.py": [8]}, files=files
    )
    assert "web/ is copied into it through stage web" in str(failure(LAYER, bundled))


def test_an_environment_that_a_builder_makes_apart_from_the_source_is_kept(make: Make) -> None:
    judged = make(BUILDER, misses={"src/main.py": [5, 6, 10]})
    assert LAYER.judge(judged).message == "lines 4, 9 hit after src/main.py (+1 comment line)"
    working_in_it = BUILDER.replace("/work", "/env/app")
    with pytest.raises(Unverifiable, match="line 6 ran again, and what line 8 copies"):
        LAYER.judge(make(working_in_it, misses={"src/main.py": [5, 6, 10]}))


def test_a_saving_is_not_measured_with_an_edit_that_never_reached_the_image(make: Make) -> None:
    judged = make(GOOD, known_seconds={3: 9.0})
    with pytest.raises(DockerCacheError, match=r"the edit never reached the image: .*src/main.py"):
        CHECKS["rebuild-saving"].judge(judged, CheckSettings(min_saving=0.8))


SAVING = CHECKS["rebuild-saving"]
HALF = CheckSettings(min_saving=0.5)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ({2: 0.0, 3: 9.0, 4: 1.0}, "a source edit saves 90% of 10.0 s, 50% wanted"),
        ({2: 0.0, 3: 5.0, 4: 5.0}, "a source edit saves 50% of 10.0 s, 50% wanted"),
        # What nobody has seen run can only save more.
        ({3: 9.0, 4: 1.0}, "a source edit saves 90% of 10.0 s, 50% wanted"),
    ],
)
def test_what_a_source_edit_spares_is_a_share_of_the_cold_build(
    make: Make, seconds: dict[int, float], said: str
) -> None:
    judged = make(GOOD, misses={"src/main.py": [4]}, known_seconds=seconds)
    assert SAVING.judge(judged, HALF).message == said


def test_too_small_a_saving_names_the_step_that_costs_most(make: Make) -> None:
    judged = make(GOOD, misses={"src/main.py": [3, 4]}, known_seconds={2: 1.0, 3: 2.0, 4: 7.0})
    with pytest.raises(CacheAssertionError) as caught:
        SAVING.judge(judged, HALF)
    said = str(caught.value)
    assert said.startswith("a source edit saves 10% of the cold build, not 50%")
    assert "9.0 of 10.0 step-seconds are spent again (--dockercache-min-saving)" in said
    assert "begin with line 4 (COPY src/ src/)" in said


def test_a_saving_of_steps_that_nobody_saw_run_is_not_known(make: Make) -> None:
    judged = make(GOOD, misses={"src/main.py": [4]}, known_seconds={4: 1.0})
    with pytest.raises(Unverifiable, match="the seconds of line 2, line 3 are unknown"):
        SAVING.judge(judged, HALF)


def test_an_edit_that_misses_nothing_is_an_error_and_no_pass(make: Make) -> None:
    with pytest.raises(DockerCacheError, match=r"the edit never reached the image: .*src/main.py"):
        LAYER.judge(make(GOOD))


def test_an_unknown_environment_step_is_unverifiable(make: Make) -> None:
    judged = make(GOOD, misses={"src/main.py": [4]}, unknown={"src/main.py": [3]})
    with pytest.raises(Unverifiable, match="line 3"):
        LAYER.judge(judged)


def test_without_an_environment_step_the_reader_is_told_how_to_name_it(make: Make) -> None:
    with pytest.raises(DoesNotApply, match="name it with --dockercache-env-step"):
        LAYER.judge(make("FROM debian\nCOPY src/ src/\n"))


def test_a_named_environment_step_is_judged(make: Make) -> None:
    judged = make(
        "FROM debian\nCOPY src/ src/\nRUN ./install.sh\n",
        settings=Settings(env_step="install"),
        misses={"src/main.py": [2, 3]},
    )
    assert str(failure(LAYER, judged)).startswith("env layer was rebuilt: src/ is copied before it")


def test_an_environment_that_follows_its_file_passes(make: Make) -> None:
    verdict = CHANGE.judge(make(GOOD, misses={"environment.yml": [2, 3]}))
    assert verdict.message == "an edit of environment.yml rebuilds the environment"


def test_a_file_that_the_image_never_reads_fails_the_negative_control(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged = make("FROM debian\nRUN conda create --name app python=3.10\nCOPY src/ src/\n")
    problem = failure(CHANGE, judged)
    assert problem.line == 2
    assert str(problem) == snapshot


def test_a_file_copied_after_the_installation_fails_the_negative_control(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged = make(
        "FROM debian\nRUN conda create --name app python=3.10\nCOPY . .\n",
        misses={"environment.yml": [3]},
    )
    assert str(failure(CHANGE, judged)) == snapshot


def test_a_reader_that_was_reused_is_stale(make: Make, snapshot: SnapshotAssertion) -> None:
    problem = failure(CHANGE, make(GOOD, misses={"environment.yml": [2]}))
    assert str(problem).startswith("env layer is stale: line 3 was reused")
    assert str(problem) == snapshot


def test_a_step_that_runs_before_the_file_is_copied_need_not_follow_it(make: Make) -> None:
    dockerfile = GOOD.replace("COPY env", "RUN conda create --name tools black\nCOPY env")
    CHANGE.judge(make(dockerfile, misses={"environment.yml": [3, 4, 5]}))


def test_an_early_build_argument_is_named_with_both_lines(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    judged = make(ARGUMENT, misses={"GIT_SHA": [4, 5]}, known_seconds={4: 94.1})
    problem = failure(LATE, judged)
    assert problem.line == 2
    assert str(problem) == snapshot


def test_all_arguments_are_changed_in_one_build_while_nothing_misses(make: Make) -> None:
    judged = make(
        GOOD.replace("COPY src", "ARG GIT_SHA\nARG BUILD_DATE\nCOPY src"),
        misses={"src/main.py": [6]},
    )
    LATE.judge(judged)
    LAYER.judge(judged)
    assert judged.asked == ["src/main.py GIT_SHA BUILD_DATE"] * 2


def test_of_several_arguments_the_guilty_one_is_found(make: Make) -> None:
    judged = make(
        ARGUMENT.replace("COPY src", "ARG BUILD_DATE\nCOPY src"),
        misses={"GIT_SHA BUILD_DATE": [4, 6], "GIT_SHA": [4, 6], "BUILD_DATE": []},
    )
    assert "build argument GIT_SHA" in str(failure(LATE, judged))


def test_an_argument_whose_other_value_does_not_build_is_unverifiable(make: Make) -> None:
    judged = make(ARGUMENT, fails={"GIT_SHA": "line 4 failed"})
    with pytest.raises(Unverifiable, match="another value of GIT_SHA: line 4 failed"):
        LATE.judge(judged)


@pytest.mark.parametrize(
    ("lines", "unrelated"),
    [
        ("ARG BASE=debian\nFROM ${BASE}\nRUN pip install numpy", ()),
        ("FROM debian\nARG GIT_SHA\nRUN pip install numpy", ("GIT_SHA",)),
        ("FROM debian\nARG NUMPY=2\nRUN pip install numpy==${NUMPY}", ()),
        ("FROM debian\nARG V=2\nENV NUMPY=${V}\nRUN pip install numpy==$NUMPY", ()),
        ("FROM debian\nARG V=2\nENV NUMPY=${V}\nRUN pip install numpy", ("V",)),
        ("FROM debian\nARG PIP_INDEX_URL\nRUN pip install numpy", ()),
        ("FROM debian\nARG URL\nENV PIP_INDEX_URL=$URL\nRUN pip install numpy", ()),
        ("FROM debian\nARG HTTP_PROXY\nARG TARGETARCH\nRUN pip install numpy", ()),
        ("FROM debian\nARG A=1 B=2\nRUN pip install numpy$A", ("B",)),
        ("FROM debian\nRUN pip install numpy\nARG GIT_SHA\nLABEL sha=$GIT_SHA", ("GIT_SHA",)),
        ('FROM debian\nARG A="--x=1 --y=2" B=2\nRUN pip install numpy', ("A", "B")),
        ("FROM debian\nARG HOME_DIR=/app\nWORKDIR $HOME_DIR/x\nRUN pip install numpy", ()),
        ("FROM debian\nARG UID=1\nUSER ${UID:-0}\nRUN pip install numpy", ()),
        ("FROM debian\nRUN pip install numpy\nARG DIR=/app\nWORKDIR $DIR", ("DIR",)),
        ("FROM debian AS a\nARG DIR=/app\nWORKDIR $DIR\nFROM a\nRUN pip install numpy", ()),
        ("FROM debian AS a\nARG D=/a\nWORKDIR $D\nFROM debian\nRUN pip install x", ()),
        ("FROM debian\nARG F=environment.yml\nCOPY $F e.yml\nRUN conda env update -f e.yml", ()),
        ("FROM debian\nARG SRC=src\nCOPY $SRC /src\nRUN pip install numpy", ()),
    ],
)
def test_an_argument_is_unrelated_unless_a_base_or_the_environment_refers_to_it(
    make: Make, lines: str, unrelated: tuple[str, ...]
) -> None:
    judged = make(lines).project.survey.arguments.judged
    assert tuple(judged) == unrelated


def test_an_argument_that_a_run_above_the_install_uses_is_listed_and_not_judged(make: Make) -> None:
    dockerfile = ARGUMENT.replace("COPY environment", "RUN echo $GIT_SHA >/rev\nCOPY environment")
    dockerfile = dockerfile.replace("ARG GIT_SHA", "RUN pip install six\nARG GIT_SHA")
    verdict = LATE.judge(make(dockerfile, misses={"src/main.py": [7]}))
    assert "the environment may depend on it: GIT_SHA (line 4)" in verdict.message


PROBES = (
    ".git/pytest-dockercache-probe .pytest_cache/pytest-dockercache-probe "
    "src/__pycache__/pytest-dockercache-probe.cpython-310.pyc"
)


def test_three_changes_are_tried_in_one_build(make: Make) -> None:
    judged = make(GOOD)
    IGNORE.judge(judged)
    assert judged.asked == [PROBES]


def test_a_context_without_an_ignore_file_is_told_what_to_write(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    problem = failure(IGNORE, make(CONTEXT_FIRST, misses={PROBES: [2, 3]}))
    assert problem.line == 2
    assert str(problem) == snapshot


def test_an_ignore_line_that_lets_a_path_in_is_named(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    judged = subject(
        tmp_path,
        {
            **FILES,
            "Dockerfile": CONTEXT_FIRST,
            ".dockerignore": "*\n!src\n!environment.yml\n**/__pycache__\n!.git\n",
        },
        misses={PROBES: [2, 3]},
    )
    assert str(failure(IGNORE, judged)) == snapshot


def test_bytecode_behind_a_link_that_is_the_source_is_tried_where_the_link_leads(
    tmp_path: Path,
) -> None:
    judged = subject(tmp_path, {"Dockerfile": "FROM c\nCOPY app /app\n", "real/app/main.py": "x\n"})
    (tmp_path / "app").symlink_to("real/app")
    IGNORE.judge(judged)
    assert (
        "real/app/__pycache__/pytest-dockercache-probe.cpython-310.pyc" in judged.asked[0].split()
    )


def test_a_link_inside_a_copied_directory_is_not_followed(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM c\nCOPY app /app\n", "app/main.py": "x\n", "lib/other.py": "x\n"}
    judged = subject(tmp_path, files)
    (tmp_path / "app" / "lib").symlink_to("../lib")
    IGNORE.judge(judged)
    assert "lib/__pycache__" not in judged.asked[0]


def test_a_git_file_of_a_worktree_is_changed_in_place(tmp_path: Path) -> None:
    judged = subject(tmp_path, {**FILES, "Dockerfile": GOOD, ".git": "gitdir: ../x\n"})
    IGNORE.judge(judged)
    assert judged.asked[0].split()[0] == ".git"


def test_a_path_that_the_dockerfile_names_is_exempt(make: Make) -> None:
    judged = make(GOOD.replace("COPY src", "COPY .git /opt/.git\nCOPY src"))
    IGNORE.judge(judged)
    assert not any(name.startswith(".git") for name in judged.asked[0].split())


INCLUDING = """\
FROM continuumio/miniconda3
COPY requirements.txt more.txt ./
COPY other/ other/
RUN pip install -r requirements.txt
COPY src/ src/
"""


def test_what_an_environment_file_includes_is_edited_where_other_steps_take_it(make: Make) -> None:
    files = {"requirements.txt": "-r more.txt\n-c other/c.txt\n", "more.txt": "", "other/c.txt": ""}
    misses = {"requirements.txt": [2, 3, 4], "other/c.txt": [3, 4], "src/main.py": [5]}
    judged = make(INCLUDING, files=files, misses=misses)
    assert CHANGE.judge(judged).message == (
        "an edit of requirements.txt, other/c.txt rebuilds the environment"
    )
    assert judged.asked == ["requirements.txt", "other/c.txt"]


EXPORTED = """\
FROM debian AS lock
COPY poetry.lock ./
RUN poetry export > requirements.txt
FROM debian
COPY --from=lock /requirements.txt ./
RUN pip install -r requirements.txt
COPY src/ src/
"""


def test_what_another_stage_makes_of_a_named_file_may_not_show_a_comment(make: Make) -> None:
    settings = Settings(environment=("poetry.lock",))
    given = {"files": {"poetry.lock": "x\n"}, "settings": settings}
    with pytest.raises(Unverifiable, match="line 3 of another stage ran again"):
        CHANGE.judge(make(EXPORTED, misses={"poetry.lock": [2, 3]}, **given))
    CHANGE.judge(make(EXPORTED, misses={"poetry.lock": [2, 3, 5, 6, 7]}, **given))


MANY = """\
FROM continuumio/miniconda3
ARG TOOL=1
COPY templates/ app.cfg ./
COPY entrypoint.sh /
RUN sed -i 's/x/y/' /entrypoint.sh
COPY system.sh environment.yml ./
RUN sh system.sh
RUN conda env update --name app --file environment.yml
COPY src/ src/
"""


def test_all_groups_that_reinstall_are_named_with_their_files_and_what_is_needed(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    names = ("templates/a.html", "templates/b.html", "app.cfg", "entrypoint.sh", "system.sh")
    judged = make(
        MANY,
        files=dict.fromkeys(names, "x\n"),
        misses={
            "entrypoint.sh": [4, 5, 6, 7, 8, 9],
            "app.cfg": [3, 4, 5, 6, 7, 8, 9],
            "templates/a.html": [3, 4, 5, 6, 7, 8, 9],
            "src/main.py": [9],
        },
        known_seconds={8: 94.1},
    )
    assert str(failure(LAYER, judged)) == snapshot


def test_an_address_that_serves_other_bytes_is_blamed_and_no_edit(
    make: Make, snapshot: SnapshotAssertion
) -> None:
    dockerfile = GOOD.replace(
        "COPY env", "ADD http://127.0.0.1/v.json /v\nARG GIT_SHA\nCOPY env", 1
    )
    dockerfile = dockerfile.replace("ARG GIT_SHA\n", "") + "ARG GIT_SHA\n"
    judged = make(dockerfile, misses={"src/main.py": [2, 3, 4, 5]})
    assert str(failure(LAYER, judged)) == snapshot
    with pytest.raises(Unverifiable, match=r"line 2 \(ADD http://.*takes something else"):
        LATE.judge(judged)


def test_a_run_below_the_source_that_looks_like_an_installation_is_not_green(make: Make) -> None:
    judged = make(GOOD + "RUN nix build\n", misses={"src/main.py": [4, 6]})
    with pytest.raises(Unverifiable, match=r"line 6 \(RUN nix build\) looks like an installation"):
        LAYER.judge(judged)


def test_a_rebuilt_environment_is_a_failure_whatever_else_looks_like_an_installation(
    make: Make,
) -> None:
    dockerfile = CONTEXT_FIRST + "RUN nix build\n"
    last = len(dockerfile.splitlines())
    judged = make(dockerfile, misses={"src/main.py": [2, 3, last]})
    assert str(failure(LAYER, judged)).startswith("env layer was rebuilt")


def test_two_late_arguments_are_both_named(make: Make, snapshot: SnapshotAssertion) -> None:
    dockerfile = ARGUMENT.replace("ARG GIT_SHA=unknown", "ARG GIT_SHA\nARG BUILD_DATE")
    judged = make(dockerfile, misses={"GIT_SHA": [5, 6], "BUILD_DATE": [5, 6], "src/main.py": [6]})
    assert str(failure(LATE, judged)) == snapshot


@pytest.mark.parametrize(
    "lines",
    [
        "COPY package.json ./\nRUN npm ci\n",
        "COPY go.mod go.sum ./\nRUN go mod download\nCOPY main.go ./\nRUN go build\n",
    ],
)
def test_another_managers_install_in_good_order_is_no_doubt(make: Make, lines: str) -> None:
    dockerfile = GOOD.replace("COPY src/ src/\n", f"{lines}COPY src/ src/\n")
    files = dict.fromkeys(("package.json", "go.mod", "go.sum", "main.go"), "x\n")
    judged = make(dockerfile, files=files, misses={"src/main.py": [6, 8], "main.go": [6, 7, 8]})
    assert LAYER.judge(judged).message.startswith("lines 3, 5 hit after")


def test_a_failure_is_said_before_what_is_not_recognised(make: Make) -> None:
    judged = make(SOURCE_FIRST + "RUN nix build\n", misses={"src/main.py": [2, 3, 4, 6]})
    assert str(failure(LAYER, judged)).startswith("env layer was rebuilt: src/ is copied before it")


def test_arguments_that_were_not_tried_are_not_green(make: Make) -> None:
    """Each of them is in the sight of the install, and only some get a build of their own."""
    names = [f"A{number}" for number in range(14)]
    declared = "\n".join(f"ARG {name}" for name in names)
    judged = make(GOOD.replace("COPY env", f"{declared}\nCOPY env"))
    with pytest.raises(Unverifiable, match="only 12 of them were tried; not tried: A12, A13"):
        LATE.judge(judged)
    assert judged.asked == names[:12]
