"""One module for each package manager, and the table through which all other code asks."""

from __future__ import annotations

from ...context.comments import know_further_syntax
from . import conda, foreign, hatch, pdm, pip, pipenv, pipx, pixi, poetry, rye, uv
from .command_lines import Installation
from .table import (
    Tool,
    caches,
    comment_syntax_of,
    family_of,
    forget,
    is_comparable,
    is_installed_place,
    reads_variable,
    recognised,
    register,
    runner_of,
    tool_of,
    tools,
)

__all__ = [
    "Installation",
    "Tool",
    "caches",
    "comment_syntax_of",
    "family_of",
    "forget",
    "is_comparable",
    "is_installed_place",
    "reads_variable",
    "recognised",
    "register",
    "runner_of",
    "tool_of",
    "tools",
]

for _module in (conda, pip, uv, poetry, pdm, pixi, pipenv, pipx, rye, hatch):
    register(_module.TOOL)
for _tool in foreign.TOOLS:
    register(_tool)
know_further_syntax(comment_syntax_of)
