"""Pixi: the files that its commands read, and its caches."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.running import Runner
from ...shell.script import Command, Word, joined_path
from ..selection import EVERYTHING, pixi_selection
from .command_lines import (
    CommandLine,
    Installation,
    Paths,
    arguments,
    conventional_files,
    package_name,
)
from .table import Tool, known_layouts

__all__ = ["TOOL"]


def _pixi(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:],
        "-e --environment --manifest-path -p --platform --color --channel -c --feature -f "
        "--pypi-keyring-provider --concurrent-downloads --expose --with --skip",
    )
    if not given.words or given.has("--help", "-h"):
        return None
    action = given.words[0].text
    selection = pixi_selection(given, {**dict(step.environment), **dict(command.assignments)})
    selects = given.chosen("-e", "--environment", "--all", "-a")
    if action in ("install", "i", "reinstall", "update", "upgrade"):
        files = _pixi_files(command.directory, given)
        if given.has("--no-install"):
            return None
        return Installation(
            "pixi",
            *files,
            with_project=True,
            environment=_place(files[0], selection.environment),
            selects=selects,
            selection=selection,
        )
    if action in ("run", "r", "shell-hook", "shell", "s"):
        if given.has("--no-install", "--as-is"):
            return None
        files = _pixi_files(command.directory, given)
        return Installation(
            "pixi",
            *files,
            implied=True,
            environment=_place(files[0], selection.environment),
            selects=selects,
            selection=selection,
        )
    if action in ("add", "a") and len(given.words) > 1:
        names = tuple(package_name(word.text) for word in given.words[1:])
        changed, _ = _pixi_files(command.directory, given)
        return Installation("pixi", named=True, packages=names, changes=changed)
    if action == "exec":
        return Installation("pixi", named=True, apart=True)
    everywhere = action in ("global", "g") and len(given.words) > 2
    if everywhere and given.words[1].text in ("install", "i", "add", "a"):
        names = tuple(package_name(word.text) for word in given.words[2:])
        return Installation("pixi", named=True, packages=names, apart=True)
    return None


def _place(manifests: Sequence[str], name: str) -> Word | None:
    """The environment that pixi makes beside its manifest; None for several."""
    if not manifests or name == EVERYTHING:
        return None
    return Word(posixpath.join(posixpath.dirname(manifests[0]), ".pixi/envs", name))


def _pixi_files(directory: str | None, given: CommandLine) -> Paths:
    names = ("pixi.toml", "pyproject.toml", "pixi.lock")
    given_paths = given.values("--manifest-path")
    if not given_paths:
        return conventional_files(directory, *names)
    path = joined_path(directory, given_paths[-1])
    if not path.known:
        return (), (path.text,)
    if path.text.endswith(".toml"):
        lock = posixpath.join(posixpath.dirname(path.text), "pixi.lock")
        return (path.text, lock), ()
    return conventional_files(path.text, *names)


TOOL = Tool(
    name="pixi",
    programs=regex(r"pixi"),
    caches=known_layouts("pixi"),
    environments=regex(r".*/\.pixi/envs/[^/]+"),
    reads=_pixi,
    conventional=("pixi.lock", "pixi.toml"),
    manifests=regex(r"pixi\.(lock|toml)|pyproject\.toml"),
    comments={r"(^|/)pixi\.lock$": "#"},
    comparable=lambda path: path.name.lower() == "pixi.lock",
    variables=regex(r"PIXI(_\w*)?"),
    places=regex(r"\.pixi\b"),
    runner=Runner("-e --environment --manifest-path --platform", installs=True),
)
