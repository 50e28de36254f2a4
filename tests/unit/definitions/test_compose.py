"""Compose files, read without buildx and by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_dockercache.definitions import (
    BuildDefinition,
    definition_files,
    finding,
    read_definitions,
)
from pytest_dockercache.definitions.bake import has_buildx
from pytest_dockercache.definitions.interpolation import environment_file, interpolated
from pytest_dockercache.errors import ConfigError, Unverifiable


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(root: Path, *names: str, file: str = "compose.yaml") -> dict[str, BuildDefinition]:
    found = read_definitions("compose", (root / file,), names, (root,))
    return {one.name: one for one in found}


def options(root: Path, definition: BuildDefinition) -> dict[str, tuple[str, ...]]:
    """The options with paths below the root made relative, and arguments sorted."""
    assert definition.problem is None, definition.problem
    shown = {
        key: tuple(text.replace(f"{root}/", "").replace(str(root), ".") for text in texts)
        for key, texts in definition.options.items()
    }
    shown["dockerfile"] = (definition.dockerfile.relative_to(root).as_posix(),)
    if "build-arg" in shown:
        shown["build-arg"] = tuple(sorted(shown["build-arg"]))
    return shown


@pytest.fixture(params=["buildx", "PyYAML"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who evaluates: buildx where it is there, or this package alone."""
    if request.param == "PyYAML":
        monkeypatch.setattr(finding, "has_buildx", lambda: False)
    elif not has_buildx():
        pytest.skip("needs docker buildx")
    return str(request.param)


def test_contexts_arguments_and_stages_are_those_of_the_services(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_SHELL", "shell")
    write(
        tmp_path,
        {
            ".env": "# versions\nexport PYTHON=3.12\nNAMED='a $b'\nFROM_SHELL=file\n",
            "web/Dockerfile": "FROM x",
            "Dockerfile.job": "FROM x",
            "Dockerfile": "FROM x",
            "shared/lib.py": "",
            "token": "s3cret",
            "compose.yaml": """
x-build: &build
  context: .
  args: &args {COMMON: 1}
services:
  db: {image: "postgres:16"}
  web:
    build: ./web
    depends_on: [db]
  job:
    image: shop/job
    build:
      <<: *build
      dockerfile: Dockerfile.job
      target: runtime
      args:
        <<: *args
        PYTHON: ${PYTHON:?give it}
        WITH: ${ABSENT:-${NAMED}}
        EMPTY: ${ABSENT}
        PLUS: "${PYTHON:+set}"
        COST: $$5
        YES: yes
        RATIO: 1.10
        FROM_SHELL:
        MISSING:
      cache_from: [shop/job:latest]
      additional_contexts:
        shared: ./shared
      secrets: [token]
  lists:
    build:
      context: .
      args: [A=1=2, FROM_SHELL, MISSING]
secrets:
  token: {file: ./token}
""",
        },
    )
    found = read(tmp_path)
    assert list(found) == ["web", "job", "lists"]
    assert options(tmp_path, found["web"]) == {
        "context": ("web",),
        "dockerfile": ("web/Dockerfile",),
    }
    job = options(tmp_path, found["job"])
    assert job.pop("build-arg") == (
        "COMMON=1",
        "COST=$5",
        "EMPTY=",
        "FROM_SHELL=shell",
        "PLUS=set",
        "PYTHON=3.12",
        "RATIO=1.1",
        "WITH=a $b",
        "YES=yes",
    )
    assert job == {
        "context": (".",),
        "dockerfile": ("Dockerfile.job",),
        "target": ("runtime",),
        "cache-from": ("shop/job:latest",),
        "build-context": ("shared=shared",),
        "secret": ("id=token,src=token",),
    }
    assert options(tmp_path, found["lists"])["build-arg"] == ("A=1=2", "FROM_SHELL=shell")


def test_a_service_extends_another_and_files_come_one_over_the_other(
    tmp_path: Path, reader: str
) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "base/Dockerfile": "FROM x",
            "base/compose.yaml": """
services:
  python:
    build: {context: ., args: {A: "1", B: "1"}}
""",
            "compose.yaml": """
services:
  web:
    extends: {file: base/compose.yaml, service: python}
    build: {args: {B: "2"}, target: web}
  worker:
    extends: {service: web}
    build: {target: worker}
  plain:
    build: {context: ., args: {C: "1"}}
""",
            "compose.override.yaml": """
services:
  plain:
    build: {args: [D=1]}
""",
        },
    )
    files = finding.definition_files(tmp_path, "compose")
    assert [file.name for file in files] == ["compose.yaml", "compose.override.yaml"]
    found = {one.name: one for one in read_definitions("compose", files, (), (tmp_path,))}
    of_base = {
        "context": ("base",),
        "dockerfile": ("base/Dockerfile",),
        "build-arg": ("A=1", "B=2"),
    }
    assert options(tmp_path, found["web"]) == {**of_base, "target": ("web",)}
    assert options(tmp_path, found["worker"]) == {**of_base, "target": ("worker",)}
    assert options(tmp_path, found["plain"])["build-arg"] == ("C=1", "D=1")


