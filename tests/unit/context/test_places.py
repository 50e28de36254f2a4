"""The build context of a Dockerfile for which nobody named one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_dockercache._pytest.contexts import candidates, choose_context
from pytest_dockercache.context.declared import declared_contexts
from pytest_dockercache.context.places import better_context
from pytest_dockercache.dockerfile import plan, read_dockerfile

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files below a root, and give the root."""

    def written(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return written


def chosen(root: Path, dockerfile: str) -> str:
    path = root / dockerfile
    return choose_context(path, candidates(path, root)).relative_to(root).as_posix()


@pytest.mark.parametrize(
    ("dockerfile", "text", "files", "context"),
    [
        ("a/b/Dockerfile", "FROM x\nCOPY src /src\n", ["a/src/m.py"], "a"),
        ("a/b/c/Dockerfile", "FROM x\nCOPY b/c/run.sh src /\n",
         ["a/b/c/run.sh", "a/src/m", "src/n"], "a"),
        ("docker/Dockerfile", "FROM x\nRUN --mount=type=bind,source=req.txt,target=/r cat /r\n",
         ["req.txt"], "."),
        ("docker/Dockerfile", "FROM x\nWORKDIR /a\nCOPY . .\nRUN pip install -r req.txt\n",
         ["req.txt"], "."),
        ("docker/Dockerfile", "FROM x\nCOPY . /a\nRUN pip install -r /a/docker/req.txt\n",
         ["docker/req.txt"], "."),
        ("docker/Dockerfile", "FROM x\nRUN --mount=target=/a pip install -r /a/req.txt\n",
         ["req.txt"], "."),
        ("docker/Dockerfile", "FROM x\nCOPY . /a\nRUN pip install -r /a/req.txt\n",
         ["docker/req.txt", "req.txt"], "docker"),
        ("docker/Dockerfile", "FROM x\nCOPY req*.txt /a/\n", ["requirements.txt"], "."),
        ("docker/Dockerfile", "FROM x\nADD https://a/b.git#main /a\nCOPY x /\n",
         ["docker/x"], "docker"),
        ("docker/Dockerfile", "FROM x\nCOPY absent /\n", [], "docker"),
        ("docker/Dockerfile", "nonsense", ["src/m.py"], "docker"),
        ("docker/Dockerfile", 'FROM x\nCOPY ["", "a\\u0000b", "/"]\n', ["src/m.py"], "docker"),
    ],
)  # fmt: skip
def test_the_context_is_the_nearest_that_holds_most_of_what_is_taken(
    write: Write, dockerfile: str, text: str, files: list[str], context: str
) -> None:
    root = write({dockerfile: text, **dict.fromkeys(files, "x\n")})
    assert chosen(root, dockerfile) == context


COPIES = "FROM x\nCOPY src /src\n"


@pytest.mark.parametrize(
    ("name", "text", "context"),
    [
        ("compose.yaml", "services: {a: {build: docker}}\n", "docker"),
        ("docker-compose.yml",
         "services:\n  a:\n    build:\n      context: ./docker\n      dockerfile: Dockerfile\n",
         "docker"),
        ("compose.yml", "services: {a: {build: {context: '${D:-docker}'}}}\n", "docker"),
        ("compose.yml", "services: {a: {build: {context: '${D}'}}}\n", "."),
        ("compose.yml", "services: {a: {build: {dockerfile: other/Dockerfile}}}\n", "."),
        ("compose.yml", "services: {a: {build: 'https://x/y.git'}}\n", "."),
        ("compose.yml", "services: [a]\n---\nb", "."),
        ("compose.yml", "a: [", "."),
        ("docker-bake.json", '{"target": {"a": {"context": "docker"}}}', "docker"),
        ("docker-bake.json", '{"target": [1]}', "."),
        ("docker-bake.hcl",
         'variable "V" {\n  default = "1"\n}\ntarget "a" {\n  context = "docker"\n'
         '  args = {\n    V = "${V}"\n  }\n}\n', "docker"),
        (".devcontainer/devcontainer.json",
         '{\n// built in its own directory\n"build": {"dockerfile": "../docker/Dockerfile", '
         '"context": "../docker", },}', "docker"),
        (".devcontainer.json", '{"dockerFile": "docker/Dockerfile", "context": "docker"}',
         "docker"),
    ],
)  # fmt: skip
def test_a_file_that_builds_the_dockerfile_says_its_context(
    write: Write, name: str, text: str, context: str
) -> None:
    """All that is copied lies at the root: without that file, the root would be taken."""
    root = write({"docker/Dockerfile": COPIES, "src/m.py": "x\n", name: text})
    assert chosen(root, "docker/Dockerfile") == context


def test_of_several_declared_contexts_the_one_that_holds_more_is_taken(write: Write) -> None:
    compose = (
        "services:\n  a: {build: docker}\n  b: {build: {context: ., dockerfile: docker/Dockerfile}}"
    )
    root = write({"docker/Dockerfile": COPIES, "src/m.py": "x\n", "compose.yaml": compose})
    assert chosen(root, "docker/Dockerfile") == "."


def test_a_file_that_is_no_regular_one_declares_nothing(write: Write) -> None:
    root = write({"docker/Dockerfile": COPIES})
    os.mkfifo(root / "compose.yaml")
    (root / "docker-bake.json").symlink_to("/dev/zero")
    assert declared_contexts(root / "docker/Dockerfile", [root]) == ()


@pytest.mark.parametrize("context", ["a\0b", "a" * 5000])
def test_a_context_that_is_no_path_is_declared_by_nobody(write: Write, context: str) -> None:
    compose = json.dumps({"services": {"a": {"build": context}, "b": {"build": "."}}})
    root = write({"Dockerfile": "FROM a\n", "compose.yaml": compose})
    assert declared_contexts(root / "Dockerfile", [root]) == (root,)


def offer(root: Path, dockerfile: str, context: str) -> str | None:
    path = root / dockerfile
    steps = plan(read_dockerfile(path), all_stages=True)
    found = better_context(steps, path, root / context)
    return None if found is None else found.directory.relative_to(root).as_posix()


def test_a_wrong_context_gets_the_offer_of_one_that_holds_more(write: Write) -> None:
    root = write(
        {".git/HEAD": "", "a/docker/Dockerfile": COPIES, "a/app/src/m.py": "x\n", "b/x": "x\n"}
    )
    assert offer(root, "a/docker/Dockerfile", "b") == "a/app"  # beside the Dockerfile's directory
    assert offer(root, "a/docker/Dockerfile", "a/app") is None
    (root / "src").mkdir()
    assert offer(root, "a/docker/Dockerfile", "b") == "."  # above it


def test_no_directory_outside_the_repository_is_offered(write: Write) -> None:
    root = write({"src/m.py": "x\n", "a/.git/HEAD": "", "a/docker/Dockerfile": COPIES})
    assert offer(root, "a/docker/Dockerfile", "a") is None
