"""The Dockerfiles, and the files that define builds, in a directory and below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import ConfigError
from ..limits import DOCKERFILE, WALKED
from ..regexes import regex
from ..values import dataclass

__all__ = ["DEFAULT_NAMES", "FoundBelow", "look_below", "looks_like_dockerfile"]

DEFAULT_NAMES = ("Dockerfile", "Containerfile")
"""The names that ``docker build`` and ``podman build`` look for."""

_NAME = regex(r"(Dockerfile|Containerfile)([._-].*)?|.*\.(Dockerfile|Containerfile)", re.IGNORECASE)
_OTHER_SUFFIXES = (".py", ".dockerignore", ".md", ".txt", ".rst")
_TEMPLATES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".in", ".erb", ".mustache")
_OLD_COPIES = (".orig", ".bak", ".rej", ".swp", ".old", ".dist")
_FROM = regex(r"^[ \t]*FROM[ \t]+\S", re.IGNORECASE | re.MULTILINE)
_OF_TESTS = frozenset(("tests", "test", "testing", "testdata", "test-data", "fixtures"))

_DEFINITIONS = regex(
    r"(docker-)?compose([._-][^/]*)?\.ya?ml|docker-bake([._-][^/]*)?\.(hcl|json)"
    r"|\.?devcontainer\.json",
    re.IGNORECASE,
)


def looks_like_dockerfile(path: Path) -> bool:
    """Whether a file is a Dockerfile by its name."""
    return path.suffix not in _OTHER_SUFFIXES and _NAME.fullmatch(path.name) is not None


@dataclass(frozen=True)
class FoundBelow:
    """What lies below a directory, each tuple in the order of the paths.

    ``dockerfiles`` are regular files that are Dockerfiles by name and hold a FROM; those of tests
    (below a directory that is named ``tests`` or ``fixtures``, say) are ``samples``.
    ``definitions`` are compose, bake and development container files.
    """

    dockerfiles: tuple[Path, ...] = ()
    samples: tuple[Path, ...] = ()
    definitions: tuple[Path, ...] = ()


def look_below(directory: Path, root: Path) -> FoundBelow:
    """The Dockerfiles and definitions below a directory, the directory itself included.

    Where git's index holds files of the directory, only these and the new files that git does not
    ignore count; elsewhere all files do. Virtual environments and what tools leave behind never
    count. Nothing is found in a directory that cannot be read. ``root`` is the directory from which
    the names of directories count that tell samples of tests.

    Raises ConfigError for a directory without git that holds too many files to look through.
    """
    dockerfiles: list[Path] = []
    samples: list[Path] = []
    definitions: list[Path] = []
    for name in sorted(_files(directory)):
        path = directory / name
        if _is_dockerfile(path):
            below = os.path.relpath(path.parent, root).lower().split(os.sep)
            of_tests = not _OF_TESTS.isdisjoint(below)
            (samples if of_tests else dockerfiles).append(path)
        elif _DEFINITIONS.fullmatch(path.name):
            definitions.append(path)
    return FoundBelow(tuple(dockerfiles), tuple(samples), tuple(definitions))


def _files(directory: Path) -> Iterable[str]:
    """The paths relative to a directory, with slashes, of the files that people keep below it."""
    from ..context.tracked import sources_among, tracked_files, untracked_files

    tracked = tracked_files(directory)
    if tracked is not None:
        return sources_among(tracked | untracked_files(directory), tracked=tracked)
    return sources_among(_walked(directory))


def _walked(directory: Path) -> Iterator[str]:
    from ..context.tracked import is_left_by_tools

    count = 0
    for place, directories, files in os.walk(directory):
        if "pyvenv.cfg" in files or "conda-meta" in directories:
            directories.clear()
            continue
        directories[:] = [name for name in directories if not is_left_by_tools(name)]
        count += len(files)
        if count > WALKED:
            raise ConfigError(
                f"--dockercache: {directory} holds more than {WALKED:,} files, and no git tells "
                "which are the project's",
                fix="name the Dockerfiles with --dockercache-dockerfile=PATH",
            )
        below = os.path.relpath(place, directory)
        for name in files:
            yield name if below == "." else f"{below}/{name}".replace(os.sep, "/")


def _is_dockerfile(path: Path) -> bool:
    if not looks_like_dockerfile(path) or path.suffix.lower() in (*_TEMPLATES, *_OLD_COPIES):
        return False
    from ..disk import read_text

    try:
        return _FROM.search(read_text(path, errors="replace", limit=DOCKERFILE)) is not None
    except (OSError, ConfigError, ValueError):
        return False
