"""The versions of Python that the files of a project pin."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.environments import PythonPin, python_pins
from pytest_dockercache.errors import ConfigError


@pytest.mark.parametrize(
    ("spec", "pin"),
    [
        ("python=3.10", "3.10"),
        ("python==3.10.4", "==3.10.4"),
        ("python>=3.10,<3.11", ">=3.10,<3.11"),
        ("python >=3.10, <3.11", ">=3.10,<3.11"),
        ("python 3.10.*", "3.10"),
        ("python=3.10.*", "3.10"),
        ("python 3.10", "==3.10"),
        ("conda-forge::python=3.10", "3.10"),
        ("conda-forge/linux-64::python=3.10", "3.10"),
        ("python=3.10.4=h12debd9_0", "==3.10.4"),
        ("python==3.10.4=h12debd9_0", "==3.10.4"),
        ("python 3.10.4 h12debd9_0", "==3.10.4"),
        ("python[version='>=3.10']", ">=3.10"),
        ("python = 3.10", "3.10"),
        ("python= 3.10", "3.10"),
        ("python (>=3.10,<3.12)", "(>=3.10,<3.12)"),
        ("Python=3.10", "3.10"),
        ("python~=3.10.0", "~=3.10.0"),
        ("python!=3.9", "!=3.9"),
        ("python", None),
        ("python=*", None),
        ("python-dateutil=2.8", None),
        ("pythonnet=3.0", None),
    ],
)
def test_a_match_spec_of_python_gives_its_version(
    tmp_path: Path, spec: str, pin: str | None
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(f'name: a\ndependencies:\n  - numpy\n  - "{spec}"\n  - pip:\n      - x\n')
    assert [found.spec for found in python_pins(file)] == ([] if pin is None else [pin])


@pytest.mark.parametrize(
    ("name", "text", "pin"),
    [
        (".python-version", "3.10.4\n", "3.10.4"),
        (".python-version", "# ours\ncpython-3.11\n", "3.11"),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.10, <3.12"\n', ">=3.10,<3.12"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.10"\n', ">=3.10,<4"),
        ("pyproject.toml", '[project]\nrequires-python = ">= 3.10"\n', ">=3.10"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3.10"\n', ">=3.10,<3.11"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3.10.2"\n', ">=3.10.2,<3.11"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~3"\n', ">=3,<4"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "~=3.10"\n', "~=3.10"),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.10 || ^3.11"\n',
            ">=3.10,<4|>=3.11,<4",
        ),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = ">=3.10 <3.12"\n', ">=3.10,<3.12"),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.10,!=3.11.1"\n',
            ">=3.10,<4,!=3.11.1",
        ),
        ("pixi.toml", '[dependencies]\npython = "3.10.*"\n', "3.10.*"),
        ("pixi.toml", '[dependencies]\npython = "3.10.* *_cpython"\n', "3.10.*"),
        ("pixi.toml", '[dependencies]\npython = { version = ">=3.10" }\n', ">=3.10"),
        ("Pipfile", '[requires]\npython_version = "3.10"\n', "3.10"),
        ("requirements.txt", "python-dateutil==2.8\n", None),
        ("environment.yml", "- a\n", None),
        ("environment.yml", "", None),
        ("conda-lock.yml", "package:\n- name: python\n  version: 3.10.4\n", "==3.10.4"),
    ],
)
def test_other_manifests_pin_python_too(
    tmp_path: Path, name: str, text: str, pin: str | None
) -> None:
    (tmp_path / name).write_text(text)
    found = [found.spec for found in python_pins(tmp_path / name)]
    assert found == ([] if pin is None else [pin])


UV_SAYS = [
    ("3.10\n", "3.10"),
    ("\n# ours\n3.10.4\n", "3.10.4"),
    (">=3.10,<3.11\n", ">=3.10,<3.11"),
    (">= 3.10, < 3.11", ">=3.10,<3.11"),
    ("cpython@3.10", "3.10"),
    ("cpython-3.10.4-linux-x86_64-gnu", "3.10.4"),
    ("python3.10", "3.10"),
    ("cp310", "3.10"),
    ("pypy3.10-7.3.12", "3.10"),
    ("pypy@3.10", "3.10"),
    ("3.13t", "3.13"),
    ("3.13+freethreaded", "3.13"),
    ("~=3.10.2", "~=3.10.2"),
    ("3.10\n3.11\n", "3.10"),  # pyenv: the first is python, the others python3.11 …
    ("miniconda3-24.1\n3.11\n", None),
    ("my-virtualenv", None),
    ("/usr/bin/python3.10", None),
    ("graalpy-24.0", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "pin"), UV_SAYS)
def test_a_version_file_says_what_uv_and_pyenv_read_in_it(
    tmp_path: Path, text: str, pin: str | None
) -> None:
    file = tmp_path / ".python-version"
    file.write_text(text)
    assert [found.spec for found in python_pins(file)] == ([] if pin is None else [pin])


URL = "https://conda.anaconda.org/conda-forge/linux-64"
TWO_PLATFORMS = """\
package:
- {name: python, version: 3.10.9, platform: osx-arm64, manager: conda}
- {name: python, version: 3.10.4, platform: linux-64, manager: conda}
- {name: python, version: 3.11.1, platform: linux-aarch64, manager: conda}
"""
PIXI = """\
version: 6
environments:
  default:
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.10.4-h1_0_cpython.conda
      - conda: https://conda.anaconda.org/conda-forge/noarch/python-dateutil-2.8-py_0.conda
      osx-arm64:
      - conda: https://conda.anaconda.org/conda-forge/osx-arm64/python-3.10.9-h1_0_cpython.conda
