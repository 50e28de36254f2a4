"""The plugin costs nothing while it is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FORBIDDEN = ("docker", "requests", "yaml", "filelock", "dockerfile_parse")

PROBE = """
import json, sys, pytest
code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
print()
print(json.dumps([int(code), sorted(sys.modules)]))
"""


def told_by(program: str, project: Path, *arguments: str) -> Any:
    """The JSON value in the last line of a program that runs pytest with this plugin alone."""
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_dockercache.plugin",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def modules_after_collecting(project: Path, *arguments: str) -> set[str]:
    """The modules that a pytest process has imported once it has collected one test."""
    (project / "test_a.py").write_text("def test_a(): pass\n")
    code, modules = told_by(PROBE, project, *arguments)
    assert code == 0
    return set(modules)


def test_collecting_without_dockercache_imports_no_third_party_package(tmp_path: Path) -> None:
    modules = modules_after_collecting(tmp_path)
    assert "pytest_dockercache.plugin" in modules
    assert {name for name in modules if name.partition(".")[0] in FORBIDDEN} == set()


def test_collecting_without_dockercache_imports_the_entry_alone(
    tmp_path: Path,
) -> None:
    ours = {name for name in modules_after_collecting(tmp_path) if "dockercache" in name}
    assert ours == {
        "pytest_dockercache",
        "pytest_dockercache.plugin",
    }


def test_the_plugin_adds_no_module_of_the_standard_library(tmp_path: Path) -> None:
    with_it = modules_after_collecting(tmp_path)
    without = modules_after_collecting(tmp_path, "-p", "no:pytest_dockercache.plugin")
    assert {name for name in with_it - without if "dockercache" not in name} == set()


IMPORTED = """
import json, sys, pytest

class Look:
    def pytest_collection_finish(self):
        import pytest_dockercache.checks.serving  # what nobody needed so far
        ours = [m for n, m in sys.modules.items() if n.startswith("pytest_dockercache.")]
        self.loaders = {m.__name__: type(m.__spec__.loader).__name__ for m in ours}

look, before = Look(), list(sys.meta_path)
code = pytest.main(
    ["--dockercache", "--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]], [look]
)
print()
print(json.dumps([int(code), look.loaders, sys.meta_path == before]))
"""


def test_pytest_does_not_compile_our_modules_anew_when_the_plugin_is_on(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    # As in a wheel's installation, where every file of the distribution is listed.
    (tmp_path / "conftest.py").write_text(
        "import pytest\npytest.register_assert_rewrite('pytest_dockercache')\n"
    )
    code, loaders, restored = told_by(IMPORTED, tmp_path)
    assert code == 0
    rewritten = {name for name, loader in loaders.items() if loader != "SourceFileLoader"}
    # Pytest imports these before anybody has asked for us.
    assert rewritten <= {
        "pytest_dockercache.plugin",
        "pytest_dockercache._pytest",
    }
    assert {"pytest_dockercache.subject", "pytest_dockercache.checks.serving"} <= set(loaders)
    assert restored


def test_the_docker_sdk_is_not_imported_before_something_is_built(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    modules = modules_after_collecting(tmp_path, "--dockercache", "--dockercache-engine=buildx")
    assert "pytest_dockercache.engines" in modules
    assert {"docker", "requests", "urllib3"} & modules == set()


GARBAGE = """
import gc, json, sys, weakref, pytest

class Cycle:
    pass

class Look:
    def pytest_collection_finish(self):
        self.frozen, self.enabled = gc.get_freeze_count(), gc.isenabled()
        cycle = Cycle()
        cycle.itself, self.cycle = cycle, weakref.ref(cycle)
        del cycle
        gc.collect()

if sys.argv[1:] == ["frozen"]:
    gc.freeze()
if sys.argv[1:] == ["disabled"]:
    gc.disable()
own, enabled = gc.get_freeze_count(), gc.isenabled()
look = Look()
pytest.main(["--dockercache", "--collect-only", "-q", "-p", "no:cacheprovider"], [look])
print()
print(json.dumps({
    "enabled": [enabled, look.enabled, gc.isenabled()],
    "frozen": [own, look.frozen, gc.get_freeze_count()],
    "collected": look.cycle() is None,
}))
"""


def garbage_of(project: Path, *arguments: str) -> dict[str, Any]:
    """What the garbage collector did in a session with the plugin."""
    (project / "Dockerfile").write_text("FROM scratch\n")
    told: dict[str, Any] = told_by(GARBAGE, project, *arguments)
    return told


def test_what_is_imported_is_left_out_of_collections_until_the_session_ends(
    tmp_path: Path,
) -> None:
    told = garbage_of(tmp_path)
    assert told["enabled"] == [True, True, True]
    before, during, after = told["frozen"]
    assert (before, after) == (0, 0)
    assert during > 10_000
    assert told["collected"], "the garbage of tests is collected as ever"


def test_a_process_with_frozen_objects_of_its_own_keeps_them(tmp_path: Path) -> None:
    before, during, after = garbage_of(tmp_path, "frozen")["frozen"]
    assert before
    assert abs(during - before) + abs(after - before) < 0.1 * before


def test_a_process_that_collects_nothing_goes_on_so(tmp_path: Path) -> None:
    told = garbage_of(tmp_path, "disabled")
    assert told["enabled"] == [False, False, False]
    assert told["frozen"] == [0, 0, 0]
