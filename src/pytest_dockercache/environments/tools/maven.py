"""Maven: the goals that resolve dependencies, and the files that they read."""

from __future__ import annotations

import posixpath

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, joined_path
from .command_lines import Installation, conventional_files, whole_options
from .table import Sight, Tool

__all__ = ["TOOL"]

_VALUED = (
    "-f -file -s -settings -gs -global-settings -t -toolchains -P -activate-profiles -pl -projects "
    "-rf -resume-from -T -threads -l -log-file -b -builder"
)
_RESOLVING = "go-offline resolve resolve-plugins resolve-sources copy-dependencies get tree list"
_RESOLVES = frozenset(_RESOLVING.split())
_LIFECYCLE = """
process-resources compile process-classes test-compile test prepare-package package
integration-test verify install deploy
"""
_PHASES = frozenset(_LIFECYCLE.split())


def _mvn(command: Command, step: PlannedStep) -> Installation | None:
    given = whole_options(command.words[1:], _VALUED)
    if given.has("-v", "-version", "-h", "-help"):
        return None
    directory = command.directory
    for word in given.values("-f", "-file"):
        place = joined_path(directory, word)
        path = place.text
        directory = (posixpath.dirname(path) if path.endswith(".xml") else path) or "/"
        directory = directory if place.known else None
    manifests, unresolved = conventional_files(directory, "pom.xml")
    goals = [word.text for word in given.words]
    builds = [goal for goal in goals if goal in _PHASES or _runs_plugin(goal)]
    only = not builds
    if only and not any(map(_is_resolving, goals)):
        return None
    return Installation(
        "mvn",
        manifests,
        unresolved,
        with_project=not only,
        without_project=only,
        selects=frozenset(flag for flag in given.flags if flag.startswith("-P")),
        directory=directory,
        narrows=frozenset(
            member for word in given.values("-pl", "-projects") for member in word.text.split(",")
        ),
        offline=given.has("-o", "-offline"),
    )


def _runs_plugin(goal: str) -> bool:
    """Whether a goal is that of a plugin which works on what the project is made of."""
    plugin = goal.partition(":")[0]
    return ":" in goal and not _is_resolving(goal) and plugin not in ("help", "versions", "wrapper")


def _is_resolving(goal: str) -> bool:
    """``dependency:go-offline``, also with the whole name and version of the plugin before it."""
    plugin, _, verb = goal.rpartition(":")
    if "go-offline-maven-plugin" in plugin:
        return True
    return verb in _RESOLVES and "depend" in plugin


def _fetches(installation: Installation, sight: Sight) -> bool | None:
    """Every build with Maven needs plugins, whatever the project depends on."""
    return True if any(place in sight.places for place in installation.manifests) else None


TOOL = Tool(
    name="maven",
    programs=regex(r"mvnw?|mvnd"),
    reads=_mvn,
    conventional=("pom.xml",),
    manifests=regex(r"pom\.xml|mvnw|(maven-)?settings\.xml"),
    kept=regex(r"(.*/)?(\.mvn/.*|mvnw\.cmd)"),
    variables=regex(r"(MAVEN|MVNW|M2|JAVA)_\w+|JDK_JAVA_OPTIONS"),
    foreign=True,
    stores=regex(r"(.*/)?\.m2(/.*)?"),
    split="mvn dependency:go-offline",
    fetches=_fetches,
)