"""


@pytest.mark.parametrize(
    ("name", "text", "pins"),
    [
        ("environment.yml", "dependencies: [python>=3.9, 'python<3.11']\n", [">=3.9", "<3.11"]),
        ("explicit.txt", f"@EXPLICIT\n{URL}/python-3.10.4-h1_0.conda#ab\n", ["==3.10.4"]),
        ("any-name", f"# x\n@EXPLICIT\n{URL}/python-3.10.4-h1_0.tar.bz2\n", ["==3.10.4"]),
        ("e.txt", f"@EXPLICIT\n{URL}/python-dateutil-2.8-py_0.conda\n{URL}/x-1-0.conda", []),
        ("conda-lock.yml", TWO_PLATFORMS, ["==3.10.4"]),
        ("pixi.lock", PIXI, ["==3.10.4"]),
        ("pyproject.toml", 'project.requires-python = ">=3.10"\n', [">=3.10"]),
        ("pyproject.toml", 'project = {requires-python = ">=3.10"}\n', [">=3.10"]),
        ("pyproject.toml", '[project]\nreadme = """\nrequires-python = "<3"\n"""\n', []),
        ("pyproject.toml", '[tool.pixi.dependencies.python]\nversion = "3.10.*"\n', ["3.10.*"]),
        ("pyproject.toml", '[tool.pixi]\ndependencies = {python = "3.10.*"}\n', ["3.10.*"]),
        (
            "pyproject.toml",
            '[project]\nrequires-python = ">=3.9"\n[tool.poetry.dependencies]\npython = "<3.11"\n',
            [">=3.9", "<3.11"],
        ),
        (
            "pixi.toml",
            '[target.linux-64.dependencies]\npython = "3.10.*"\n'
            '[target.osx-arm64.dependencies]\npython = "3.11.*"\n',
            ["3.10.*"],
        ),
        (
            "pixi.toml",
            '[environments]\ndefault = ["new"]\n'
            '[feature.new.dependencies]\npython = "3.10.*"\n'
            '[feature.old.dependencies]\npython = "3.9.*"\n',
            ["3.10.*"],
        ),
        ("Pipfile", '[requires]\npython_version="3"\npython_full_version="3.10.4"\n', ["3.10.4"]),
        ("Pipfile.lock", '{"_meta": {"requires": {"python_version": "3.10"}}}', ["3.10"]),
        ("uv.lock", 'requires-python = "==3.10.*"\n', ["==3.10.*"]),
        ("poetry.lock", '[metadata]\npython-versions = "^3.10"\n', [">=3.10,<4"]),
        (
            "pdm.lock",
            '[[metadata.targets]]\nrequires_python = "==3.10.*"\n'
            '[[metadata.targets]]\nrequires_python = "==3.11.*"\n',
            ["==3.10.*|==3.11.*"],
        ),
        ("pylock.toml", 'lock-version = "1.0"\nrequires-python = ">=3.10"\n', [">=3.10"]),
        ("setup.cfg", "[options]\npython_requires = >=3.9, !=3.9.1\n", [">=3.9,!=3.9.1"]),
        ("requirements.txt", "python-dateutil\ngit+https://x/python@1\n", []),
    ],
)  # fmt: skip
def test_every_pin_of_a_file_counts_that_is_for_the_platform(
    tmp_path: Path, name: str, text: str, pins: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert [found.spec for found in python_pins(tmp_path / name)] == pins


def test_a_lock_has_the_pin_of_the_images_platform(tmp_path: Path) -> None:
    (tmp_path / "conda-lock.yml").write_text(TWO_PLATFORMS)
    (tmp_path / "pixi.lock").write_text(PIXI)
    arm = python_pins(tmp_path / "conda-lock.yml", platform="linux/arm64/v8")
    assert [(pin.spec, pin.line) for pin in arm] == [("==3.11.1", 4)]
    assert python_pins(tmp_path / "pixi.lock", platform="linux/arm64") == ()


def test_a_list_of_match_specs_pins_where_it_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "specs.txt").write_text("numpy\npython = 3.10\n")
    assert python_pins(tmp_path / "specs.txt") == ()
    (pin,) = python_pins(tmp_path / "specs.txt", specs=True)
    assert (pin.spec, pin.line) == ("3.10", 2)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (
            "environment.yml",
            "dependencies:\n- a\n- python=>3\n",
            r"environment\.yml:3: .python=>3.",
        ),
        ("pyproject.toml", "[project]\na = \n", r"pyproject\.toml:2:5: invalid TOML"),
        ("Pipfile.lock", "{", r"Pipfile\.lock: invalid JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=reason):
        python_pins(tmp_path / name)


def test_a_pin_that_cannot_be_read_is_named_with_its_file() -> None:
    with pytest.raises(ConfigError, match=r"p\.toml: python is pinned to '>3 or so'"):
        PythonPin(">3 or so", "p.toml").fits("3.10.4")


@pytest.mark.parametrize(
    ("pin", "version", "holds"),
    [
        ("3.10", "3.10.4", True),
        ("3.1", "3.10.4", False),
        ("3.1", "3.1.5", True),
        ("3.10.*", "3.10.4", True),
        ("==3.10.4", "3.10.4", True),
        ("==3.10.4", "3.10.5", False),
        (">=3.10,<3.11", "3.10.4", True),
        (">=3.10,<3.11", "3.11.0", False),
        ("3.9.*|3.10.*", "3.10.4", True),
        ("~=3.10", "3.12.1", True),
    ],
)
def test_a_pin_is_a_match_spec(pin: str, version: str, holds: bool) -> None:
    assert PythonPin(pin, "the test").fits(version) is holds


PIXI_FEATURES = """\
[dependencies]
python = ">=3.9"
[feature.old.dependencies]
python = "3.10.*"
[feature.new.target.linux-64.dependencies]
python = "3.12.*"
[environments]
default = ["old"]
new = { features = ["new"], no-default-feature = true }
"""


def test_each_environment_of_pixi_has_the_pins_of_its_features(tmp_path: Path) -> None:
    (tmp_path / "pixi.toml").write_text(PIXI_FEATURES)

    def read(*environments: str) -> list[tuple[str, str]]:
        found = python_pins(tmp_path / "pixi.toml", environments=environments)
        return [(pin.environment, pin.spec) for pin in found]

    default = [("default", ">=3.9"), ("default", "3.10.*")]
    assert read("default") == default
    assert read("new") == [("new", "3.12.*")]
    assert read("*") == [*default, ("new", "3.12.*")]


def test_a_lock_of_pixi_has_a_pin_for_each_environment(tmp_path: Path) -> None:
    url = "https://conda.anaconda.org/conda-forge/linux-64/python"
    text = "version: 6\nenvironments:\n" + "".join(
        f"  {name}:\n    packages:\n      linux-64:\n      - conda: {url}-{version}-h1_0.conda\n"
        for name, version in (("default", "3.10.4"), ("new", "3.12.1"))
    )
    (tmp_path / "pixi.lock").write_text(text)
    (pin,) = python_pins(tmp_path / "pixi.lock", environments=("new",))
    assert (pin.spec, pin.environment) == ("==3.12.1", "new")
