"""The staged context against the real builder: same files, same cache keys, never a stale one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from pytest_dockercache.context import IgnoreRules, StagedContext, context_files, stage
from pytest_dockercache.context.upload import upload
from pytest_dockercache.engines.progress import RawJson, VertexEvent, decode_trace
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec, Edit

pytestmark = pytest.mark.engine

LABEL = "dockercache.test.context"


def missed(events: list[VertexEvent]) -> set[str]:
    """The instructions that a build executed, by the text of their vertices."""
    ran: dict[str, str] = {}
    for event in events:
        if event.started is not None and not event.cached and event.inputs:
            ran[event.digest] = event.name
    return {
        name.partition("] ")[2] for name in ran.values() if name.startswith("[") and "/" in name
    }


def build_with_cli(context: Path, dockerfile: Path) -> set[str]:
    """Build as a user would, and return the instructions that missed."""
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress=rawjson", f"--label={LABEL}=1",
         f"--file={dockerfile}", str(context)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    reader = RawJson()
    events = [event for line in done.stderr.splitlines() for event in reader.feed(line + "\n")]
    events += reader.end()
    return missed([event for event in events if isinstance(event, VertexEvent)])


def build_with_upload(client: docker.DockerClient, staged: StagedContext) -> set[str]:
    """Build the uploaded tar over the Engine API, and return the instructions that missed."""
    api = client.api
    response = api.post(
        api._url("/build"),  # type: ignore[attr-defined]
        params={
            "version": "2",
            "dockerfile": staged.dockerfile_name,
            "labels": json.dumps({LABEL: "1"}),
        },
        data=upload(staged),
        headers={"Content-Type": "application/x-tar"},
        stream=True,
    )
    assert response.status_code == 200, response.text
    events: list[Any] = []
    for line in response.iter_lines():
        record = json.loads(line)
        assert "error" not in record, record
        if record.get("id") == "moby.buildkit.trace":
            events += decode_trace(record["aux"])
    return missed([event for event in events if isinstance(event, VertexEvent)])


@pytest.fixture(autouse=True, scope="module")
def leave_no_image(docker_daemon: docker.DockerClient) -> object:
    yield
    for image in docker_daemon.images.list(all=True, filters={"label": f"{LABEL}=1"}):
        with contextlib.suppress(ImageNotFound):  # an untagged parent goes with its last child
            docker_daemon.api.remove_image(str(image.id), force=True)


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    """A project with everything in it that a copy could get wrong, unlike any other's."""
    project = tmp_path / "project"
    src = project / "src"
    src.mkdir(parents=True)
    (project / "Dockerfile").write_text(
        "FROM scratch\n"
        "COPY environment.yml /\n"
        "COPY src /app/src\n"
        "COPY link.txt /linked\n"
        "COPY s*c/*.py /python/\n"
    )
    (project / ".dockerignore").write_text("*.log\n**/__pycache__\nDockerfile\n.dockerignore\n")
    unique = uuid.uuid4().hex
    (project / "environment.yml").write_text(f"# {unique}\nname: app\n")
    (src / "main.py").write_text(f"print('{unique}')\n")
    (src / "run.sh").write_text(f"#!/bin/sh\n# {unique}\n")
    (src / "setuid").write_text(unique)
    (src / "empty").write_bytes(b"")
    (src / "read-only").write_text(unique)
    (src / "private").mkdir()
    (src / "private" / "secret").write_text(unique)
    (src / "nothing").mkdir()
    (src / "noisy.log").write_text("kept: the pattern names the top only")
    (project / "top.log").write_text("ignored")
    (src / "__pycache__").mkdir()
    (src / "__pycache__" / "main.pyc").write_text("ignored")
    (src / "to-main").symlink_to("main.py")
    (src / "dangling").symlink_to("/no/such/place")
    (project / "link.txt").symlink_to("src/main.py")
    os.link(src / "main.py", src / "hard-link.py")
    os.mkfifo(src / "fifo")
    (src / "ü name with blanks").write_text(unique)
    deep = src
    for _ in range(6):
        deep = deep / ("d" * 60)
        deep.mkdir()
    (deep / "deep").write_text(unique)
    with (src / "sparse").open("wb") as file:
        file.truncate(5_000_000)
        file.seek(2_000_000)
        file.write(unique.encode())
    for name, mode in (("run.sh", 0o755), ("setuid", 0o4711), ("read-only", 0o444)):
        (src / name).chmod(mode)
    (src / "private").chmod(0o700)
    (src / "nothing").chmod(0o1777)
    # On a file system without extended attributes, the rest still counts.
    with contextlib.suppress(OSError):
        os.setxattr(src / "main.py", "user.note", unique.encode())
    return project


