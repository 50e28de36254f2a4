"""Bake files, and what development containers build."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_compose import options, write

from pytest_dockercache.definitions import (
    BuildDefinition,
    definition_files,
    finding,
    kind_of,
    read_definitions,
)
from pytest_dockercache.definitions.bake import has_buildx
from pytest_dockercache.definitions.targets import defined
from pytest_dockercache.dockerfile.platforms import default_platform
from pytest_dockercache.errors import ConfigError, Unverifiable

needs_buildx = pytest.mark.skipif(not has_buildx(), reason="needs docker buildx")

BAKE = """
variable "VERSION" { default = "1.2" }
group "default" { targets = ["web", "both"] }
group "both" { targets = ["job", "web"] }
target "_common" { args = { VERSION = VERSION, UNSET = null } }
target "web" {
  inherits = ["_common"]
  context = "services/web"
  contexts = { shared = "services/shared", tool = "docker-image://debian" }
  target = "runtime"
}
target "job" {
  inherits = ["_common"]
  dockerfile = "services/job.Dockerfile"
  cache-from = ["type=local,src=cache"]
  secret = ["id=token,src=token", "type=env,id=other,env=OTHER"]
}
target "apart" { context = "nowhere" }
"""


def read(
    root: Path, *names: str, file: str = "docker-bake.hcl", run: Path | None = None
) -> dict[str, BuildDefinition]:
    found = read_definitions("bake", (root / file,), names, (run or root,))
    return {one.name: one for one in found}


@pytest.fixture
def baked(tmp_path: Path) -> Path:
    """A project with a bake file at its root."""
    write(
        tmp_path,
        {
            "docker-bake.hcl": BAKE,
            "services/web/Dockerfile": "FROM x",
            "services/job.Dockerfile": "FROM x",
            "services/shared/lib.py": "",
            "token": "",
        },
    )
    return tmp_path


@needs_buildx
def test_what_bake_builds_by_itself_is_read_with_groups_variables_and_inheritance(
    baked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "2.0")
    found = read(baked)
    assert list(found) == ["web", "job"]
    assert options(baked, found["web"]) == {
        "context": ("services/web",),
        "dockerfile": ("services/web/Dockerfile",),
        "build-arg": ("VERSION=2.0",),
        "build-context": ("shared=services/shared", "tool=docker-image://debian"),
        "target": ("runtime",),
    }
    job = options(baked, found["job"])
    assert (job["context"], job["dockerfile"]) == ((".",), ("services/job.Dockerfile",))
    assert job["cache-from"] == ("type=local,src=cache",)
    assert job["secret"] == ("id=token,src=token", "type=env,id=other,env=OTHER")


@needs_buildx
def test_a_target_or_a_group_can_be_named(baked: Path) -> None:
    assert list(read(baked, "job")) == ["job"]
    assert list(read(baked, "both")) == ["job", "web"]
    with pytest.raises(ConfigError, match=r"failed to find target nobody; it has: web, job, apart"):
        read(baked, "nobody")


@needs_buildx
def test_without_a_default_every_target_is_read_but_templates(baked: Path) -> None:
    (baked / "docker-bake.hcl").write_text(BAKE.replace('group "default"', 'group "all"'))
    found = read(baked)
    assert list(found) == ["web", "job", "apart"]
    assert "no file" in str(found["apart"].problem)


@needs_buildx
def test_a_matrix_is_one_image_for_each_value_and_a_base_target_is_said(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "docker-bake.hcl": """
group "default" { targets = ["index", "leaf"] }
target "index" {
  name = "index-${kind}"
  matrix = { kind = ["text", "image"] }
  args = { KIND = kind }
}
target "base" { target = "base" }
target "leaf" { contexts = { base = "target:base" } }
""",
        },
    )
    found = read(tmp_path)
    assert list(found) == ["index-text", "index-image", "leaf"]
    assert options(tmp_path, found["index-image"])["build-arg"] == ("KIND=image",)
    assert "leaf is built on base, another image of the same file" in str(found["leaf"].problem)


@needs_buildx
def test_paths_are_those_of_the_directory_in_which_they_lead_to_a_dockerfile(baked: Path) -> None:
    write(baked, {"ci/docker-bake.hcl": BAKE, "deep/er/x": ""})
    at_root = read(baked, "web", file="ci/docker-bake.hcl")["web"]
    assert at_root.dockerfile == baked / "services/web/Dockerfile"
    beside = read(baked, "web", run=baked / "deep/er")["web"]
    assert beside.dockerfile == baked / "services/web/Dockerfile"


@needs_buildx
def test_a_file_that_buildx_refuses_is_refused_in_its_words(baked: Path) -> None:
    (baked / "docker-bake.hcl").write_text('target "a" {')
    with pytest.raises(ConfigError, match=r"docker-bake\.hcl: docker buildx bake refuses it: "):
        read(baked)


def test_without_buildx_the_error_says_what_is_missing(
    baked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "has_buildx", lambda: False)
    with pytest.raises(Unverifiable, match="known to docker buildx alone") as raised:
        read(baked)
    assert str(raised.value.finding.fix) == "install docker-buildx, or name the Dockerfiles"


def test_newer_buildx_prints_objects_for_specs(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    target = {
        "context": ".",
        "cache-from": [{"type": "registry", "ref": "shop/web"}],
        "secret": [{"id": "token", "type": "file", "src": "token"}],
        "ssh": [{"id": "default"}, {"id": "key", "paths": ["id_rsa"]}],
    }
    found = defined(tmp_path / "docker-bake.hcl", "web", target, (tmp_path,))
    assert options(tmp_path, found) == {
        "context": (".",),
        "dockerfile": ("Dockerfile",),
        "cache-from": ("type=registry,ref=shop/web",),
        "secret": ("id=token,type=file,src=token",),
        "ssh": ("default", "key=id_rsa"),
    }


def test_every_platform_is_judged_this_machine_s_first(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    several = {"platforms": ["linux/s390x", "linux/amd64", "linux/arm64"]}
    found = defined(tmp_path / "docker-bake.hcl", "web", several, (tmp_path,))
    platforms = found.options["platform"]
    assert platforms[0] == default_platform()
    assert sorted(platforms) == ["linux/amd64", "linux/arm64", "linux/s390x"]
    for local, wanted in (["local"], None), (["local", "linux/s390x"], default_platform()):
        target = {"platforms": local}
        found = defined(tmp_path / "docker-bake.hcl", "web", target, (tmp_path,))
        assert found.options.get("platform", (None,))[0] == wanted


def test_no_cache_is_exported_where_the_file_s_own_build_exports_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    caches = {"cache-to": ["type=registry,ref=shop/web:cache"], "cache-from": ["type=local,src=c"]}
    found = defined(tmp_path / "docker-bake.hcl", "web", caches, (tmp_path,))
    assert found.options["cache-from"] == ("type=local,src=c",)
    assert "cache-to" not in found.options


RUNS = """
variable "NET" { default = "host" }
target "_net" {
  network = "none"
  extra-hosts = { index = "10.0.0.1", "v6.local" = "::1" }
}
target "web" {
  inherits = ["_net"]
  entitlements = ["network.host"]
  shm-size = "64m"
  no-cache-filter = ["deps"]
}
target "job" {
  dockerfile-inline = <<EOT
FROM x
RUN y
EOT
  no-cache = true
}
group "default" { targets = ["web", "job"] }
"""


@needs_buildx
def test_what_older_buildx_does_not_print_is_read_from_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": "FROM x", "docker-bake.hcl": RUNS})
    found = read(tmp_path)
    web, job = found["web"], found["job"]
    assert set(web.run_options) == {
        ("network", "none"),
        ("add-host", "index=10.0.0.1"),
        ("add-host", "v6.local=::1"),
        ("allow", "network.host"),
        ("shm-size", "64m"),
    }
    assert web.uncached_by == "docker-bake.hcl:11: no-cache-filter"
    assert (job.uncached, job.uncached_by) == (("*",), "docker-bake.hcl:18: no-cache")
    assert job.dockerfile.read_text().splitlines()[14:] == ["FROM x", "RUN y"]
    assert job.inside == tmp_path / "docker-bake.hcl"


PLAIN = {
    "docker-bake.json": """
{"group": {"default": {"targets": ["web", "all"]}, "all": {"targets": ["job"]}},
 "target": {
  "_c": {"args": {"A": "1", "C": "x"}, "platforms": ["linux/amd64"], "no-cache": false},
  "_d": {"args": {"C": "d"}, "platforms": ["linux/arm64"], "dockerfile": "D"},
  "web": {"inherits": ["_c", "_d"], "args": {"A": null, "B": "2"}, "contexts": {"s": "shared"}},
  "job": {"inherits": ["_d"], "target": "run", "secret": ["id=a,src=a"], "no-cache": true}}}
