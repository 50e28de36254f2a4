"""A builder that has nothing: BuildKit in a container of its own, as a fresh CI runner has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Unverifiable
from ..model import Build, EngineInfo, Watch
from ..values import dataclass
from .docker_command import run_docker

if TYPE_CHECKING:
    from .base import BuildRequest
    from .buildx import Buildx

__all__ = ["ContainerBuilder"]

_BOOT_SECONDS = 600.0
"""How many seconds the pull of BuildKit's image and the start of the builder may take."""


@dataclass(frozen=True)
class ContainerBuilder:
    """A builder of buildx's docker-container driver, with a list of builders of its own.

    ``engine`` builds with it, ``buildx`` is the command before its arguments.
    ``directory`` is where buildx keeps its configuration: the user's own list
    of builders is never changed. ``options`` are the driver's, and ``remove_container``
    removes the container and its volume by the builder's name.
    """

    engine: Buildx
    buildx: Sequence[str]
    name: str
    directory: Path
    options: Mapping[str, str | None]
    remove_container: Callable[[], str | None]

    @property
    def info(self) -> EngineInfo:
        """Name, versions, and the identity of the builder."""
        return self.engine.info

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True."""
        return self.engine.build(request, watch)

    def boot(self) -> None:
        """Start the builder. Raises Unverifiable if the builder does not start."""
        given = [f"{name}={value}" for name, value in self.options.items() if value is not None]
        command = [*self.buildx, "create", f"--name={self.name}", "--driver=docker-container"]
        command += [f"--driver-opt={option}" for option in given]
        environment = {**os.environ, "BUILDX_CONFIG": str(self.directory)}
        try:
            said = run_docker([*command, "--bootstrap"], environment, timeout=_BOOT_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise _no_builder(str(problem)) from None
        if said.returncode != 0:
            raise _no_builder((said.stderr.strip().splitlines() or ["buildx said nothing"])[-1])

    def clear(self) -> None:
        """Replace the builder by one that has built nothing.

        Raises Unverifiable if the new builder does not start.

        ``buildx prune`` is not enough: BuildKit 0.13 keeps what a build that was
        stopped has imported and not yet unpacked.
        """
        self.remove()
        self.boot()

    def remove(self) -> None:
        """Remove the builder; the run's journal names a container that stays."""
        self.remove_container()
        (self.directory / "instances" / self.name).unlink(missing_ok=True)


def _no_builder(said: str) -> Unverifiable:
    return Unverifiable(
        f"no empty builder could be made: {said.removeprefix('ERROR: ')}",
        fix="name an image of BuildKit that this machine has or can pull with "
        "--dockercache-buildkit-image=REF",
    )
