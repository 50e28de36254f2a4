"""A project built, edited and built again, as a test sees it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from ..cache import advice, is_rebuilt
from ..checks.predicted import no_image
from ..checks.settings import DEFAULTS, CheckSettings
from ..dockerfile import plan
from ..errors import CacheAssertionError, ConfigError, DockerCacheError, Unverifiable
from ..model import Build, Edit, EngineInfo, Finding, Row, Step, named_step
from ..patterns import Pattern
from ..stopping import Stop
from ..subject import Subject
from .image import Image

__all__ = ["DockerCache", "find_steps"]


class DockerCache:
    """A project that was built, edited, and built again.

    Nothing is built before a property or a method needs a build. ``edits`` are the changes between
    the first build and the rebuild: an empty sequence makes the rebuild equal to the first build,
    None stands for the source edit, which is chosen at its first use. ``stop`` says when the
    rebuild may end early; ``settings`` are the demands on its image.
    """

    def __init__(
        self,
        subject: Subject,
        edits: Sequence[Edit] | None = None,
        stop: Stop | None = None,
        settings: CheckSettings = DEFAULTS,
    ) -> None:
        self._subject = subject
        self._settings = settings
        self._given = edits
        self._stop = stop

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """The changes between the first build and the rebuild.

        Raises Unverifiable if no edit is named and the project has no file to edit.
        """
        if self._given is None:
            return (self._subject.project.source_edit,)
        return tuple(self._given)

    @property
    def engine(self) -> EngineInfo:
        """The engine that builds. Raises EngineUnavailable, ConfigError."""
        return self._subject.engine.info

    @property
    def first(self) -> Build:
        """The build before the edit. Raises BuildFailed, BuildTimeout, EngineUnavailable."""
        return self._subject.first()

    @cached_property
    def build(self) -> Build:
        """The build after the edit. Raises BuildFailed, BuildTimeout, EngineUnavailable."""
        if not self.edits:
            return self._subject.first()
        return self._subject.after(self.edits, self._stop)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the rebuild, in Dockerfile order."""
        return self.build.steps

    @property
    def image(self) -> Image:
        """The image of the last build that was made to its end.

        The image of the first build where no edit is named and the project has no file to edit.
        Raises Unverifiable if the engine builds no image, and the errors of a build.
        """
        if self._subject.predicts:
            raise no_image(self._subject)
        try:
            edited = bool(self.edits)
        except Unverifiable:
            edited = False
        build = self.build if edited and self.build.image is not None else self.first
        if build.image is None:
            raise DockerCacheError(
                "no build of this project was made to its end: there is no image"
            )
        return Image(self._subject, build.image, self._settings)

    def rebuild(
        self, *edits: Edit, stop: Literal["environment"] | str | int | None = None
    ) -> DockerCache:
        """Build once more, from the unedited project with these edits.

        ``stop`` ends the build early, as soon as some steps are known to have
        hit or missed: the environment steps for ``"environment"``, else the
        steps that a line number, or a part or regular expression of their text,
        names. None lets the build run to its end.

        The build starts when its result is asked for. Raises ConfigError
        without an edit, and for a ``stop`` that names no step.
        """
        if not edits:
            raise ConfigError("rebuild() needs an edit, for example Edit.append('src/main.py')")
        return DockerCache(self._subject, edits, self._resolve(stop, edits), self._settings)

    def assert_hit(self, step: str | int | None = None, *, role: str | None = None) -> None:
        """Assert that every named step was reused.

        ``step`` names steps by a substring or regular expression of their text, or by a line
        number; ``role`` names them by their role (``"environment"``, ``"source"``, ``"base"``,
        ``"other"``). Raises CacheAssertionError for a miss, ConfigError if there is no such step,
        DockerCacheError for a step that the build did not reach, Unverifiable where the builder's
        report of a step is ambiguous, and the errors of a build.
        """
        for found in self._steps(step, role):
            if is_rebuilt(found):
                raise self._failure(f"line {found.line} was rebuilt", found)
            self._require_known(found)

    def assert_miss(self, step: str | int | None = None, *, role: str | None = None) -> None:
        """Assert that every named step ran again.

        ``step`` and ``role`` are as for :meth:`assert_hit`, and so are the
        errors, with CacheAssertionError for a hit.
        """
        for found in self._steps(step, role):
            if not is_rebuilt(found):
                self._require_known(found)
                raise self._failure(f"line {found.line} was reused", found)

    def _steps(self, step: str | int | None, role: str | None) -> tuple[Step, ...]:
        return find_steps(self.build.steps, step, role=role)

    def _resolve(self, stop: str | int | None, edits: Sequence[Edit]) -> Stop | None:
        if stop is None:
            return None
        if stop == "environment":
            return Stop("decided")
        steps = self._rewritten(edits) or self.first.steps
        return Stop("decided", tuple(step.line for step in find_steps(steps, stop)))

    def _rewritten(self, edits: Sequence[Edit]) -> tuple[Step, ...]:
        """The steps of the Dockerfile that some edits write; none if no edit writes it."""
        project = self._subject.project
        spec = project.spec_after(edits, "stop")
        dockerfile = project.snapshot.after(spec, edits).dockerfile
        if dockerfile is project.dockerfile:
            return ()
        every = self._subject.engine.builds_every_stage
        return tuple(
            Step(
                line=step.line,
                stage=step.stage.label,
                instruction=step.instruction.keyword,
                text=step.instruction.text,
                end_line=step.instruction.end_line,
            )
            for step in plan(dockerfile, spec.target, dict(spec.build_args), all_stages=every)
        )

    def _require_known(self, step: Step) -> None:
        if step.status == "not-reached":
            raise DockerCacheError(
                f"line {step.line} ({named_step(step)}) was not reached: the build was stopped "
                "before it",
                fix="ask for a rebuild without stop=",
            )
        if step.status == "unknown":
            raise Unverifiable(
                f"line {step.line} ({named_step(step)}) is unknown: "
                f"{step.note or 'the report of the builder is ambiguous'}"
            )

    def _failure(self, verdict: str, step: Step) -> CacheAssertionError:
        from ..checks.verdict import broken, step_row

        message = step.reason.message if step.reason is not None else ""
        root = None
        if step.reason is not None and step.reason.kind == "parent":
            root = next((item for item in self.steps if item.line == step.reason.line), None)
        rows = []
        if root is not None:
            rows.append(step_row(root, root.reason.message if root.reason else ""))
        rows.append(step_row(step, message))
        why = None
        if not is_rebuilt(step):
            why = "the edit changed nothing that this step's cache key depends on"
        return broken(
            f"{verdict}: {named_step(step, 60)}",
            subject=self._subject,
            edits=self.edits,
            rows=rows,
            why=why,
            fix=advice((root or step).reason) if is_rebuilt(step) else None,
            line=step.line,
        )


