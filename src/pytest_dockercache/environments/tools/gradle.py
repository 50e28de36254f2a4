"""Gradle: the tasks that resolve dependencies, and the files that they read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command
from .command_lines import Installation, conventional_files, moved, whole_options
from .table import Sight, Tool

__all__ = ["TOOL"]

_VALUED = (
    "-p -project-dir -g -gradle-user-home -b -build-file -c -settings-file -x -exclude-task "
    "-I -init-script -console -warning-mode -max-workers -project-cache-dir -include-build"
)
_RESOLVES = regex(
    r"(.*:)?(dependencies|buildenvironment|(resolve|download|fetch|cache|get)\w*(dep|lib)\w*|deps)",
    re.IGNORECASE,
)
_IDLE = regex(r"(.*:)?(clean|wrapper|init|tasks|help|properties|projects|stop)", re.IGNORECASE)
"""Tasks that need no dependency of the project."""


def _gradle(command: Command, step: PlannedStep) -> Installation | None:
    given = whole_options(command.words[1:], _VALUED)
    if given.has("-v", "-version", "-h", "-help", "-stop", "-status"):
        return None
    tasks = [word.text for word in given.words]
    tasks = [task for task in tasks if not _IDLE.fullmatch(task)]
    if not tasks:
        return None
    builds = not all(map(_RESOLVES.fullmatch, tasks))
    directory = moved(command.directory, given, "-p", "-project-dir")
    names = ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
    manifests, unresolved = conventional_files(directory, *names)
    return Installation(
        "gradle",
        manifests,
        unresolved,
        with_project=builds,
        without_project=not builds,
        directory=directory,
        offline=given.has("-offline"),
    )


def _fetches(installation: Installation, sight: Sight) -> bool | None:
    """Whether the scripts of a build name dependencies or plugins."""
    directory = installation.directory
    if directory is None or not any(place in sight.places for place in installation.manifests):
        return None
    scripts = sight.below(directory, regex(r".*\.gradle(\.kts)?"))
    return sight.says(scripts, _DEPENDS)


def _adds(manifests: Sequence[str], sight: Sight) -> bool:
    """Whether scripts of other projects of the build name dependencies of their own."""
    scripts = [place for place in manifests if place.endswith((".gradle", ".gradle.kts"))]
    return sight.says(scripts, _DEPENDS)


_DEPENDS = r"\b(dependencies|plugins|buildscript|pluginManagement)\s*\{"


TOOL = Tool(
    name="gradle",
    programs=regex(r"gradlew?"),
    reads=_gradle,
    conventional=("build.gradle", "build.gradle.kts"),
    manifests=regex(
        r".*\.gradle(\.kts)?|gradle\.(properties|lockfile)|gradlew|verification-metadata\.xml"
        r"|.*\.versions\.toml"
    ),
    kept=regex(r"(.*/)?gradlew\.bat|(.*/)?gradle/(wrapper/)?[^/]*|(.*/)?(buildsrc|build-logic)/.*"),
    variables=regex(r"(GRADLE|ORG_GRADLE|JAVA)_\w+|JDK_JAVA_OPTIONS"),
    foreign=True,
    stores=regex(r"(.*/)?\.gradle(/.*)?"),
    split="gradle dependencies",
    fetches=_fetches,
    grows=lambda directory, sight: True,
    adds=_adds,
)
