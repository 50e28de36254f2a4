"""Bake files, and what development containers build."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_compose import options, write

from pytest_dockercache.definitions import BuildDefinition, finding, kind_of, read_definitions
from pytest_dockercache.definitions.bake import has_buildx
from pytest_dockercache.definitions.targets import defined
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


def test_of_several_platforms_the_own_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    both = {"platforms": ["linux/s390x", "linux/amd64", "linux/arm64"]}
    found = defined(tmp_path / "docker-bake.hcl", "web", both, (tmp_path,))
    assert found.options["platform"][0] in ("linux/amd64", "linux/arm64")
    other = {"platforms": ["linux/s390x", "linux/riscv64"]}
    found = defined(tmp_path / "docker-bake.hcl", "web", other, (tmp_path,))
    assert found.options["platform"] == ("linux/s390x",)


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
