"""The samples of other managers as the cache model judges them; ``tests/engine`` builds them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from example import Project

from pytest_dockercache.environments.tools import tools

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "managers"
SAMPLES = sorted(path.parent.name for path in FIXTURES.glob("*/Dockerfile"))
MADE_BY_TESTS = {"go": ("go.sum",), "npm": ("packages/greet-1.0.0.tgz",)}
OF_THE_SYSTEM = ("apk", "apt", "dnf", "pacman", "zypper")


def test_every_manager_has_a_sample_with_a_good_and_a_broken_dockerfile() -> None:
    read = {tool.name.lower() for tool in tools() if tool.foreign and not tool.installs}
    assert set(SAMPLES) == read
    for name in SAMPLES:
        first = (FIXTURES / name / "Dockerfile.broken").read_text().splitlines()[0]
        assert first.startswith("# Broken on purpose: ")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_good_dockerfile_keeps_its_environment_and_the_broken_one_does_not(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(FIXTURES / name, project.pytester.path / name))
    for path in MADE_BY_TESTS.get(name, ()):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text("x\n")
    monkeypatch.chdir(root)
    report = project.pytester.path / "report.json"
    result = project.pytester.runpytest_inprocess(
        *(f"--rootdir={root}", "-p", "no:cacheprovider", "--dockercache"),
        *("--dockercache-engine=model", f"--dockercache-report=json:{report}"),
        *("--dockercache-dockerfile=Dockerfile", "--dockercache-dockerfile=Dockerfile.broken"),
    )
    images = {i["dockerfile"]: i["checks"] for i in json.loads(report.read_text())["images"]}
    failed = {
        dockerfile: {
            check["id"]: check["message"] for check in checks if check["outcome"] == "failed"
        }
        for dockerfile, checks in images.items()
    }
    assert failed["Dockerfile"] == {}, result.outlines
    assert set(failed["Dockerfile.broken"]) == {"env-layer-cached"}, result.outlines
    assert "copied before it" in failed["Dockerfile.broken"]["env-layer-cached"]
    good = {check["id"]: check for check in images["Dockerfile"]}
    skip = "does-not-apply" if name in OF_THE_SYSTEM else None
    assert good["env-layer-cached"]["skip"] == skip
    if name not in OF_THE_SYSTEM:
        assert good["env-change-rebuilds"]["outcome"] == "passed", result.outlines