def test_what_a_service_extends_is_looked_up_in_the_file_that_names_it(
    tmp_path: Path, reader: str
) -> None:
    write(
        tmp_path,
        {
            "wrong/Dockerfile": "FROM x",
            "common/Dockerfile": "FROM x",
            "common/compose.yaml": """
services:
  base:
    build: {context: ., args: {A: "1"}, additional_contexts: {lib: ../lib, own: own}}
  web:
    extends: base
""",
            "compose.yaml": """
services:
  base:
    build: wrong
  web:
    extends: {file: common/compose.yaml, service: web}
""",
        },
    )
    assert options(tmp_path, read(tmp_path)["web"]) == {
        "context": ("common",),
        "dockerfile": ("common/Dockerfile",),
        "build-arg": ("A=1",),
        "build-context": ("lib=lib", "own=common/own"),
    }


def test_an_included_file_has_the_variables_of_its_own_directory(
    tmp_path: Path, reader: str
) -> None:
    service = 'build: {context: ., args: ["A=${A:-}", "B=${B:-}"]}'
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "api/Dockerfile": "FROM x",
            "api/.env": "A=api\nB=api\n",
            "api/compose.yaml": f"services:\n  api:\n    {service}\n",
            ".env": "B=project\n",
            "compose.yaml": f"include: [api/compose.yaml]\nservices:\n  web:\n    {service}\n",
        },
    )
    found = read(tmp_path)
    assert options(tmp_path, found["api"])["build-arg"] == ("A=api", "B=project")
    assert options(tmp_path, found["web"])["build-arg"] == ("A=", "B=project")


def test_a_service_that_cannot_be_judged_says_why_and_does_not_stop_the_others(
    tmp_path: Path, reader: str
) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "compose.yaml": """
services:
  good: {build: .}
  remote: {build: "https://github.com/example/app.git#main"}
  inline: {build: {context: ., dockerfile_inline: "FROM x\\nRUN y"}}
  fetched: {build: {context: ., dockerfile: "https://example.org/Dockerfile"}}
  network:
    build:
      context: .
      network: backend
  lost: {build: ./lost}
  built-on:
    build: {context: ., additional_contexts: {base: "service:good"}}
""",
        },
    )
    found = read(tmp_path)
    assert found["good"].problem is None
    problems = {name: one.problem for name, one in found.items() if one.problem is not None}
    assert {name: problem.verdict for name, problem in problems.items()} == {
        "remote": "compose.yaml::remote is built from https://github.com/example/app.git#main, "
        "which is not on this machine",
        "inline": "compose.yaml::inline has its Dockerfile inside compose.yaml, where its lines "
        "are not found",
        "fetched": "compose.yaml::fetched takes its Dockerfile from "
        "https://example.org/Dockerfile, which is not on this machine (compose.yaml:6)",
        "network": "compose.yaml:10: BuildKit knows no network backend, in which network is built "
        "(it knows default, none, host)",
        "lost": f"compose.yaml::lost: no file {tmp_path}/lost/Dockerfile; "
        "name an existing Dockerfile",
        "built-on": "compose.yaml::built-on is built on good, another image of the same file, "
        "which a build of its own cannot take",
    }
    kinds = {name: type(problem) for name, problem in problems.items()}
    assert kinds["lost"] is ConfigError
    assert {kind for name, kind in kinds.items() if name != "lost"} == {Unverifiable}


