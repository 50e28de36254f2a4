"""Named contexts with the real builder: the same keys as the user's, and what the model says."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path

import docker
import pytest

from plugin_process import environment, run_pytest
from pytest_dockercache.cache import Snapshot, predict
from pytest_dockercache.context import stage
from pytest_dockercache.engines.progress import RawJson, VertexEvent
from pytest_dockercache.model import BuildSpec, Edit

pytestmark = pytest.mark.engine

LABEL = "dockercache.test.named"

DOCKERFILE = """\
FROM {base} AS one
COPY --from=shared requirements.txt /r.txt
RUN --mount=from=shared,source=conf,target=/c cat /c/* > /conf
FROM {base}
COPY --from=shared . /shared/
COPY . /main/
COPY --from=shared lib/*.py /wild/
COPY --from=shared rooted /linked
COPY --from=repo shared/lib/a.py /a.py
COPY --from=repo app/main.py /twin.py
COPY --from=one /r.txt /conf /one/
"""

EDITS = (
    Edit.append("shared:/requirements.txt"),
    Edit.append("shared:/conf/c.txt"),
    Edit.append("shared:/lib/a.py"),
    Edit.append("shared:/lib/b.txt"),
    Edit.create("shared:/lib/new.py"),
    Edit.create("shared:/.git/new"),
    Edit.create("shared:/other/new"),
    Edit.append("main.py"),
    Edit.append("repo:/other.txt"),
    Edit.delete("shared:/lib/b.txt"),
    Edit.touch("shared:/lib/a.py"),
    Edit.chmod("shared:/lib/a.py", 0o755),
    Edit.append("shared:/.dockerignore", "extra.txt"),
)


@pytest.fixture
def spec(tmp_path: Path, tiny: str) -> BuildSpec:
    unique = uuid.uuid4().hex
    for name in (
        "app/main.py", "app/other.py", "shared/requirements.txt", "shared/conf/c.txt",
        "shared/lib/a.py", "shared/lib/b.txt", "shared/extra.txt", "shared/.git/HEAD", "other.txt",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {unique}\n")
    (tmp_path / "app/.dockerignore").write_text("**\n!main.py\n!other.py\n")
    (tmp_path / "shared/.dockerignore").write_text(".git\n.dockerignore\n")
    (tmp_path / "shared/rooted").symlink_to("/lib/a.py")
    (tmp_path / "app/Dockerfile").write_text(DOCKERFILE.format(base=tiny))
    named = (("shared", str(tmp_path / "shared")), ("repo", str(tmp_path)))
    return BuildSpec(tmp_path / "app/Dockerfile", tmp_path / "app", contexts=named)


def missed(dockerfile: Path, context: Path, named: dict[str, Path]) -> set[str]:
    """The numbers and stages of the steps that a build ran."""
    command = ["docker", "buildx", "build", "--progress=rawjson", f"--label={LABEL}=1"]
    command += [f"--build-context={name}={place}" for name, place in named.items()]
    done = subprocess.run(
        [*command, f"--file={dockerfile}", str(context)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    reader = RawJson()
    events = [event for line in done.stderr.splitlines() for event in reader.feed(line + "\n")]
    ran = {
        event.name
        for event in [*events, *reader.end()]
        if isinstance(event, VertexEvent)
        and event.started is not None
        and not event.cached
        and event.inputs
    }
    found = (re.match(r"\[(\S+) +(\d+)/\d+\]", name) for name in ran)
    return {f"{one[1]} {one[2]}" for one in found if one is not None}


def test_the_model_says_what_the_builder_does_after_edits_of_named_contexts(
    spec: BuildSpec, tmp_path: Path, docker_daemon: docker.DockerClient
) -> None:
    """The first build is the user's own; the staged copies have its keys."""
    places = {name: Path(value) for name, value in spec.contexts}
    assert len(missed(spec.dockerfile, spec.context, places)) == 9
    before = Snapshot.read(spec)
    root = tmp_path / "staged"
    wrong = []
    for number, edit in enumerate([None, *EDITS]):
        edits = () if edit is None else (edit,)
        nonce = f"{tmp_path.name}{number}"
        staged = stage(spec, root, edits, nonce=nonce)
        copies = dict(staged.contexts)
        named = {name: copies[f"{name}:"] for name, _ in spec.contexts}
        seen = missed(staged.dockerfile, staged.root, named)
        after = before if staged.patch is None else before.patched(spec, staged.patch)
        said = {
            f"{one.step.label} {one.step.ordinal}": one.status
            for one in predict(before, after)
            if one.step.ordinal is not None
        }
        sure = {step for step, status in said.items() if status == "miss"}
        unsure = {step for step, status in said.items() if status == "unknown"}
        if not sure <= seen <= sure | unsure:
            wrong.append((str(edit), sorted(seen ^ sure)))
    for image in docker_daemon.images.list(all=True, filters={"label": f"{LABEL}=1"}):
        docker_daemon.api.remove_image(str(image.id), force=True)
    assert wrong == []


ORDERS = {
    "good": "COPY --from=shared requirements.txt ./\n{install}COPY --from=shared . ./\n",
    "bad": "COPY --from=shared . ./\n{install}",
}
INSTALL = "RUN echo pip install -r requirements.txt > installed\n"


def test_the_order_of_files_of_a_named_context_is_judged(tiny: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    files = {
        "app/main.txt": "main\n",
        "shared/requirements.txt": f"# {uuid.uuid4()}\nsix\n",
        "shared/lib.txt": "lib\n",
    }
    services = {}
    for name, order in ORDERS.items():
        start = f"FROM {tiny}\nWORKDIR /opt/app\n"
        files[f"app/{name}"] = start + order.format(install=INSTALL) + "COPY main.txt ./\n"
        services[name] = {
            "build": {
                "context": "app",
                "dockerfile": name,
                "additional_contexts": {"shared": "./shared"},
            }
        }
    files["compose.yaml"] = json.dumps({"services": services})
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    report = tmp_path / "report.json"
    ended = run_pytest(
        root,
        *("-p", "no:cacheprovider"),
        "--dockercache-env-step=pip install",
        f"--dockercache-report=json:{report}",
        "-k",
        "layer-cached",
        env=environment(),
    )
    output = ended.stdout + ended.stderr
    images = json.loads(report.read_text())["images"]
    checks = {check["nodeid"]: check for image in images for check in image["checks"]}
    outcomes = {node: check["outcome"] for node, check in checks.items()}
    assert outcomes == {
        "compose.yaml::good::env-layer-cached": "passed",
        "compose.yaml::bad::env-layer-cached": "failed",
    }, output
    assert (
        "shared:/lib.txt is copied before it"
        in checks["compose.yaml::bad::env-layer-cached"]["message"]
    )
    assert {path: path.stat().st_mtime_ns for path in before} == before


FROM_DIRECTORY = """\
FROM rootfs AS root
COPY main.py /main.py
FROM {base} AS own
COPY --from=root /data.txt /main.py /own/
FROM {base}
COPY --from=own /own /own
RUN echo {unique}
"""


def test_what_stands_on_a_directory_runs_again_and_what_is_copied_out_of_it_need_not(
    spec: BuildSpec, tmp_path: Path, docker_daemon: docker.DockerClient, tiny: str
) -> None:
    root = tmp_path / "rootfs"
    root.mkdir()
    (root / "data.txt").write_text(f"{tmp_path}\n")
    text = FROM_DIRECTORY.format(base=tiny, unique=uuid.uuid4())
    spec.dockerfile.write_text(text)
    spec = BuildSpec(spec.dockerfile, spec.context, contexts=(("rootfs", str(root)),))
    assert len(missed(spec.dockerfile, spec.context, {"rootfs": root})) == 4
    assert missed(spec.dockerfile, spec.context, {"rootfs": root}) == {"root 1"}
    before = Snapshot.read(spec)
    after = before.after(spec, [Edit.touch("main.py")])
    said = {one.step.line: one.status for one in predict(before, after)}
    assert said == {2: "miss", 4: "hit", 6: "hit", 7: "hit"}
    for image in docker_daemon.images.list(all=True, filters={"label": f"{LABEL}=1"}):
        docker_daemon.api.remove_image(str(image.id), force=True)
