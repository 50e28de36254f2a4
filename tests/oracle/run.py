"""Run the oracle: generated cases on a real engine against the model.

    python tests/oracle/run.py --cases 1000 [--engine buildx|buildkit|classic] [--seed N]

    python tests/oracle/run.py --fixes 300 [--seed N]

Prints the agreement as a table per instruction and kind of edit. Ends with
status 1, and the smallest case found, as soon as builder and model disagree.
With ``--fixes``: broken projects, the patches that are offered for them, and
what the builder says of these; status 1 if one is wrong, or too few are offered.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generation import cases
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from judging import Bench, Finding, InapplicableError, Table, bench
from world import Case


class DisagreementError(AssertionError):
    """Builder and model do not agree about a case."""


def main() -> int:
    """Run what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100, help="how many cases (default: 100)")
    parser.add_argument("--engine", default="buildx", choices=("buildx", "buildkit", "classic"))
    parser.add_argument("--seed", type=int, default=None, help="repeat the cases of a run")
    parser.add_argument("--no-shrink", action="store_true", help="show a disagreement as it is")
    parser.add_argument("--unknown", action="store_true", help="show what the model did not know")
    parser.add_argument("--fixes", type=int, default=0, help="how many broken projects to mend")
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
    import fixes

    print(f"fixes: {options.fixes} projects on {options.engine}, seed {chosen}", flush=True)
    figures = fixes.Figures()
    with bench(options.engine) as made:
        fixes.require_installers(docker.from_env())
        for seed in range(chosen, chosen + options.fixes):
            fixes.judge(made, seed, figures)
            if figures.wrong and figures.wrong[-1][0] == seed:
                print(f"seed {seed}: {figures.wrong[-1][1]}", flush=True)
    print(figures)
    enough = figures.offered >= LEAST_OFFERED * figures.asked
    return 0 if enough and not figures.wrong else 1


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