RUNS = """
x-limits: &limits {nofile: {soft: 1000, hard: 2000}, nproc: 500}
services:
  base:
    build:
      context: .
      extra_hosts: ["index.local:10.0.0.1"]
      ulimits: {core: 0}
  web:
    extends: base
    build:
      network: none
      extra_hosts: {"v6.local": "::1"}
      shm_size: 128m
      privileged: true
      entitlements: [network.host]
      ulimits: *limits
      labels: {a: b}
      tags: [web]
      pull: true
"""


def test_what_enters_the_key_of_a_run_is_handed_on(tmp_path: Path, reader: str) -> None:
    write(tmp_path, {"Dockerfile": "FROM x", "compose.yaml": RUNS})
    web = read(tmp_path)["web"]
    assert web.problem is None
    assert set(web.run_options) - {("shm-size", "128MiB"), ("shm-size", "128m")} == {
        ("network", "none"),
        ("add-host", "index.local=10.0.0.1"),
        ("add-host", "v6.local=::1"),
        ("ulimit", "core=0:0"),
        ("ulimit", "nofile=1000:2000"),
        ("ulimit", "nproc=500:500"),
        ("allow", "network.host"),
        ("allow", "security.insecure"),
    }
    assert set(web.options) == {"context"}
    assert read(tmp_path)["base"].uncached == ()


def test_a_build_without_a_cache_says_which_line_wants_it(tmp_path: Path, reader: str) -> None:
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "compose.yaml": """
services:
  base: {build: .}
  web:
    build:
      context: .
      no_cache: true
  job: {build: {context: ., no_cache: false}}
  baked:
    build:
      context: .
      x-bake:
        no-cache-filter: [deps]
""",
        },
    )
    found = read(tmp_path)
    assert (found["web"].uncached, found["web"].uncached_by) == (("*",), "compose.yaml:7: no_cache")
    assert found["job"].uncached == ()
    baked = found["baked"]
    assert (baked.uncached, baked.uncached_by[:16]) == (("deps",), "compose.yaml:13:")


INLINE = """
x-common: &common
  context: app
services:
  web:
    build:
      <<: *common
      dockerfile_inline: |
        # syntax=docker/dockerfile:1
        FROM x
        # $$HOME of ${WHO:-nobody}

        COPY a b
  job:
    build:
      context: app
      dockerfile_inline: FROM y
"""


def test_a_dockerfile_inside_the_file_keeps_the_lines_of_that_file(
    tmp_path: Path, reader: str
) -> None:
    write(tmp_path, {"app/a": "", "compose.yaml": INLINE})
    found = read(tmp_path)
    web, job = found["web"], found["job"]
    assert (web.problem, job.problem) == (None, None)
    assert (web.inside, web.dockerfile.name) == (tmp_path / "compose.yaml", "compose.yaml")
    lines = web.dockerfile.read_text().splitlines()
    assert [(number, line) for number, line in enumerate(lines, 1) if line] == [
        (1, "# syntax=docker/dockerfile:1"),
        (10, "FROM x"),
        (11, "# $HOME of nobody"),
        (13, "COPY a b"),
    ]
    assert web.options["context"] == (str(tmp_path / "app"),)
    assert job.dockerfile.read_text().splitlines()[16:] == ["FROM y"]
    assert web.dockerfile != job.dockerfile


def test_what_stops_buildx_for_all_services_stops_here_only_the_one(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "compose.yaml": """
services:
  good: {build: .}
  keyed: {build: {context: ., ssh: [default]}}
  required: {build: {context: ., args: {A: "${NOT_SET_HERE:?say which}"}}}
  heir: {build: ., extends: {service: nobody}}
""",
        },
    )
    found = read(tmp_path)
    assert found["good"].problem is None
    assert options(tmp_path, found["keyed"])["ssh"] == ("default",)
    said = {name: str(found[name].problem) for name in ("required", "heir")}
    assert said == {
        "required": "compose.yaml::required: the variable NOT_SET_HERE is required: say which",
        "heir": "compose.yaml::heir: it extends the service nobody, which is not there",
    }


