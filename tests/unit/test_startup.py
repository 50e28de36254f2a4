"""The plugin costs nothing while it is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FORBIDDEN = ("docker", "requests", "yaml", "filelock", "dockerfile_parse")

PROBE = """
import json, sys, pytest
code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
print()
print(json.dumps([int(code), sorted(sys.modules)]))
"""


def modules_after_collecting(project: Path, *arguments: str) -> set[str]:
    """The modules that a pytest process has imported once it has collected one test."""
    (project / "test_a.py").write_text("def test_a(): pass\n")
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_dockercache.plugin",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout
    return set(modules)


def test_collecting_without_dockercache_imports_no_third_party_package(tmp_path: Path) -> None:
    modules = modules_after_collecting(tmp_path)
    assert "pytest_dockercache.plugin" in modules
    assert {name for name in modules if name.partition(".")[0] in FORBIDDEN} == set()


def test_collecting_without_dockercache_imports_one_module_of_ours(tmp_path: Path) -> None:
    ours = {name for name in modules_after_collecting(tmp_path) if "dockercache" in name}
    assert ours == {"pytest_dockercache", "pytest_dockercache.plugin"}


def test_the_plugin_adds_no_module_of_the_standard_library(tmp_path: Path) -> None:
    with_it = modules_after_collecting(tmp_path)
    without = modules_after_collecting(tmp_path, "-p", "no:pytest_dockercache.plugin")
    assert {name for name in with_it - without if "dockercache" not in name} == set()
