"""Archives that are large or grow: minutes of a busy machine, so apart from the unit tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/image"))

import strangers
from test_strangers import opened, require_harmless


@pytest.mark.parametrize("group", strangers.HEAVY)
def test_every_stranger_is_answered_in_one_line_soon_and_with_little_memory(
    group: str, tmp_path: Path
) -> None:
    require_harmless(group, opened(group, tmp_path))
