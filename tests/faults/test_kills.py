"""A run that is killed at any moment: the next one is right, and nothing is left.

A few kills belong to `tox run`; `tox run -e faults -- --kills 50` tries many.
"""

from __future__ import annotations

import random
import subprocess

import pytest

from own_daemon import Trial, is_clean

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def test_after_a_kill_at_any_moment_the_next_run_is_right_and_leaves_nothing(
    trial: Trial, pytestconfig: pytest.Config
) -> None:
    seed = pytestconfig.getoption("--kill-seed", None) or random.randrange(10**6)
    moments = random.Random(seed)
    for number in range(pytestconfig.getoption("--kills", 5)):
        after = moments.uniform(0.3, 6.0)
        about = f"kill {number} of seed {seed}, after {after:.2f} s"
        trial.renew()
        with trial.start() as run:
            try:
                run.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                run.kill()
                run.communicate()
        assert trial.clients_end(), f"{about}: a command of the run goes on"
        code, said = trial.run()
        assert (code, "2 passed" in said) == (0, True), f"{about}:\n{said}"
        assert is_clean(trial), about
