"""Commands that settle, report or clear something of a manager and install nothing.

``corepack enable && pnpm install`` is written far more often than ``pnpm install`` alone. The first
command reads no file of the project, so that nothing keeps a COPY of the source above it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..environments.tools import tools
from ..regexes import regex
from ..shell.script import Command
from ..values import dataclass

__all__ = ["Settling", "settling"]


@dataclass(frozen=True)
class Settling:
    """The names of the project's files that such a command reads, and of those that it writes."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


def _files(reads: str = "", writes: str = "") -> Settling:
    return Settling(frozenset(reads.split()), frozenset(writes.split()))


_NO_FILE = _files()
_TOOLCHAIN = _files("rust-toolchain rust-toolchain.toml")
_ACTIONS: Mapping[str, Mapping[str, Settling]] = {
    "corepack": {"enable": _NO_FILE, "disable": _NO_FILE, "cache": _NO_FILE},
    "yarn": {
        # Yarn 1 writes into the home directory; later ones write into the project.
        "config": _files(".yarnrc .npmrc package.json", ".yarnrc.yml"),
        "cache": _files(".yarnrc .yarnrc.yml .npmrc package.json"),
    },
    "pnpm": {
        "config": _files(".npmrc pnpm-workspace.yaml package.json"),
        "store": _files(".npmrc pnpm-workspace.yaml package.json"),
    },
    "bundle": {
        "config": _files("", "config"),
        "clean": _files("config Gemfile Gemfile.lock gems.rb gems.locked .ruby-version"),
    },
    "composer": {
        "clear-cache": _NO_FILE,
        "clearcache": _NO_FILE,
        "cc": _NO_FILE,
        "self-update": _NO_FILE,
        "selfupdate": _NO_FILE,
    },
    "go": {"env": _files("go.mod go.work"), "version": _NO_FILE},
    "rustup": dict.fromkeys(("default", "target", "toolchain", "component", "set"), _TOOLCHAIN),
}
"""Programs, and their actions by the first word that is no option."""

_ASKS = regex(r"--?(v|version|info|help|h)|-V")
_INTERPRETERS = regex(r"node|ruby|java|javac|php|rustc|rustup|perl|erl|elixir|iex|gcc|g\+\+|make")
_EVERYWHERE = ("-g", "--global", "--system")


def settling(command: Command) -> Settling | None:
    """The files that a command reads and writes if it only settles something; None for others."""
    words = [word.text for word in command.words[1:]]
    if not all(word.known for word in command.words):
        return None
    if words and all(map(_ASKS.fullmatch, words)) and _is_known(command.name):
        return _NO_FILE
    actions = [word for word in words if not word.startswith("-")]
    first = actions[0] if actions else ""
    if command.name == "ssh-keyscan":
        return None if any(word.startswith("-f") for word in words) else _NO_FILE
    if first == "config" and command.name in ("composer", "git"):
        return _NO_FILE if any(word in _EVERYWHERE for word in words) else None
    if command.name == "corepack" and first in ("prepare", "install", "use") and actions[1:]:
        # `corepack use` writes the version into package.json; the other two only fetch it.
        return _files("", "package.json") if first == "use" else _NO_FILE
    if command.name == "go" and actions[:2] == ["mod", "verify"]:
        return _files("go.mod go.sum go.work")
    return _ACTIONS.get(command.name, {}).get(first)


def _is_known(program: str) -> bool:
    return bool(_INTERPRETERS.fullmatch(program)) or any(
        tool.programs.fullmatch(program) for tool in tools()
    )
