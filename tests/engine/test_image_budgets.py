"""Checks of the image that no sample is broken in: packages, size, saving, linked packages."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin_process import environment, only_image, run_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def test_packages_and_size_are_held_against_what_was_asked_for(
    sample: Callable[[str], Path], miniconda: str, tmp_path: Path
) -> None:
    project = sample("optimized")
    dockerfile = project / "Dockerfile"
    # Like conda itself, this keeps the extracted packages that an environment is linked to.
    dockerfile.write_text(dockerfile.read_text().replace("--all --force-pkgs-dirs", "--all"))
    (project / "wanted.yml").write_text("name: app\ndependencies:\n  - numpy=1.25\n  - pandas\n")
    report = tmp_path / "report.json"
    done = run_pytest(
        project,
        *("-p", "no:cacheprovider", "-k", "caches or matches or size"),
        f"--dockercache-build-arg=BASE={miniconda}",
        f"--dockercache-report=json:{report}",
        "--dockercache-environment=wanted.yml",
        "--dockercache-max-size=1MB",
        env=environment(COLUMNS="150"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    image = only_image(report)
    checks = {check["id"]: check for check in image["checks"]}
    assert checks["no-package-caches"]["outcome"] == "passed", done.stdout
    matches, size = checks["environment-matches"], checks["image-size"]
    assert matches["outcome"] == size["outcome"] == "failed", done.stdout
    assert matches["message"].startswith("image does not match wanted.yml: 2 packages differ")
    assert "pandas" in matches["message"]
    assert "numpy" in matches["message"]
    assert "over its budget" in size["message"]
    own = [layer for layer in image["layers"] if not layer["base"]]
    assert [layer["line"] for layer in own] == sorted(layer["line"] for layer in own)
    assert sum(layer["size"] for layer in image["layers"]) > 10**8


DOCKERFILE = """\
FROM {base}
COPY src/ /src/
RUN : pip install -r /src/requirements.txt && echo {nonce} > /installed
RUN cat /installed > /copied
"""
"""The source first: its edit spends every second of the cold build again, however long it is."""


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_a_rebuild_that_spends_every_second_again_saves_nothing(
    tiny: str, tmp_path: Path, engine: str
) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "main.py").write_text("print()\n")
    (project / "src" / "requirements.txt").write_text("six\n")
    text = DOCKERFILE.format(base=tiny, nonce=uuid.uuid4().hex)
    (project / "Dockerfile").write_text(text)
    report = tmp_path / "report.json"
    done = run_pytest(
        project,
        *("-k", "rebuild-saving"),
        f"--dockercache-engine={engine}",
        f"--dockercache-report=json:{report}",
        "--dockercache-min-saving=80%",
        env=environment(COLUMNS="150", XDG_CACHE_HOME=str(tmp_path / "cache")),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    image = only_image(report)
    (check,) = image["checks"]
    assert (check["id"], check["outcome"]) == ("rebuild-saving", "failed"), done.stdout
    verdict, edit, *rows, why, fix, judge = check["message"].splitlines()
    assert verdict == "a source edit saves 0% of the cold build, not 80%"
    assert edit == "  edit   src/main.py (+1 comment line)"
    assert all(row.endswith(" s again") and " MISS " in row for row in rows), rows
    assert {int(row.split()[0]) for row in rows} == {2, 3, 4}
    assert why.endswith("step-seconds are spent again (--dockercache-min-saving)")
    spent, _, total, *_ = why.split()[1:]
    assert spent == total
    assert fix.startswith(f"  fix    begin with line {check['line']} (")
    assert judge.startswith(f"  engine {engine}")


ENVIRONMENT_AND_CODE = """\
FROM {base} AS build
WORKDIR /app/env
RUN head -c 3000000 /dev/zero > packages && echo {nonce} > made
COPY main.txt /app/
FROM {base}
{copies}
"""
"""A stage makes the environment and takes the code; the image copies both, together or apart."""

TOGETHER = "COPY --from=build /app /app"
APART = "COPY --from=build /app/env /app/env\nCOPY --from=build /app/main.txt /app/"


@pytest.mark.parametrize("copies", [TOGETHER, APART], ids=["together", "apart"])
def test_an_environment_in_one_layer_with_the_code_is_shipped_again(
    tiny: str, tmp_path: Path, copies: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.txt").write_text("main\n")
    text = ENVIRONMENT_AND_CODE.format(base=tiny, nonce=uuid.uuid4().hex, copies=copies)
    (project / "Dockerfile").write_text(text)
    report = tmp_path / "report.json"
    done = run_pytest(
        project,
        *("-k", "layer-cached or reshipped"),
        "--dockercache-env-step=packages",
        f"--dockercache-report=json:{report}",
        "--dockercache-max-reship=1MB",
        env=environment(COLUMNS="150", XDG_CACHE_HOME=str(tmp_path / "cache")),
    )
    checks = {check["id"]: check for check in only_image(report)["checks"]}
    assert checks["env-layer-cached"]["outcome"] == "passed", done.stdout
    check = checks["reshipped-bytes"]
    told = "a source edit makes 3.0 MB anew (line 6), and the environment is a hit"
    assert (told in done.stdout) == (copies == TOGETHER), done.stdout
    if copies == APART:
        assert (check["outcome"], done.returncode) == ("passed", 0), done.stdout
        return
    assert (check["outcome"], check["line"]) == ("failed", 6), done.stdout
    assert check["message"].startswith(
        "a source edit makes 3.0 MB of layers anew, 2.0 MB over its budget"
    )
    assert "COPY --from=build /app /app" in check["message"]
    assert check["fix"]["text"].startswith("split line 6: first copy what a code change leaves")
