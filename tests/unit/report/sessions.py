"""Sessions as values: what every kind of report is tried on."""

from __future__ import annotations

from dataclasses import replace

from pytest_dockercache.checks.layer_summary import LayerSummary
from pytest_dockercache.model import (
    Build,
    Edit,
    EngineInfo,
    FileGroup,
    Finding,
    Fix,
    Reason,
    Row,
    Step,
)
from pytest_dockercache.report import CheckResult, Ending, ImageReport, SessionReport

BUILDX = EngineInfo("buildx", "0.13.1", "26.1.5", "the buildx plugin answers", "default")

DOCKERFILE = """\
FROM continuumio/miniconda3:24.1.2-0
# The service and its environment.
WORKDIR /srv/forecast
COPY src/ src/
COPY environment.yml ./
RUN --mount=type=cache,target=/root/.cache/pip conda env update --name app \\
    --file environment.yml && conda clean --all --yes
CMD ["python", "src/main.py"]
"""

INSTALL = (
    "RUN --mount=type=cache,target=/root/.cache/pip conda env update --name app "
    "--file environment.yml && conda clean --all --yes"
)

PATCH = """\
--- a/Dockerfile
+++ b/Dockerfile
@@ -1,8 +1,8 @@
 FROM continuumio/miniconda3:24.1.2-0
 # The service and its environment.
 WORKDIR /srv/forecast
-COPY src/ src/
 COPY environment.yml ./
 RUN --mount=type=cache,target=/root/.cache/pip conda env update --name app \\
     --file environment.yml && conda clean --all --yes
+COPY src/ src/
 CMD ["python", "src/main.py"]
"""

_STEPS = (
    Step(1, "0", "FROM", "FROM continuumio/miniconda3:24.1.2-0", role="base", status="hit"),
    Step(3, "0", "WORKDIR", "WORKDIR /srv/forecast", status="miss", seconds=0.04),
    Step(4, "0", "COPY", "COPY src/ src/", role="source", status="miss", seconds=0.1),
    Step(5, "0", "COPY", "COPY environment.yml ./", role="source", status="miss", seconds=0.1),
    Step(6, "0", "RUN", INSTALL, role="environment", status="miss", seconds=94.1, end_line=7),
    Step(8, "0", "CMD", 'CMD ["python", "src/main.py"]'),
)
FIRST = Build((), "built", 96.2, _STEPS, image="sha256:0")
BELOW = Reason("parent", "runs on top of line 4", 4)
AFTER_SOURCE = Build(
    (Edit.append("src/main.py"),),
    "stopped",
    0.31,
    (
        _STEPS[0],
        replace(_STEPS[1], status="hit", seconds=None),
        replace(_STEPS[2], reason=Reason("content", "contains src/main.py", 4, ("src/main.py",))),
        replace(_STEPS[3], reason=BELOW),
        replace(_STEPS[4], seconds=None, reason=BELOW),
        _STEPS[5],
    ),
)
AFTER_MANIFEST = Build(
    (Edit.append("environment.yml"),),
    "stopped",
    0.29,
    (
        _STEPS[0],
        replace(_STEPS[1], status="hit", seconds=None),
        replace(_STEPS[2], status="hit", seconds=None),
        _STEPS[3],
        replace(_STEPS[4], seconds=None, reason=Reason("parent", "runs on top of line 5", 5)),
        _STEPS[5],
    ),
)

SHORT_INSTALL = "RUN conda env update --name app --file environment.yml"

LAYERS = (
    LayerSummary(None, "/bin/sh -c #(nop) ADD file:0", 80_000_000, True, 0, 0, 0, ()),
    LayerSummary(None, "RUN install conda", 140_800_000, True, 51_200_000, 8_100_000, 1_200, (6,)),
    LayerSummary(3, "WORKDIR /srv/forecast", 0, False, 0, 0, 0, ()),
    LayerSummary(4, "COPY src/ src/", 1_400, False, 0, 0, 0, ()),
    LayerSummary(5, "COPY environment.yml ./", 151, False, 0, 0, 0, ()),
    LayerSummary(6, INSTALL, 103_200_000, False, 12_000_000, 3_100_000, 0, ()),
)

FILES = (
    FileGroup((4,), "source", 12, ("src/main.py", "src/model.py"), True),
    FileGroup((5,), "input", 1, ("environment.yml",), True),
)


def check(name: str, ending: Ending, node: str = "Dockerfile") -> CheckResult:
    return CheckResult(name, f"{node}::{name}", ending)


def passed(name: str, message: str, node: str = "Dockerfile") -> CheckResult:
    return check(name, Ending("passed", Finding(message)), node)


