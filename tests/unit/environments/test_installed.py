"""The packages in an image, read from the records in its layers."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest
from layer_maker import Member, add, conda, dist, layer

from pytest_dockercache.environments.installed import Environment, Package, environment
from pytest_dockercache.environments.prefixes import (
    every_prefix,
    find_prefix,
    prefixes,
    program_prefix,
)
from pytest_dockercache.errors import Unverifiable
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


SITE = f"{ENV}/lib/python3.10/site-packages"


def test_a_package_whose_record_was_deleted_may_still_be_there() -> None:
    # find / -name '*.dist-info' -exec rm -r {} + makes an image smaller; import works.
    files = [add(f"{SITE}/six.py"), add(f"{SITE}/yaml/__init__.py"), add(f"{SITE}/old/data.txt")]
    some = environment(replay([INSTALLED, layer(*files)]), f"/{ENV}")
    assert [some.may_hold(name, "pip") for name in ("six", "pyyaml", "old")] == [True, False, False]
    bare = layer(conda("python", "3.10.4", "0_cpython"), *files)
    every = environment(replay([bare]), f"/{ENV}")
    assert [every.may_hold(name, "pip") for name in ("six", "pyyaml")] == [True, True]
    empty = environment(replay([layer(conda("python", "3.10.4", "0_cpython"))]), f"/{ENV}")
    assert not empty.may_hold("six", "pip")


def test_a_conda_package_without_its_record_among_others_is_not_installed() -> None:
    file = add(f"{SITE}/six.py")
    some = environment(replay([layer(conda("python", "3.10.4", "0_cpython"), file)]), f"/{ENV}")
    assert not some.may_hold("six")
    none = environment(replay([layer(add(f"{ENV}/bin/python3.10"), file)]), f"/{ENV}")
    assert none.may_hold("six")


def test_what_pythonpath_names_is_found_first() -> None:
    shadowing = layer(dist("numpy", "1.20.0", site="deps"), dist("extra", "1", site="deps"))
    found = environment(replay([INSTALLED, shadowing]), f"/{ENV}", ["/deps"])
    assert found.distributions["numpy"] == "1.20.0"
    assert str(found.replaced["numpy"]) == "numpy==1.20.0"
    extra = found.get("extra", "pip")
    assert extra is not None
    assert extra.inherited


def test_a_record_that_cannot_be_read_is_named_not_ignored() -> None:
    view = replay([INSTALLED, layer(add(f"{ENV}/conda-meta/bad-1-0.json", b"{"), dist("", "1"))])
    unread = environment(view, "/opt/conda/envs/app").unread
    assert f"/{ENV}/conda-meta/bad-1-0.json" in unread
    assert len(unread) == 2


@pytest.mark.parametrize("record", ['{"version": "1"}', '{"name": null, "version": "1"}', "[1]"])
def test_a_record_without_a_name_is_named_by_its_path(record: str) -> None:
    view = replay([INSTALLED, layer(add(f"{ENV}/conda-meta/bad-1-0.json", record.encode()))])
    assert environment(view, f"/{ENV}").unread == (f"/{ENV}/conda-meta/bad-1-0.json",)


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


# --- what Python finds ------------------------------------------------------------------------

SITE = f"{ENV}/lib/python3.10/site-packages"


def owner(name: str, version: str, *paths: str, **more: Any) -> Member:
    """conda's record of a package whose archive holds these files."""
    return conda(name, version, files=list(paths), **more)


CLICK = owner("click", "8.1.8", "lib/python3.10/site-packages/click-8.1.8.dist-info/METADATA")
PYTHON = conda("python", "3.10.4", "0_cpython")


def installed(*members: Member, prefix: str = f"/{ENV}") -> Environment:
    return environment(replay([layer(*members)]), prefix)


def test_a_package_that_pip_removed_is_not_there_whatever_conda_wrote_down() -> None:
    found = installed(PYTHON, CLICK, dist("pip", "24.0", SITE))
    assert found.get("click") is None
    assert found.replaced == {"click": None}


def test_a_package_that_pip_put_in_the_place_of_condas_is_known_as_that() -> None:
    found = installed(PYTHON, CLICK, dist("click", "8.1.7", SITE))
    assert found.get("click") is None
    assert found.replaced == {"click": Package("click", "8.1.7", manager="pip")}
    assert found.distributions == {"click": "8.1.7"}


def test_conda_and_pip_may_call_a_package_by_two_names() -> None:
    torch = owner("pytorch", "2.0", "lib/python3.10/site-packages/torch-2.0.dist-info/METADATA")
    found = installed(PYTHON, torch, dist("torch", "2.1", SITE))
    assert found.replaced == {"pytorch": Package("torch", "2.1", manager="pip")}