def test_a_staged_copy_has_the_cache_keys_of_the_users_own_build(
    awkward: Path, tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    """Modes, links, names and ignore rules arrive at the builder as from the user's tree."""
    dockerfile = awkward / "Dockerfile"
    assert len(build_with_cli(awkward, dockerfile)) == 4
    previous = os.umask(0o077)
    try:
        staged = stage(BuildSpec(dockerfile, awkward), tmp_path / "staged", nonce="n")
    finally:
        os.umask(previous)
    assert build_with_cli(staged.root, staged.dockerfile) == set()
    assert build_with_upload(docker_daemon, staged) == set()


def test_an_edit_misses_what_it_touches_and_its_end_hits_again(
    awkward: Path, tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    """Edits of equal size follow each other in one path; none is mistaken for another."""
    dockerfile = awkward / "Dockerfile"
    spec, root = BuildSpec(dockerfile, awkward), tmp_path / "staged"
    build_with_cli(awkward, dockerfile)
    edit = Edit.append("src/main.py")
    for nonce in ("aaaa", "bbbb"):
        staged = stage(spec, root, [edit], nonce=nonce)
        expected = {"COPY src /app/src", "COPY link.txt /linked", "COPY s*c/*.py /python/"}
        assert build_with_cli(staged.root, staged.dockerfile) == expected, nonce
        assert build_with_upload(docker_daemon, staged) == set(), nonce
        staged = stage(spec, root, nonce=nonce)
        assert build_with_cli(staged.root, staged.dockerfile) == set(), nonce
    staged = stage(spec, root, [Edit.touch("src/main.py")], nonce="n")
    assert build_with_cli(staged.root, staged.dockerfile) == set()
    staged = stage(spec, root, [Edit.chmod("src/run.sh", 0o700)], nonce="n")
    assert build_with_cli(staged.root, staged.dockerfile) == {"COPY src /app/src", *AFTER_SRC}
    staged = stage(spec, root, [Edit.create("src/__pycache__/probe")], nonce="n")
    assert build_with_cli(staged.root, staged.dockerfile) == set()
    assert build_with_upload(docker_daemon, staged) == set()


AFTER_SRC = ("COPY link.txt /linked", "COPY s*c/*.py /python/")


def test_a_file_replaced_behind_its_own_mtime_is_not_built_stale(
    awkward: Path, tmp_path: Path
) -> None:
    """A user's file that changed while size and mtime stayed is read again from the staged copy."""
    dockerfile = awkward / "Dockerfile"
    spec, root = BuildSpec(dockerfile, awkward), tmp_path / "staged"
    staged = stage(spec, root, nonce="n")
    build_with_cli(staged.root, staged.dockerfile)
    main = awkward / "environment.yml"
    before = main.stat()
    main.write_text(main.read_text().replace("app", "abc"))
    os.utime(main, ns=(before.st_atime_ns, before.st_mtime_ns))
    staged = stage(spec, root, nonce="n")
    assert "COPY environment.yml /" in build_with_cli(staged.root, staged.dockerfile)


def test_a_dockerfile_outside_the_context_builds_both_ways(
    tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    """Its own ignore file counts, and the context does not gain a file that a COPY could name."""
    context, elsewhere = tmp_path / "context", tmp_path / "docker"
    (context / "src").mkdir(parents=True)
    elsewhere.mkdir()
    (context / "src" / "main.py").write_text(f"# {uuid.uuid4()}\n")
    (context / "src" / "ignored").write_text("x")
    dockerfile = elsewhere / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY src /src\n")
    (elsewhere / "Dockerfile.dockerignore").write_text("src/ignored\n")
    assert build_with_cli(context, dockerfile) == {"COPY src /src"}
    staged = stage(BuildSpec(dockerfile, context), tmp_path / "staged", nonce="n")
    assert build_with_cli(staged.root, staged.dockerfile) == set()
    assert build_with_upload(docker_daemon, staged) == set()


IGNORE_ROWS = (
    "",
    "# comment\n #a\na",
    "*.pyc",
    "**/*.pyc",
    "node_modules",
    "**/node_modules",
    "./a",
    "/a",
    "d/",
    "d/e/../a",
    "d/*",
    "d/**",
    "d/?",
    "[a-c]",
    "[^a]",
    "[!a]",
    "d[^x]e",
    "**e",
    "**/e",
    "d/**/e",
    "a\\*b",
    "A",
    ".",
    "/",
    "../a",
    "*\n!d",
    "*\n!d/e",
    "*\n!d/e\nd/e/x",
    "**\n!**/x",
    "d\n!d/e/x",
    "!d\nd",
    "d\n!d\nd/e",
    "**/x\n!d",
    "/!c",
    "\ufeffa",
    "  a  ",
    "a\r\nd",
    "a.b",
    "é",
)
IGNORE_ERRORS = ("!", "! ", "!/", "[a", "a\\", "[]", "[a-]", "a/[b")


def test_the_ignore_rules_let_in_what_the_builder_sees(tmp_path: Path) -> None:
    """Every row of the table, in one build: each is a named context with its own .dockerignore."""
    command = ["docker", "buildx", "build", "--quiet"]
    steps, expected = ["FROM scratch"], []
    for number, patterns in enumerate(IGNORE_ROWS):
        root = tmp_path / str(number)
        for path in (
            "a", "b", "c", "A", "a.b", "axb", "a*b", "!c", "e", "ee", "é", "m.pyc", "#a",
            "d/a", "d/e/x", "d/e/y", "d/ee", "d/f/e", "d/m.pyc", "node_modules/i", "x/y/x",
            "d/node_modules/i",
        ):  # fmt: skip
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(path)
        (root / "nothing").mkdir()
        (root / ".dockerignore").write_bytes(patterns.encode())
        rules = IgnoreRules.load(root, root / "Dockerfile")
        expected.append({entry.path for entry in context_files(root, rules)})
        command.append(f"--build-context=row{number}={root}")
        steps.append(f"COPY --from=row{number} . /{number}/")
    main = tmp_path / "main"
    main.mkdir()
    (main / "Dockerfile").write_text("\n".join(steps) + "\n")
    archive = tmp_path / "image.tar"
    subprocess.run([*command, f"--output=type=tar,dest={archive}", str(main)], check=True)
    seen: list[set[str]] = [set() for _ in IGNORE_ROWS]
    with tarfile.open(archive) as image:
        for member in image:
            row, _, path = member.name.rstrip("/").partition("/")
            if path:
                seen[int(row)].add(path)
    differing = [
        (patterns, sorted(ours ^ theirs))
        for patterns, ours, theirs in zip(IGNORE_ROWS, expected, seen, strict=True)
        if ours != theirs
    ]
    assert differing == []


@pytest.mark.parametrize("pattern", IGNORE_ERRORS)
def test_a_pattern_that_the_builder_refuses_is_refused(tmp_path: Path, pattern: str) -> None:
    """A usage error of the plugin's is an error of Docker's too."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / ".dockerignore").write_text(f"ok\n{pattern}\n")
    with pytest.raises(ConfigError, match=r"\.dockerignore:2: "):
        IgnoreRules.load(tmp_path, tmp_path / "Dockerfile")
    command = ["docker", "buildx", "build", "--quiet", str(tmp_path)]
    for _ in range(10):
        done = subprocess.run(command, capture_output=True, text=True)
        # Sometimes the end of the cancelled transfer is reported before the refusal.
        if "context canceled" not in done.stderr:
            break
    assert done.returncode != 0
    assert "pattern" in done.stderr


def test_a_whole_context_copy_is_the_one_key_that_an_upload_does_not_share(
    tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    """The documented exception: an upload's root directory differs, whatever the tar says of it."""
    (tmp_path / "p" / "src").mkdir(parents=True)
    (tmp_path / "p" / "src" / "main.py").write_text(f"# {uuid.uuid4()}\n")
    dockerfile = tmp_path / "p" / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY src /src\nCOPY . /all\n")
    build_with_cli(tmp_path / "p", dockerfile)
    staged = stage(BuildSpec(dockerfile, tmp_path / "p"), tmp_path / "staged", nonce="n")
    assert build_with_cli(staged.root, staged.dockerfile) == set()
    assert build_with_upload(docker_daemon, staged) == {"COPY . /all"}
    assert build_with_upload(docker_daemon, staged) == set()
