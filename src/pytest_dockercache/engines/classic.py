"""The engine behind ``POST /build?version=1``: Docker's classic builder.

Every instruction is a step of the builder, ENV and CMD too. The builder names
its current step, and says whether it used the cache, in lines of text between
the output of the commands that it runs.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from ..cache import CLASSIC
from ..errors import ConfigError
from ..model import Build, EngineInfo, Role, Roles, Status, Step, Watch
from ..regexes import regex
from ..values import dataclass
from .api_build import ApiBuild, RefusedError, held_image, refuse_secrets
from .base import BuildRequest
from .buildkit import line_in
from .daemon import Daemon
from .daemon_side import DaemonSide
from .failure import KILLED, build_failed, daemon_gone
from .vertices import ran_as_one
from .watching import watched

if TYPE_CHECKING:
    from ..dockerfile import Dockerfile, Instruction

__all__ = ["Classic", "Transcript", "cache_images"]

_STEP = regex(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_IMAGE = regex(r" ---> ([0-9a-f]{12})\n?")
_RUNNING = regex(r" ---> Running in ([0-9a-f]*)")
_TRIGGERS = regex(r"# Executing (\d+) build trigger")
_LOG_BYTES = 64_000

_CONTAINER = "container "
"""The beginning of a trace that is no image, but the container of a step that did not end."""


@dataclass
class _Seen:
    """The transcript's news of one step. Times are seconds of the monotonic clock."""

    begun: float
    hits: int = 0
    runs: int = 0
    triggers: int = 0
    image: str | None = None
    container: str | None = None
    ended: float | None = None
    log: str = ""

    @property
    def expected(self) -> int:
        """How many cached commands make it a hit (a FROM runs the triggers of its base)."""
        return max(1, self.triggers)


