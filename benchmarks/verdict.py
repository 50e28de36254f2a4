"""How soon the verdict is in: a rebuild that reinstalls the environment, stopped or waited for.

The sample is generated: its source is copied before a step that installs the
environment and takes at least 20 seconds, so every source edit runs that step
again. Side A is our rebuild after such an edit, from its start to the
verdict, as the JSON report says it. Side B is the same rebuild with the
docker CLI, finished.
"""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from _docker import Cli, base_image, engine_facts, pytest_run, workshop
from _measure import Claim, Timing, arguments, interleaved, report

SECONDS = 20
DOCKERFILE = """\
ARG BASE
FROM ${{BASE}}
WORKDIR /opt/{token}
COPY src/ src/
COPY requirements.txt ./
RUN sleep {seconds} && python -m pip install --no-cache-dir -r requirements.txt
CMD ["python", "src/main.py"]
"""


def main() -> int:
    """Measure, print, and return 0 if the target is met."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--base", metavar="IMAGE", help="the base image (default: the stand-in)")
    options = parser.parse_args()
    base = options.base or base_image()
    cli = Cli({"BASE": base})
    steps = (f"/opt/{cli.token}", "COPY src/ src/", "COPY requirements.txt ./", f"sleep {SECONDS}")
    with workshop(cli.token, steps) as directory:
        ours = _Ours(directory, _project(directory / "ours", cli.token), base)
        by_hand = _ByHand(_project(directory / "by-hand", cli.token), cli)
        cli.build(by_hand.project)
        ours.verdict()
        ours.runs.clear()
        a, b = interleaved(
            {
                "A  rebuild to the verdict": ours.verdict,
                "B  rebuild to its end, docker CLI": by_hand.rebuild,
            },
            options.rounds,
        )
    claims = [Claim("A / B, ratio of medians", a.median / b.median, 1 / 20)]
    whole = Timing("the whole pytest run that A is in", tuple(ours.runs), part_of=None)
    about = f"an environment step of {SECONDS} s that a source edit runs again"
    timings = [a, b, whole]
    return report("verdict", about, timings, claims, as_json=options.json, facts=engine_facts())


@dataclass
class _Ours:
    """Runs of ``env-layer-cached``; ``runs`` are the seconds that pytest took as a whole."""

    directory: Path
    project: Path
    base: str
    runs: list[float] = field(default_factory=list)

    def verdict(self) -> float:
        """Seconds from the start of the rebuild to its end at the verdict."""
        report_file = self.directory / "report.json"
        options = [
            "--dockercache",
            "-k",
            "layer-cached",
            f"--dockercache-build-arg=BASE={self.base}",
            f"--dockercache-report=json:{report_file}",
        ]
        environment = {"XDG_CACHE_HOME": str(self.directory / "cache")}
        self.runs.append(pytest_run(self.project, options, environment, failed=1))
        (image,) = json.loads(report_file.read_text())["images"]
        rebuilds = [build for build in image["builds"] if build["edit"] is not None]
        if [build["outcome"] for build in rebuilds] != ["stopped"]:
            raise SystemExit(f"expected one stopped rebuild, the report has {rebuilds}")
        return float(rebuilds[0]["seconds"])


@dataclass
class _ByHand:
    """The rebuild with the docker CLI, up to its end."""

    project: Path
    cli: Cli

    def rebuild(self) -> float:
        """Seconds from the start of the rebuild to its end."""
        file = self.project / "src" / "main.py"
        before = file.read_text()
        file.write_text(f"{before}# {secrets.token_hex(6)}\n")
        try:
            built = self.cli.build(self.project)
        finally:
            file.write_text(before)
        if not built.seen.runs(f"sleep {SECONDS}"):
            raise SystemExit("the environment step was not run again")
        return built.seconds


def _project(directory: Path, token: str) -> Path:
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "main.py").write_text('print("ready")\n')
    # The base has pip already: nothing is downloaded, the step takes as long as it sleeps.
    (directory / "requirements.txt").write_text("pip\n")
    text = DOCKERFILE.format(token=token, seconds=SECONDS)
    (directory / "Dockerfile").write_text(text)
    return directory


if __name__ == "__main__":
    sys.exit(main())
