"""The messages about a build that failed: the verdict first, then the log, then the fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_dockercache.context import IgnoreRules, StagedContext
from pytest_dockercache.dockerfile import parse_dockerfile
from pytest_dockercache.engines import BuildRequest
from pytest_dockercache.engines.failure import (
    build_failed,
    build_timeout,
    context_lost,
    not_begun,
    refused,
    says_daemon_gone,
)
from pytest_dockercache.errors import BuildFailed, Unverifiable
from pytest_dockercache.model import BuildSpec, Step

TEXT = "FROM a\nRUN conda env update \\\n    -f environment.yml\nCOPY nofile /\n"
SPEC = BuildSpec(Path("/project/Dockerfile"), Path("/project"))
REQUEST = BuildRequest(SPEC, parse_dockerfile(TEXT), cast(Any, None), timeout=30)


def test_a_command_that_failed_is_named_with_line_and_exit_code() -> None:
    error = 'process "/bin/sh -c conda …" did not complete successfully: exit code: 3'
    failed = build_failed(REQUEST, 2, error, "Collecting\rDone\n\nnot found\n")
    assert isinstance(failed, BuildFailed)
    assert str(failed).splitlines() == [
        "the image does not build: Dockerfile:2 ends with exit code 3: "
        "RUN conda env update -f environment.yml",
        "  log",
        "    Done",
        "    not found",
        "  fix    correct line 2; `docker build` shows the whole log",
    ]
    assert failed.line == 2
    assert failed.log == "Done\nnot found"


def test_only_the_end_of_a_long_log_is_shown() -> None:
    log = "".join(f"line {number}\n" for number in range(100))
    failed = build_failed(REQUEST, 2, "exit code: 1", log)
    assert isinstance(failed, BuildFailed)
    assert failed.log.splitlines() == [f"line {number}" for number in range(80, 100)]


@pytest.mark.parametrize(
    ("ignored", "answer", "fix"),
    [
        (
            None,
            "nofile is not in the build context, but Dockerfile:4 copies it",
            "correct line 4 (the build context has conf/nofile), or create nofile in CONTEXT",
        ),
        (
            "!conf\nno*\n",
            "nofile is kept out of the build context by .dockerignore line 2 (no*), "
            "but Dockerfile:4 copies it",
            "add '!nofile' at the end of .dockerignore",
        ),
    ],
)
@pytest.mark.parametrize(
    ("line", "said", "why"),
    [
        (
            4,
            'failed to solve: failed to compute cache key: "/nofile": not found',
            '"/nofile": not found',
        ),
        (
            None,
            "COPY failed: file not found in build context: stat nofile: file does not exist",
            "COPY failed: file not found in build context: stat nofile: file does not exist",
        ),
    ],
)
def test_a_file_that_the_context_does_not_hold_is_the_answer(
    tmp_path: Path,
    ignored: str | None,
    answer: str,
    fix: str,
    line: int | None,
    said: str,
    why: str,
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "nofile").write_text("elsewhere\n")
    if ignored is not None:
        (tmp_path / "nofile").write_text("here\n")
        (tmp_path / ".dockerignore").write_text(ignored)
    path = tmp_path / "Dockerfile"
    rules = IgnoreRules.load(tmp_path, path)
    staged = StagedContext(tmp_path, path, rules)
    request = BuildRequest(BuildSpec(path, tmp_path), parse_dockerfile(TEXT), staged)
    assert str(build_failed(request, line, said)).splitlines() == [
        f"the image does not build: {answer}",
        "   4  COPY nofile /",
        f"  why    the builder says: {why}",
        f"  fix    {fix.replace('CONTEXT', str(tmp_path))}",
    ]


@pytest.mark.parametrize(
    "error",
    [
        'failed to calculate checksum of ref abc::def: "/nofile": not found',
        "failed to solve: failed to compute cache key: failed to calculate checksum of ref a: "
        '"/nofile": not found',
    ],
)
def test_what_buildkit_says_around_a_missing_file_is_left_out(error: str, tmp_path: Path) -> None:
    (tmp_path / "nofile").write_text("the builder is wrong\n")
    staged = StagedContext(tmp_path, tmp_path / "Dockerfile", IgnoreRules())
    assert str(build_failed(replace(REQUEST, staged=staged), 4, error)) == (
        'the image does not build: Dockerfile:4: COPY nofile /: "/nofile": not found'
    )


def test_a_full_disk_is_called_that_with_what_to_do() -> None:
    failed = build_failed(REQUEST, 2, "write /x: no space left on device")
    first, fix = str(failed).splitlines()
    assert first.startswith("the disk of the Docker daemon seems to be full: Dockerfile:2: RUN")
    assert "docker system df" in fix


def test_an_error_without_a_line_names_the_dockerfile() -> None:
    assert str(build_failed(REQUEST, None, "failed to solve: no\nidea")) == (
        "the image does not build: Dockerfile: no idea"
    )


def test_a_timeout_names_the_step_that_was_running() -> None:
    steps = [
        Step(2, "0", "RUN", "RUN conda env  update", status="miss", running=True),
        Step(4, "0", "COPY", "COPY nofile /"),
    ]
    assert str(build_timeout(REQUEST, steps)).splitlines()[0] == (
        "the build was cancelled after 30 s: Dockerfile:2 was running: RUN conda env update"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", True),
        ("failed to receive status: rpc error: code = Unavailable desc = error reading", True),
        ("process did not complete successfully: exit code: 1", False),
    ],
)
def test_a_lost_daemon_is_told_from_a_failed_build(text: str, expected: bool) -> None:
    assert says_daemon_gone(text) is expected


def test_a_build_that_may_not_be_made_is_no_fault_of_its_dockerfile() -> None:
    told = refused("authorization denied by plugin opa: no")
    assert told.verdict == (
        "the Docker daemon refused the build: authorization denied by plugin opa: no"
    )
    assert not told.absent, "a prediction is no answer to a refusal"


def test_a_buildx_that_never_began_is_no_fault_of_the_dockerfile() -> None:
    told = not_begun("mkdir /.docker: permission denied")
    assert told.verdict == "buildx ended before the build began: mkdir /.docker: permission denied"


def test_a_context_that_was_pruned_during_the_build_is_told_from_a_bad_dockerfile() -> None:
    said = 'failed to read downloaded context: Get "http://build-context-5v": context not found'
    told = context_lost(said)
    assert told is not None
    assert told.verdict == f"the builder lost the build context: {said}"
    assert context_lost("dockerfile parse error on line 2") is None


FOREIGN = 'process "/bin/sh -c conda …" did not complete successfully: exit code: 255'


@pytest.mark.parametrize("native", ["", "linux/amd64, linux/amd64/v2*, linux/386"])
def test_what_no_emulator_executes_is_not_verified(
    native: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    request = replace(REQUEST, spec=replace(SPEC, platform="linux/arm64"))
    log = "exec /bin/sh: exec format error\n"
    found = build_failed(request, 2, FOREIGN, log, native=native)
    assert isinstance(found, Unverifiable)
    assert str(found).splitlines() == [
        "linux/arm64 cannot be built here: the builder executes no programs of that platform "
        "(Dockerfile:2: RUN conda env update -f environment.yml)",
        "  fix    give the builder an emulator (docker run --privileged --rm tonistiigi/binfmt "
        "--install arm64), or judge it on such a machine",
    ]


@pytest.mark.parametrize(
    ("platform", "native", "log"),
    [
        (None, "", "exec ./run: exec format error"),
        ("linux/amd64", "", "exec ./run: exec format error"),
        ("linux/arm64", "linux/amd64, linux/arm64", "exec ./run: exec format error"),
        ("linux/arm64/v8", "linux/amd64, linux/arm64", "exec ./run: exec format error"),
        ("arm64", "linux/amd64, linux/arm64", "exec ./run: exec format error"),
        ("linux/arm64", "", "no space for it"),
    ],
)
def test_a_script_without_its_first_line_is_no_other_platform(
    platform: str | None, native: str, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    request = replace(REQUEST, spec=replace(SPEC, platform=platform))
    assert isinstance(build_failed(request, 2, FOREIGN, log, native=native), BuildFailed)


@pytest.mark.parametrize(
    ("code", "why"), [(137, "something killed the command"), (143, "something killed"), (1, None)]
)
def test_a_command_that_was_killed_is_said_to_be_that(code: int, why: str | None) -> None:
    told = build_failed(REQUEST, 2, f"did not complete successfully: exit code: {code}").finding
    assert told.why is None if why is None else why in str(told.why)