def test_one_service_can_be_named(tmp_path: Path, reader: str) -> None:
    text = "services: {a: {build: .}, b: {build: .}, c: {image: x}}"
    write(tmp_path, {"Dockerfile": "FROM x", "compose.yaml": text})
    assert list(read(tmp_path, "b")) == ["b"]
    with pytest.raises(ConfigError, match=r"builds no service c; it builds: a, b"):
        read(tmp_path, "c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: [", "invalid YAML"),
        ("services: {a: {build: !!python/name:os.system x}}", "the YAML tag"),
    ],
)
def test_a_file_that_is_no_compose_file_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str, reader: str
) -> None:
    write(tmp_path, {"compose.yaml": text})
    with pytest.raises(ConfigError, match=said):
        read(tmp_path)


VARIABLES = {"A": "1", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "1-1"),
        ("$$A", "$A"),
        ("${EMPTY-x}${EMPTY:-y}", "y"),
        ("${NO:-a${A:-b}c}", "a1c"),
        ("${A:+b}${EMPTY+c}${EMPTY:+d}${NO+e}", "bc"),
        ("${NO}", ""),
        ("plain", "plain"),
    ],
)
def test_interpolation_is_that_of_compose(text: str, value: str) -> None:
    assert interpolated(text, VARIABLES) == value


@pytest.mark.parametrize("text", ["${A", "$-", "${}", "${A!b}", "${NO?}", "${EMPTY:?why}"])
def test_what_compose_refuses_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        interpolated(text, VARIABLES)


def test_defaults_that_stand_in_each_other_too_deeply_are_refused() -> None:
    with pytest.raises(ConfigError, match="too deeply"):
        interpolated("${NO:-" * 3000 + "}" * 3000, VARIABLES)


def test_an_env_file_has_quotes_comments_and_variables(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "A=1 # one\nB='$A #'\nC=\"x\\n$A\"\n#D=1\nno line\nE=${A}${B}\nexport F = 2\n"
    )
    assert environment_file(tmp_path / ".env", {"A": "9"}) == {
        "A": "1",
        "B": "$A #",
        "C": "x\n9",
        "E": "9$A #",
        "F": "2",
    }
    assert environment_file(tmp_path / "none", {}) == {}


SCALARS = """
  D1: 2024-01-01
  D2: 2024-1-2
  D3: 2001-12-14t21:59:43.10-05:00
  D4: 2001-12-14 21:59:43
  D5: 2024-01-01T00:00:00Z
  D6: 2024-13-01
  D7: 2024-01-01T10:00:00
  D8: "2024-01-01"
  N1: 1e3
  N2: 1e6
  N3: 123456789.123
  N4: -1234567.8
  N5: 0.0001
  N6: 1e-5
  N7: -0.0
  N8: -0
  N9: 100000.0
  N10: 0o17
  N11: 017
  N12: 1_000
  N13: 2000000
  T1: yes
  T2: True
  T3: 12:30
  T4: ~
  T5: ''
"""

GIVEN = """
services:
  web:
    extends: {file: base/compose.yaml, service: base}
    env_file: [a.env, {path: b.env, required: false}]
    environment: {NAMED: from environment, PASSED: , OVER: service}
    build:
      context: .
      args: [BARE, NAMED, PASSED, UNSET, LATER, OVER, OLDER, SHELL_ONLY, "WRITTEN=${LATER:-no}"]
  scalars:
    build:
      context: .
      args:
"""