def find_steps(
    steps: Sequence[Step], wanted: str | int | None = None, *, role: str | None = None
) -> tuple[Step, ...]:
    """The steps that a line number, a part or regular expression of the text, or a role names.

    A line number names the instruction that the line belongs to. ``wanted`` and
    ``role`` together name the steps that fit both. Raises ConfigError if no step
    fits, or neither is given.
    """
    if wanted is None and role is None:
        raise ConfigError("name a step: a line number, a part of its text, or role=")
    found = list(steps)
    if role is not None:
        roles = ("base", "environment", "source", "other")
        if role not in roles:
            raise ConfigError(f"role={role!r} is unknown; valid: {', '.join(roles)}")
        found = [step for step in found if step.role == role]
    if isinstance(wanted, int):
        found = [step for step in found if step.line <= wanted <= max(step.line, step.end_line)]
    elif wanted is not None:
        literal = [step for step in found if wanted in step.text]
        if not literal:
            pattern = Pattern(wanted, f"the step {wanted!r}")
            literal = [step for step in found if pattern.found_in(step.text)]
        found = literal
    if not found:
        name = f"role={role!r}" if wanted is None else repr(wanted)
        rows = tuple(Row(place=str(step.line), text=step.text) for step in steps)
        raise ConfigError(
            Finding(f"no step of this build matches {name}; its steps are", rows=rows)
        )
    return tuple(found)
