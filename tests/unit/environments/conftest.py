"""Images made by hand are judged here too: the maker of layers is that of the image room."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "image"))
