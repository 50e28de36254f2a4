"""Managers of other languages: known by name, so that their installs are seen and not judged."""

from __future__ import annotations

from ...regexes import regex
from .table import Tool, known_layouts

__all__ = ["TOOLS"]


_VARIABLES = {
    "stack": r"(STACK|CABAL)_\w+",
    "brew": r"HOMEBREW_\w+",
    "tox": r"(TOX|NOX)_\w+|FORCE_PYTHON",
}
"""Variables that these managers, and the programs that they run to install, read by themselves."""


def _tool(name: str, programs: str, installs: str, manifests: str = "", kept: str = "") -> Tool:
    return Tool(
        name=name,
        programs=regex(programs),
        installs=frozenset(installs.split(" ") if installs else ()),
        manifests=regex(manifests or r"(?!)"),
        kept=regex(kept or r"(?!)"),
        variables=regex(_VARIABLES.get(name, r"(?!)")),
        foreign=True,
        caches=known_layouts(name),
    )


TOOLS = (
    _tool("stack", "stack|cabal", "build install", r"stack\.yaml(\.lock)?|.*\.cabal|package\.yaml"),
    _tool("brew", "brew", "install bundle", "brewfile(\\.lock\\.json)?"),
    _tool("perl", "cpanm?|carton|cpm", " install --installdeps", r"cpanfile(\.snapshot)?"),
    _tool("deno", "deno", "cache install", r"deno\.(jsonc?|lock)|import_map\.json"),
    _tool("leiningen", "lein", "deps", r"project\.clj|profiles\.clj"),
    _tool("sbt", "sbt", "update", r".*\.sbt", r"(.*/)?project/build\.properties"),
    _tool("rebar", "rebar3?", "get-deps", r"rebar\.(config|lock)"),
    _tool("dart", "dart|flutter", "get upgrade", r"pubspec\.(yaml|lock)"),
    _tool("swift", "swift", "resolve", r"package\.(swift|resolved)"),
    _tool("meson", "meson", "download", r"meson\.build|meson(_|\.)options(\.txt)?"),
    _tool(
        "nix", "nix(-build|-shell|-env)?", " build develop shell -i -iA -f", r".*\.nix|flake\.lock"
    ),
    _tool("tox", "tox|nox", " run r devenv", r"tox\.(ini|toml)|noxfile\.py"),
)
