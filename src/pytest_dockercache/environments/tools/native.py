"""Conan and vcpkg, the managers of C and C++: the files that their commands read."""

from __future__ import annotations

import posixpath

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path, known_text
from .command_lines import (
    Installation,
    arguments,
    conventional_files,
    moved,
    package_name,
    read_files,
)
from .table import Tool

__all__ = ["TOOLS"]

_CONAN = (
    "-pr -s -o -b -if -of -g -r -l -c -e -u --profile --settings --options --build "
    "--install-folder --output-folder --generator --remote --lockfile --lockfile-out --requires "
    "--tool-requires --name --version --user --channel --deployer --format -f --conf --env "
    "--profile:host --profile:build --settings:host --settings:build -pr:b -pr:h"
)


def _conan(command: Command, step: PlannedStep) -> Installation | None:
    words = _without_profiles(command.words[1:])
    given = arguments(words, _CONAN)
    if not given.words or given.has("--help", "-h"):
        return None
    action, *places = given.words
    if action.text not in ("install", "create", "build"):
        return None
    if given.values("--requires", "--tool-requires") or _is_reference(places):
        names = tuple(package_name(word.text) for word in places) or ("conan",)
        return Installation("conan", named=True, packages=names, directory=command.directory)
    directory = command.directory
    if places and places[0].text.endswith((".py", ".txt")):
        files = read_files(directory, places[:1])
        place = joined_path(directory, places[0])
        inside = posixpath.dirname(place.text) if place.known else None
    else:
        inside = known_text(joined_path(directory, places[0] if places else Word(".")))
        files = conventional_files(inside, "conanfile.txt", "conanfile.py", "conan.lock")
    return Installation("conan", *files, with_project=action.text != "install", directory=inside)


def _without_profiles(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words without conan's options of one dash and several letters (``-pr:b default``)."""
    found: list[Word] = []
    skipped = False
    for word in words:
        if not skipped and not word.text.startswith(("-pr", "-if", "-of")):
            found.append(word)
        skipped = (
            not skipped and word.text.startswith(("-pr", "-if", "-of")) and ("=" not in word.text)
        )
    return tuple(found)


def _is_reference(places: list[Word]) -> bool:
    return bool(places) and "/" in places[0].text and "@" in places[0].text


def _vcpkg(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(
        command.words[1:],
        "--triplet --host-triplet --overlay-ports --overlay-triplets --x-manifest-root "
        "--x-install-root --vcpkg-root --feature-flags --x-feature --binarysource",
    )
    if not given.words or given.words[0].text != "install" or given.has("--help", "--dry-run"):
        return None
    names = tuple(word.text.partition(":")[0] for word in given.words[1:])
    if names:
        return Installation("vcpkg", named=True, packages=names, directory=command.directory)
    directory = moved(command.directory, given, "--x-manifest-root")
    files = conventional_files(directory, "vcpkg.json", "vcpkg-configuration.json")
    return Installation("vcpkg", *files, directory=directory)


TOOLS = (
    Tool(
        name="conan",
        programs=regex("conan"),
        reads=_conan,
        conventional=("conanfile.txt", "conanfile.py"),
        manifests=regex(r"conanfile\.(py|txt)|conan\.lock|conanprofile.*|conandata\.yml"),
        kept=regex(r"(.*/)?(\.conan2?|conan[-_]?profiles?)/.*"),
        variables=regex(r"CONAN_\w+"),
        foreign=True,
        stores=regex(r"(.*/)?\.conan2?(/.*)?"),
        split="conan install",
    ),
    Tool(
        name="vcpkg",
        programs=regex("vcpkg"),
        reads=_vcpkg,
        conventional=("vcpkg.json",),
        manifests=regex(r"vcpkg(-configuration)?\.json|portfile\.cmake"),
        kept=regex(r"(.*/)?(ports|triplets)/.*"),
        variables=regex(r"(VCPKG|X_VCPKG)_\w+"),
        foreign=True,
        stores=regex(r"(.*/)?(vcpkg_installed|\.vcpkg|vcpkg)(/.*)?"),
    ),
)
