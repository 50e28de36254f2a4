"""Images that another job built, judged where an engine has them, and as files that it saved."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from plugin_process import environment, only_image, run_pytest

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM {tiny}
RUN mkdir -p /opt/app && echo x > /opt/app/main.pyc && touch /opt/app/main.py
RUN head -c 20000000 /dev/zero > /opt/large
RUN rm /opt/large
"""


@dataclass(frozen=True)
class Shipped:
    """A directory without a Dockerfile, and the image that somebody shipped."""

    root: Path
    tag: str
    base: str
    client: docker.DockerClient

    def pytest(self, *options: str, host: str | None = None) -> subprocess.CompletedProcess[str]:
        env = environment(XDG_CACHE_HOME=str(self.root / ".cache"), COLUMNS="100")
        if host is not None:
            env["DOCKER_HOST"] = host
        return run_pytest(self.root, "-rA", *options, env=env, stderr=subprocess.STDOUT)


@pytest.fixture
def shipped(tiny: str, docker_daemon: docker.DockerClient, tmp_path: Path) -> Iterator[Shipped]:
    """A small image with a bytecode file and 20 MB that a later layer hides."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text(DOCKERFILE.format(tiny=tiny))
    tag = f"dockercache-test-shipped:{uuid.uuid4().hex[:12]}"
    docker_daemon.images.build(path=str(source), tag=tag, rm=True)
    root = tmp_path / "elsewhere"
    root.mkdir()
    yield Shipped(root, tag, tiny, docker_daemon)
    docker_daemon.images.remove(tag)


def outcomes(output: str, node: str) -> dict[str, str]:
    """The outcome of each check, from the short summary."""
    found = {}
    for line in output.splitlines():
        outcome, _, rest = line.partition(" ")
        if outcome in ("PASSED", "FAILED", "ERROR") and rest.startswith(f"{node}::"):
            found[rest.removeprefix(f"{node}::").split(" ")[0]] = outcome
    return found


JUDGED = {"no-package-caches": "PASSED", "no-bytecode": "FAILED", "no-hidden-bytes": "FAILED"}


def test_a_daemons_image_is_judged_and_stays(shipped: Shipped) -> None:
    done = shipped.pytest(
        f"--dockercache-image={shipped.tag}",
        f"--dockercache-base-image={shipped.base}",
        "--dockercache-report=json:out.json",
    )
    assert done.returncode == 1, done.stdout
    assert outcomes(done.stdout, shipped.tag) == JUDGED, done.stdout
    assert "20.0 MB" in done.stdout
    assert f"image  {shipped.tag}" in done.stdout

    image = only_image(shipped.root / "out.json")
    assert (image["image"], image["dockerfile"], image["builds"]) == (shipped.tag, None, [])
    assert [layer["base"] for layer in image["layers"]] == [True, False, False, False]
    assert [layer["hidden_bytes"] for layer in image["layers"]] == [0, 0, 20_000_000, 0]
    assert [layer["bytecode_bytes"] for layer in image["layers"]] == [0, 2, 0, 0]

    assert shipped.client.images.get(shipped.tag)


def test_a_saved_image_is_judged_alike_where_no_daemon_answers(shipped: Shipped) -> None:
    for name, tag in (("app.tar", shipped.tag), ("base.tar", shipped.base)):
        with (shipped.root / name).open("wb") as file:
            for chunk in shipped.client.images.get(tag).save():
                file.write(chunk)
    done = shipped.pytest(
        "--dockercache-image=app.tar",
        "--dockercache-base-image=base.tar",
        host="unix:///nonexistent/docker.sock",
    )
    assert outcomes(done.stdout, "app.tar") == JUDGED, done.stdout
    assert "nonexistent" not in done.stdout


def test_the_dockerfile_beside_it_gives_the_layers_their_lines(shipped: Shipped) -> None:
    (shipped.root / "Dockerfile").write_text(DOCKERFILE.format(tiny=shipped.base))
    done = shipped.pytest(f"--dockercache-image={shipped.tag}", f"{shipped.tag}::no-hidden-bytes")
    assert outcomes(done.stdout, shipped.tag) == {"no-hidden-bytes": "FAILED"}, done.stdout
    assert "   3  RUN head -c 20000000 /dev/zero" in done.stdout
    assert "   4  RUN rm /opt/large" in done.stdout


def test_an_image_that_the_daemon_does_not_have_is_an_error(shipped: Shipped) -> None:
    done = shipped.pytest("--dockercache-image=dockercache-test-none:1", "-k", "bytecode")
    assert outcomes(done.stdout, "dockercache-test-none:1") == {"no-bytecode": "ERROR"}
    assert "the daemon has no image dockercache-test-none:1" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_built_image_is_compared_with_another(
    miniconda: str, docker_daemon: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {miniconda}\nRUN true\n")
    where = Shipped(tmp_path, "", miniconda, docker_daemon)
    done = where.pytest(f"--dockercache-compare={miniconda}", "Dockerfile::environment-same")
    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout, "Dockerfile") == {"environment-same": "PASSED"}
