"""The fuzzers use the makers of layers and archives that the unit tests of images have."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/image"))
