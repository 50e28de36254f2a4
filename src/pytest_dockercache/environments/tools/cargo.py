"""Cargo: the commands that fetch and build crates, and the files that they read."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path
from .command_lines import (
    Installation,
    arguments,
    conventional_files,
    moved,
    package_name,
    read_files,
)
from .table import Sight, Tool, known_layouts

__all__ = ["TOOL"]

_VALUED = (
    "-C -Z -p --package --exclude --bin --example --test --bench -F --features --target "
    "--target-dir --manifest-path --message-format --color --config -j --jobs --profile --git "
    "--branch --tag --rev --path --version --vers --root --registry --index --recipe-path "
    "--lockfile-path --artifact-dir"
)
_BUILDING = "build b test t run r check c rustc clippy bench doc zigbuild auditable leptos nextest"
_BUILDS = frozenset(_BUILDING.split())
_ADDING = (
    "--release", "-r", "--profile", "--target", "-F", "--features", "--all-features",
    "--no-default-features", "--tests", "--all-targets",
)  # fmt: skip


def _cargo(command: Command, step: PlannedStep) -> Installation | None:
    words = command.words[1:]
    if words and words[0].text.startswith("+"):
        words = words[1:]
    given = arguments(words, _VALUED)
    if not given.words or given.has("--help", "-h", "--version", "-V", "--list", "--dry-run"):
        return None
    action = given.words[0].text
    directory = moved(command.directory, given, "-C")
    for word in given.values("--manifest-path"):
        place = joined_path(directory, word)
        directory = posixpath.dirname(place.text) if place.known else None
    members = frozenset(word.text for word in given.values("-p", "--package"))
    found = Installation("cargo", directory=directory, narrows=members)
    files = conventional_files(directory, "Cargo.toml", "Cargo.lock")
    if action == "chef":
        return _chef(
            found, [word.text for word in given.words], given.values("--recipe-path"), files
        )
    if action in ("fetch", "vendor"):
        return replace(found, manifests=files[0], unresolved=files[1], without_project=True)
    if action in ("install", "binstall"):
        paths = given.values("--path")
        if paths:
            inside = moved(directory, given, "--path")
            files = conventional_files(inside, "Cargo.toml", "Cargo.lock")
            return replace(
                found,
                manifests=files[0],
                unresolved=files[1],
                with_project=True,
                directory=inside,
                selects=frozenset({"--release"}),
                offline=given.has("--offline", "--frozen"),
            )
        named = tuple(package_name(word.text) for word in given.words[1:])
        named += tuple(word.text for word in given.values("--git")) if not named else ()
        return replace(found, named=True, packages=named, apart=True) if named else None
    if action == "add":
        named = tuple(package_name(word.text) for word in given.words[1:])
        return replace(found, named=True, packages=named) if named else None
    if action not in _BUILDS:
        return None
    chosen = given.chosen(*_ADDING)
    return replace(
        found,
        manifests=files[0],
        unresolved=files[1],
        with_project=True,
        selects=frozenset("--release" if one == "-r" else one for one in chosen),
        offline=given.has("--offline", "--frozen"),
    )


def _chef(
    found: Installation,
    words: list[str],
    recipes: tuple[Word, ...],
    files: tuple[tuple[str, ...], tuple[str, ...]],
) -> Installation | None:
    """``cargo chef``: ``prepare`` lists the dependencies of a project, ``cook`` builds the list."""
    verb = words[1] if len(words) > 1 else ""
    if verb == "prepare":
        return replace(found, manifests=files[0], unresolved=files[1], exports=True)
    if verb != "cook":
        return None
    manifests, unresolved = read_files(found.directory, recipes or (Word("recipe.json"),))
    return replace(found, manifests=manifests, unresolved=unresolved, without_project=True)


def _fetches(installation: Installation, sight: Sight) -> bool | None:
    """Whether a crate, or another one of its workspace, depends on one that is not beside it."""
    directory = installation.directory
    manifest = None if directory is None else sight.nearest(directory, "Cargo.toml")
    if manifest is None:
        return None
    root = posixpath.dirname(manifest)
    settings = [place for place in sight.places if posixpath.basename(place).startswith("config")]
    inside = [place for place in settings if "/.cargo/" in place]
    if sight.says(inside, r"^\s*replace-with\s*="):
        return False
    return sight.says(sight.below(root, regex(r"cargo\.toml")), _DEPENDS)


_DEPENDS = (
    r"^\s*\[[\w.'\"()=, -]*dependencies\]\s*(?:#[^\n]*)?\n(?:\s*(?:#[^\n]*)?\n)*\s*[\w\"'-]"
    r"|^\s*\[[\w.'\"()=, -]*dependencies\.[\w\"'-]+\]"
)
"""A table of dependencies that is not empty; one that names only neighbours counts too."""

TOOL = Tool(
    name="cargo",
    programs=regex(r"cargo"),
    reads=_cargo,
    conventional=("Cargo.toml",),
    manifests=regex(r"cargo\.(toml|lock)|rust-toolchain(\.toml)?"),
    kept=regex(r"(.*/)?\.cargo/config(\.toml)?"),
    variables=regex(r"(CARGO|RUST|RUSTUP|SCCACHE)_\w+|RUSTFLAGS"),
    foreign=True,
    caches=known_layouts("cargo"),
    stores=regex(r"(.*/)?\.?cargo(/(registry|git)(/.*)?)?"),
    results=regex(r"(.*/)?target(/.*)?"),
    split="cargo fetch (or cargo chef)",
    fetches=_fetches,
)
