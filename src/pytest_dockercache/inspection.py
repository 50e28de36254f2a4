"""An image that is already built, for the checks of images: nothing is built.

The image is one of the daemon's (a tag or an ID), an archive, or an OCI
directory. A Dockerfile beside the image gives the lines of the layers and the
environment files, where there is such a Dockerfile.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from .context import IgnoreRules
from .dockerfile import parse_dockerfile
from .engines import Engine
from .model import BuildSpec
from .project import Project, Settings
from .runs import Run
from .values import dataclass

__all__ = ["Inspection"]


@dataclass
class Inspection:
    """The image ``reference`` under judgement.

    ``base_image`` names the image that it was built on, None where nobody has
    named one. ``spec.dockerfile`` need not exist.
    """

    spec: BuildSpec
    settings: Settings
    run: Run
    reference: str
    base_image: str | None = None

    @cached_property
    def engine(self) -> Engine:
        """The engine whose daemon has the image. Raises EngineUnavailable, ConfigError."""
        return self.run.connect(self.settings.engine, self.settings.builder, self.settings.timeout)

    @property
    def built_here(self) -> bool:
        """The image was built before this run."""
        return False

    @property
    def is_file(self) -> bool:
        """Whether the image is an archive or an OCI directory, which is read without a daemon."""
        from .image import is_file_reference

        return is_file_reference(self.reference)

    @property
    def has_dockerfile(self) -> bool:
        """Whether the layers may be matched to the lines of a Dockerfile."""
        return self.spec.dockerfile.is_file()

    @property
    def predicts(self) -> bool:
        """Whether the engine only predicts, so that there is no image to look into."""
        return False if self.is_file else self.engine.info.predicts

    @property
    def judge_row(self) -> str:
        """The image that was looked into, as the last line of a failure names it."""
        return f"image  {self.reference}"

    @cached_property
    def project(self) -> Project:
        """The project beside the image. Without a Dockerfile the project has files and no steps.

        Raises ConfigError.
        """
        if self.has_dockerfile:
            return Project.read(self.spec, self.settings)
        nothing = replace(parse_dockerfile("FROM scratch\n"), path=self.spec.dockerfile)
        ignore = IgnoreRules.load(self.spec.context, self.spec.dockerfile)
        return Project(self.spec, self.settings, nothing, ignore)

    def image(self) -> str:
        """The reference as the user gave it."""
        return self.reference

    def project_of(self, image: str) -> Project:
        """The project beside the image."""
        return self.project