""",
    "docker-bake.override.json": """
{"group": {"all": {"targets": ["extra", "job"]}},
 "target": {"extra": {}, "web": {"args": {"Z": "9"}, "platforms": ["linux/386"]}}}
""",
    "D": "FROM x AS run",
    "Dockerfile": "FROM x",
    "shared/a": "",
    "a": "",
}


@needs_buildx
@pytest.mark.parametrize("names", [(), ("job",), ("all",), ("_c", "web")])
def test_plain_json_is_read_without_buildx_as_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    write(tmp_path, PLAIN)
    files = [tmp_path / "docker-bake.json", tmp_path / "docker-bake.override.json"]
    theirs = read_definitions("bake", files, names, (tmp_path,))
    monkeypatch.setattr(finding, "has_buildx", lambda: False)
    assert read_definitions("bake", files, names, (tmp_path,)) == theirs
    assert all(one.problem is None for one in theirs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"target": {"a": {"args": {"V": "${X}"}}}}', "it has variables"),
        ('{"variable": {"X": {}}, "target": {"a": {}}}', "more than plain targets and groups"),
        ('{"target": {"a": {"matrix": {"v": ["1"]}}}}', "the target a is not a plain object"),
        ('{"target": {"default": {"inherits": ["default"]}}}', "the target default inherits"),
        ("[1]", "more than plain targets and groups"),
        ("{", "invalid JSON"),
    ],
)
def test_what_only_buildx_evaluates_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr(finding, "has_buildx", lambda: False)
    write(tmp_path, {"Dockerfile": "FROM x", "docker-bake.json": text})
    with pytest.raises(Unverifiable) as raised:
        read(tmp_path, file="docker-bake.json")
    assert "which is not installed (" in raised.value.verdict
    assert said in raised.value.verdict


def test_names_that_plain_json_lacks_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "has_buildx", lambda: False)
    text = '{"target": {"a": {}, "_b": {}}, "group": {"g": {"targets": ["gone"]}}}'
    write(tmp_path, {"Dockerfile": "FROM x", "docker-bake.json": text})
    with pytest.raises(ConfigError, match="failed to find target"):
        read(tmp_path, "b", file="docker-bake.json")
    write(tmp_path, {"docker-bake.json": '{"target": {"a": {}, "_b": {}}}'})
    assert list(read(tmp_path, file="docker-bake.json")) == ["a"]


@needs_buildx
def test_bake_files_stand_over_each_other_and_over_services_as_bake_reads_them(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        {
            "app/Dockerfile": "FROM x",
            "other/Dockerfile": "FROM x",
            "compose.yaml": "services: {web: {build: app}, alone: {build: other}}",
            "docker-bake.json": '{"target": {"web": {"args": {"A": "1", "B": "1"}}}}',
            "docker-bake.override.json": '{"target": {"web": {"args": {"B": "2", "C": "2"}}}}',
            "docker-bake.hcl": """
