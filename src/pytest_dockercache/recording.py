"""A build that ran elsewhere, as its log tells of it: nothing is built.

A CI job builds its image anyway, and keeps what the builder said.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .cache import BUILDKIT, explain, predict
from .context import as_it_was
from .disk import read_text
from .engines import Engine
from .errors import ConfigError, EngineUnavailable, Unverifiable
from .model import Build, BuildSpec, Edit
from .project import Project, Settings
from .runs import Run
from .values import dataclass

if TYPE_CHECKING:
    from .cache import Forecast
    from .engines.build_logs import LoggedBuild

__all__ = ["Recording"]

_LARGEST_LOG = 200_000_000
"""Bytes of a log: a job that prints more is not read."""

_SOMETHING = Edit.touch(".")


@dataclass
class Recording:
    """The builds of one Dockerfile in the log of a CI job.

    ``since`` names the commit that was built before, None where nobody has named one.
    """

    spec: BuildSpec
    settings: Settings
    run: Run
    log: Path
    since: str | None = None

    @property
    def engine(self) -> Engine:
        """No engine of this run has built anything: raises EngineUnavailable."""
        raise EngineUnavailable("a build that ran elsewhere has no engine here")

    @property
    def predicts(self) -> bool:
        """False: a builder has said what the log tells."""
        return False

    @property
    def judge_row(self) -> str:
        """The log that was read, as the last line of a failure names it."""
        return f"log    {self.log}"

    @property
    def built_here(self) -> bool:
        """The image was built before this run."""
        return False

    @property
    def has_dockerfile(self) -> bool:
        """A recording is one of a Dockerfile's builds."""
        return True

    @property
    def base_image(self) -> str | None:
        """None: the Dockerfile names the base image."""
        return None

    @cached_property
    def project(self) -> Project:
        """The Dockerfile, its steps and its context. Raises ConfigError."""
        return Project.read(self.spec, self.settings)

    def builds(self) -> tuple[tuple[LoggedBuild, Build], ...]:
        """The builds of the Dockerfile in the log, each with the causes of its misses.

        Raises ConfigError for a log that cannot be read, and Unverifiable for a log without a
        build of this Dockerfile.
        """
        from .engines.build_logs import read_builds

        try:
            text = read_text(self.log, errors="replace", limit=_LARGEST_LOG)
        except OSError as problem:
            said = problem.strerror or problem
            raise ConfigError(f"--dockercache-build-log={self.log}: {said}") from None
        project = self.project
        found, told = read_builds(text, project.dockerfile, project.all_steps, project.roles)
        if not found:
            name = self.spec.dockerfile.name
            raise Unverifiable(
                f"{self.log.name} tells of no build of {name}"
                if told
                else f"{self.log.name} tells of no build",
                fix=f"name the log of a build of this {name}, of this state of it"
                if told
                else "write it with `docker build --progress=plain . 2>&1 | tee build.log`",
            )
        return tuple((logged, self._explained(logged)) for logged in found)

    def _explained(self, logged: LoggedBuild) -> Build:
        """The build with its steps below a miss: which edit caused it, nobody knows."""
        build = Build((_SOMETHING,), "built", 0.0, logged.steps, imports=logged.imports)
        return explain(build, self.project.all_steps)

    def forecast(self, since: str) -> tuple[Forecast, ...]:
        """What a builder that had built the revision has to run again. Raises ConfigError."""
        now = self.project.snapshot
        before = now.patched(self.spec, as_it_was(self.spec, now.tree, since))
        return predict(before, now, BUILDKIT)

    def image(self) -> str:
        """There is no image here: raises Unverifiable."""
        raise Unverifiable("the image of a build that ran elsewhere is not here")

    def project_of(self, image: str) -> Project:
        """The project."""
        return self.project
