"""The runs that README and pages show are what those runs print today."""

from __future__ import annotations

from pathlib import Path

import pytest
from listings import LISTINGS, lasting, pages, printed, shown

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

BLOCKS = {name: text for _, name, text in pages()}


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_is_what_its_run_prints(name: str, miniconda: str, tmp_path: Path) -> None:
    output = printed(name, miniconda, tmp_path)
    assert lasting(shown(name, output)) == lasting(BLOCKS[name]), (
        f"python tests/engine/listings.py {name} writes it again\n{output}"
    )
