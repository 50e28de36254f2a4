"""The questions of a team's own test about the image: its files, packages and server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plugin_process import environment, run_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

TEST = """\
import pytest
from pytest_dockercache import CacheAssertionError


@pytest.mark.dockercache
def test_the_notebook_image(dockercache):
    image = dockercache.image
    status, body = image.serves(8888, "/lab", timeout=60)
    assert status == 200
    assert b"JupyterLab" in body
    with pytest.raises(CacheAssertionError, match="does not serve http://localhost:9/"):
        image.serves(9, timeout=1)
    assert image.config.exposed_ports == ("8888/tcp",)
    assert "/opt/app/src/main.py" in [found.name for found in image.files("/opt/app/src/*.py")]
    assert "/opt/app/src/main.py" in [found.name for found in image.find("main.py")]
    assert image.hidden_bytes() < 10_000_000
    assert image.environment("app").python.startswith("3.10")
    image.assert_environment("environment.yml")
    image.assert_same_environment(image)
    assert image.run(["python", "-c", "print(1)"]).stdout == "1\\n"
    image.assert_no_package_caches()
    image.assert_no_bytecode()
    image.assert_no_hidden_bytes()
    image.assert_python("3.10")
    with pytest.raises(CacheAssertionError, match="python is 3.10.4, not 3.1"):
        image.assert_python("3.1")
"""


def test_an_image_answers_for_its_files_packages_and_server(
    sample: Callable[[str], Path], miniconda: str
) -> None:
    project = sample("jupyter")
    (project / "test_image.py").write_text(TEST)
    done = run_pytest(
        project,
        *("-p", "no:cacheprovider"),
        f"--dockercache-build-arg=BASE={miniconda}",
        "test_image.py",
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
