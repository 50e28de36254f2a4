"""The entries that builders write into an image's history are matched to their lines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import docker
import pytest

from plugin_process import environment, only_image, run_pytest
from pytest_dockercache.checks.reading import final_chain
from pytest_dockercache.dockerfile import PlannedStep, parse_dockerfile, plan
from pytest_dockercache.errors import Unverifiable
from pytest_dockercache.image import ImageLayers, map_layers_to_lines, open_image

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

BOTH = """\
ARG BASE
FROM ${BASE} AS one
RUN echo one > /one
WORKDIR /made
ONBUILD RUN echo trigger > /trigger
FROM one
ARG A=1
ARG B="two words"
ARG UNSET
ENV X=x Y="y  y"
RUN echo plain   two > /p1
RUN echo $A ${X} "$Y" \\
    && echo next \\
    # a comment

    && echo three > /p2
RUN ["/bin/sh", "-c", "echo exec > /p3"]
run echo joi\\
ned	tab > /p4 # trailing
SHELL ["/bin/sh", "-e", "-c"]
RUN echo shell > /p5
WORKDIR sub
WORKDIR $X/dir
WORKDIR /absolute/../cleaned/
WORKDIR /
WORKDIR /w
COPY a.txt b.txt ./
COPY a.txt /dest/$X-${UNSET:-default}-$A.txt
COPY src /dest/src
COPY src/ relative
COPY --from=one /one .
COPY --chown=1:2 a.txt /dest/own
COPY ["a.txt", "/dest/with space"]
COPY *.txt '/dest/$X/'
ADD a.tar /dest/archive/
LABEL a=b c="d e"
ENTRYPOINT ["a"]
CMD echo $A
"""

BUILDKIT = """\
ARG BASE
FROM ${BASE}
ARG A=1
ENV X=x
RUN <<EOT
echo a
# comment $A
echo b > /x
EOT
RUN <<EOT sh
echo a > /y
EOT
RUN <<-"EOT"
	#!/bin/sh
	echo $X > /z
EOT
RUN cat <<A > /n && cat <<B > /m
one
A
two
B
RUN --mount=type=bind,source=a.txt,target=/mnt/a.txt --network=none cat /mnt/a.txt > /q
COPY --link a.txt /dest/
COPY --chmod=600 --chown=3:4 a.txt /dest/mod
COPY <<EOT <<"EOU" /dest/$X/
hello
EOT
you
EOU
WORKDIR "/q q"
"""

Built = Callable[..., ImageLayers]


@pytest.fixture
def built(
    docker_daemon: docker.DockerClient, tiny: str, tmp_path: Path
) -> Iterator[Callable[..., ImageLayers]]:
    """Builds a Dockerfile on the tiny base image with other build arguments than its own."""
    tags: list[str] = []

    def build(dockerfile: str, *, buildkit: bool) -> ImageLayers:
        for name in ("a.txt", "b.txt", "src/c"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(name)
        subprocess.run(["tar", "cf", "a.tar", "a.txt"], cwd=tmp_path, check=True)
        # Bytes, because text would lose its carriage returns.
        (tmp_path / "Dockerfile").write_bytes(dockerfile.encode())
        tags.append(f"dockercache-test-histories:{len(tags)}-{os.getpid()}")
        arguments = ("--build-arg", f"BASE={tiny}", "--build-arg", "A=other  value")
        done = subprocess.run(
            ["docker", "build", "-q", *arguments, "-t", tags[-1], str(tmp_path)],
            env={**os.environ, "DOCKER_BUILDKIT": str(int(buildkit))},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return open_image(tags[-1], client=docker_daemon)

    yield build
    for tag in tags:
        docker_daemon.images.remove(tag, noprune=True)


def steps_of(dockerfile: str, build_args: Mapping[str, str] = {}) -> tuple[PlannedStep, ...]:
    """The steps of the final stage and of those that it is built FROM."""
    parsed = parse_dockerfile(dockerfile)
    steps = plan(parsed, build_args={"BASE": "base", **build_args})
    return final_chain(steps, len(parsed.stages) - 1)


@pytest.mark.parametrize("crlf", [False, True])
@pytest.mark.parametrize("buildkit", [True, False])
def test_every_instruction_is_known_again_whatever_the_build_arguments_were(
    built: Built, buildkit: bool, crlf: bool
) -> None:
    image = built(BOTH.replace("\n", "\r\n") if crlf else BOTH, buildkit=buildkit)
    lines = map_layers_to_lines(image.history, steps_of(BOTH), image.config.shell)
    files = {
        "/one": 3, "/trigger": 6, "/p1": 11, "/p2": 12, "/p3": 17, "/p4": 18, "/p5": 21,
        "/w/b.txt": 27, "/dest/src/c": 29, "/w/relative/c": 30, "/w/one": 31, "/dest/own": 32,
        "/dest/with space": 33, "/dest/$X/a.txt": 34, "/dest/archive/a.txt": 35,
    }  # fmt: skip
    found = {name: image.view.get(name) for name in files}
    assert {name: lines.line(at.layer) for name, at in found.items() if at is not None} == files
    assert lines.line(0) is None


def test_heredocs_mounts_and_links_are_known_again(built: Built) -> None:
    image = built(BUILDKIT, buildkit=True)
    lines = map_layers_to_lines(image.history, steps_of(BUILDKIT), image.config.shell)
    files = {"/x": 5, "/y": 10, "/z": 13, "/n": 17, "/q": 22, "/dest/mod": 24, "/dest/x/EOU": 25}
    found = {name: image.view.get(name) for name in files}
    assert {name: lines.line(at.layer) for name, at in found.items() if at is not None} == files


@pytest.mark.parametrize("buildkit", [True, False])
@pytest.mark.parametrize(
    ("line", "was", "now"),
    [
        (11, "RUN echo plain", "RUN echo other"),
        (17, "echo exec", "echo else"),
        (23, "$X/dir", "$X/other"),
        (29, "/dest/src", "/elsewhere/src"),
    ],
)
def test_one_other_instruction_is_another_dockerfile(
    built: Built, buildkit: bool, line: int, was: str, now: str
) -> None:
    image = built(BOTH, buildkit=buildkit)
    with pytest.raises(Unverifiable, match=f"not built from this Dockerfile, .* line {line} is `"):
        map_layers_to_lines(image.history, steps_of(BOTH.replace(was, now, 1)), image.config.shell)


PROJECT = """\
ARG BASE
FROM ${BASE}
COPY src/ /opt/src/
RUN echo done > /opt/done
"""

EDITED = """
import pytest
from pathlib import Path
from pytest_dockercache import CacheAssertionError, Edit

