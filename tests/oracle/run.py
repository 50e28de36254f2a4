"""Run the oracle: generated cases on a real engine against the model.

    python tests/oracle/run.py --cases 1000 [--engine buildx|buildkit|classic] [--seed N]

    python tests/oracle/run.py --fixes 300 [--seed N] [--projects DIR] [--only generated|projects]

Prints the agreement as a table per instruction and kind of edit. Ends with
status 1, and the smallest case found, as soon as builder and model disagree.
With ``--fixes``: broken projects, the patches that are offered for them, and
what the builder says of these; status 1 if one is wrong, or too few are offered.
Two of three are generated, the third is a good sample of ``fixtures/``, or a
good project among the directories of ``--projects``, judged by every check.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import breaking
import fixes
from generation import cases
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from judging import Bench, Finding, InapplicableError, Table, bench
from world import Case

from pytest_dockercache.runs import Run


class DisagreementError(AssertionError):
    """Builder and model do not agree about a case."""


def main() -> int:
    """Run the suite of the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100, help="how many cases (default: 100)")
    parser.add_argument("--engine", default="buildx", choices=("buildx", "buildkit", "classic"))
    parser.add_argument("--seed", type=int, default=None, help="repeat the cases of a run")
    parser.add_argument("--no-shrink", action="store_true", help="show a disagreement as it is")
    parser.add_argument("--unknown", action="store_true", help="show what the model did not know")
    parser.add_argument("--fixes", type=int, default=0, help="how many broken projects to mend")
    parser.add_argument(
        "--projects", type=Path, action="append", default=[], metavar="DIR",
        help="a directory of projects to break as well (each with a Dockerfile)",
    )  # fmt: skip
    parser.add_argument(
        "--only", choices=("generated", "projects"), help="break only projects of one kind"
    )
    options = parser.parse_args()
    chosen = options.seed if options.seed is not None else int(time.time())
    if options.fixes:
        return _mend(options, chosen)
    print(f"oracle: {options.cases} cases on {options.engine}, seed {chosen}", flush=True)
    table = Table()
    with bench(options.engine) as made:
        worst = _run(made, table, options, chosen)
    print(table)
    print(f"{table.cases} cases judged, {sum(table.refused.values())} said nothing", flush=True)
    for why, count in table.refused.most_common(8):
        print(f"  {count:>4}  {why}")
    if worst is not None:
        case, findings = worst
        print("\nbuilder and model disagree:\n")
        print(case.shown())
        for item in findings:
            print(item)
        return 1
    return 0


LEAST_OFFERED = 0.85
"""The share of broken projects that a move can mend and that must get a patch."""


def _mend(options: argparse.Namespace, chosen: int) -> int:
    import docker

    print(f"fixes: {options.fixes} projects on {options.engine}, seed {chosen}", flush=True)
    figures = fixes.Figures()
    on_disk = breaking.Figures()
    with bench(options.engine) as made, _workshop(options, made) as workshop:
        fixes.require_installers(docker.from_env())
        for seed in range(chosen, chosen + options.fixes):
            if options.only == "projects" or (options.only is None and seed % 3 == 0):
                said = workshop.judge(seed, on_disk)
                wrong = said and on_disk.wrong
            else:
                fixes.judge(made, seed, figures)
                wrong = figures.wrong
            if wrong and wrong[-1][0] == seed:
                print(f"seed {seed}: {wrong[-1][1]}", flush=True)
            if seed % 10 == 9:
                print(f"{figures}\n{on_disk}\n", file=sys.stderr, flush=True)
    print(figures)
    print(on_disk)
    offered, asked = figures.offered + on_disk.offered, figures.asked + on_disk.asked
    return 0 if offered >= LEAST_OFFERED * asked and not (figures.wrong or on_disk.wrong) else 1


@contextlib.contextmanager
def _workshop(options: argparse.Namespace, made: Bench) -> Iterator[breaking.Workshop]:
    """The good samples and the projects of ``--projects``."""
    root = Path(__file__).resolve().parents[2]
    samples = json.loads((root / "fixtures/samples.json").read_text())
    homes = [root / "fixtures" / name for name, sample in samples.items() if not sample["fails"]]
    for directory in options.projects:
        homes += sorted(path.parent for path in directory.glob("*/Dockerfile"))
    base = subprocess.run(
        [sys.executable, root / "tools/miniconda-stand-in"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    run = Run.start(made.folder / "run")
    try:
        yield breaking.Workshop(homes, {"BASE": base.stdout.strip()}, run, made.folder)
    finally:
        run.finish()


def _run(
    made: Bench, table: Table, options: argparse.Namespace, chosen: int
) -> tuple[Case, tuple[Finding, ...]] | None:
    worst: list[tuple[Case, tuple[Finding, ...]]] = []
    phases = (Phase.generate,) if options.no_shrink else (Phase.generate, Phase.shrink)

    @seed(chosen)
    @settings(
        max_examples=options.cases,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(cases(classic=options.engine == "classic"))
    def judge(case: Case) -> None:
        try:
            findings = made.judge(case)
        except InapplicableError as problem:
            table.refused[_first(problem)] += 1
            assume(False)
            return
        if not worst:
            table.add(case.kind, findings)
            if table.cases % 20 == 0:
                print(f"  {table.cases} cases", file=sys.stderr, flush=True)
        if options.unknown:
            for item in findings:
                if item.verdict == "unknown":
                    print(case.shown(), item, sep="\n", flush=True)
        wrong = tuple(item for item in findings if item.verdict.startswith("false"))
        if wrong:
            worst[:] = [(case, findings)]
            raise DisagreementError(str(wrong[0]))

    try:
        judge()
    except DisagreementError:
        return worst[0]
    except Exception:
        if worst:
            return worst[0]
        raise
    return None


def _first(problem: InapplicableError) -> str:
    lines = str(problem).splitlines()
    return lines[0][:150]


if __name__ == "__main__":
    sys.exit(main())
