"""Which packages an image holds, read from the records in its layers."""

from __future__ import annotations

import tarfile

import pytest
from layer_maker import add, conda, dist, layer

from pytest_dockercache.environments.installed import environment, find_prefix, prefixes
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
