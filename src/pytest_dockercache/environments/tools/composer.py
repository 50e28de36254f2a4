"""Composer: the files that its commands read."""

from __future__ import annotations

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word
from .command_lines import (
    Installation,
    Paths,
    arguments,
    conventional_files,
    is_true,
    moved,
    read_files,
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
    variables = variables_of(command, step)
    if is_true(variables.get("COMPOSER_NO_DEV", "")):
        leaves |= {"--no-dev"}
    return Installation(
        "composer",
        *_files(directory, variables.get("COMPOSER", "")),
        leaves=leaves,
        directory=directory,
        without_project=given.has("--no-autoloader"),
    )


def _files(directory: str | None, named: str) -> Paths:
    """The manifest and its lock; the variable ``COMPOSER`` names another manifest.

    Source: https://getcomposer.org/doc/03-cli.md#composer
    """
    if not named:
        return conventional_files(directory, "composer.json", "composer.lock")
    lock = f"{named.removesuffix('.json')}.lock"
    return read_files(directory, [Word(named), Word(lock)])


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
