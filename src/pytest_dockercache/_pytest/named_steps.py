"""Refuses a ``--dockercache-env-step`` that finds no step: the intended step would go unjudged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from ..dockerfile import PlannedStep
from ..environments import is_named
from ..errors import ConfigError, DockerCacheError
from ..model import Finding, Row, on_one_line
from ..project import Project
from ..values import dataclass

if TYPE_CHECKING:
    from ..model import BuildSpec
    from .image_options import ImageOptions

__all__ = ["NamedSteps", "look_for_all", "named_lines", "specs_of_marked"]

_SHOWN = 12
"""How many RUN lines of a Dockerfile a message lists."""

_WIDTH = 76


def named_lines(project: Project) -> tuple[int, ...]:
    """The lines of the RUN instructions that ``--dockercache-env-step`` finds in a project."""
    pattern = project.settings.env_step
    return tuple(step.line for step in project.steps if is_named(step, pattern))


@dataclass(frozen=True)
class NamedSteps:
    """The steps that ``--dockercache-env-step`` finds in all Dockerfiles of an invocation.

    ``runs`` has the RUN steps of each Dockerfile in which it finds nothing;
    ``found`` is True if it finds a step in any, or if one cannot be read;
    ``complete`` if nothing else is judged.
    """

    given: str
    runs: Mapping[str, Sequence[PlannedStep]]
    found: bool
    complete: bool

    @classmethod
    def look(
        cls, options: ImageOptions, specs: Iterable[tuple[str, BuildSpec]], *, complete: bool = True
    ) -> NamedSteps:
        """Look into the Dockerfiles of ``specs``, each with the name that messages use.

        ``complete`` is False where further Dockerfiles are judged that are not known yet. A
        Dockerfile that cannot be read counts as one with the step; other code reports its error.
        """
        runs: dict[str, Sequence[PlannedStep]] = {}
        found = False
        for name, spec in specs:
            try:
                project = Project.read(spec, options.settings)
            except DockerCacheError:
                found = True
                continue
            # The built stages are known only when an engine answers, so all stages count.
            if any(is_named(step, options.settings.env_step) for step in project.all_steps):
                found = True
            else:
                runs[name] = _runs(project)
        return cls(options.env_step_given, runs, found, complete and bool(runs))

    def refusal(self) -> ConfigError | None:
        """The error to raise, None if the pattern may be right."""
        refused = self.complete and not self.found
        return _refusal(self.given, self.runs) if refused else None

    def require(self, name: str, project: Project) -> None:
        """Raise ConfigError if the pattern finds nothing anywhere, nor in this project."""
        if not self.found and not named_lines(project):
            raise _refusal(self.given, {**self.runs, name: _runs(project)})


def look_for_all(
    images: Iterable[tuple[str, BuildSpec, ImageOptions]], *, complete: bool
) -> Mapping[str, NamedSteps]:
    """What each pattern finds in the Dockerfiles that it was given for.

    ``images`` are the names for messages, the specs and the options. The keys are the patterns as
    they were given; ``complete`` is as for :meth:`NamedSteps.look`.
    """
    grouped: dict[str, list[tuple[str, BuildSpec, ImageOptions]]] = {}
    for image in images:
        if image[2].settings.env_step:
            grouped.setdefault(image[2].env_step_given, []).append(image)
    return {
        given: NamedSteps.look(
            group[0][2], [(name, spec) for name, spec, _ in group], complete=complete
        )
        for given, group in grouped.items()
    }


def specs_of_marked(items: Iterable[pytest.Item]) -> tuple[tuple[BuildSpec, ...], bool]:
    """The specs of the marked tests, and whether they are all: a fixture may build another."""
    from .marked import spec_of

    found: dict[BuildSpec, None] = {}
    complete = True
    for item in items:
        if "dockercache" not in getattr(item, "fixturenames", ()):
            continue
        fixtures = getattr(item, "_fixtureinfo", None)
        defined = getattr(fixtures, "name2fixturedefs", {}).get("dockercache_spec", ())
        if len(defined) != 1:
            complete = False
            continue
        try:
            found[spec_of(item)] = None
        except pytest.fail.Exception:
            complete = False  # the test itself says what is wrong
    return tuple(found), complete


def _runs(project: Project) -> tuple[PlannedStep, ...]:
    return tuple(
        step for step in project.steps if step.instruction.keyword == "RUN" and not step.triggered
    )


def _refusal(given: str, runs: Mapping[str, Sequence[PlannedStep]]) -> ConfigError:
    rows = []
    for name, steps in runs.items():
        rows.append(f"  {name}" if steps else f"  {name} has no RUN instruction")
        rows += [
            f"{step.line:>6}  {on_one_line(step.instruction.text, _WIDTH)}"
            for step in steps[:_SHOWN]
        ]
        if len(steps) > _SHOWN:
            rows.append(f"     …  and {len(steps) - _SHOWN} more")
    verdict = (
        f"{given}: matches no RUN instruction of {', '.join(runs)}; "
        "give a regular expression that finds the step to judge, or leave it out"
    )
    return ConfigError(Finding(verdict, rows=tuple(map(Row, rows))))
