"""``pixi.lock``, held against py-rattler, which reads it for pixi itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.environments.requirements import read_requirements
from pytest_dockercache.environments.selection import LockSelection
from pytest_dockercache.errors import ConfigError, Unverifiable

CHANNEL = "https://conda.anaconda.org/conda-forge"
LOCK = f"""\
version: 6
environments:
  default:
    channels:
    - url: {CHANNEL}/
    indexes:
    - https://pypi.org/simple
    packages:
      linux-64:
      - conda: {CHANNEL}/linux-64/bzip2-1.0.8-h4bc722e_7.conda
      - pypi: https://files.pythonhosted.org/packages/6.whl/six-1.17.0-py2.py3-none-any.whl
      - pypi: ./
  dev:
    channels:
    - url: {CHANNEL}/
    packages:
      linux-64:
      - conda: {CHANNEL}/noarch/tzdata-2025b-h78e105d_0.conda
packages:
- conda: {CHANNEL}/linux-64/bzip2-1.0.8-h4bc722e_7.conda
  sha256: {"a5" * 32}
  md5: {"a6" * 16}
- conda: {CHANNEL}/noarch/tzdata-2025b-h78e105d_0.conda
  sha256: {"a7" * 32}
- pypi: https://files.pythonhosted.org/packages/6.whl/six-1.17.0-py2.py3-none-any.whl
  name: six
  version: 1.17.0
  sha256: {"a8" * 32}
- pypi: ./
  name: demo
  version: 0.1.0
  sha256: {"a9" * 32}
  editable: true
"""


@pytest.mark.parametrize("environment", ["default", "dev"])
def test_the_packages_of_an_environment_are_those_that_rattler_reads(
    environment: str, tmp_path: Path
) -> None:
    rattler = pytest.importorskip("rattler")
    file = tmp_path / "pixi.lock"
    file.write_text(LOCK)
    found = read_requirements(file, selection=LockSelection(environment=environment))
    read = rattler.LockFile.from_path(file).environment(environment)
    (platform,) = read.platforms()
    conda, pypi = set(), set()
    for item in read.packages(platform):
        if isinstance(item, rattler.lock.PypiLockedPackage):
            pypi.add((item.name, str(item.version) if "://" in item.location else ""))
        else:
            record = item.package_record
            conda.add((record.name.normalized, str(record.version), str(record.build)))
    assert {(spec.name, spec.version.lstrip("="), spec.build) for spec in found.conda} == conda
    assert {tuple(line.partition("==")[::2]) for line in found.pip} == pypi


def test_builds_and_digests_are_exact_and_a_project_may_have_moved_on(tmp_path: Path) -> None:
    file = tmp_path / "pixi.lock"
    file.write_text(LOCK)
    found = read_requirements(file, selection=LockSelection(removes="unselected"))
    (spec,) = found.conda
    assert (spec.version.lstrip("="), spec.build) == ("1.0.8", "h4bc722e_7")
    assert found.digests == {"bzip2": "sha256:" + "a5" * 32}
    assert found.pip == ("six==1.17.0", "demo")
    assert found.exact


def test_what_a_lock_does_not_have_is_said_with_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "pixi.lock"
    file.write_text(LOCK)
    with pytest.raises(ConfigError, match="no environment test; it has: default, dev"):
        read_requirements(file, selection=LockSelection(environment="test"))
    with pytest.raises(ConfigError, match="no packages for linux-aarch64; it has: linux-64"):
        read_requirements(file, platform="linux/arm64")
    with pytest.raises(Unverifiable, match="all environments"):
        read_requirements(file, selection=LockSelection(environment="*"))
