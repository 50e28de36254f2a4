"""Bundler and RubyGems: the files that their commands read."""

from __future__ import annotations

import posixpath

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path
from .command_lines import (
    Installation,
    arguments,
    conventional_files,
    package_name,
    read_files,
    variables_of,
)
from .table import Tool

__all__ = ["TOOL"]

_VALUED = (
    "--gemfile --jobs -j --retry --path --without --with --binstubs --shebang --standalone "
    "--trust-policy --system-bindir --cache-path --source --group -g -v --version -i --install-dir "
    "-n --bindir --platform -s --document --build-root -P -B -C"
)
_TOOLS = frozenset({"bundler", "rubygems-update"})


def _bundle(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], _VALUED)
    if command.name == "gem":
        if given.has("--system"):
            return Installation("gem", named=True, packages=("rubygems-update",), apart=True)
        return _gem(command, list(given.words))
    if given.has("--help", "-h", "--version") or (given.has("-v") and not given.words):
        return None
    action = given.words[0].text if given.words else ""
    if action not in ("", "install", "update", "package", "cache"):
        return None
    gemfile = given.values("--gemfile")
    by_variable = variables_of(command, step).get("BUNDLE_GEMFILE", "")
    words = gemfile or ((Word(by_variable),) if by_variable else (Word("Gemfile"),))
    place = joined_path(command.directory, words[-1])
    locks = [Word(f"{word.text}.lock", word.known) for word in words[-1:]]
    own = conventional_files(command.directory, "gems.rb", "gems.locked")
    files = read_files(command.directory, [words[-1], *locks])
    return Installation(
        "bundle",
        files[0] + own[0],
        files[1],
        selects=given.chosen("--with"),
        leaves=given.chosen("--without"),
        directory=posixpath.dirname(place.text) if place.known else None,
        offline=given.has("--local"),
    )


def _gem(command: Command, words: list[Word]) -> Installation | None:
    if not words or words[0].text not in ("install", "i", "update") or len(words) < 2:
        return None
    files = [word for word in words[1:] if word.text.endswith(".gem") or "/" in word.text]
    named = tuple(package_name(word.text) for word in words[1:] if word not in files)
    if not named:
        return Installation(
            "gem", *read_files(command.directory, files), with_project=True,
            directory=command.directory,
        )  # fmt: skip
    apart = _TOOLS.issuperset(named)
    return Installation(
        "gem", *read_files(command.directory, files), named=True, packages=named, apart=apart
    )


TOOL = Tool(
    name="bundler",
    programs=regex(r"bundler?|gem"),
    reads=_bundle,
    conventional=("Gemfile",),
    manifests=regex(r"gemfile(.*\.lock)?|.*\.gemspec|gems\.(rb|locked)|\.(ruby|tool)-versions?"),
    kept=regex(r"(.*/)?\.bundle/config|(.*/)?lib/(.*/)?version\.rb|(.*/)?vendor/cache/.*\.gem"),
    variables=regex(r"(BUNDLE|BUNDLER|GEM|RUBY|NOKOGIRI)_\w+|RUBYOPT"),
    foreign=True,
    stores=regex(r"(.*/)?(bundle|\.bundle|gems)(/.*)?|(.*/)?vendor(/bundle(/.*)?)?"),
)
