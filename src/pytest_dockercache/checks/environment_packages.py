"""``environment-matches``: the packages in the image are those of the environment file."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Sequence
from dataclasses import replace

from ..environments.comparison import (
    Match,
    compare_environments,
    difference_table,
    matches,
)
from ..environments.installed import Environment, environment, holds_distributions
from ..environments.places import Reader, Readers, find_readers, places
from ..environments.prefixes import find_prefix
from ..environments.requirements import Requirements, in_turn, read_requirements
from ..environments.tools import family_of, is_comparable
from ..errors import DoesNotApply, Unverifiable
from ..image import replay
from ..project import Project
from .contents import Contents
from .judged import Judged
from .reading import contents_of
from .settings import DEFAULTS, CheckSettings
from .verdict import Verdict, broken

__all__ = ["installed", "judge", "judge_requirements", "judge_same", "readers_of"]


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Hold the packages that the image's layers record against every environment file.

    An image has to satisfy ``environment.yml``, requirement files and lists of match specs, and to
    equal the output of ``conda env export``, an explicit list and locks. A file is held against the
    environment that its install commands name. Two kinds of file do not describe the image:
    constraints, and files from which only stages install whose environments are not in the image.
    """
    image = subject.image()  # first, because files that are missing make the build fail
    files = subject.project.environment_files
    if not files:
        raise DoesNotApply("no environment file found to hold the image against")
    contents = contents_of(subject, image, settings)
    readers = readers_of(subject.project)
    verified: list[str] = []
    unverified: list[str] = []
    left_out: list[str] = []
    doubts: list[Unverifiable] = []
    for file in files:
        if not _can_compare(subject, file.path, readers):
            left_out.append(f"{file.path} (not a format whose packages can be compared)")
        elif file.path in readers.constraints and file.path not in readers.manifests:
            left_out.append(f"{file.path} (it only limits versions)")
        else:
            try:
                found = _judge_file(subject, contents, file.path, readers)
            except Unverifiable as problem:
                doubts.append(problem)
                continue
            if found is None:
                left_out.append(f"{file.path} (its environment is not in the image)")
                continue
            verified.append(file.path)
            unverified += found
    if doubts:
        raise Unverifiable(
            "; ".join(dict.fromkeys(doubt.verdict for doubt in doubts)),
            fix="; ".join(dict.fromkeys(filter(None, map(_fix_of, doubts)))) or None,
        )
    if not verified:
        raise DoesNotApply(f"no environment file can be held against the image: {_list(left_out)}")
    remark = f"; not verified: {_list(unverified)}" if unverified else ""
    remark += f"; not compared: {_list(left_out)}" if left_out else ""
    return Verdict(f"the image holds what {', '.join(verified)} asks for{remark}")


def _fix_of(problem: Unverifiable) -> str | None:
    fix = problem.finding.fix
    return None if fix is None else fix.text


def _list(items: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(items))


_PROJECT_FILES = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "pipfile", "uv.lock"})


def _can_compare(subject: Judged, path: str, readers: Readers) -> bool:
    """Whether a file's form is known, or pip reads it as a list of requirements by any name."""
    if is_comparable(subject.spec.place(path)):
        return True
    if posixpath.basename(path).lower() in _PROJECT_FILES:
        return False
    known = [reader for reader in readers.of(path) if reader is not None]
    return bool(known) and all(
        family_of(reader.installation.tool) in ("pip", "uv") for reader in known
    )


def readers_of(project: Project) -> Readers:
    """The commands of a project that install from each of its environment files."""
    return find_readers(
        project.steps,
        project.final_stage,
        project.entries,
        project.commands,
        context=project.spec.context,
        ignore=project.ignore,
    )


def _judge_file(
    subject: Judged,
    contents: Contents,
    path: str,
    known: Readers,
) -> tuple[str, ...] | None:
    """Hold the image against one file; return the file's unverified entries.

    The result is None if the file's environment is not in the image. Raises CacheAssertionError,
    and Unverifiable where it is not known which environment the file describes.
    """
    readers = known.of(path)
    forms = {reader is not None and reader.installation.specs for reader in readers}
    found: dict[tuple[bool, str], tuple[tuple[Requirements, ...], bool, Reader | None]] = {}
    for reader in readers:
        specs = reader is not None and reader.installation.specs
        wanted = _wanted(subject, contents, path, reader)
        if reader is None and not wanted.name and wanted.kind not in ("pip", "lock"):
            reader = known.by_name
        prefixes, certain = places(
            known, contents.layers.view, contents.layers.config.env, reader, wanted.name
        )
        certain = certain and len(forms) == 1
        for prefix in prefixes:
            before = found.get((specs, prefix), ((), False, None))
            found[specs, prefix] = (
                (*before[0], wanted),
                certain or before[1],
                reader if wanted.choose else before[2] or reader,
            )
    if not found:
        return None
    unverified: list[str] = []
    for (_, prefix), (every, certain, reader) in found.items():
        wanted = in_turn(every) if any(item.choose for item in every) else every[0]
        line = reader.line if reader is not None else None
        packages = environment(contents.layers.view, prefix, _before(contents, prefix))
        later = _later_files(contents, known, path, prefix, line) if wanted.exact else ()
        if later:
            wanted = replace(wanted, removes=False)
            unverified.append(f"what is installed besides (also from {_list(later)})")
        outcome = _matches(contents, packages, wanted)
        if not wanted.removes:
            outcome = _without_earlier(contents, packages, outcome, reader)
        if not certain and not outcome.holds:
            raise Unverifiable(
                f"{prefix} does not hold what {path} asks for, but whether line {line} installs "
                "into it is not known"
            )
        unverified += _held(subject, outcome, packages, path, line).unverified
    return tuple(unverified)


