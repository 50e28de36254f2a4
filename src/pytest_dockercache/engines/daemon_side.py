"""The questions that every engine asks the daemon that stores its images."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import DockerCacheError, EngineUnavailable
from ..model import EngineInfo
from .base import Execution

if TYPE_CHECKING:
    from ..cache import Dialect
    from .daemon import Daemon

__all__ = ["DaemonSide"]


class DaemonSide:
    """The part of an engine that is the daemon's: images, containers, clean-up."""

    def __init__(
        self,
        connect: Callable[[], Daemon],
        info: EngineInfo,
        dialect: Dialect,
        *,
        builds_every_stage: bool = False,
    ) -> None:
        self._connect = connect
        self._connecting = threading.RLock()
        self._connects_soon = False
        self._silence: EngineUnavailable | None = None
        self._info = info
        self._dialect = dialect
        self._builds_every_stage = builds_every_stage

    @cached_property
    def _daemon(self) -> Daemon:
        # The thread that tidies up may ask at the same moment as the main thread.
        with self._connecting:
            connected: Daemon | None = vars(self).get("_daemon")
            if connected is not None:
                return connected
            if self._silence is not None:
                raise EngineUnavailable(str(self._silence), silent=True)
            try:
                connected = self._connect()
            except EngineUnavailable as problem:
                if problem.silent:
                    self._silence = problem
                raise
            # ``cached_property`` itself would keep it only after the lock is released.
            vars(self)["_daemon"] = connected
            return connected

    def _connect_soon(self) -> None:
        """Connect in a thread of its own, whose errors show when somebody needs the daemon."""
        if "_daemon" not in vars(self) and self._silence is None and not self._connects_soon:
            self._connects_soon = True
            threading.Thread(target=self._try_to_connect, name="connecting", daemon=True).start()

    def _try_to_connect(self) -> None:
        with contextlib.suppress(DockerCacheError, OSError, ValueError):
            _ = self._daemon

    @property
    def info(self) -> EngineInfo:
        """Name, versions, the reason of the choice, and the identity of the builder."""
        return self._info

    @property
    def dialect(self) -> Dialect:
        """The rules of the cache model that its builder follows."""
        return self._dialect

    @property
    def builds_every_stage(self) -> bool:
        """Whether the builder also builds the stages that the target does not need."""
        return self._builds_every_stage

    @property
    def client(self) -> Any:
        """The client of the daemon whose store holds the images."""
        return self._daemon.client

    def run(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        timeout: float = 60.0,
        labels: Mapping[str, str] = {},
    ) -> Execution:
        """Run a command in a container of the image; see :meth:`Daemon.run`."""
        return self._daemon.run(
            image, command, entrypoint=entrypoint, timeout=timeout, labels=labels
        )

    def image_config(self, image: str) -> Mapping[str, object]:
        """The image's inspection record."""
        return self._daemon.image_config(image)

    def remove_labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Remove containers and images that carry ``label=value``; return what could not go."""
        return self._daemon.remove_labelled(label, value)

    def remove_soon(self, traces: Sequence[Any]) -> None:
        """Begin to remove traces while the next build runs; here all is left to the end."""

    def remove_empty_builder(self, name: str) -> str | None:
        """Remove the container and the volume of an empty builder of that name."""
        return self._daemon.remove_container_builder(name)

    def close(self) -> None:
        """Close the connections."""
        if "_daemon" in vars(self):
            self._daemon.close()
