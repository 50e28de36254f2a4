"""The interface of every engine, with the values that go in and out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..model import Build, BuildSpec, Edit, EngineInfo, Roles, Step, Watch
from ..values import dataclass

if TYPE_CHECKING:
    from ..cache import Dialect, Snapshot
    from ..context import StagedContext
    from ..dockerfile import Dockerfile

__all__ = ["BuildRequest", "EmptyBuilder", "Engine", "Execution", "MakesEmptyBuilders"]


@dataclass(frozen=True)
class BuildRequest:
    """One build: the spec, the staged context, and the labels.

    ``spec`` carries the build arguments and ``dockerfile`` the Dockerfile, both after the edits.
    ``labels`` go onto the image. ``timeout`` is in seconds, None for no limit. ``roles`` has the
    role of each step. ``snapshots`` are the project before and after the edits, for the engine that
    predicts. ``meanwhile`` is a function that an engine may call while its builder starts up.
    ``cache_to`` says where the build's cache is exported to, and ``output`` what becomes of the
    result, both as buildx takes them; a build with an ``output`` leaves no image in the daemon.
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
    cache_to: tuple[str, ...] = ()
    output: str | None = None


def stopped(request: BuildRequest, steps: Sequence[Step], started: float) -> Build:
    """The build that its watcher stopped.

    ``started`` is the value of :func:`time.monotonic` at the start of the build.
    """
    return Build(
        request.edits,
        "stopped",
        time.monotonic() - started,
        tuple(replace(step, running=False) for step in steps),
    )


@dataclass(frozen=True)
class Execution:
    """The outcome of a command in a container: exit code, standard output, standard error.

    ``timed_out`` is True if the command was killed because its time was up; the
    exit code is then 137. The code of a command that the image does not hold is 127.
    """

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class EmptyBuilder(Protocol):
    """A builder of ours that has built nothing yet; whoever asked for it removes it."""

    @property
    def info(self) -> EngineInfo:
        """Name, versions, and the identity of the builder."""

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build, as :meth:`Engine.build` does."""

    def clear(self) -> None:
        """Forget all that it has built. Raises Unverifiable if that cannot be done."""


@runtime_checkable
class MakesEmptyBuilders(Protocol):
    """An engine that can build in a builder that has nothing, beside its own."""

    @property
    def info(self) -> EngineInfo:
        """Name, versions, and the identity of its own builder."""

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build in its own builder."""

    def read_manifest(self, reference: str) -> object:
        """The manifest of an image's reference in its registry, None if it cannot be read."""

    def exports_caches(self) -> bool:
        """Whether the engine's own builder can export its cache to more than an image."""

    def remove_empty_builder(self, name: str) -> str | None:
        """Remove what is left of an empty builder; why it stays, None if it is gone."""

    def empty_builder(
        self, name: str, directory: Path, image: str | None, *, host_network: bool
    ) -> AbstractContextManager[EmptyBuilder]:
        """Make a builder for this block, and remove it.

        ``name`` is its name, ``directory`` is where its configuration is kept,
        ``image`` that of its BuildKit (None: buildx's own). ``host_network``
        lets it reach what listens on the machine's loopback address. Raises
        Unverifiable if there can be none.
        """


class Engine(Protocol):
    """An engine runs builds and says of every step whether it was a hit or a miss."""

    @property
    def info(self) -> EngineInfo:
        """Name, versions, the reason of the choice, and the identity of the builder."""

    @property
    def dialect(self) -> Dialect:
        """The rules of the cache model that the engine's builder follows."""

    @property
    def builds_every_stage(self) -> bool:
        """Whether the builder also builds the stages that the target does not need."""

    @property
    def client(self) -> Any:
        """The ``docker.DockerClient`` of the daemon whose store holds the images."""

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True.

        ``watch`` is called with all steps at every news of the builder. Raises
        BuildFailed, BuildTimeout, EngineUnavailable.
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
        """Run a command in a container of the image, without network.

        None for ``entrypoint`` leaves the image's own. ``timeout`` is in seconds.
        The container carries ``labels`` and is removed afterwards. Raises
        EngineUnavailable.
        """

    def image_config(self, image: str) -> Mapping[str, object]:
        """The image's inspection record (``Config``, ``RootFS``, ``Id`` …).

        Raises DockerCacheError if the daemon has no such image.
        """

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Remove the containers and images that carry ``label=value``.

        Returns the names of containers and images that could not be removed.
        """

    def traces(self) -> tuple[Any, ...]:
        """The cache records that this engine's builds have made since the last call.

        The values are JSON, for :meth:`remove_traces` of this engine, or of an
        equal engine in another process. Builds without edits are left out, as
        their records are what ``docker build`` leaves as well, except for an
        uploaded context.
        """

    def remove_traces(self, traces: Sequence[Any]) -> int:
        """Remove these records from the build cache; returns how many bytes stayed."""

    def remove_soon(self, traces: Sequence[Any]) -> None:
        """Begin to remove these records while the next build runs, if that can be done.

        The method returns at once, and :meth:`remove_traces` looks for what is left.
        """

    def close(self) -> None:
        """Close the connections."""
