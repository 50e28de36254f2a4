"""Archives that somebody made to break, mislead or exhaust their reader do none of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import strangers

SECONDS = 10
"""Of processor time for one stranger: the machine may be busy with other work."""
BYTES = 300 * 10**6


def opened(group: str, directory: Path) -> dict[str, tuple[str, float, int]]:
    """The result of every stranger of a group, its seconds, and the memory at its end."""
    program = Path(strangers.__file__)
    done = subprocess.run(
        [sys.executable, str(program), group, str(directory)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: (outcome, seconds, peak) for name, outcome, seconds, peak in rows}


@pytest.mark.parametrize("group", sorted(set(strangers.GROUPS) - set(strangers.HEAVY)))
def test_every_stranger_is_answered_in_one_line_soon_and_with_little_memory(
    group: str, tmp_path: Path
) -> None:
    require_harmless(group, opened(group, tmp_path))


def require_harmless(group: str, found: dict[str, tuple[str, float, int]]) -> None:
    """Fail with every stranger of a group that was not refused, or took too much."""
    assert set(found) == set(strangers.strangers(group))
    wrong = []
    for name, (outcome, seconds, peak) in found.items():
        may_be_read = name in strangers.READABLE and outcome.startswith("read")
        if not (outcome.startswith("refused") or may_be_read) or "\n" in outcome:
            wrong.append(f"{name}: {outcome}")
        if seconds > SECONDS or peak > BYTES:
            wrong.append(f"{name}: {seconds:.1f} s, {peak / 1e6:.0f} MB")
    assert wrong == []


def test_there_are_many_strangers() -> None:
    assert sum(len(strangers.strangers(group)) for group in strangers.GROUPS) >= 150
