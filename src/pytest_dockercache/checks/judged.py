"""The interface of the subject of a check of images."""

from __future__ import annotations

from typing import Protocol

from ..engines import Engine
from ..model import BuildSpec
from ..project import Project, Settings
from ..runs import Run

__all__ = ["Judged"]


class Judged(Protocol):
    """A Dockerfile whose image is built first (``Subject``), or an image (``Inspection``)."""

    @property
    def spec(self) -> BuildSpec:
        """The Dockerfile and the context of the build, or those beside a given image."""

    @property
    def settings(self) -> Settings:
        """How the Dockerfile is built and read."""

    @property
    def run(self) -> Run:
        """The run that this judgement is part of."""

    @property
    def project(self) -> Project:
        """The Dockerfile and its context. Raises ConfigError."""

    @property
    def engine(self) -> Engine:
        """The engine whose daemon has the image. Raises EngineUnavailable, ConfigError."""

    @property
    def predicts(self) -> bool:
        """Whether verdicts are predictions, because no image is built."""

    @property
    def judge_row(self) -> str:
        """The engine, or the image that was read: the last line of a failure."""

    @property
    def built_here(self) -> bool:
        """Whether this run builds the image from the Dockerfile."""

    @property
    def has_dockerfile(self) -> bool:
        """Whether the image has a Dockerfile to whose lines its layers may be matched."""

    @property
    def base_image(self) -> str | None:
        """The image that the user names as the base image, None where the user names none."""

    def image(self) -> str:
        """The reference of the image to look into. Raises what building it raises."""

    def project_of(self, image: str) -> Project:
        """The project with the Dockerfile and the arguments that an image was built from."""