@dataclass
class Transcript:
    """Takes in the text of one classic build and gives the state of its steps at any time.

    ``instructions`` are the instructions that the builder numbers: all up to the end of the
    target's stage, global ARGs included; ``labels`` says whether the plugin's LABEL step follows
    them.
    """

    instructions: Sequence[Instruction]
    stages: Mapping[int, str]
    roles: Roles
    labels: bool = True
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _current: int = 0
    _doubt: str | None = None
    news: int = 0

    def take(self, text: str, now: float) -> bool:
        """Take in the text of one record; return whether anything about a step is new."""
        new = self._take(text, now)
        self.news += new
        return new

    def _take(self, text: str, now: float) -> bool:
        """Read the text of one record.

        The output of a command after ``Running in`` may look like the builder's own words: there,
        only the number of the next step, alone in its record, and the ID of the step's image are
        believed.
        """
        step = _STEP.fullmatch(text)
        number = int(step[1]) if step else 0
        if step is not None and number == self._current + 1 and self._over():
            self._close(now)
            self._current = number
            self._seen[number] = _Seen(begun=now)
            self._check(number, int(step[2]), step[3])
            return True
        seen = self._seen.get(self._current)
        if seen is None:
            return False
        if seen.image is None and (found := _IMAGE.fullmatch(text)):
            seen.image = found[1]
            seen.ended = now
            return True
        if running := _RUNNING.match(text):
            seen.runs += 1
            seen.container = seen.container or running[1]
            return True
        if text == " ---> Using cache\n" and seen.runs == 0:
            seen.hits += 1
            return True
        if text.startswith(" ---> Removed intermediate container "):
            return False
        if triggers := _TRIGGERS.fullmatch(text):
            seen.triggers = int(triggers[1])
            return True
        if seen.runs:
            seen.log = (seen.log + text)[-_LOG_BYTES:]
        return False

    def _over(self) -> bool:
        seen = self._seen.get(self._current)
        # A global ARG has no image of its own.
        return seen is None or seen.image is not None or seen.runs == 0

    def _close(self, now: float) -> None:
        seen = self._seen.get(self._current)
        if seen is not None and seen.ended is None:
            seen.ended = now

    def _check(self, number: int, total: int, text: str) -> None:
        ours = len(self.instructions)
        keyword = text.split(maxsplit=1)[0].upper() if text.strip() else ""
        if total != ours + self.labels:
            self._doubt = f"the builder counts {total - self.labels} steps, the Dockerfile {ours}"
        elif number <= ours and self.instructions[number - 1].keyword != keyword:
            wanted = self.instructions[number - 1].keyword
            self._doubt = f"the builder's step {number} is {keyword}, the Dockerfile's {wanted}"

    def _role_of_triggers(self, line: int) -> Role:
        """The role of the triggers of one FROM, which the classic builder counts as one step."""
        pairs = (key for key in self.roles if isinstance(key, tuple) and key[0] == line)
        installs = any(self.roles[key] == "environment" for key in pairs)
        return "environment" if installs else "other"

    def steps(self) -> tuple[Step, ...]:
        """Every step after the FROM of its stage, in Dockerfile order."""
        steps = []
        made: dict[str, tuple[int, _Seen]] = {}
        for number, instruction in enumerate(self.instructions, 1):
            seen = self._seen.get(number)
            is_from = instruction.keyword == "FROM"
            triggered = is_from and seen is not None and seen.triggers > 0
            if instruction.stage is None or (is_from and not triggered):
                continue
            step = Step(
                line=instruction.line,
                stage=self.stages[instruction.stage],
                instruction=instruction.keyword,
                text=instruction.text,
                role=self.roles.get(instruction.line, "other"),
                end_line=instruction.end_line,
            )
            if triggered and seen is not None:
                count = f"{seen.triggers} trigger" + ("s" if seen.triggers > 1 else "")
                step = replace(
                    step,
                    instruction="ONBUILD",
                    text=f"ONBUILD ({count} of {instruction.value})",
                    role=self._role_of_triggers(instruction.line),
                    note="triggers of the base image",
                )
            step = self._observed(step, seen)
            if seen is not None and seen.image is not None:
                if step.status == "miss":
                    made.setdefault(seen.image, (step.line, seen))
                elif step.status == "hit" and seen.image in made:
                    # The step used the image that an equal step of another stage made in this very
                    # build, so nothing was cached before the build.
                    line, twin = made[seen.image]
                    note = ran_as_one(line)
                    step = replace(step, status="miss", seconds=_duration(twin), note=note)
            steps.append(step)
        return tuple(steps)

    def _observed(self, step: Step, seen: _Seen | None) -> Step:
        if self._doubt is not None:
            return replace(step, status="unknown", note=self._doubt)
        status = _status(seen)
        if seen is None or status != "miss":
            return replace(step, status=status)
        running = seen.ended is None
        return replace(step, status=status, seconds=_duration(seen), running=running)

    def made(self) -> tuple[str, ...]:
        """Short IDs of the images that steps of this build made, the labelled one left out."""
        ours = range(1, len(self.instructions) + 1)
        return tuple(
            seen.image
            for number, seen in self._seen.items()
            if number in ours and seen.image is not None and _status(seen) == "miss"
            and self.instructions[number - 1].keyword != "FROM"
        )  # fmt: skip

    @property
    def container(self) -> str | None:
        """The short ID of the container of the current step, if the step has not ended."""
        seen = self._seen.get(self._current)
        return seen.container if seen is not None and seen.image is None else None

    @property
    def line(self) -> int | None:
        """The first line of the instruction that the builder is at."""
        if 1 <= self._current <= len(self.instructions):
            return self.instructions[self._current - 1].line
        return None

    @property
    def log(self) -> str:
        """The output of the current step's command."""
        seen = self._seen.get(self._current)
        return re.sub(r"\x1b\[\d*m", "", seen.log) if seen else ""


def _duration(seen: _Seen) -> float | None:
    return None if seen.ended is None else seen.ended - seen.begun


def _status(seen: _Seen | None) -> Status:
    if seen is None:
        return "not-reached"
    if seen.runs:
        return "miss"
    if seen.hits >= seen.expected:
        return "hit"
    # COPY and ADD make their image without a word about running.
    return "miss" if seen.image is not None else "not-reached"


def numbered(dockerfile: Dockerfile, last: int) -> tuple[Instruction, ...]:
    """The instructions that the builder numbers when it builds up to the stage ``last``."""
    return tuple(
        instruction
        for instruction in dockerfile.instructions
        if instruction.stage is None or instruction.stage <= last
    )


def cache_images(request: BuildRequest) -> tuple[str, ...]:
    """The images whose layers a build may reuse; the daemon then reuses those of no other.

    Raises ConfigError for a cache that is no image of the daemon's.
    """
    if not request.spec.cache_from:
        return ()
    from ..cache_specs import parse_cache_spec

    specs = {text: parse_cache_spec(text) for text in request.spec.cache_from}
    for text, spec in specs.items():
        if [spec.type, *(name for name, _ in spec.attributes)] != ["registry", "ref"]:
            raise ConfigError(
                f"--dockercache-cache-from={text}: the classic builder takes images only",
                fix="name an image that the daemon has, or use --dockercache-engine=buildx",
            )
    return tuple(spec.get("ref") for spec in specs.values())


