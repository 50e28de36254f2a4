"""Images that are already built, as archives and OCI directories: no daemon is there."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from example import Project
from layer_maker import add, config_of, docker_archive, oci_blobs, oci_index, tar_of
from syrupy.assertion import SnapshotAssertion

BASE = tar_of([add("etc/"), add("etc/os-release", b"ID=made\n")])
CODE = tar_of([add("opt/app/"), add("opt/app/main.py", b"print('hello')\n")])
IMAGE = (
    "no-package-caches",
    "no-bytecode",
    "no-hidden-bytes",
    "python-version",
    "environment-matches",
)


def conda(version: str, *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A layer with an environment that holds Python alone."""
    record = json.dumps({"name": "python", "version": version, "build": "h1_0"}).encode()
    return tar_of(
        [
            add(f"opt/conda/conda-meta/python-{version}-h1_0.json", record),
            add("opt/conda/bin/python", b"ELF", mode=0o755),
            *more,
        ]
    )


def image(version: str = "3.10.4", *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An archive: a base layer, the environment, the code."""
    layers = (BASE, conda(version, *more), CODE)
    steps = ["ADD base", "RUN conda env update -n base -f environment.yml", "COPY src/ ./src/"]
    config = config_of(layers, steps, Env=["PATH=/opt/conda/bin:/bin"])
    return docker_archive(layers, config=config)


@pytest.fixture
def project(project: Project) -> Project:
    """The project has archives and no Dockerfile; the image checks are judged."""
    del project.files["Dockerfile"]
    project.image_checks = True
    project.script = {"denied": "the engine was asked"}
    root = project.root
    (root / "app.tar").write_bytes(image())
    (root / "base.tar").write_bytes(docker_archive([BASE]))
    return project


def test_an_archive_is_judged_without_any_daemon(project: Project) -> None:
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-base-image=base.tar",
        "--dockercache-python=3.10",
        "--dockercache-environment=environment.yml",
        "-v",
    )
    assert "the engine was asked" not in result.text
    assert result.counts == {"passed": len(IMAGE)}
    assert result.has(*(f"app.tar::{check} PASSED" for check in IMAGE))
    assert result.has("dockercache: image app.tar, not built here; base base.tar")
    assert project.builds == []


def test_the_layers_are_in_the_summary(project: Project, snapshot: SnapshotAssertion) -> None:
    result = project.pytest("--dockercache-image=app.tar", "--dockercache-base-image=base.tar")
    assert result.text[result.text.index("app.tar  (image") :].rpartition("\n")[0] == snapshot


def test_an_oci_directory_is_judged_as_its_archive_is(project: Project) -> None:
    layers = (BASE, conda("3.10.4", add("opt/app/a.pyc", b"x" * 10), add("opt/app/a.py")))
    members = oci_index(*(lambda made: (made[0], [made[1]]))(oci_blobs(layers)))
    with tarfile.open(fileobj=io.BytesIO(tar_of(members))) as tar:
        # Python 3.10.4 knows no extraction filter yet, and 3.14 wants to be given one.
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                path = project.root / "layout" / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    (project.root / "layout.tar").write_bytes(tar_of(members))
    for reference in ("layout", "layout.tar"):
        result = project.pytest(
            f"--dockercache-image={reference}",
            "--dockercache-base-image=base.tar",
            f"{reference}::no-bytecode",
        )
        assert result.counts == {"failed": 1}, result.text
        assert result.has("/opt/app", f"  image  {reference}")


def test_a_failure_is_reported_with_the_image_and_no_build(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    cache = add("opt/conda/pkgs/python-3.10.4.conda", b"x" * 1000)
    (project.root / "app.tar").write_bytes(image("3.10.4", cache))
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-base-image=base.tar",
        "--dockercache-report=json:out.json",
        "app.tar::no-package-caches",
    )
    assert result.counts == {"failed": 1}
    report: Any = json.loads((project.root / "out.json").read_text())
    text = json.dumps(report["images"], indent=1).replace(str(project.root), "ROOT")
    assert report["engine"] is None
    assert text == snapshot


def test_python_is_judged_by_condas_records_where_nothing_can_be_run(project: Project) -> None:
    (project.root / "app.tar").write_bytes(image("3.11.2"))
    arguments = ("--dockercache-image=app.tar", "app.tar::python-version")
    wrong = project.pytest(*arguments, "--dockercache-python=3.10")
    assert wrong.counts == {"failed": 1}
    assert wrong.has("python is 3.11.2, not 3.10", "records 3.11.2 (conda-meta, not run)")
    right = project.pytest(*arguments, "--dockercache-python=3.11", "--junitxml=junit.xml")
    assert right.counts == {"passed": 1}
    junit = (project.root / "junit.xml").read_text()
    assert "python 3.11.2 satisfies 3.11 (--dockercache-python); from conda-meta, not run" in junit


def test_python_without_a_record_is_not_known_in_a_file(project: Project) -> None:
    result = project.pytest(
        "--dockercache-image=base.tar",
        "--dockercache-python=3.10",
        "base.tar::python-version",
        "-rs",
    )
    assert result.counts == {"skipped": 1}
    assert result.has("base.tar", "the image is a file, in which nothing can be run")


def test_what_is_base_is_not_guessed(project: Project) -> None:
    arguments = ("--dockercache-image=app.tar", "app.tar::no-bytecode", "-rs")
    result = project.pytest(*arguments)
    assert result.counts == {"skipped": 1}
    assert result.has("which layers are the base image's is not known")
    assert project.pytest(*arguments, "--dockercache-base-layers=check").counts == {"passed": 1}


def test_a_squashed_image_is_not_judged_by_the_lines_of_its_dockerfile(project: Project) -> None:
    project.files["Dockerfile"] = "FROM base\nRUN conda env update\nCOPY src/ ./src/\n"
    layers = (BASE, conda("3.10.4", add("opt/app/a.pyc", b"x" * 10), add("opt/app/a.py")))
    config = json.loads(config_of(layers, Env=["PATH=/opt/conda/bin:/bin"]))
    config["history"] = [
        {"created_by": "ADD base"},
        {"created_by": "/bin/sh -c conda env update", "empty_layer": True},
        {"created_by": "/bin/sh -c #(nop) COPY dir:1 in ./src/ ", "empty_layer": True},
        {"created_by": "", "comment": "merge sha256:1 to sha256:2"},
    ]
    archive = docker_archive(layers, config=json.dumps(config).encode())
    (project.root / "app.tar").write_bytes(archive)
    result = project.pytest("--dockercache-image=app.tar", "app.tar::no-bytecode", "-rs")
    assert result.counts == {"skipped": 1}
    assert result.has("layer 2 lies above line 2, and no line made it", "merge sha256:1")
    named = project.pytest(
        "--dockercache-image=app.tar", "--dockercache-base-image=base.tar", "-k", "no-bytecode"
    )
    assert named.counts == {"failed": 1, "deselected": len(IMAGE) - 1}


def test_an_image_of_another_dockerfile_is_not_judged_by_the_one_beside_it(
    project: Project,
) -> None:
    project.files["Dockerfile"] = "FROM python:3.12-slim\nCOPY src/ ./src/\n"
    (project.root / "app.tar").write_bytes(
        image("3.10.4", add("opt/app/a.pyc", b"x" * 10), add("opt/app/a.py"))
    )
    arguments = ("--dockercache-image=app.tar", "app.tar::no-bytecode", "-rs")
    assert project.pytest(*arguments).counts == {"passed": 1}, "the environment is its base's"
    project.files["Dockerfile"] = "FROM python:3.12-slim\nCOPY flask/ ./flask/\n"
    result = project.pytest(*arguments)
    assert result.counts == {"skipped": 1}
    assert result.has(
        "the image was not built from this Dockerfile, as far as its history says: "
        "line 2 is `COPY flask/ ./flask/`, the image's history has `COPY src/ ./src/` there",
        "name the image that it was built on with --dockercache-base-image=REF",
    )
    named = project.pytest(*arguments, "--dockercache-base-image=base.tar")
    assert named.counts == {"failed": 1}


def test_an_image_that_is_not_the_base_is_an_error(project: Project) -> None:
    (project.root / "base.tar").write_bytes(docker_archive([CODE]))
    result = project.pytest(
        "--dockercache-image=app.tar", "--dockercache-base-image=base.tar", "app.tar::no-bytecode"
    )
    assert result.counts == {"errors": 1}
    assert result.has("base.tar is not the base image of app.tar")


@pytest.mark.parametrize(("version", "outcome"), [("3.10.4", "passed"), ("3.10.5", "failed")])
def test_two_images_are_compared_by_their_environments(
    project: Project, version: str, outcome: str
) -> None:
    (project.root / "old.tar").write_bytes(image(version))
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-compare=old.tar",
        "app.tar::environment-same",
    )
    assert result.counts == {outcome: 1}
    if outcome == "failed":
        assert result.has("image differs from old.tar: 1 package in /opt/conda", "3.10.5")


def test_an_image_without_conda_has_no_environment_to_compare(project: Project) -> None:
    result = project.pytest(
        "--dockercache-image=app.tar", "--dockercache-compare=base.tar", "-k", "same"
    )
    assert result.counts == {"skipped": 1, "deselected": 5}


def test_each_image_has_the_checks_that_need_no_build(project: Project) -> None:
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-image=registry.example:5000/team/app:1.4",
        "--collect-only",
        "-q",
    )
    nodes = ("app.tar", "registry.example:5000/team/app:1.4")
    listed = [line for line in result.text.splitlines() if "::" in line]
    assert listed == [f"{node}::{check}" for node in nodes for check in IMAGE]


def test_a_check_of_builds_is_refused_for_an_image(project: Project) -> None:
    result = project.pytest("--dockercache-image=app.tar", "app.tar::env-layer-cached")
    assert result.code == 4
    assert result.has("app.tar::env-layer-cached: not a check of an image that is already built")


def test_a_dockerfile_beside_the_image_gives_lines_and_is_not_built(project: Project) -> None:
    project.files["Dockerfile"] = (
        "FROM made\nRUN conda env update -n base -f environment.yml\nCOPY src/ ./src/\n"
    )
    pyc = add("opt/conda/lib/a.pyc", b"x" * 10)
    (project.root / "app.tar").write_bytes(image("3.10.4", pyc, add("opt/conda/lib/a.py")))
    result = project.pytest("--dockercache-image=app.tar", "-k", "bytecode")
    assert result.counts["failed"] == 1
    assert result.has("   2  RUN conda env update")
    assert project.builds == []


def test_a_dockerfile_that_is_named_as_well_is_built(project: Project) -> None:
    project.files["Dockerfile"] = "FROM made\nCOPY src/ ./src/\n"
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-dockerfile=Dockerfile",
        "--collect-only",
        "-q",
    )
    assert result.has("app.tar::no-bytecode", "Dockerfile::builds", "Dockerfile::no-bytecode")


def test_a_dockerfile_of_the_ini_file_is_not_built_for_an_image(project: Project) -> None:
    project.files["docker/Dockerfile"] = "FROM made\nCOPY src/ ./src/\n"
    project.ini = "dockercache_dockerfile = docker/Dockerfile"
    result = project.pytest("--dockercache-image=app.tar", "--collect-only", "-q")
    assert result.has("app.tar::no-bytecode")
    assert "Dockerfile::" not in result.text


def test_an_image_is_judged_beside_other_arguments_and_by_workers(project: Project) -> None:
    project.files["tests/test_a.py"] = "def test_a(): pass"
    result = project.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-base-image=base.tar",
        "tests",
        "-k",
        "hidden or test_a",
        "-n2",
        process=True,
    )
    assert result.counts == {"passed": 2}
    assert result.has("all layers")


def test_an_archive_that_is_none_is_an_error_and_no_traceback(project: Project) -> None:
    Path(project.root / "app.tar").write_bytes(b"not a tar at all" * 100)
    result = project.pytest("--dockercache-image=app.tar", "app.tar::no-bytecode")
    assert result.counts == {"errors": 1}
    assert "Traceback" not in result.text
