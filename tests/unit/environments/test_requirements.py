"""Installed packages are held against environment and lock files, one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from layer_maker import add, conda, dist, layer

from pytest_dockercache.environments.comparison import matches
from pytest_dockercache.environments.installed import environment
from pytest_dockercache.environments.requirements import parse_requirements
from pytest_dockercache.errors import ConfigError, Unverifiable
from pytest_dockercache.image import replay

ENV = "opt/conda/envs/app"


INSTALLED = layer(
    conda("python", "3.10.4", "0_cpython"),
    conda(
        "numpy",
        "1.26.4",
        "py310h_1",
        md5="ab" * 16,
        files=["lib/python3.10/site-packages/numpy-1.26.4.dist-info/METADATA"],
    ),
    conda("tzdata", "2024a", "h0c530f3_0"),
    add(f"{ENV}/conda-meta/history", b""),
    dist("numpy", "1.26.4"),
    dist("Flask.Login", "3.0.2"),
    conda("conda", "24.1.0", prefix="opt/conda"),
)
VIEW = replay([INSTALLED])
APP = environment(VIEW, "/opt/conda/envs/app")


def differences(text: str, name: str = "environment.yml") -> list[tuple[str, str]]:
    found = matches(parse_requirements(text, Path(name)), APP)
    return [(item.kind, item.name) for item in found.differences]


def yml(*lines: str, pip: tuple[str, ...] = ()) -> str:
    text = "name: app\ndependencies:\n" + "".join(f'  - "{line}"\n' for line in lines)
    return text + ("  - pip:\n" + "".join(f'    - "{line}"\n' for line in pip) if pip else "")


@pytest.mark.parametrize(
    "spec",
    ["numpy", "numpy=1.26", "numpy=1.26.*", "numpy==1.26.4", "numpy>=1.24,<2", "numpy 1.26.4",
     "numpy=1.26.4=py310*", "conda-forge::numpy", "numpy >=1.20|0.9", "numpy=1.*", "NumPy",
     "conda-forge/linux-64::numpy=1.26", "numpy[version='>=1.26',build=py310*]", "numpy !=1.25",
     "numpy~=1.26.0", "numpy=*=py310h_1", "numpy = 1.26", "numpy= 1.26", "numpy (>=1.24,<2)"],
)  # fmt: skip
def test_a_spec_that_fits_is_no_difference(spec: str) -> None:
    assert differences(yml(spec)) == []


@pytest.mark.parametrize(
    "spec",
    ["numpy=1.2", "numpy=1.2.*", "numpy==1.26", "numpy>=2", "numpy=1.26=py310*", "numpy<1.26.4",
     "defaults::numpy", "numpy=1.26.4=py311*", "numpy 1.26", "numpy!=1.26.*", "numpy~=1.25.0",
     "numpy[version='<1']"],
)  # fmt: skip
def test_a_spec_that_does_not_fit_is_a_difference(spec: str) -> None:
    assert differences(yml(spec)) == [("differing", "numpy")]


def test_packages_that_nobody_asked_for_are_fine_in_an_environment_file() -> None:
    assert differences(yml("python=3.10")) == []
    assert differences(yml("scipy")) == [("missing", "scipy")]


def test_the_pip_part_is_judged_as_pip_sees_it() -> None:
    assert differences(yml("python", pip=("flask_login>=3", "numpy<2", "numpy"))) == []
    assert differences(yml("python", pip=("Flask-Login==2.0", "requests"))) == [
        ("differing", "flask-login"),
        ("missing", "requests"),
    ]
    assert differences(yml("python", pip=("gone; python_version < '3.8'",))) == []
    assert differences(yml("python", pip=("gone; python_version > '3.8'",))) == [
        ("missing", "gone")
    ]


def test_a_requirement_that_is_satisfied_needs_no_marker() -> None:
    text = "flask-login==3.0.2; platform_release >= '5'"
    found = matches(parse_requirements(text, Path("requirements.txt")), APP)
    assert (found.holds, found.unverified, found.verified) == (True, (), 1)


OPTIONS = """\
-i https://i
-fhttps://f
--index-url=https://i
--extra-index-url https://i
--find-links /wheels
--no-binary :all:
--only-binary=:all:
--trusted-host i
--pre
--require-hashes
--prefer-binary
"""


def test_options_that_bring_no_requirement_leave_nothing_open() -> None:
    assert parse_requirements(OPTIONS, Path("requirements.txt")).unverified == ()


@pytest.mark.parametrize("line", ["--mystery", "-e .", "-r https://i/r.txt", "-c limits.txt"])
def test_options_that_may_bring_a_requirement_are_unverified(line: str) -> None:
    assert parse_requirements(line, Path("requirements.txt")).unverified == (line,)


def test_what_metadata_cannot_confirm_is_said_to_be_unverified() -> None:
    text = yml(
        "python", pip=("-e .", "numpy @ https://x/n.whl", "git+https://x/y#egg=numpy", "./z")
    )
    found = matches(parse_requirements(text, Path("environment.yml")), APP)
    assert found.holds
    assert len(found.unverified) == 4


def test_included_requirement_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask-login==9\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("numpy \\\n  >=2  # comment\n")
    text = yml("python", pip=("-r requirements.txt",))
    found = matches(parse_requirements(text, tmp_path / "environment.yml"), APP)
    assert [item.name for item in found.differences] == ["flask-login", "numpy"]
    with pytest.raises(Unverifiable, match=r"includes none\.txt, which is not beside it"):
        parse_requirements("-r none.txt", tmp_path / "requirements.txt")


EXPORT = ("numpy=1.26.4=py310h_1", "python=3.10.4=0_cpython", "tzdata=2024a=h0c530f3_0")


def test_an_export_is_equalled_exactly() -> None:
    assert differences(yml(*EXPORT, pip=("flask-login==3.0.2",))) == []
    assert differences(yml(*EXPORT)) == [("extra", "flask-login")]
    changed = yml(EXPORT[0].replace("_1", "_2"), EXPORT[1], pip=("flask-login==3.0.2",))
    assert differences(changed) == [("differing", "numpy"), ("extra", "tzdata")]


def test_an_explicit_list_is_equalled_for_conda_packages_with_digests() -> None:
    urls = [
        "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py310h_1.conda#" + "ab" * 16,
        "https://conda.anaconda.org/conda-forge/linux-64/python-3.10.4-0_cpython.tar.bz2",
        "https://conda.anaconda.org/conda-forge/noarch/tzdata-2024a-h0c530f3_0.conda",
    ]
    text = "# platform: linux-64\n@EXPLICIT\n" + "\n".join(urls)
    assert differences(text, "explicit.txt") == []
    assert differences(text.replace("#abab", "#cdab"), "explicit.txt") == [("differing", "numpy")]
    assert differences("@EXPLICIT\n" + urls[1]) == [("extra", "numpy"), ("extra", "tzdata")]


def conda_lock(*packages: dict[str, object]) -> str:
    return json.dumps({"version": 1, "package": list(packages)})


def locked(name: str, version: str, build: str = "", **more: object) -> dict[str, object]:
    url = f"https://x/linux-64/{name}-{version}-{build}.conda"
    return {"name": name, "version": version, "manager": "conda", "platform": "linux-64",
            "url": url, "category": "main", **more}  # fmt: skip


def test_a_conda_lock_is_equalled_for_the_images_platform() -> None:
    lock = [
        locked("numpy", "1.26.4", "py310h_1", hash={"md5": "ab" * 16}),
        locked("python", "3.10.4", "0_cpython"),
        locked("tzdata", "2024a", "h0c530f3_0"),
        locked("flask-login", "3.0.2", manager="pip"),
        locked("pytest", "8.0", "0", category="dev"),
        locked("numpy", "9", platform="osx-64"),
    ]
    assert differences(conda_lock(*lock), "conda-lock.yml") == []
    assert differences(conda_lock(*lock[1:]), "conda-lock.yml") == [("extra", "numpy")]
    wrong = [locked("numpy", "1.26.4", "py310h_0"), *lock[1:]]
    assert differences(conda_lock(*wrong), "conda-lock.yml") == [("differing", "numpy")]
    with pytest.raises(ConfigError, match="no packages for linux-aarch64; it has: linux-64"):
        parse_requirements(conda_lock(lock[1]), Path("l.yml"), platform="linux/arm64/v8")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "dependencies: [a",
            r"^environment\.yml:1:17: invalid YAML: .*\n  fix    correct the file",
        ),
        (
            "dependencies: !!python/object/apply:os.system [x]",
            r"^environment\.yml:1:15: the YAML tag .* is refused",
        ),
        ("- a", "a mapping with dependencies: is needed"),
        ("name: x", "has no list of dependencies"),
        ("dependencies: [{conda: [a]}]", "not understood"),
        ("dependencies: ['=1.0']", r"^environment\.yml:1: '=1\.0' is not a conda match spec"),
        ("dependencies:\n- a\n- b=>1", r"^environment\.yml:3: 'b=>1' is not a conda match spec"),
        ("@EXPLICIT\nnumpy-1.0\n", r"^environment\.yml:2: 'numpy-1\.0' is not the URL"),
        ("dependencies: [a, {pip: ['a b c']}]", "has the requirement 'a b c'"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_requirements(text, Path("environment.yml"))
