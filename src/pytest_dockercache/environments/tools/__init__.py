"""One module for each package manager, and the table through which all other code asks."""

from __future__ import annotations

from ...context.comments import know_further_syntax
from . import (
    bundler,
    cargo,
    composer,
    conda,
    dotnet,
    foreign,
    go,
    gradle,
    hatch,
    julia,
    maven,
    mix,
    native,
    node,
    pdm,
    pip,
    pipenv,
    pipx,
    pixi,
    poetry,
    r,
    rye,
    system,
    uv,
)
from .command_lines import Installation
from .table import (
    Sight,
    Tool,
    caches,
    comment_syntax_of,
    family_of,
    forget,
    is_comparable,
    is_foreign,
    is_foreign_file,
    is_installed_place,
    is_system,
    reads_variable,
    recognised,
    register,
    runner_of,
    tool_of,
    tools,
)

__all__ = [
    "Installation",
    "Sight",
    "Tool",
    "caches",
    "comment_syntax_of",
    "family_of",
    "forget",
    "is_comparable",
    "is_foreign",
    "is_foreign_file",
    "is_installed_place",
    "is_system",
    "reads_variable",
    "recognised",
    "register",
    "runner_of",
    "tool_of",
    "tools",
]

for _module in (conda, pip, uv, poetry, pdm, pixi, pipenv, pipx, rye, hatch):
    register(_module.TOOL)
for _module in (go, cargo, bundler, composer, maven, gradle, dotnet, mix, r, julia):
    register(_module.TOOL)
for _tool in (*node.TOOLS, *native.TOOLS, *system.TOOLS, *foreign.TOOLS):
    register(_tool)
know_further_syntax(comment_syntax_of)
