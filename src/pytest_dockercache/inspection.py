"""An image that is already built, as a subject of the content checks: nothing is built.

The image is one of the daemon's (a tag or an ID), an archive, or an OCI
directory. A Dockerfile beside it is used where there is one: for the lines of
the layers and for the environment files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .context import IgnoreRules
from .dockerfile import parse_dockerfile
from .errors import Unverifiable
from .model import Build, Edit
from .project import Project
from .stopping import Stop
from .subject import Subject

__all__ = ["Inspection"]


@dataclass
class Inspection(Subject):
    """What is judged of ``reference``; ``base_image`` names the image it was built on.

    ``spec.dockerfile`` need not exist. Asking for a build raises Unverifiable.
    """

    reference: str = ""
    base_image: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether the image is an archive or a directory, which no daemon has to hold."""
        from .image import is_file_reference

        return is_file_reference(self.reference)

    @property
    def has_dockerfile(self) -> bool:
        """Whether the layers may be matched to the lines of a Dockerfile."""
        return self.spec.dockerfile.is_file()

    @property
    def predicts(self) -> bool:
        """An image is looked into and never predicted."""
        return False if self.is_file else self.engine.info.predicts

    @property
    def judge_row(self) -> str:
        """Which image was looked into."""
        return f"image  {self.reference}"

    @cached_property
    def project(self) -> Project:
        """The project beside the image; without a Dockerfile it has files and no steps."""
        if self.has_dockerfile:
            return Project.read(self.spec, self.settings)
        nothing = replace(parse_dockerfile("FROM scratch\n"), path=self.spec.dockerfile)
        ignore = IgnoreRules.load(self.spec.context, self.spec.dockerfile)
        return Project(self.spec, self.settings, nothing, ignore)

    def first(self) -> Build:
        """Nothing is built. Raises Unverifiable."""
        raise Unverifiable(
            "an image that is already built is inspected: there is no build to judge"
        )

    def after(self, edits: Sequence[Edit], stop: Stop | None = None) -> Build:
        """Nothing is built. Raises Unverifiable."""
        return self.first()

    def builds(self) -> tuple[Build, ...]:
        """No build was made."""
        return ()

    def image(self) -> str:
        """The reference as it was given."""
        return self.reference

    def project_of(self, image: str) -> Project:
        """The project beside the image."""
        return self.project
