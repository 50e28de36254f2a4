"""Fuzz the readers for some minutes: new inputs every time.

    python tests/fuzz/fuzz.py --minutes 10 [--reader NAME…] [--seed N]

Prints a line for each reader with the number of inputs; ends with status 1, and the smallest
input found, if a reader raises anything but an error of ours, or takes too much time or memory.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/image"))

from bounds import TooSlowError, bounded
from hypothesis import HealthCheck, Phase, given, seed, settings
from readers import READERS, Reader

ROUND = 100
"""Inputs for a reader before the next one has its turn."""


def main() -> int:
    """Run the fuzzers of the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1)")
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="only this one")
    parser.add_argument("--seed", type=int, default=None, help="repeat the inputs of a run")
    options = parser.parse_args()
    chosen = options.seed if options.seed is not None else int(time.time())
    names = options.reader or list(READERS)
    print(f"fuzz: {len(names)} readers, {options.minutes:g} min, seed {chosen}", flush=True)
    end = time.monotonic() + 60 * options.minutes
    inputs = dict.fromkeys(names, 0)
    failed: dict[str, str] = {}
    turn = 0
    while time.monotonic() < end and len(failed) < len(names):
        for name in names:
            if name in failed or (turn and time.monotonic() >= end):
                continue
            count, finding = one_round(READERS[name], chosen + turn)
            inputs[name] += count
            if finding:
                failed[name] = finding
                print(f"\n{name}: {finding}", flush=True)
        turn += 1
    print()
    for name, count in inputs.items():
        print(f"{count:>8}  {name}{'  FAILED' if name in failed else ''}")
    print(f"{sum(inputs.values()):>8}  inputs, {len(failed)} readers with findings")
    return 1 if failed else 0


def one_round(reader: Reader, number: int) -> tuple[int, str]:
    """Try some inputs; their number, and the findings."""
    count = 0
    last: list[Any] = [None]

    @seed(number)
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(reader.given)
    def stands(value: Any) -> None:
        nonlocal count
        count += 1
        last[0] = value
        with bounded():
            reader.try_it(value)

    try:
        stands()
    except (Exception, TooSlowError) as problem:
        return count, "\n".join(_told(last[0], problem))
    return count, ""


def _told(value: Any, problem: BaseException) -> Iterator[str]:
    """The exception, the lines of the package that it went through, and the input."""
    yield f"{type(problem).__name__}: {problem!s:.200}"
    for frame in traceback.extract_tb(problem.__traceback__):
        if "pytest_dockercache" in frame.filename or frame.filename.endswith("readers.py"):
            yield f"  {frame.filename}:{frame.lineno} {frame.name}: {frame.line}"
    yield f"  given {value!r:.2000}"


if __name__ == "__main__":
    raise SystemExit(main())
