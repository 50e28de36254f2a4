"""The engine behind ``POST /build?version=2``: the daemon's own BuildKit, without any command."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..cache import BUILDKIT_OVER_API
from ..errors import EngineUnavailable
from ..model import Build, EngineInfo, Watch
from .api_build import ApiBuild, RefusedError, held_image, refuse_caches, refuse_secrets
from .base import BuildRequest
from .cache_records import Ledger, Trace, claimed
from .cancelling import Starting, cancel, uninterrupted
from .daemon import Daemon
from .daemon_side import DaemonSide
from .failure import KILLED, build_failed, context_lost, daemon_gone
from .planning import planned_steps
from .progress import Event, decode_trace
from .vertices import Observation
from .watching import watched

__all__ = ["BuildKit"]


class BuildKit(DaemonSide):
    """Builds with the BuildKit inside the Docker daemon, over the Engine API.

    The context is uploaded as a tar, so BuildKit's incremental transfer does
    not apply. Cache keys equal the keys of a local build, except that the key
    of a ``COPY .`` of the whole context includes the header of the root
    directory.
    """

    def __init__(self, daemon: Daemon, why: str) -> None:
        if not daemon.has_buildkit:
            raise EngineUnavailable(
                f"the Docker daemon {daemon.server} (API {daemon.api}, {daemon.os}) "
                "has no BuildKit",
                fix="use Docker Engine 18.09 or newer, or --dockercache-engine=classic",
            )
        info = EngineInfo("buildkit", daemon.api, daemon.server, why, daemon.identity)
        super().__init__(lambda: daemon, info, BUILDKIT_OVER_API)
        self._ledger = Ledger(daemon.now)

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True.

        Raises BuildFailed, BuildTimeout, EngineUnavailable, and ConfigError
        for secrets and ssh, which need a client session.
        """
        refuse_secrets(request, "buildkit")
        refuse_caches(request, "buildkit")
        started = time.monotonic()
        planned = planned_steps(request, self._daemon.image_config)
        observation = Observation(planned, request.roles)
        self._ledger.begin()
        running = None
        try:
            with uninterrupted():
                running = _Trace(ApiBuild(self._daemon, request, planned, "2"), observation)
            ended = watched(
                running, observation, request, watch, started, self._daemon.require_answer
            )
            if ended is not None:
                return ended
        except RefusedError as refusal:
            self._fail(request, observation, str(refusal))
        finally:
            if running is not None:
                try:
                    cancel(running)
                finally:
                    self._ledger.end(observation.made(), edited=bool(request.edits))
        if running.complaint is not None:
            self._fail(request, observation, running.complaint)
        image = held_image(self._daemon, running.image)
        seconds = time.monotonic() - started
        steps = observation.steps(ended=True)
        return Build(request.edits, "built", seconds, steps, image=image)

    def _fail(self, request: BuildRequest, observation: Observation, complaint: str) -> NoReturn:
        lost = context_lost(complaint)
        if lost is not None:
            raise lost
        if KILLED.search(complaint) and not self._daemon.lives_on():
            raise daemon_gone(complaint)
        failure = observation.failure()
        if failure is None or failure.line is None:
            raise build_failed(request, line_in(complaint), complaint)
        raise build_failed(request, failure.line, failure.error, failure.log)

    def traces(self) -> tuple[Trace, ...]:
        """The vertices that the builds have executed since the last call, uploads included."""
        return self._ledger.traces()

    def remove_traces(self, traces: Sequence[Trace]) -> int:
        """Remove the records of these; return how many bytes could not be removed."""
        return self._daemon.remove_records(lambda records: claimed(traces, records))


class _Trace:
    """A running build, and its records so far."""

    def __init__(self, build: ApiBuild, observation: Observation) -> None:
        self._build = build
        self._observation = observation
        self.image: str | None = None
        self.complaint: str | None = None

    def follow(self, deadline: float | None) -> bool:
        """Take in the daemon's next records; False after the last one."""
        events: list[Event] = []
        for record in self._build.take(deadline):
            if record.get("id") == "moby.buildkit.trace":
                events += decode_trace(record["aux"])
            elif record.get("id") == "moby.image.id":
                self.image = str(record["aux"]["ID"])
            self.complaint = _error(record) or self.complaint
        self._observation.take(events)
        return not self._build.ended

    def alive(self) -> bool:
        """Whether the daemon still builds."""
        return self._build.alive()

    def starting(self) -> Mapping[str, Starting]:
        """The commands that may begin after a cancellation."""
        return self._observation.starting() if self.alive() else {}

    def stop(self) -> None:
        """Cancel the build, and wait for its end."""
        self._build.stop()


def _error(record: Mapping[str, Any]) -> str | None:
    detail = record.get("errorDetail") or {}
    said = detail.get("message") or record.get("error")
    return None if said is None else str(said)


def line_in(complaint: str) -> int | None:
    """The line that the Dockerfile parser names: ``dockerfile parse error on line 2: …``."""
    found = re.search(r"(?:parse error|[Ss]yntax error)\D*? on line (\d+)", complaint)
    found = found or re.search(r"Dockerfile parse error line (\d+)", complaint)
    return int(found[1]) if found else None
