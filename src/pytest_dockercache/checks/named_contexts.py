"""Named build contexts: their files are built, and not edited, so they may leave a check open."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..cache.snapshot import canonical_image
from ..dockerfile import PlannedStep, contributing_stages
from ..errors import Unverifiable
from ..project import Project
from ..regexes import regex

__all__ = ["require_main_context", "require_no_named_directory"]

_RESOLVED = regex(r"[a-z][a-z0-9+.-]*://|git@")
"""A context that buildx fetches: like a base image, nobody edits it here."""


def require_main_context(project: Project) -> None:
    """Raise Unverifiable where an environment step stands on files of a named directory.

    An edit of such a file may install the environment again, or have to; nothing here edits it, so
    neither a pass nor a failure would be proven.
    """
    for step, name in _taking(project):
        for other in project.steps:
            if project.roles.get(other.line) == "environment" and _rests(project, other, step):
                raise Unverifiable(
                    f"line {other.line} stands on line {step.line}, which takes files of the named "
                    f"context {name}; what an edit of these installs is not known",
                    fix=f"take the files of {name} below the environment",
                )


def require_no_named_directory(project: Project) -> None:
    """Raise Unverifiable where a step takes a whole directory of a named context.

    What changes by itself in there, its ``.git`` say, is not tried.
    """
    for step, name in _taking(project):
        place = dict(project.spec.contexts)[name]
        for transfer in step.transfers:
            sources = transfer.sources if transfer.origin == name else ()
            if any(not os.path.isfile(f"{place}/{source}") for source in sources):
                raise Unverifiable(
                    f"line {step.line} takes a directory of the named context {name}; whether what "
                    "changes in it by itself leaves every step a hit is not known"
                )


def _taking(project: Project) -> Iterator[tuple[PlannedStep, str]]:
    """The steps that take files of a named context that is a directory, and its name."""
    directories = {
        canonical_image(name): name
        for name, value in project.spec.contexts
        if not _RESOLVED.match(value)
    }
    if not directories:
        return
    for step in project.steps:
        origins = [str(one.origin) for one in step.transfers if isinstance(one.origin, str)]
        if step.instruction.keyword == "FROM" and step.stage.parent is None:
            origins.append(step.stage.base)
        for origin in origins:
            name = directories.get(canonical_image(origin))
            if name is not None and origin != "context":
                yield step, name


def _rests(project: Project, environment: PlannedStep, step: PlannedStep) -> bool:
    """Whether a step stands on another: above it in its stage, or in a stage that it takes from."""
    own, other = environment.stage.index, step.stage.index
    if own == other:
        return step.line <= environment.line
    return other in contributing_stages(project.steps, [own])
