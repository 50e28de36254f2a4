"""A regular expression of the user's has an answer, whatever it is."""

from __future__ import annotations

import signal
import time

import pytest

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import environment_commands
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import Step
from pytest_dockercache.patterns import Pattern
from pytest_dockercache.testing.docker_cache import find_steps

ENDLESS = r"(([a-z ./|-])+)+$9"
RUN = "RUN make install | tee log of everything that make has said"


def test_a_pattern_is_found_or_not() -> None:
    assert Pattern("ma.e", "p").found_in(RUN)
    assert not Pattern("^ma.e", "p").found_in(RUN)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(", "missing \\)"),
        ("a{9999999999}", "too large"),
        ("(" * 5000 + ")" * 5000, "too deep|re"),
    ],
)
def test_what_is_no_regular_expression_says_so(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^--x: not a regular expression: .*{why}"):
        Pattern(text, "--x")


def test_one_that_backtracks_without_end_is_cut_off_once_and_leaves_no_timer() -> None:
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(ConfigError, match="not done after 2 s in 'RUN make install"):
            Pattern(ENDLESS, "--x").found_in(RUN)
    assert time.process_time() - began < 10
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) is signal.SIG_DFL


def test_every_pattern_of_the_user_is_searched_so() -> None:
    steps = plan(parse_dockerfile(f"FROM a\n{RUN}\n"))
    with pytest.raises(ConfigError) as told:
        environment_commands(steps, ENDLESS)
    assert str(told.value).startswith(f"--dockercache-env-step={ENDLESS}: the search is not done")
    with pytest.raises(ConfigError) as told:
        find_steps((Step(line=2, stage="0", instruction="RUN", text=RUN),), ENDLESS)
    assert str(told.value).startswith(f"the step {ENDLESS!r}: the search is not done")
