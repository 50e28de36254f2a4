"""What is installed is held against environment and lock files, package by package."""

from __future__ import annotations

import json
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest
from layer_maker import add, conda, dist, layer

from pytest_dockercache.environments.installed import (
    Environment,
    Package,
    environment,
    find_prefix,
    prefixes,
)
from pytest_dockercache.environments.match_specs import compare, parse_spec, version_matches
from pytest_dockercache.environments.requirements import (
    Difference,
    compare_environments,
    difference_table,
    matches,
    parse_requirements,
)
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


def test_conda_packages_and_pip_packages_are_told_apart_by_who_owns_them() -> None:
    assert [(item.name, item.version, item.build, item.manager) for item in APP.packages] == [
        ("numpy", "1.26.4", "py310h_1", "conda"),
        ("python", "3.10.4", "0_cpython", "conda"),
        ("tzdata", "2024a", "h0c530f3_0", "conda"),
        ("flask-login", "3.0.2", "", "pip"),
    ]
    assert APP.distributions == {"numpy": "1.26.4", "flask-login": "3.0.2"}
    assert APP.python == "3.10.4"
    assert APP.unread == ()


def test_a_record_that_a_later_layer_deleted_is_not_installed() -> None:
    view = replay([INSTALLED, layer(add(f"{ENV}/conda-meta/.wh.numpy-1.26.4-py310h_1.json"))])
    assert environment(view, "/opt/conda/envs/app").get("numpy") is None


def test_a_record_that_cannot_be_read_is_named_not_ignored() -> None:
    view = replay([INSTALLED, layer(add(f"{ENV}/conda-meta/bad-1-0.json", b"{"), dist("", "1"))])
    unread = environment(view, "/opt/conda/envs/app").unread
    assert f"/{ENV}/conda-meta/bad-1-0.json" in unread
    assert len(unread) == 2


def test_environments_are_found_by_name_by_path_and_by_use() -> None:
    assert prefixes(VIEW) == ("/opt/conda", "/opt/conda/envs/app")
    assert find_prefix(VIEW, "app", {}) == "/opt/conda/envs/app"
    assert find_prefix(VIEW, "base", {}) == "/opt/conda"
    assert find_prefix(VIEW, "/opt/conda/envs/app/", {}) == "/opt/conda/envs/app"
    assert find_prefix(VIEW, None, {}) == "/opt/conda/envs/app"
    assert find_prefix(VIEW, None, {"CONDA_DEFAULT_ENV": "base"}) == "/opt/conda"
    with pytest.raises(Unverifiable, match="no environment other; it has: /opt/conda, app"):
        find_prefix(VIEW, "other", {})


def test_several_environments_are_not_guessed_among_unless_path_decides() -> None:
    second = layer(conda("python", "3.11.0", prefix="opt/conda/envs/tools"))
    view = replay([INSTALLED, second])
    with pytest.raises(Unverifiable, match="several environments: app, tools; name one"):
        find_prefix(view, None, {})
    path = "/opt/conda/envs/tools/bin:/opt/conda/bin:/bin"
    assert find_prefix(view, None, {"PATH": path}) == "/opt/conda/envs/tools"


def test_base_on_path_is_in_use_although_another_environment_has_a_name() -> None:
    path = "/usr/local/bin:/opt/conda/bin:/usr/bin"
    assert find_prefix(VIEW, None, {"PATH": path}) == "/opt/conda"
    assert find_prefix(VIEW, None, {"PATH": "/usr/bin"}) == "/opt/conda/envs/app"


def test_base_is_not_the_first_environment_outside_of_envs() -> None:
    one, other = conda("numpy", "1", prefix="app/env"), conda("conda", "24", prefix="opt/conda")
    view = replay([layer(one, other)])
    assert find_prefix(view, "base", {"PATH": "/opt/conda/bin:/bin"}) == "/opt/conda"
    with pytest.raises(Unverifiable, match=r"which environment is base .*: /app/env, /opt/conda$"):
        find_prefix(view, "base", {"PATH": "/bin"})
    for proof in ("opt/conda/condabin/conda", "opt/conda/envs/.conda_envs_dir_test"):
        assert find_prefix(replay([layer(one, other, add(proof))]), "base", {}) == "/opt/conda"
    assert find_prefix(replay([layer(one)]), "base", {}) == "/app/env"