def test_metadata_that_a_package_carries_inside_is_nobodys_distribution() -> None:
    vendored = "setuptools/_vendor/wheel-0.43.dist-info/METADATA"
    paths = [f"lib/python3.10/site-packages/{name}" for name in
             ("setuptools-71.0.dist-info/METADATA", vendored)]  # fmt: skip
    inside = add(f"{SITE}/{vendored}", b"Name: wheel\nVersion: 0.43\n")
    found = installed(
        PYTHON, owner("setuptools", "71.0", *paths), dist("setuptools", "71.0", SITE), inside
    )
    assert [str(package) for package in found.packages] == [
        "python=3.10.4=0_cpython",
        "setuptools=71.0=0",
    ]
    assert found.distributions == {"setuptools": "71.0"}


def test_what_lies_in_the_directory_of_another_python_is_not_installed() -> None:
    python = add("usr/local/bin/python3.10", b"ELF", mode=0o755)
    other = dist("click", "8.1.8", "usr/local/lib/python3.11/site-packages")
    own = dist("pip", "24.0", "usr/local/lib/python3.10/site-packages")
    found = installed(python, other, own, prefix="/usr/local")
    assert found.distributions == {"pip": "24.0"}
    assert found.interpreters == ("python3.10",)


def test_of_two_pythons_in_one_prefix_the_one_that_python_leads_to_is_asked() -> None:
    members = [
        add("usr/bin/python3.9", b"ELF"),
        add("usr/bin/python3.11", b"ELF"),
        add("usr/bin/python3", kind=tarfile.SYMTYPE, link="python3.11"),
        dist("old", "1", "usr/lib/python3.9/site-packages"),
        dist("new", "1", "usr/lib/python3.11/site-packages"),
    ]
    assert installed(*members, prefix="/usr").distributions == {"new": "1"}
    unknown = [member for member in members if not member[0].name.endswith("python3")]
    assert installed(*unknown, prefix="/usr").distributions == {"old": "1", "new": "1"}


def venv(root: str, home: str, *, system: bool, version: str = "3.11.2") -> list[Member]:
    packages = str(system).lower()
    text = f"home = {home}\ninclude-system-site-packages = {packages}\nversion = {version}\n"
    return [
        add(f"{root}/pyvenv.cfg", text.encode()),
        add(f"{root}/bin/python", kind=tarfile.SYMTYPE, link=f"{home}/python3"),
    ]


DEBIAN = [
    add("usr/bin/python3.11", b"ELF"),
    add("usr/bin/python3", kind=tarfile.SYMTYPE, link="python3.11"),
    dist("six", "1.16.0", "usr/lib/python3/dist-packages"),
    dist("click", "8.0", "usr/local/lib/python3.11/dist-packages"),
]


def test_a_venv_with_the_systems_packages_sees_them_behind_its_own() -> None:
    own = dist("click", "8.1.8", "venv/lib/python3.11/site-packages")
    found = installed(*DEBIAN, *venv("venv", "/usr/bin", system=True), own, prefix="/venv")
    assert found.distributions == {"six": "1.16.0", "click": "8.1.8"}
    assert [(p.name, p.inherited) for p in found.packages] == [("click", False), ("six", True)]
    alone = installed(*DEBIAN, *venv("venv", "/usr/bin", system=False), own, prefix="/venv")
    assert alone.distributions == {"click": "8.1.8"}
    assert alone.python == "3.11.2"


@pytest.mark.parametrize(
    ("line", "version"),
    [("version_info = 3.11.2.final.0", "3.11.2"), ("version_info = 3.10.4", "3.10.4"),
     ("version = 3.13.1", "3.13.1")],
)  # fmt: skip
def test_virtualenv_and_uv_and_venv_write_their_version_each_in_its_way(
    line: str, version: str
) -> None:
    settings = add("v/pyvenv.cfg", f"home = /usr/bin\n{line}\n".encode())
    assert installed(settings, prefix="/v").python == version


def test_debians_python_finds_what_the_administrator_installed_first() -> None:
    shadowed = dist("six", "1.17.0", "usr/local/lib/python3.11/dist-packages")
    found = installed(*DEBIAN, shadowed, prefix="/usr")
    assert found.distributions == {"six": "1.17.0", "click": "8.0"}
    assert found.interpreters == ("python3.11",)


def test_the_python_of_usr_local_does_not_find_debians_packages() -> None:
    python = add("usr/local/bin/python3.11", b"ELF")
    own = dist("flask", "3.0", "usr/local/lib/python3.11/site-packages")
    view = replay([layer(*DEBIAN, python, own)])
    assert environment(view, "/usr/local").distributions == {"flask": "3.0"}
    assert environment(view, "/usr").distributions == {"six": "1.16.0", "click": "8.0"}


