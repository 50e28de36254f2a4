"""The one face that every engine has, and what goes in and out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..model import Build, BuildSpec, Edit, EngineInfo, Roles, Step, Watch

if TYPE_CHECKING:
    from ..cache import Dialect, Snapshot
    from ..context import StagedContext
    from ..dockerfile import Dockerfile

__all__ = ["BuildRequest", "Engine", "Execution"]


@dataclass(frozen=True)
class BuildRequest:
    """One build: what to build, from which staged context, and how it is labelled.

    ``spec`` carries the build arguments as they are to be passed (edits
    applied); ``dockerfile`` is the Dockerfile as it will be built (edits
    applied); ``labels`` go onto the image; ``timeout`` is in seconds, None
    for no limit; ``roles`` has the role of each step.
    ``snapshots`` are the project before and after the edits, for the engine
    that predicts; ``meanwhile`` is something to do that an engine may call
    while it waits for its builder to start up.
    """

    spec: BuildSpec
    dockerfile: Dockerfile
    staged: StagedContext
    edits: tuple[Edit, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    timeout: float | None = None
    roles: Roles = field(default_factory=dict)
    snapshots: tuple[Snapshot, Snapshot] | None = None
    meanwhile: Callable[[], None] | None = None


def stopped(request: BuildRequest, steps: Sequence[Step], started: float) -> Build:
    """The build that its watcher stopped; ``started`` is of :func:`time.monotonic`."""
    return Build(
        request.edits,
        "stopped",
        time.monotonic() - started,
        tuple(replace(step, running=False) for step in steps),
    )


@dataclass(frozen=True)
class Execution:
    """The outcome of a command in a container: exit code, standard output, standard error.

    ``timed_out`` is True if it was killed because its time was up; the code
    is then 137. A command that the image does not hold has code 127.
    """

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Engine(Protocol):
    """What runs a build and says of every step whether it was a hit or a miss."""

    @property
    def info(self) -> EngineInfo:
        """Name, versions, the reason of the choice, and the identity of the builder."""

    @property
    def dialect(self) -> Dialect:
        """The rules of the cache model that its builder follows."""

    @property
    def builds_every_stage(self) -> bool:
        """Whether it also builds the stages that the target does not need."""

    @property
    def client(self) -> Any:
        """The ``docker.DockerClient`` of the daemon whose store holds the images."""

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True.

        Raises BuildFailed, BuildTimeout, EngineUnavailable.
        """

    def run(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        timeout: float = 60.0,
        labels: Mapping[str, str] = {},
    ) -> Execution:
        """Run a command in a container of the image: no network, labelled, removed afterwards."""

    def image_config(self, image: str) -> Mapping[str, object]:
        """The image's inspection record (``Config``, ``RootFS``, ``Id`` …)."""

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Remove containers and images that carry ``label=value``; return what could not go."""

    def traces(self) -> tuple[Any, ...]:
        """What this engine's builds have left in the build cache since this was last asked.

        JSON values, for :meth:`remove_traces` of this engine, or of one like
        it in another process. Only of builds with ``edits``: what a build of
        the project as it is leaves there is what ``docker build`` leaves,
        except an uploaded context.
        """

    def remove_traces(self, traces: Sequence[Any]) -> int:
        """Remove from the build cache what these say; return how many bytes could not go."""

    def close(self) -> None:
        """Close the connections."""