def test_compiled_distributions_in_lib64_are_installed() -> None:
    lib, lib64 = (f"usr/local/{name}/python3.12/site-packages" for name in ("lib", "lib64"))
    view = replay([layer(dist("flask", "3.0", lib), dist("numpy", "1.26", lib64))])
    found = environment(view, "/usr/local")
    assert [str(package) for package in found.packages] == ["flask==3.0", "numpy==1.26"]
    assert found.interpreters == ("python3.12",)


def test_the_link_lib64_of_a_venv_counts_nothing_twice() -> None:
    members = (
        dist("numpy", "1.26", "v/lib/python3.12/site-packages"),
        add("v/lib64", kind=tarfile.SYMTYPE, link="lib"),
    )
    found = environment(replay([layer(*members)]), "/v")
    assert [str(package) for package in found.packages] == ["numpy==1.26"]


def test_a_project_without_conda_has_its_distributions() -> None:
    view = replay([layer(dist("flask", "3.0", "usr/local/lib/python3.10/site-packages"))])
    assert find_prefix(view, None, {}) == "/usr/local"
    found = environment(view, "/usr/local")
    assert [str(package) for package in found.packages] == ["flask==3.0"]


@pytest.mark.parametrize(
    "spec",
    ["numpy", "numpy=1.26", "numpy=1.26.*", "numpy==1.26.4", "numpy>=1.24,<2", "numpy 1.26.4",
     "numpy=1.26.4=py310*", "conda-forge::numpy", "numpy >=1.20|0.9", "numpy=1.*", "NumPy",
     "conda-forge/linux-64::numpy=1.26", "numpy[version='>=1.26',build=py310*]", "numpy !=1.25",
     "numpy~=1.26.0", "numpy=*=py310h_1"],
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
        ("dependencies: [a", r"^environment\.yml:1:17: invalid YAML: .*; correct the file"),
        (
            "dependencies: !!python/object/apply:os.system [x]",
            r"^environment\.yml:1:15: the YAML tag .* is refused",
        ),
        ("- a", "a mapping with dependencies: is needed"),
        ("name: x", "has no list of dependencies"),
        ("dependencies: [{conda: [a]}]", "not understood"),
        ("dependencies: ['=1.0']", "not a conda match spec"),
        ("dependencies: [a, {pip: ['a b c']}]", "has the requirement 'a b c'"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_requirements(text, Path("environment.yml"))


def test_a_version_spec_that_is_not_understood_is_an_error_not_a_match() -> None:
    for spec in ("1.0)(", ">=", "1.0,,2.0", "=~1"):
        with pytest.raises(ConfigError):
            version_matches(spec, "1.0")


@pytest.mark.parametrize(
    "ordered",
    # conda's own documentation of its order.
    [["0.4", "0.4.1.rc", "0.4.1", "0.5a1", "0.5b3", "0.5C1", "0.5", "0.9.6", "0.960923", "1.0",
      "1.1dev1", "1.1_", "1.1a1", "1.1.0dev1", "1.1.a1", "1.1.0rc1", "1.1.0", "1.1.0post1",
      "1.1post1", "1996.07.12", "1!0.4.1", "1!3.1.1.6", "2!0.4.1"]],
)  # fmt: skip
def test_versions_are_ordered_as_conda_orders_them(ordered: list[str]) -> None:
    equal = {("1.1.0dev1", "1.1.a1"), ("1.1.0post1", "1.1post1"), ("0.4.1.rc", "0.4.1")}
    for left, right in pairwise(ordered):
        assert compare(left, right) < 0 or (left, right) in equal, (left, right)
    assert compare("1.1", "1.1.0") == 0


def test_a_prefix_is_compared_by_whole_parts() -> None:
    assert not version_matches("3.1.*", "3.10.4")
    assert version_matches("3.1.*", "3.1")
    assert parse_spec("python=3.1").version == "3.1.*"


def test_two_environments_are_compared_package_by_package() -> None:
    one = Environment("/a", (Package("x", "1", "0"), Package("y", "1", "0")), {})
    other = Environment("/b", (Package("y", "1", "1"), Package("z", "1", manager="pip")), {})
    assert compare_environments(one, other) == (
        Difference("missing", "x", "1 0", "", "conda"),
        Difference("differing", "y", "1 0", "1 1", "conda"),
        Difference("extra", "z", "", "1", "pip"),
    )
    assert difference_table(compare_environments(one, other), limit=2) == (
        "x  missing    wanted 1 0",
        "y  differing  wanted 1 0, found 1 1",
        "… and 1 more",
    )