def test_of_several_prefixes_the_one_whose_python_is_first_on_path_is_in_use() -> None:
    python = add("usr/local/bin/python3", kind=tarfile.SYMTYPE, link="python3.10")
    members = [*DEBIAN, python, add("usr/local/bin/python3.10", b"ELF"),
               dist("flask", "3.0", "usr/local/lib/python3.10/site-packages")]  # fmt: skip
    view = replay([layer(*members)])
    assert find_prefix(view, None, {"PATH": "/usr/local/bin:/usr/bin"}) == "/usr/local"
    assert find_prefix(view, None, {"PATH": "/usr/bin:/usr/local/bin"}) == "/usr"
    assert program_prefix(view, {"PATH": "/opt:/usr/bin"}, "python3") == "/usr"
    assert program_prefix(view, {"PATH": "/opt"}, "python3") is None


def test_a_link_to_a_program_leads_to_its_prefix_and_that_of_a_venv_does_not() -> None:
    link = add("usr/bin/python", kind=tarfile.SYMTYPE, link="/opt/py/bin/python3")
    view = replay(
        [layer(add("opt/py/bin/python3", b"ELF"), link, *venv("v", "/opt/py/bin", system=False))]
    )
    assert program_prefix(view, {"PATH": "/usr/bin"}, "python") == "/opt/py"
    assert program_prefix(view, {"PATH": "/v/bin:/usr/bin"}, "python") == "/v"


def test_two_records_of_one_distribution_in_one_directory_are_both_known() -> None:
    found = installed(PYTHON, dist("pip", "23.0", SITE), dist("pip", "24.0", SITE))
    assert sorted(found.several["pip"]) == ["23.0", "24.0"]
    assert len([package for package in found.packages if package.name == "pip"]) == 1


def test_what_pip_put_into_a_directory_is_read_there() -> None:
    found = installed(dist("flask", "3.0", "deps"), add("deps/flask/__init__.py"), prefix="/deps")
    assert [str(package) for package in found.packages] == ["flask==3.0"]


@pytest.mark.parametrize(
    "path",
    ["six-1.16.0.egg-info", "six-1.16.0-py3.10.egg-info/PKG-INFO",
     "six-1.16.0-py3.10.egg/EGG-INFO/PKG-INFO", "six-1.16.0.dist-info/METADATA"],
)  # fmt: skip
def test_a_distribution_needs_no_record_of_its_files(path: str) -> None:
    found = installed(PYTHON, add(f"{SITE}/{path}", b"Name: six\nVersion: 1.16.0\n"))
    assert found.distributions == {"six": "1.16.0"}
    assert "/" + ENV in every_prefix(replay([layer(add(f"{SITE}/{path}", b"x"))]))


def test_where_a_distribution_came_from_is_kept_as_digests() -> None:
    archive = {"url": "https://x/a.whl", "archive_info": {"hashes": {"sha256": "ab"}}}
    git = {"url": "https://x/b", "vcs_info": {"vcs": "git", "commit_id": "cd"}}
    members = [dist("a", "1", SITE), dist("b", "1", SITE)]
    members += [
        add(f"{SITE}/{name}-1.dist-info/direct_url.json", json.dumps(origin).encode())
        for name, origin in (("a", archive), ("b", git))
    ]
    assert [p.digests for p in installed(*members).packages] == [("sha256:ab",), ("commit:cd",)]


def test_what_was_installed_over_a_package_is_what_is_imported() -> None:
    # pip install --ignore-installed, and where conda's package has no RECORD to remove it by.
    below = layer(PYTHON, CLICK, dist("click", "8.1.8", SITE))
    found = environment(replay([below, layer(dist("click", "8.1.7", SITE))]), f"/{ENV}")
    assert found.distributions == {"click": "8.1.7"}
    assert found.replaced == {"click": Package("click", "8.1.7", manager="pip")}
    assert found.several == {}
    together = environment(replay([layer(PYTHON, CLICK, dist("click", "8.1.8", SITE),
                                         dist("click", "8.1.7", SITE))]), f"/{ENV}")  # fmt: skip
    assert sorted(together.several["click"]) == ["8.1.7", "8.1.8"]


def test_a_copy_of_packages_over_others_leaves_the_records_of_both() -> None:
    site = "usr/local/lib/python3.10/site-packages"
    below = layer(add("usr/local/bin/python3.10", b"ELF"), dist("pip", "23.0", site))
    found = environment(replay([below, layer(dist("pip", "24.0", site))]), "/usr/local")
    assert found.distributions == {"pip": "24.0"}