class Classic(DaemonSide):
    """Builds with the builder that Docker had before BuildKit, over the Engine API."""

    def __init__(self, daemon: Daemon, why: str) -> None:
        info = EngineInfo("classic", daemon.api, daemon.server, why, daemon.identity)
        super().__init__(lambda: daemon, info, CLASSIC, builds_every_stage=True)
        self._made: list[str] = []

    def build(self, request: BuildRequest, watch: Watch) -> Build:
        """Run one build to its end, or until ``watch`` returns True.

        Raises BuildFailed, BuildTimeout, EngineUnavailable, and ConfigError
        for secrets, ssh and caches that are no images, which need BuildKit.
        """
        from ..dockerfile import plan, resolve_stage

        refuse_secrets(request, "classic")
        images = cache_images(request)
        started = time.monotonic()
        spec = request.spec
        arguments = dict(spec.build_args)
        planned = plan(request.dockerfile, spec.target, arguments, all_stages=True)
        last = resolve_stage(request.dockerfile, spec.target).index
        instructions = numbered(request.dockerfile, last)
        for instruction in instructions:
            if instruction.heredocs:
                # The classic builder would build it and silently drop the body.
                said = "the classic builder knows no here-documents: this requires BuildKit"
                raise build_failed(request, instruction.line, said)
        transcript = Transcript(
            instructions,
            {stage.index: stage.label for stage in request.dockerfile.stages},
            request.roles,
            labels=bool(request.labels),
        )
        build = ApiBuild(self._daemon, request, planned, "1", cache_from=images)
        running = _Told(build, transcript)
        try:
            ended = watched(
                running, transcript, request, watch, started, self._daemon.require_answer
            )
            if ended is not None:
                return ended
            if running.complaint is not None:
                if KILLED.search(running.complaint) and not self._daemon.lives_on():
                    raise daemon_gone(running.complaint)
                raise build_failed(request, transcript.line, running.complaint, transcript.log)
        except RefusedError as refusal:
            raise build_failed(request, line_in(str(refusal)), str(refusal)) from None
        finally:
            # This builder kills its container whenever it is cancelled.
            build.stop()
            if request.edits:
                self._made += transcript.made()
            if transcript.container:
                # A daemon that was killed has not removed it.
                self._made.append(_CONTAINER + transcript.container)
        image = held_image(self._daemon, running.image)
        return Build(
            request.edits, "built", time.monotonic() - started, transcript.steps(), image=image
        )

    def traces(self) -> tuple[str, ...]:
        """IDs of images that steps of edited builds made since the last call, and of containers.

        The classic builder's cache is its images. Only these are known to be
        ours: their steps ran in a build of ours and were not in the cache.
        """
        new, self._made = tuple(self._made), []
        return new

    def remove_traces(self, traces: Sequence[str]) -> int:
        """Remove these images, children first; return how many bytes stay.

        An image that somebody has tagged, or built on, stays. The containers of unfinished steps
        are removed before.
        """
        for trace in traces:
            if trace.startswith(_CONTAINER):
                self._daemon.remove_build_container(trace.removeprefix(_CONTAINER))
        return self._daemon.remove_untagged(
            [trace for trace in traces if not trace.startswith(_CONTAINER)]
        )


class _Told:
    """A running build, and its transcript so far."""

    def __init__(self, build: ApiBuild, transcript: Transcript) -> None:
        self._build = build
        self._transcript = transcript
        self._pending: deque[Mapping[str, Any]] = deque()
        self.image: str | None = None
        self.complaint: str | None = None

    def follow(self, deadline: float | None) -> bool:
        """Take in records up to the next news of a step; False at the end, or at an error."""
        if not self._pending:
            self._pending.extend(self._build.take(deadline))
        while self._pending:
            record = self._pending.popleft()
            self.image = _image(record) or self.image
            if "error" in record:
                self.complaint = str(record["error"])
                return False
            if self._transcript.take(str(record.get("stream") or ""), time.monotonic()):
                return True
        return not self._build.ended


def _image(record: Mapping[str, Any]) -> str | None:
    aux = record.get("aux")
    return str(aux["ID"]) if isinstance(aux, dict) and "ID" in aux else None