@pytest.mark.skipif(not has_buildx(), reason="needs docker buildx")
def test_arguments_have_the_values_that_bake_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSED", "shell")
    monkeypatch.setenv("SHELL_ONLY", "shell")
    monkeypatch.setenv("OVER", "shell")
    indented = "".join(f"      {line}\n" for line in SCALARS.strip("\n").splitlines())
    write(
        tmp_path,
        {
            "Dockerfile": "FROM x",
            "base/Dockerfile": "FROM x",
            "base/compose.yaml": "services: {base: {build: {}, env_file: old.env}}",
            "base/old.env": "OLDER=old\nLATER=old\n",
            ".env": "BARE=dotenv\n",
            "a.env": "BARE=file\nLATER=a\n",
            "b.env": "LATER=${BARE}-$SHELL_ONLY\n",
            "compose.yaml": GIVEN + indented,
        },
    )
    theirs = {name: options(tmp_path, one) for name, one in read(tmp_path).items()}
    monkeypatch.setattr(finding, "has_buildx", lambda: False)
    ours = {name: options(tmp_path, one) for name, one in read(tmp_path).items()}
    assert ours == theirs
    assert "BARE=file" in ours["web"]["build-arg"]
    assert "D1=2024-01-01 00:00:00 +0000 UTC" in ours["scalars"]["build-arg"]


def test_two_services_that_bake_names_alike_keep_their_own_builds(
    tmp_path: Path, reader: str
) -> None:
    text = "services:\n  a.b: {build: one}\n  a_b: {build: two}\n"
    write(tmp_path, {"one/Dockerfile": "FROM x", "two/Dockerfile": "FROM x", "compose.yaml": text})
    found = read(tmp_path)
    assert options(tmp_path, found["a.b"])["context"] == ("one",)
    assert options(tmp_path, found["a_b"])["context"] == ("two",)


def test_the_first_of_several_merged_mappings_wins(tmp_path: Path, reader: str) -> None:
    text = """
x-a: &a {context: app, target: a}
x-b: &b {context: other}
services:
  first: {build: {<<: [*b, *a]}}
  second: {build: {<<: [*a, *b], target: own}}
  third: {build: {<<: *b, context: app}}
"""
    files = {"app/Dockerfile": "FROM x", "other/Dockerfile": "FROM x", "compose.yaml": text}
    write(tmp_path, files)
    found = {name: options(tmp_path, one) for name, one in read(tmp_path).items()}
    assert {name: one["context"] + one.get("target", ()) for name, one in found.items()} == {
        "first": ("other", "a"),
        "second": ("app", "own"),
        "third": ("app",),
    }


def test_a_key_that_stands_twice_is_refused_as_compose_refuses_it(
    tmp_path: Path, reader: str
) -> None:
    text = "services:\n  web: {build: .}\n  web: {build: other}\n"
    write(tmp_path, {"Dockerfile": "FROM x", "compose.yaml": text})
    with pytest.raises(ConfigError, match=r"compose\.yaml:3:3: .*the key web stands there twice"):
        read(tmp_path)


def test_variables_that_no_build_takes_may_be_missing(tmp_path: Path, reader: str) -> None:
    text = """
services:
  web: {build: ., environment: {TOKEN: "${TOKEN:?set it}"}, ports: ["${PORT:?set it}:80"]}
  db: {image: "postgres:${VERSION:?set it}"}
  job: {build: "${PLACE:?set it}"}
"""
    write(tmp_path, {"Dockerfile": "FROM x", "compose.yaml": text})
    found = read(tmp_path)
    assert list(found) == ["web", "job"]
    assert found["web"].problem is None
    assert "the variable PLACE is required: set it" in str(found["job"].problem)


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_files_of_compose_file_are_those_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for name in ("compose.yaml", "a.yml", "b.yml"):
        (tmp_path / name).write_text("services: {}")
    if place == "environment":
        monkeypatch.setenv("COMPOSE_FILE", f"a.yml{os.pathsep}b.yml")
    else:
        monkeypatch.delenv("COMPOSE_FILE", raising=False)
        (tmp_path / ".env").write_text("COMPOSE_FILE=a.yml,b.yml\nCOMPOSE_PATH_SEPARATOR=,\n")
    assert definition_files(tmp_path, "compose") == (tmp_path / "a.yml", tmp_path / "b.yml")
    (tmp_path / "b.yml").unlink()
    assert definition_files(tmp_path, "compose") == (tmp_path / "compose.yaml",)
