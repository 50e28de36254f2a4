"""The cost of a prediction: the model against the fully cached build of the same project.

Side A is the model on a Dockerfile of 30 steps with a context of 1,000 files, from reading both to
the verdict and reason of every step after an edit, in a new process whose modules are loaded. Side
B is ``docker buildx build`` of the same project when every step is a hit. Beside them the model on
10,000 files, cold (nothing remembered of them) and warm; and the cost of a failing check beyond its
verdict: the order of the steps that keeps the environment, found and tried on the model. And the
cost of judging every file: 10,000 of them followed through the steps, told apart and grouped (CPU
time).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _docker import Cli, base_image, engine_facts, workshop
from _measure import Claim, arguments, environment, interleaved, report

STEPS = 30

PREDICTION = """
import json, sys, time
from pathlib import Path
began = time.perf_counter()
from pytest_dockercache.cache import Snapshot, predict
from pytest_dockercache.dockerfile import parse_dockerfile
from pytest_dockercache.model import BuildSpec, Edit
parse_dockerfile("FROM scratch")  # Loads the parser's library.
loaded = time.perf_counter()
folder = Path(sys.argv[1])
spec = BuildSpec(folder / "Dockerfile", folder)
edits = [Edit.append("src/part0/module1.py")]
before = Snapshot.read(spec)
said = predict(before, before.after(spec, edits))
digests = time.perf_counter()
if sys.argv[2] == "digests":
    before.tree.digests()
ended = time.perf_counter()
missed = [item.step.line for item in said if item.status == "miss"]
print(json.dumps({
    "loading": loaded - began, "predicting": digests - loaded, "digests": ended - digests,
    "steps": len(said), "missed": len(missed),
}))
"""

FIX = """
import json, sys, time
from pathlib import Path
from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.fixing import keeping_the_environment
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Project, Settings
folder = Path(sys.argv[1])
spec = BuildSpec(folder / "Dockerfile", folder)
project = Project.read(spec, Settings(root=folder))
project.snapshot  # A failing check has read the context already.
began = time.perf_counter()
fix = keeping_the_environment(project, [Edit.append("src/part0/module1.py")], BUILDKIT)
ended = time.perf_counter()
print(json.dumps({"seconds": ended - began, "patch": fix is not None and fix.patch is not None}))
"""

GROUPS = """
import json, sys, time
from pathlib import Path
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Project, Settings
folder = Path(sys.argv[1])
spec = BuildSpec(folder / "Dockerfile", folder)
project = Project.read(spec, Settings(root=folder))
project.entries  # Any prediction has read the context already.
began = time.process_time()
groups, sources = project.survey.groups, project.sources
ended = time.process_time()
files = sum(len(group.paths) for group in groups)
print(json.dumps({"seconds": ended - began, "files": files, "sources": len(sources)}))
"""


def main() -> int:
    """Measure, print, and return 0 if the targets are met."""
    parser = arguments(__doc__, rounds=9)
    parser.add_argument("--base", metavar="IMAGE", help="the base image (default: the stand-in)")
    options = parser.parse_args()
    base = options.base or base_image()
    cli = Cli({})
    loading: list[float] = []
    with workshop(cli.token, ("benchmark step",)) as directory:
        small = _project(directory / "small", base, 1_000)
        large = _project(directory / "large", base, 10_000)
        broken = _broken(directory / "broken", base, 1_000)

        def predicted(folder: Path, cache: Path, mode: str = "verdicts") -> float:
            said = _predict(folder, cache, mode)
            loading.append(said["loading"])
            return said["predicting"] + said["digests"]

        def cold() -> float:
            with tempfile.TemporaryDirectory(dir=directory) as empty:
                return predicted(large, Path(empty), "digests")

        sides = {
            "A  model, 30 steps, 1,000 files": lambda: predicted(small, directory / "cache"),
            "B  docker buildx build, every step a hit": lambda: cli.build(small).seconds,
            "C  model, 10,000 files, cold: each hashed": cold,
            "D  model, 10,000 files, warm": lambda: predicted(large, directory / "cache"),
            "E  D, and all digests from memory": lambda: predicted(
                large, directory / "cache", "digests"
            ),
            "F  a fix, 30 steps, 1,000 files": lambda: _fix(broken, directory / "cache"),
            "G  10,000 files grouped, CPU time": lambda: _group(large, directory / "cache"),
        }
        time.sleep(2.1)  # Files that changed just now are not remembered.
        for warm_up in sides.values():
            warm_up()
        loading.clear()
        a, b, c, d, e, f, g = interleaved(sides, options.rounds)
    claims = [
        Claim("A, 30 steps and 1,000 files", a.median, 0.05, "s"),
        Claim("C, 10,000 files cold", c.median, 0.5, "s"),
        Claim("D, 10,000 files warm", d.median, 0.1, "s"),
        Claim("A / B, ratio of medians", a.median / b.median, 1.0),
        Claim("F, a fix that the model has tried", f.median, 0.1, "s"),
        Claim("G, 10,000 files grouped", g.median, 0.05, "s"),
    ]
    facts = {**engine_facts(), "loading of modules, median": f"{_median(loading):.3f} s"}
    about = "the verdict and reason of every step after an edit"
    return report("model", about, [a, b, c, d, e, f, g], claims, as_json=options.json, facts=facts)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _project(folder: Path, base: str, files: int) -> Path:
    """A project of 30 steps whose last one copies the whole context."""
    lines = [f"FROM {base}", "WORKDIR /work"]
    for number in range(STEPS - 2):
        if number % 2:
            lines.append(f"RUN true benchmark step {number}")
        else:
            lines += [f"ENV STEP{number}=1", f"COPY src/part0 /work/step{number}/"]
    lines += ["COPY . /work/all", 'CMD ["true"]']
    for number in range(files):
        path = folder / f"src/part{number // 100}/module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NUMBER = {number}\n" * 40)
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    (folder / ".dockerignore").write_text(".git\n.pytest_cache\n**/__pycache__\n")
    return folder


def _broken(folder: Path, base: str, files: int) -> Path:
    """A Dockerfile of equally many steps, with the whole context above the installation."""
    _project(folder, base, files)
    middle = [
        f"RUN echo {number}" if number % 2 else f"ENV STEP{number}=1" for number in range(STEPS - 4)
    ]
    lines = [f"FROM {base}", "WORKDIR /work", "COPY . /work", *middle]
    lines += ["RUN pip install -r requirements.txt", 'CMD ["true"]']
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    (folder / "requirements.txt").write_text("click\n")
    return folder


def _fix(folder: Path, cache: Path) -> float:
    said = _asked(FIX, folder, cache)
    if not said["patch"]:
        raise SystemExit("the fix that was asked for has no patch")
    return said["seconds"]


def _group(folder: Path, cache: Path) -> float:
    said = _asked(GROUPS, folder, cache)
    if said["files"] != 10_000 or not said["sources"]:
        raise SystemExit(f"the groups are others than were asked for: {said}")
    return said["seconds"]


def _predict(folder: Path, cache: Path, mode: str) -> dict[str, float]:
    said = _asked(PREDICTION, folder, cache, mode)
    if said["steps"] != STEPS or not said["missed"]:
        raise SystemExit(f"the prediction is another one than was asked for: {said}")
    return said


def _asked(program: str, folder: Path, cache: Path, *more: str) -> dict[str, float]:
    """The output of a program about a project, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), *more],
        env=environment(XDG_CACHE_HOME=str(cache)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"the model failed:\n{done.stderr}")
    said: dict[str, float] = json.loads(done.stdout)
    return said


if __name__ == "__main__":
    sys.exit(main())
