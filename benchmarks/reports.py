"""How much processor time the reports of thirty images take, each type for itself and all together.

The session is that of the tests: thirty images with three builds, their files and
layers, one in five with a failure and its patch. Imports are not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from _measure import Claim, Timing, arguments, interleaved, report

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "unit" / "report"))


def main() -> int:
    """Measure, print, and return 0 if the target is met."""
    options = arguments(__doc__, rounds=7).parse_args()
    from sessions import many

    from pytest_dockercache.report.writing import TYPES, rendered

    session = many(30)
    size = {kind: len(rendered(kind, session)) for kind in TYPES}

    def seconds(*kinds: str) -> Callable[[], float]:
        def measured() -> float:
            start = time.process_time()
            for kind in kinds:
                rendered(kind, session)
            return time.process_time() - start

        return measured

    sides = {kind: seconds(kind) for kind in TYPES}
    timings = interleaved({**sides, "all": seconds(*TYPES)}, options.rounds)
    (whole,) = (timing for timing in timings if timing.name == "all")
    shown = [Timing(t.name, t.values, t.unit, None) for t in timings]
    claims = [Claim("the reports of 30 images", whole.median, 0.3, "s")]
    facts = {kind: f"{amount / 1000:.0f} kB" for kind, amount in size.items()}
    about = "reports of 30 images"
    return report("reports", about, shown, claims, as_json=options.json, facts=facts)


if __name__ == "__main__":
    sys.exit(main())
