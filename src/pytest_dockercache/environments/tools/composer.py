"""Composer: the files that its commands read."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command
from .command_lines import (
    Installation,
    arguments,
    conventional_files,
    is_true,
    moved,
    variables_of,
)
from .table import Tool

__all__ = ["TOOL"]

_VALUED = "-d --working-dir --prefer-install --ignore-platform-req --repository --stability -s"
_LEAVING = ("--no-dev", "--no-plugins")


def _composer(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], _VALUED)
    if not given.words or given.has("--help", "-h", "--dry-run", "--version", "-V"):
        return None
    action, *words = given.words
    directory = moved(command.directory, given, "-d", "--working-dir")
    apart = action.text == "global"
    if apart and words:
        action, *words = words
    if action.text in ("require", "create-project", "req"):
        named = tuple(word.text.partition(":")[0] for word in words[:1])
        named = named if action.text == "create-project" else tuple(w.text for w in words)
        return Installation(
            "composer", named=True, packages=named, apart=apart, directory=directory
        )
    if action.text not in ("install", "i", "update", "u", "upgrade", "reinstall"):
        return None
    if apart:
        return Installation(
            "composer", named=True, packages=("composer",), apart=True, directory=directory
        )
    leaves = given.chosen(*_LEAVING)
    if is_true(variables_of(command, step).get("COMPOSER_NO_DEV", "")):
        leaves |= {"--no-dev"}
    return Installation(
        "composer",
        *conventional_files(directory, "composer.json", "composer.lock"),
        leaves=leaves,
        directory=directory,
        without_project=given.has("--no-autoloader"),
    )


TOOL = Tool(
    name="composer",
    programs=regex(r"composer(\.phar)?"),
    reads=_composer,
    conventional=("composer.json",),
    manifests=regex(r"composer(-.*)?\.(json|lock|phar)|auth\.json|symfony\.lock"),
    variables=regex(r"COMPOSER(_\w*)?"),
    foreign=True,
    stores=regex(r"(.*/)?vendor(/.*)?|(.*/)?\.composer(/.*)?"),
)
