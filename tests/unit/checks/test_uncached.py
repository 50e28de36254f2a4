"""What is said of builds that are defined to use no cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scripted import Scripted, subject

from pytest_dockercache.checks import CHECKS, CheckSettings
from pytest_dockercache.errors import CacheAssertionError, DoesNotApply, Unverifiable

ONE = "FROM python\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY src/ src/\n"

STAGES = """\
FROM python AS wheels
RUN make-wheels
FROM python AS deps
COPY requirements.txt .
COPY --from=wheels /w /w
RUN pip install -r requirements.txt
FROM deps AS app
COPY src/ src/
"""


def made(root: Path, text: str, uncached: tuple[str, ...]) -> Scripted:
    files = {"Dockerfile": text, "requirements.txt": "six\n", "src/main.py": ""}
    last = len(text.splitlines())
    found = subject(root, files, misses={"src/main.py": [last]})
    spec = replace(found.spec, uncached=uncached, uncached_by="compose.yaml:7: no_cache")
    return replace(found, spec=spec)


@pytest.mark.parametrize(
    ("text", "uncached", "what"),
    [
        (ONE, ("*",), "every step again, line 3 too"),
        (STAGES, ("*",), "every step again, line 6 too"),
        (STAGES, ("DEPS",), "the stage deps again, line 6 too"),
    ],
)
def test_an_environment_that_every_build_installs_fails(
    tmp_path: Path, text: str, uncached: tuple[str, ...], what: str
) -> None:
    judged = made(tmp_path, text, uncached)
    for check in ("env-layer-cached", "rebuild-saving"):
        with pytest.raises(CacheAssertionError) as raised:
            CHECKS[check].judge(judged, CheckSettings(min_saving=0.5))
        finding = raised.value.finding
        assert finding.verdict == "env layer is rebuilt by every build: compose.yaml:7: no_cache"
        assert what in (finding.why or "")
    for check in ("env-change-rebuilds", "build-args-late", "dockerignore-effective"):
        with pytest.raises(DoesNotApply, match="no build reuses the environment"):
            CHECKS[check].judge(judged)


def test_a_stage_below_the_environment_may_be_built_anew(tmp_path: Path) -> None:
    judged = made(tmp_path, STAGES, ("app", "nothing"))
    assert "line 6 hit" in str(CHECKS["env-layer-cached"].judge(judged))


def test_what_a_stage_without_a_cache_hands_on_is_not_known(tmp_path: Path) -> None:
    judged = made(tmp_path, STAGES, ("wheels",))
    with pytest.raises(Unverifiable, match="which every build runs anew"):
        CHECKS["env-layer-cached"].judge(judged)