DIRTY = (
    "RUN mkdir -p /opt && touch /opt/a.py && echo x > /opt/a.pyc "
    "&& head -c 11000000 /dev/zero > /opt/big\\n"
    "RUN rm /opt/big\\n"
)


@pytest.mark.dockercache
@pytest.mark.parametrize("as_a_file", [False, True])
def test_the_edited_image(dockercache, as_a_file):
    edit = Edit.dockerfile(Path("Dockerfile").read_text().replace("COPY", DIRTY + "COPY"))
    if as_a_file:
        edit = Edit.replace("Dockerfile", "COPY", DIRTY + "COPY")
    image = dockercache.rebuild(edit).image
    with pytest.raises(CacheAssertionError, match=r"\\.pyc"):
        image.assert_no_bytecode()
    with pytest.raises(CacheAssertionError, match="line 4 deletes what line 3 adds in /opt"):
        image.assert_no_hidden_bytes()


@pytest.mark.dockercache
def test_the_layers(dockercache):
    big = dockercache.rebuild(Edit.create("src/big.txt", "x" * 1_000_000)).image
    assert [layer.size > 1_000_000 for layer in big.layers[1:]] == [True, False]
"""


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_an_edited_image_is_held_against_the_dockerfile_that_it_was_built_from(
    docker_daemon: docker.DockerClient, tiny: str, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print()\n")
    (tmp_path / "Dockerfile").write_text(PROJECT)
    (tmp_path / "test_edited.py").write_text(EDITED)
    done = run_pytest(
        tmp_path,
        *("-p", "no:cacheprovider", "Dockerfile::no-bytecode", "test_edited.py"),
        f"--dockercache-engine={engine}",
        f"--dockercache-build-arg=BASE={tiny}",
        "--dockercache-report=json:out.json",
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    # The report is about the unedited project, not about the image that was inspected last.
    layers = only_image(tmp_path / "out.json")["layers"]
    assert [(layer["line"], layer["size"]) for layer in layers[1:]] == [(3, 8), (4, 5)]