target "web" { args = { C = "3" } }
target "job" { context = "other" }
group "default" { targets = ["web", "job"] }
""",
        },
    )
    files = definition_files(tmp_path, "bake")
    assert files[0].name == "docker-bake.hcl"
    found = read_definitions("bake", files, (), (tmp_path,))
    assert {one.name: one.problem for one in found} == {"web": None, "job": None}
    [web] = [options(tmp_path, one) for one in found if one.name == "web"]
    assert web["context"] == ("app",)
    assert web["build-arg"] == ("A=1", "B=2", "C=3")
    assert {one.file.name for one in found} == {"docker-bake.hcl"}


DEVELOPMENT = """
// how we work
{
  "name": "shop", /* a name */
  "build": {
    "dockerfile": "Dockerfile",
    "context": "..",
    "args": { "VARIANT": "${localEnv:VARIANT:3.12}" },
    "cacheFrom": "shop/dev",
  },
}
"""


def test_a_development_container_is_one_image_with_paths_relative_to_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VARIANT", raising=False)
    write(
        tmp_path,
        {
            ".devcontainer/devcontainer.json": DEVELOPMENT,
            ".devcontainer/Dockerfile": "FROM x",
            ".devcontainer/compose.yaml": "services: {app: {build: ..}, db: {image: x}}",
            "Dockerfile": "FROM x",
        },
    )
    file = tmp_path / ".devcontainer/devcontainer.json"
    [found] = read_definitions("development", (file,), (), (tmp_path,))
    assert options(tmp_path, found) == {
        "context": (".",),
        "dockerfile": (".devcontainer/Dockerfile",),
        "build-arg": ("VARIANT=3.12",),
        "cache-from": ("shop/dev",),
    }
    file.write_text('{"dockerComposeFile": ["compose.yaml"], "service": "app"}')
    [service] = read_definitions("development", (file,), (), (tmp_path,))
    assert (service.file.name, service.name) == ("compose.yaml", "app")
    assert service.dockerfile == tmp_path / "Dockerfile"
    file.write_text('{"image": "debian"}')
    assert read_definitions("development", (file,), (), (tmp_path,)) == ()
    file.write_text('{"image": ')
    with pytest.raises(ConfigError, match="invalid JSON"):
        read_definitions("development", (file,), (), (tmp_path,))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("compose.yaml", "compose"),
        ("docker-compose.prod.yml", "compose"),
        ("docker-bake.hcl", "bake"),
        ("my-bake.json", "bake"),
        ("devcontainer.json", "development"),
        ("package.json", None),
        ("Dockerfile", None),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_name(name: str, kind: str | None) -> None:
    assert kind_of(Path(name)) == kind