FAILED = check(
    "env-layer-cached",
    Ending(
        "failed",
        Finding(
            "env layer was rebuilt: src/ is copied before it",
            line=4,
            edits=(Edit.append("src/main.py"),),
            rows=(
                Row("contains src/main.py", "4", "COPY src/ src/", "MISS"),
                Row("94.1 s again on every source edit", "6", SHORT_INSTALL, "MISS"),
                Row("  files  12 source files reinstall it: src/ (12 files)"),
            ),
            why="line 6 runs on top of line 4; environment.yml itself is unchanged",
            fix=Fix('move "COPY src/ src/" (line 4) below line 6', PATCH),
            judge="engine buildx 0.13.1, Docker Engine 26.1.5",
        ),
    ),
)
INAPPLICABLE = check(
    "python-version",
    Ending("skipped", Finding("no Python version is pinned"), "does-not-apply"),
)
UNVERIFIED = check(
    "environment-matches",
    Ending("skipped", Finding("environment.yml names no versions", fix=Fix("pin")), "not-verified"),
)
PASSED = (
    passed("builds", "the image builds in 1 min 36 s"),
    passed("env-change-rebuilds", "environment.yml rebuilds the environment"),
    passed("no-bytecode", "no .pyc files"),
)

_GOOD_AFTER = replace(
    AFTER_SOURCE,
    steps=tuple(
        replace(step, status="hit", seconds=None, reason=None) if step.line in (5, 6) else step
        for step in AFTER_SOURCE.steps
    ),
)

IMAGE = ImageReport(
    node="Dockerfile",
    dockerfile="Dockerfile",
    context=".",
    builds=(FIRST, AFTER_SOURCE, AFTER_MANIFEST),
    files=FILES,
    layers=LAYERS,
    checks=(PASSED[0], FAILED, *PASSED[1:], INAPPLICABLE, UNVERIFIED),
    source="src/main.py",
    seconds={3: 0.04, 4: 0.1, 5: 0.1, 6: 94.1},
    file="services/forecast/Dockerfile",
    text=DOCKERFILE,
)
GOOD_IMAGE = replace(
    IMAGE,
    builds=(FIRST, _GOOD_AFTER, AFTER_MANIFEST),
    files=(replace(FILES[0], reinstalls=False), FILES[1]),
    checks=(*PASSED, passed("env-layer-cached", "12 files keep it"), INAPPLICABLE),
)
NOT_BUILT = replace(
    IMAGE,
    builds=(Build((), "failed", 3.5, ()),),
    files=(),
    layers=(),
    seconds={},
    checks=(
        check(
            "builds",
            Ending(
                "failed",
                Finding("line 6 failed: RUN conda env update", line=6, log="no such name"),
            ),
        ),
        *(
            check(
                name,
                Ending(
                    "skipped",
                    Finding("the image does not build: see Dockerfile::builds"),
                    "not-verified",
                ),
            )
            for name in ("env-layer-cached", "no-bytecode")
        ),
    ),
)
STRANGER = ImageReport(
    node="registry.example/app:1",
    dockerfile=None,
    context=".",
    image="registry.example/app:1",
    layers=tuple(replace(layer, line=None, base=None) for layer in LAYERS),
    checks=(
        check(
            "no-package-caches",
            Ending(
                "failed",
                Finding("the image holds 63.2 MB of package caches", rows=(Row("  rows"),)),
            ),
            "registry.example/app:1",
        ),
    ),
)

HOSTILE = '</script><script>alert("1")</script>`<img src=x onerror=alert(2)>|\n```\n::error::x @all'
"""A text that would do harm in a page, in Markdown or in a workflow command."""

_HOSTILE_STEP = replace(_STEPS[4], text=f"RUN echo {HOSTILE}")
HOSTILE_IMAGE = replace(
    IMAGE,
    node=f"{HOSTILE}/Dockerfile",
    dockerfile=f"{HOSTILE}/Dockerfile",
    file=f"{HOSTILE}/Dockerfile",
    target=HOSTILE,
    builds=tuple(
        replace(build, steps=(*build.steps[:4], _HOSTILE_STEP, build.steps[5]))
        for build in IMAGE.builds
    ),
    files=(FileGroup((4,), "source", 2, (f"src/{HOSTILE}.py", "a|b`c.py"), True),),
    layers=tuple(replace(layer, created_by=f"RUN echo {HOSTILE}") for layer in LAYERS),
    checks=(
        check(
            "env-layer-cached",
            Ending(
                "failed",
                Finding(
                    f"{HOSTILE} is copied before it",
                    line=4,
                    why=HOSTILE,
                    fix=Fix(HOSTILE, PATCH.replace("src/ src/", f"src/ {HOSTILE.split()[0]}")),
                ),
            ),
        ),
        check("no-bytecode", Ending("skipped", Finding(HOSTILE), "not-verified")),
    ),
    text=DOCKERFILE.replace("src/ src/", f"src/ {HOSTILE}"),
)


def session(*images: ImageReport) -> SessionReport:
    return SessionReport(BUILDX, images)


def many(count: int) -> SessionReport:
    """As many images, one in five of which fails."""
    images = []
    for number in range(count):
        image = IMAGE if number % 5 == 2 else GOOD_IMAGE
        node = f"services/service-{number:02d}/Dockerfile"
        checks = tuple(replace(item, nodeid=f"{node}::{item.id}") for item in image.checks)
        images.append(replace(image, node=node, dockerfile=node, file=node, checks=checks))
    return session(*images)
