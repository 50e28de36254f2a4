"""The runs that README and pages show are what those runs print today: `tox run -e listings`."""

from __future__ import annotations

from pathlib import Path

import pytest

from listings import LISTINGS, base_image, lasting, pages, printed, shown

BLOCKS = {name: text for _, name, text in pages()}


@pytest.fixture(scope="session")
def base() -> str:
    """The tag of the samples' base image."""
    return base_image()


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_is_what_its_run_prints(name: str, base: str, tmp_path: Path) -> None:
    output = printed(name, base, tmp_path)
    assert lasting(shown(name, output)) == lasting(BLOCKS[name]), (
        f"python tests/listings/listings.py {name} writes it again\n{output}"
    )