def _before(contents: Contents, prefix: str) -> tuple[str, ...]:
    """The directories of PYTHONPATH that hold distributions: Python searches them first."""
    view, env = contents.layers.view, contents.layers.config.env
    directories = (path.rstrip("/") for path in env.get("PYTHONPATH", "").split(":"))
    return tuple(
        path
        for path in dict.fromkeys(directories)
        if path.startswith("/") and path != prefix and holds_distributions(view, path)
    )


def _wanted(subject: Judged, contents: Contents, path: str, reader: Reader | None) -> Requirements:
    """The packages that a command installs from a file; all of the file if none reads it."""
    return read_requirements(
        subject.spec.place(path),
        platform=contents.layers.config.platform or "linux/amd64",
        specs=reader is not None and reader.installation.specs,
        selection=None if reader is None else reader.installation.selection,
        context=subject.spec.root_of(path)[0],
        variables=None if reader is None else dict(reader.step.environment),
    )


def _later_files(
    contents: Contents, known: Readers, path: str, prefix: str, line: int | None
) -> tuple[str, ...]:
    """The other files from which later steps install into the environment at ``prefix``."""
    found = []
    for other, readers in known.manifests.items():
        beside = posixpath.dirname(other) == posixpath.dirname(path)
        if other == path or (beside and posixpath.basename(other).lower() in _PROJECT_FILES):
            continue
        for reader in readers:
            if line is None or reader.line <= line:
                continue
            view, env = contents.layers.view, contents.layers.config.env
            with contextlib.suppress(Unverifiable):
                if prefix in places(known, view, env, reader, "")[0]:
                    found.append(other)
    return tuple(dict.fromkeys(found))


def installed(contents: Contents, name: str | None) -> Environment:
    """The packages of an image's environment: by name or prefix, or of the one in use."""
    view = contents.layers.view
    return environment(view, find_prefix(view, name, contents.layers.config.env))


def judge_requirements(
    subject: Judged,
    contents: Contents,
    packages: Environment,
    wanted: Requirements,
    name: str,
) -> Verdict:
    """Hold one environment against one file, which messages call ``name``."""
    outcome = _held(subject, _matches(contents, packages, wanted), packages, name)
    remark = f"; not verified: {_list(outcome.unverified)}" if outcome.unverified else ""
    return Verdict(f"{packages.prefix} holds what {name} asks for{remark}")


def _matches(contents: Contents, packages: Environment, wanted: Requirements) -> Match:
    platform = contents.layers.config.platform or "linux/amd64"
    return matches(wanted, packages, platform=platform)


def _without_earlier(
    contents: Contents,
    packages: Environment,
    outcome: Match,
    reader: Reader | None,
) -> Match:
    """The comparison without the packages that were installed before the command.

    A command that installs a list into a filled environment removes none of its packages. Raises
    Unverifiable where it is not known whether the environment had packages.
    """
    extra = [item for item in outcome.differences if item.kind == "extra"]
    if reader is None or not extra or reader.makes_environment:
        return outcome
    layers = contents.lines.lines if contents.lines is not None else {}
    layer = next((layer for layer, line in layers.items() if line == reader.line), None)
    if layer is None:
        if len(extra) < len(outcome.differences):
            return outcome
        names = _list([item.name for item in extra])
        raise Unverifiable(
            f"{packages.prefix} holds more than is listed ({names}), "
            f"and whether that was there before line {reader.line} is not known"
        )
    before = environment(replay(contents.layers.view.layers[:layer]), packages.prefix)
    had = {(package.manager, package.name) for package in before.packages}
    rest = (
        item
        for item in outcome.differences
        if item.kind != "extra" or (item.manager, item.name) not in had
    )
    return replace(outcome, differences=tuple(rest))


def _held(
    subject: Judged, outcome: Match, packages: Environment, name: str, line: int | None = None
) -> Match:
    """The outcome of holding an environment against a file, which line ``line`` installs.

    Raises CacheAssertionError where environment and file differ, and Unverifiable where none of the
    file's requests could be verified.
    """
    if outcome.holds:
        _require_read(packages.unread)
        if outcome.unverified and not outcome.verified:
            raise Unverifiable(
                f"nothing that {name} asks for can be verified: {_list(outcome.unverified)}"
            )
        return outcome
    if line is None:
        files = subject.project.environment_files
        line = next((file.readers[0] for file in files if file.path == name and file.readers), None)
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


def _require_read(unread: Sequence[str]) -> None:
    if unread:
        raise Unverifiable(f"package records cannot be read: {', '.join(unread)}")


def judge_same(subject: Judged, here: Environment, other: Environment, name: str) -> Verdict:
    """Hold an environment against that of another image, which messages call ``name``.

    A package that only this image has is extra.
    """
    differences = compare_environments(other, here)
    unread = (*here.unread, *other.unread)
    if not differences:
        _require_read(unread)
        if several := sorted({*here.several, *other.several}):
            raise Unverifiable(f"there are records of several versions of {', '.join(several)}")
        return Verdict(f"{here.prefix} holds the same packages as {name}")
    count = len(differences)
    raise broken(
        f"image differs from {name}: {count} package{'s' if count > 1 else ''} in {here.prefix}",
        subject=subject,
        rows=[f"  {row}" for row in difference_table(differences)],
        why="what Python finds, or conda's records, in the layers of the two images are other "
        "packages, versions or builds",
        fix="build both from the same lock file",
    )
