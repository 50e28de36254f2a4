"""``environment-matches``: the packages in the image are those of the environment file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..context import EnvironmentFile
from ..errors import Unverifiable
from ..image import (
    Environment,
    Requirements,
    compare_environments,
    difference_table,
    environment,
    find_prefix,
    matches,
    read_requirements,
)
from ..rebuild import Subject
from .contents import Contents
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = ["installed", "judge", "judge_requirements", "judge_same"]


def judge(subject: Subject) -> Verdict:
    """Hold what the image's layers record as installed against every environment file.

    ``environment.yml`` and requirement files are satisfied; the output of
    ``conda env export``, an explicit list and ``conda-lock.yml`` are equalled.
    """
    image = subject.image()  # first, because files that are missing make the build fail
    files = subject.project.environment_files
    if not files:
        raise Unverifiable("no environment file found to hold the image against")
    contents = contents_of(subject, image)
    unread: list[str] = []
    verified: list[str] = []
    for file in files:
        if not _is_readable(file.path):
            unread.append(file.path)
            continue
        path = subject.spec.context / file.path
        platform = contents.layers.config.platform or "linux/amd64"
        wanted = read_requirements(path, platform=platform)
        packages = installed(contents, _environment_name(subject, file, wanted))
        judge_requirements(subject, contents, packages, wanted, file.path)
        verified.append(file.path)
    if not verified:
        raise Unverifiable(f"{', '.join(unread)}: not a format whose packages can be compared")
    remark = f"; not compared: {', '.join(unread)}" if unread else ""
    return Verdict(f"the image holds what {', '.join(verified)} asks for{remark}")


def installed(contents: Contents, name: str | None) -> Environment:
    """The packages of an environment of the image, by name or prefix, or of the one in use."""
    view = contents.layers.view
    return environment(view, find_prefix(view, name, contents.layers.config.env))


def judge_requirements(
    subject: Subject,
    contents: Contents,
    packages: Environment,
    wanted: Requirements,
    name: str,
) -> Verdict:
    """Hold one environment against one file, which messages call ``name``."""
    outcome = matches(wanted, packages)
    if outcome.holds:
        if packages.unread:
            raise Unverifiable(f"package records cannot be read: {', '.join(packages.unread)}")
        remark = f"; not verified: {', '.join(outcome.unverified)}" if outcome.unverified else ""
        return Verdict(f"{packages.prefix} holds what {name} asks for{remark}")
    readers = [file.readers for file in subject.project.environment_files if file.path == name]
    line = readers[0][0] if readers and readers[0] else None
    count = len(outcome.differences)
    packages_word = "package differs" if count == 1 else "packages differ"
    raise broken(
        f"image does not match {name}: {count} {packages_word} in {packages.prefix}",
        subject=subject,
        rows=[f"  {row}" for row in difference_table(outcome.differences)],
        why="the file asks for one thing and the layers record another: the image was built from "
        "an older file, or a later step changed the environment",
        fix=(
            f"install from {name} in line {line} and change the environment nowhere else"
            if line is not None
            else f"install the environment from {name}"
        ),
        line=line,
    )


def judge_same(subject: Subject, one: Environment, other: Environment, name: str) -> Verdict:
    """Hold two environments against each other; messages call the second image ``name``."""
    differences = compare_environments(one, other)
    unread = (*one.unread, *other.unread)
    if not differences:
        if unread:
            raise Unverifiable(f"package records cannot be read: {', '.join(unread)}")
        return Verdict(f"{one.prefix} holds the same packages as {name}")
    count = len(differences)
    raise broken(
        f"image differs from {name}: {count} package{'s' if count > 1 else ''} in {one.prefix}",
        subject=subject,
        rows=[f"  {row}" for row in difference_table(differences)],
        why="the records of the two images' layers name other packages, versions or builds",
        fix="build both from the same lock file",
    )


def _is_readable(path: str) -> bool:
    name = path.rpartition("/")[2]
    if name in ("pixi.lock", "uv.lock", "poetry.lock", "pdm.lock"):
        return False
    return name.endswith((".yml", ".yaml", ".txt", ".in"))


_NAMED = re.compile(r"(?:^|\s)(?:-n|--name|-p|--prefix)[ =]\s*([^\s;&|]+)")


def _environment_name(subject: Subject, file: EnvironmentFile, wanted: Requirements) -> str | None:
    """Which environment the file describes: as the command says, else the file, else in use."""
    for command in _texts(subject, file.readers):
        found = _NAMED.search(command)
        if found:
            return found[1].strip("\"'")
    return wanted.name or None


def _texts(subject: Subject, lines: Sequence[int]) -> list[str]:
    """The commands of the steps that read a file, those that name it first."""
    return [step.instruction.text for step in subject.project.steps if step.line in lines]
