"""Markers are evaluated for the image, as far as it is known."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from layer_maker import dist, layer

from pytest_dockercache.environments.comparison import matches
from pytest_dockercache.environments.installed import environment
from pytest_dockercache.environments.requirements import parse_requirements
from pytest_dockercache.image import replay

PACKAGING = int(version("packaging").partition(".")[0])


@pytest.mark.parametrize(
    ("site", "platform", "marker", "meant"),
    [
        ("lib/python3.10/site-packages", "linux/amd64", "python_version >= '3.11'", False),
        ("lib/python3.10/site-packages", "linux/amd64", "python_version < '3.11'", True),
        ("lib/python3.10/site-packages", "linux/amd64", "python_full_version < '3.11.2'", True),
        ("lib/python3.10/site-packages", "linux/amd64", "python_full_version < '3.10.2'", None),
        ("lib/python3.10/site-packages", "linux/amd64", "implementation_version < '3.10.2'", None),
        ("lib/python3.10/site-packages", "linux/amd64", "platform_machine == 'x86_64'", True),
        ("lib/python3.10/site-packages", "linux/arm64/v8", "platform_machine == 'x86_64'", False),
        ("lib/python3.10/site-packages", "linux/arm64/v8", "platform_machine == 'aarch64'", True),
        ("lib/python3.10/site-packages", "linux/arm/v7", "platform_machine == 'armv7l'", None),
        ("lib/python3.10/site-packages", "linux/arm/v7",
         "os_name != 'nt' or platform_machine == 'x'", True),
        ("lib/python3.10/site-packages", "linux/amd64", "platform_release >= '5.15'", None),
        ("lib/python3.10/site-packages", "linux/amd64",
         "sys_platform == 'win32' and platform_release >= '10'", False),
        ("lib/python3.10/site-packages", "linux/amd64", "platform_system == 'Linux'", True),
        ("lib/python3.10/site-packages", "linux/amd64", "implementation_name == 'pypy'", False),
        ("lib/pypy3.10/site-packages", "linux/amd64", "implementation_name == 'pypy'", True),
        ("lib/pypy3.10/site-packages", "linux/amd64",
         "platform_python_implementation == 'CPython'", False),
        ("lib/python3/dist-packages", "linux/amd64", "python_version >= '3.11'", None),
        ("lib/python3/dist-packages", "linux/amd64", "python_version >= '2.7'", True),
        ("lib/python3.10/site-packages", "linux/amd64", "os_name ~= 'posix'", None),
        pytest.param(
            "lib/python3.10/site-packages", "linux/amd64", "'dev' in dependency_groups", None,
            marks=pytest.mark.skipif(PACKAGING < 25, reason="packaging reads it from 25.0 on"),
        ),
        ("lib/python3.10/site-packages", "windows/amd64", "sys_platform == 'linux'", None),
    ],
)  # fmt: skip
def test_a_marker_is_evaluated_for_the_image_and_not_for_this_process(
    site: str, platform: str, marker: str, meant: bool | None
) -> None:
    installed = environment(replay([layer(dist("pip", "24", f"usr/{site}"))]), "/usr")
    wanted = parse_requirements(f"absent; {marker}", Path("requirements.txt"))
    found = matches(wanted, installed, platform=platform)
    assert [item.name for item in found.differences] == (["absent"] if meant else [])
    assert bool(found.unverified) is (meant is None)
    assert found.verified == int(meant is True)
