"""A stage with the name that BuildKit gives to an unnamed one, on real builders."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from plugin_process import environment, only_image, run_pytest

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM {base} AS stage-1
COPY requirements.txt /
RUN : pip install -r /requirements.txt {nonce}
FROM {base}
COPY --from=stage-1 /requirements.txt /
COPY src/ /src/
"""


def judged(project: Path, engine: str) -> tuple[dict[str, Any], str]:
    report = project.parent / "report.json"
    done = run_pytest(
        project,
        *("-k", "layer-cached"),
        f"--dockercache-engine={engine}",
        "--dockercache-env-step=pip install",
        f"--dockercache-report=json:{report}",
        env=environment(XDG_CACHE_HOME=str(project.parent / "cache")),
    )
    assert report.exists(), done.stdout + done.stderr
    return only_image(report), done.stdout


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_steps_that_a_builder_names_alike_are_unknown_and_never_a_hit(
    tiny: str, tmp_path: Path, engine: str
) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "main.py").write_text("print()\n")
    (project / "requirements.txt").write_text("six\n")
    text = DOCKERFILE.format(base=tiny, nonce=uuid.uuid4().hex)
    (project / "Dockerfile").write_text(text)
    image, said = judged(project, engine)
    (check,) = image["checks"]
    statuses = {step["status"] for build in image["builds"] for step in build["steps"]}
    if engine == "classic":  # names no stages, and numbers the steps of the whole Dockerfile
        assert check["outcome"] == "passed", said
        return
    assert check["outcome"] == "skipped", said
    assert "both stage-1: give that of line 4 a name" in check["message"]
    assert "hit" not in statuses

    (project / "Dockerfile").write_text(text.replace(f"FROM {tiny}\n", f"FROM {tiny} AS last\n"))
    image, said = judged(project, engine)
    assert image["checks"][0]["outcome"] == "passed", said
