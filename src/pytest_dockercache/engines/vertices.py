"""BuildKit's vertices, and the lines of a Dockerfile that they belong to.

Two results have to be right for a verdict to be true: the sum of the events of one vertex
(:class:`Vertex`), and the instruction to which a vertex belongs (:func:`match`). All other code
here puts the two together.

The steps are the instructions that BuildKit can reuse or run: RUN, COPY, ADD and WORKDIR (not
``WORKDIR /``, which changes nothing) of the reachable stages. FROM is no step: its vertex is
flagged ``cached`` when a later step ran, and not flagged when all steps were reused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from ..model import CacheImport, Roles, Status, Step
from ..regexes import regex
from ..values import dataclass
from .cancelling import Starting
from .progress import Event, LogEvent, VertexEvent

if TYPE_CHECKING:
    from ..dockerfile import PlannedStep

__all__ = [
    "FailedVertex",
    "Made",
    "Matching",
    "Observation",
    "Trigger",
    "Vertex",
    "VertexName",
    "fits_text",
    "match",
    "planned_step",
    "ran_as_one",
]

_TRIGGER = "a trigger of the base image"

_IMPORTING = "importing cache manifest from "
"""How BuildKit names the vertex of an import (cache/remotecache, solver/llbsolver/bridge.go)."""

_LOG_BYTES = 64_000
"""How much of a vertex's output is kept: far more than the lines that a message shows."""


@dataclass(frozen=True)
class VertexName:
    """A vertex's name taken apart: ``[platform stage k/n] text``.

    ``stage`` is lower case, ``stage-<index>`` for an unnamed one, and None
    when the build has a single state. ``merge`` marks the cheap ``LINK``
    vertex that puts a linked copy on top of the root file system.
    """

    platform: str | None
    stage: str | None
    ordinal: int
    total: int
    text: str
    merge: bool = False

    @property
    def keyword(self) -> str:
        """The instruction's keyword, upper case."""
        return self.text.split(maxsplit=1)[0].upper() if self.text.strip() else ""


_NAME = regex(
    r"\[(?:(?P<platform>[^\s\]]*/[^\s\]]*) )?(?:(?P<stage>[^\s\]/]+) )?"
    r"\s*(?P<k>\d+)/(?P<n>\d+)\] (?P<text>.*)",
    re.DOTALL,
)


@lru_cache(maxsize=4096)
def parse_name(name: str) -> VertexName | None:
    """Take a vertex's name apart; None for ``[internal]``, exporters and the like."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    text = found["text"]
    merge = text.startswith("LINK ")
    return VertexName(
        platform=found["platform"],
        stage=found["stage"],
        ordinal=int(found["k"]),
        total=int(found["n"]),
        text=text[len("LINK ") :] if merge else text,
        merge=merge,
    )


@dataclass(frozen=True)
class Vertex:
    """All events of one vertex, folded. Times are nanoseconds since the epoch.

    ``executions`` pairs each start that was not flagged ``cached`` with its
    end (None while it runs); ``cached_at`` is when ``cached`` was first said.
    """

    digest: str
    name: str
    inputs: tuple[str, ...] = ()
    executions: tuple[tuple[int, int | None], ...] = ()
    cached_at: int | None = None
    error: str = ""

    def after(self, event: VertexEvent) -> Vertex:
        """This vertex with one more event taken in.

        A step that was reused from an imported cache is told so first; while its
        layers are being pulled and unpacked, it is told as started anew, by events
        that name none of its inputs (BuildKit 0.13, util/progress/controller).
        """
        if self.inputs and not event.inputs and event.started is not None and not event.cached:
            return replace(self, error=event.error or self.error)
        executions = dict(self.executions)
        cached_at = self.cached_at
        if event.started is not None and event.cached:
            cached_at = event.started if cached_at is None else cached_at
        elif event.started is not None:
            executions[event.started] = event.completed or executions.get(event.started)
        return replace(
            self,
            inputs=event.inputs or self.inputs,
            executions=tuple(sorted(executions.items())),
            cached_at=cached_at,
            error=event.error or self.error,
        )

    @property
    def runs(self) -> tuple[tuple[int, int | None], ...]:
        """The executions that did the vertex's work.

        A vertex without inputs starts once more before that, to compute its
        cache key (BuildKit solver/jobs.go, ``CacheMap``).
        """
        return self.executions if self.inputs else self.executions[1:]

    @property
    def executed(self) -> bool:
        """Whether the vertex ran, or began to: one start that is not ``cached`` is enough."""
        return bool(self.runs)

    @property
    def running(self) -> bool:
        """Whether an execution has begun and not ended."""
        return not self.error and any(end is None for _, end in self.runs)

    @property
    def ended(self) -> bool:
        """Whether the vertex has ended its work, or was reused."""
        ran = bool(self.executions) and all(end is not None for _, end in self.executions)
        return ran or self.cached_at is not None or bool(self.error)

    @property
    def is_run(self) -> bool:
        """Whether the vertex executes a command."""
        name = parse_name(self.name)
        return name is not None and name.text.removeprefix("ONBUILD ").startswith("RUN")

    @property
    def seconds(self) -> float | None:
        """How long its executions took, None unless all have ended."""
        spans = [(end - start) for start, end in self.runs if end is not None]
        return sum(spans) / 1e9 if spans and len(spans) == len(self.runs) else None

    @property
    def ended_at(self) -> int | None:
        """When its last execution ended."""
        ends = [end for _, end in self.runs if end is not None]
        return max(ends) if ends else None


@dataclass(frozen=True)
class Trigger:
    """An ONBUILD instruction of the base image, run as a first step of a stage."""

    stage: int
    text: str
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Matching:
    """The vertices of each step.

    A step's key is its index among the planned steps, since triggers of one FROM share its line.
    ``digests`` maps a step to its vertices; ``doubts`` maps each step whose vertices are not known
    to the reason; ``notes`` remarks on a mapping that is unusual but certain.
    """

    digests: Mapping[int, tuple[str, ...]]
    doubts: Mapping[int, str]
    notes: Mapping[int, str]
    triggers: tuple[Trigger, ...] = ()


@dataclass(frozen=True)
class Made:
    """A vertex that was executed, and so left a record in the build cache.

    ``command`` is the command of a RUN as the Dockerfile has it, "" for other
    vertices. Times are nanoseconds since the epoch, by the builder's clock.
    """

    name: str
    command: str
    started: int
    completed: int | None


@dataclass(frozen=True)
class FailedVertex:
    """A vertex that failed: the line of its instruction (None without one), error and output."""

    line: int | None
    error: str
    log: str


def match(planned: Sequence[PlannedStep], vertices: Mapping[str, str]) -> Matching:
    """Map vertices (digest to name) to the instructions of the planned steps.

    By stage and ordinal, held against the keyword and the text. A vertex that
    does not fit is doubted, never guessed: triggers of the base image
    (ONBUILD) shift the ordinals, two stages may carry one name, and another
    frontend (``# syntax=``) may name its vertices as it likes.
    """
    stages = sorted({step.stage.index for step in planned})
    by_key: dict[str, list[int]] = {}
    steps: dict[int, list[PlannedStep]] = {index: [] for index in stages}
    positions: dict[tuple[int, int], int] = {}
    for position, step in enumerate(planned):
        steps[step.stage.index].append(step)
        if step.ordinal is not None:
            positions[step.stage.index, step.ordinal] = position
    for index in stages:
        by_key.setdefault(_stage_key(steps[index][0]), []).append(index)

    named: dict[int, list[tuple[str, VertexName]]] = {index: [] for index in stages}
    twice: set[int] = set()
    for digest, name in vertices.items():
        parsed = parse_name(name)
        # A vertex that a build of another Dockerfile shares at this moment bears that Dockerfile's
        # name for it; with FROM that is common.
        if parsed is None or parsed.keyword == "FROM":
            continue
        owners = stages if parsed.stage is None else by_key.get(parsed.stage.lower(), [])
        if len(owners) == 1:
            named[owners[0]].append((digest, parsed))
        elif parsed.stage is not None:
            twice.update(owners)

    digests: dict[int, tuple[str, ...]] = {}
    doubts: dict[int, str] = {}
    triggers: list[Trigger] = []
    for index in stages:
        ours = [step for step in steps[index] if _is_step(step)]
        mine = {cast(int, step.ordinal): positions[index, cast(int, step.ordinal)] for step in ours}
        if index in twice:
            reason = _same_name([steps[other][0] for other in by_key[_stage_key(steps[index][0])]])
            doubts.update((position, reason) for position in mine.values())
            continue
        first = 2 if any(_is_from(step) and step.ordinal for step in steps[index]) else 1
        found = named[index]
        shift = _shift(ours, [name for _, name in found], first)
        if shift is None:
            reason = (
                f"the builder's steps of stage {_stage_key(steps[index][0])} do not fit "
                "the instructions of the Dockerfile"
            )
            doubts.update((position, reason) for position in mine.values())
            continue
        for ordinal, position in mine.items():
            here = tuple(digest for digest, name in found if name.ordinal == ordinal + shift)
            if here:
                digests[position] = here
        for ordinal in range(first, first + shift):
            here = tuple(d for d, name in found if name.ordinal == ordinal)
            text = next((name.text for _, name in found if name.ordinal == ordinal), "")
            if here:
                triggers.append(Trigger(index, text, here))
    notes = _share_vertices(planned, digests, doubts)
    return Matching(digests, doubts, notes, tuple(triggers))


def ran_as_one(line: int) -> str:
    """The note of a step that the builder ran together with the step of another line."""
    return f"ran as one with line {line}, whose cache key is equal"


def planned_step(planned: PlannedStep, roles: Roles) -> Step:
    """A planned step as long as the build has no news of it."""
    instruction = planned.instruction
    if planned.triggered:
        return Step(
            line=planned.line,
            stage=planned.stage.label,
            instruction="ONBUILD",
            text=f"ONBUILD {instruction.text}",
            role=roles.get((planned.line, instruction.text), "other"),
            end_line=planned.stage.from_.end_line,
            note=_TRIGGER,
        )
    return Step(
        line=planned.line,
        stage=planned.stage.label,
        instruction=instruction.keyword,
        text=instruction.text,
        role=roles.get(planned.line, "other"),
        end_line=instruction.end_line,
    )


def _command(planned: PlannedStep) -> str:
    instruction = planned.instruction
    if instruction.keyword != "RUN":
        return ""
    if instruction.exec_form is not None:
        return " ".join(instruction.exec_form)
    documents = instruction.heredocs
    if len(documents) == 1 and len(instruction.value.split()) == 1:
        # The document alone is the script, or a file that is run (convert.go, dispatchRun).
        (document,) = documents
        return f"/dev/pipes/{document.name}" if document.body.startswith("#!") else document.body
    return "\n".join([instruction.value, *(f"{one.body}{one.name}" for one in documents)])


def _stage_key(step: PlannedStep) -> str:
    stage = step.stage
    return stage.name.lower() if stage.name else f"stage-{stage.index}"


def _same_name(froms: Sequence[PlannedStep]) -> str:
    """The reason why the steps of these stages cannot be told apart, with the remedy."""
    key = _stage_key(froms[0])
    lines = " and ".join(str(step.line) for step in froms)
    unnamed = [step.line for step in froms if step.stage.name is None]
    if not unnamed:
        return f"the stages of lines {lines} are both named {key}: give one another name"
    return (
        f"the builder's output calls the stages of lines {lines} both {key}: "
        f"give that of line {unnamed[0]} a name (FROM … AS name)"
    )


def _is_from(step: PlannedStep) -> bool:
    return step.instruction.keyword == "FROM"


def _is_step(step: PlannedStep) -> bool:
    return step.ordinal is not None and not _is_from(step)


def _shift(ours: Sequence[PlannedStep], names: Sequence[VertexName], first: int) -> int | None:
    """The number of triggers by which BuildKit's ordinals run ahead; None if they do not fit.

    Before Docker Engine 28, a trigger counts in k but not in n, and bears the name of an
    instruction in the Dockerfile; since 28 its text begins with ONBUILD.
    """
    if not names:
        return 0
    expected = {cast(int, step.ordinal): step for step in ours}
    seen = {name.ordinal for name in names}
    excess = max(seen) - max(expected, default=first - 1)
    for shift in dict.fromkeys((0, max(0, excess))):
        fits = True
        exact = True
        for name in names:
            if first <= name.ordinal < first + shift:
                continue
            step = expected.get(name.ordinal - shift)
            if step is None or step.instruction.keyword != name.keyword:
                fits = False
                break
            exact = exact and fits_text(step.expanded, name.text)
        complete = seen == {*range(first, first + shift), *(k + shift for k in expected)}
        # With every ordinal accounted for, counting alone tells which step is
        # which, and a text may differ (the builder masks secrets); with gaps
        # only the texts can.
        if fits and (exact or complete):
            return shift
    return None


_DECORATION = regex(r"[\s\"'\\]+")


def fits_text(ours: str, theirs: str) -> bool:
    """Whether a vertex may be of this instruction; the builder masks secrets, and drops quotes."""
    ours, theirs = (text.split("<<", 1)[0] for text in (ours, theirs))
    ours, theirs = (_DECORATION.sub("", text) for text in (ours, theirs))
    if "****" in theirs:
        pattern = ".*".join(re.escape(part) for part in theirs.split("****"))
        return re.fullmatch(pattern, ours, re.DOTALL) is not None
    return ours.lower() == theirs.lower()


def _share_vertices(
    planned: Sequence[PlannedStep],
    digests: dict[int, tuple[str, ...]],
    doubts: Mapping[int, str],
) -> dict[int, str]:
    """Give identical steps the one vertex that BuildKit makes of them; return the notes."""
    histories = _histories(planned, _exact_signature)
    owners: dict[object, int] = {}
    for position, history in histories.items():
        if position in digests:
            owners.setdefault(history, position)
    notes = {}
    for position, history in histories.items():
        if position not in digests and position not in doubts and history in owners:
            owner = owners[history]
            digests[position] = digests[owner]
            notes[position] = f"runs once together with the identical line {planned[owner].line}"
    return notes


def _exact_signature(step: PlannedStep) -> object:
    instruction = step.instruction
    heredocs = tuple(heredoc.body for heredoc in instruction.heredocs)
    environment = step.environment if instruction.keyword == "RUN" else ()
    return (instruction.keyword, step.expanded, heredocs, step.workdir, environment)


def _loose_signature(step: PlannedStep) -> object:
    """The parts of an operation's cache key besides its inputs, without directories of sources."""
    instruction = step.instruction
    if instruction.keyword not in ("COPY", "ADD"):
        return _exact_signature(step)
    flags = tuple((flag.name, flag.value) for flag in instruction.flags if flag.name != "from")
    transfers = tuple(
        (tuple(source.rstrip("/").rpartition("/")[2] for source in transfer.sources),
         transfer.destination)
        for transfer in step.transfers
    )  # fmt: skip
    return (instruction.keyword, flags, transfers)


def _histories(planned: Sequence[PlannedStep], signature: Any) -> dict[int, tuple[object, ...]]:
    """For each step the signatures of all steps of its root file system, its own last."""
    histories: dict[int, tuple[object, ...]] = {}
    tips: dict[int, tuple[object, ...]] = {}
    for position, step in enumerate(planned):
        stage = step.stage
        if stage.index not in tips:
            parent = tips.get(stage.parent) if stage.parent is not None else None
            tips[stage.index] = parent if parent is not None else ((stage.base, stage.platform),)
        if _is_step(step):
            tips[stage.index] = (*tips[stage.index], signature(step))
            histories[position] = tips[stage.index]
    return histories


class Observation:
    """Takes in the events of one BuildKit build and gives the state of its steps at any time.

    ``planned`` is the reading of the Dockerfile (every reachable stage, FROM
    included).
    """

    def __init__(self, planned: Sequence[PlannedStep], roles: Roles) -> None:
        self._planned = tuple(planned)
        self._roles = roles
        self._vertices: dict[str, Vertex] = {}
        self.news = 0
        self._logs: dict[str, str] = {}
        self._matching = match(self._planned, {})
        self._lines: Mapping[str, tuple[tuple[int, int], ...]] = {}
        self._loose = _histories(self._planned, _loose_signature)

    def take(self, events: Iterable[Event]) -> None:
        """Take events in; ``news`` counts those about vertices."""
        grown = False
        for event in events:
            if isinstance(event, LogEvent):
                log = self._logs.get(event.vertex, "") + event.text
                self._logs[event.vertex] = log[-_LOG_BYTES:]
            elif isinstance(event, VertexEvent):
                known = self._vertices.get(event.digest)
                grown = grown or known is None
                known = known or Vertex(event.digest, event.name)
                self._vertices[event.digest] = known.after(event)
                self.news += 1
        if grown:
            names = {digest: vertex.name for digest, vertex in self._vertices.items()}
            self._matching = match(self._planned, names)

    @property
    def begun(self) -> bool:
        """Whether the builder has begun with anything at all, as with loading the Dockerfile."""
        return bool(self._vertices)

    def confirm(self, provenance: Mapping[str, Any]) -> None:
        """Take in the provenance of a finished build, which says the lines of each vertex.

        A step whose lines it contradicts becomes ``unknown``. Anything that
        is not a SLSA provenance of BuildKit with source locations is ignored.
        """
        self._lines = _provenance_lines(provenance)

    def steps(self, *, ended: bool = False) -> tuple[Step, ...]:
        """Every step, in Dockerfile order; ``ended`` for a build that ran to its end."""
        steps = []
        stages = {step.stage.index: step.stage for step in self._planned}
        for trigger in self._matching.triggers:
            stage = stages[trigger.stage]
            bare = trigger.text.removeprefix("ONBUILD ")
            steps.append(
                self._step(
                    Step(
                        line=stage.from_.line,
                        stage=stage.label,
                        instruction="ONBUILD",
                        text=f"ONBUILD {bare}",
                        end_line=stage.from_.end_line,
                        note=_TRIGGER,
                    ),
                    trigger.digests,
                    ended,
                )
            )
        for position, planned in enumerate(self._planned):
            if not _is_step(planned):
                continue
            step = planned_step(planned, self._roles)
            step = replace(step, note=self._matching.notes.get(position, step.note))
            digests = self._matching.digests.get(position, ())
            doubt = self._matching.doubts.get(position) or self._contradiction(step, digests)
            if doubt is not None:
                steps.append(replace(step, status="unknown", note=doubt))
            else:
                steps.append(self._merged(position, self._step(step, digests, ended)))
        return tuple(sorted(steps, key=lambda item: item.line))

    def _step(self, step: Step, digests: tuple[str, ...], ended: bool) -> Step:
        vertices = self._working(digests)
        statuses = [self._status(vertex, ended) for vertex in vertices]
        status = _combined(statuses)
        if status == "not-reached" and ended:
            return replace(step, status="unknown", note="the builder said nothing about this step")
        if status != "miss":
            return replace(step, status=status)
        times = [vertex.seconds for vertex in vertices if vertex.executed]
        known = [seconds for seconds in times if seconds is not None]
        return replace(
            step,
            status="miss",
            seconds=max(known) if known and len(known) == len(times) else None,
            running=any(vertex.running for vertex in vertices) and not ended,
        )

    def _working(self, digests: tuple[str, ...]) -> list[Vertex]:
        """The vertices with a step's ordinal that do the step's work.

        An ADD from a URL or git also has a download vertex of its name, and a COPY with a real link
        a merge vertex, which always runs when a step below ran.
        """
        found = []
        for digest in digests:
            name = parse_name(self._vertices[digest].name)
            if name is not None and not name.merge:
                found.append(self._vertices[digest])
        return [vertex for vertex in found if vertex.inputs] or found

    def _status(self, vertex: Vertex, ended: bool) -> Status:
        if vertex.executed:
            return "miss"
        if vertex.cached_at is not None:
            return "hit"
        if not vertex.inputs and vertex.executions:
            # BuildKit has only computed the key so far. The vertex was reused if a vertex that
            # needs it ran or was reused, or if the build is over.
            for other in self._vertices.values():
                if vertex.digest in other.inputs and (other.executed or other.cached_at):
                    return "hit"
            return "hit" if ended else "not-reached"
        return "not-reached"

    def _merged(self, position: int, step: Step) -> Step:
        """Correct a ``cached`` which only means that an equal step of another stage did the work.

        BuildKit merges steps whose keys turn out equal while it builds (two
        stages that copy equal files and run the same command); on a cold
        build it runs one of them and flags the other ``cached`` afterwards.
        """
        if step.status != "hit":
            return step
        mine = self._working(self._matching.digests[position])
        cached_at = max((vertex.cached_at or 0 for vertex in mine), default=0)
        for other, history in self._loose.items():
            if other == position or history != self._loose[position]:
                continue
            for twin in self._working(self._matching.digests.get(other, ())):
                ended = twin.ended_at
                if twin in mine or not twin.executed or ended is None or ended > cached_at:
                    continue
                line = self._planned[other].line
                return replace(step, status="miss", seconds=twin.seconds, note=ran_as_one(line))
        return step

    def _contradiction(self, step: Step, digests: tuple[str, ...]) -> str | None:
        for digest in digests:
            ranges = self._lines.get(digest)
            if ranges and not any(
                start <= step.end_line and step.line <= end for start, end in ranges
            ):
                said = ", ".join(str(start) for start, _ in ranges)
                return f"the name of its vertex says line {step.line}, its provenance line {said}"
        return None

    def starting(self) -> dict[str, Starting]:
        """The RUN vertices whose commands may begin after a cancellation.

        These are the commands that have begun and printed nothing yet, and the commands that can
        begin at any moment because no other RUN has to end before. A command is the text in the
        Dockerfile, "" if that is not known.
        """
        commands = self._commands()
        behind = self._behind_runs()
        return {
            digest: Starting(commands.get(digest, ""), vertex.running)
            for digest, vertex in self._vertices.items()
            if vertex.is_run
            and not vertex.ended
            and digest not in self._logs
            and (vertex.running or digest not in behind)
        }

    def _behind_runs(self) -> set[str]:
        """The vertices that cannot begin before a RUN has ended, or because a step failed."""
        users: dict[str, list[str]] = {}
        for digest, vertex in self._vertices.items():
            for name in vertex.inputs:
                users.setdefault(name, []).append(digest)
        behind: set[str] = set()
        ahead = [name for name, vertex in self._vertices.items() if vertex.is_run or vertex.error]
        while ahead:
            digest = ahead.pop()
            if self._vertices[digest].ended and not self._vertices[digest].error:
                continue
            found = [user for user in users.get(digest, ()) if user not in behind]
            behind.update(found)
            ahead += found
        return behind

    def _commands(self) -> dict[str, str]:
        return {
            digest: _command(self._planned[position])
            for position, digests in self._matching.digests.items()
            for digest in digests
        }

    def made(self) -> tuple[Made, ...]:
        """The cache records that the executed vertices have left."""
        commands = self._commands()
        return tuple(
            Made(vertex.name, commands.get(vertex.digest, ""), started, completed)
            for vertex in list(self._vertices.values())
            for started, completed in vertex.runs[-1:]
        )

    def imports(self) -> tuple[CacheImport, ...]:
        """The caches that the builder was to import, and how that went."""
        return tuple(
            CacheImport(vertex.name.removeprefix(_IMPORTING), vertex.error)
            for vertex in list(self._vertices.values())
            if vertex.name.startswith(_IMPORTING)
        )

    def failure(self) -> FailedVertex | None:
        """The vertex that made the build fail, None if none did."""
        # A cache that cannot be imported makes no build fail.
        failed = [
            vertex
            for vertex in self._vertices.values()
            if vertex.error and not vertex.name.startswith(_IMPORTING)
        ]
        # The steps that ran beside the failing one end as cancelled.
        guilty = [v for v in failed if "context canceled" not in v.error] or failed
        if not guilty:
            return None
        vertex = guilty[0]
        log = self._logs.get(vertex.digest, "")
        return FailedVertex(self._line_of(vertex), vertex.error, log)

    def _line_of(self, vertex: Vertex) -> int | None:
        for position, digests in self._matching.digests.items():
            if vertex.digest in digests:
                return self._planned[position].line
        for trigger in self._matching.triggers:
            if vertex.digest in trigger.digests:
                return next(
                    step.stage.from_.line
                    for step in self._planned
                    if step.stage.index == trigger.stage
                )
        name = parse_name(vertex.name)
        if name is not None and name.keyword == "FROM":
            froms = [step for step in self._planned if _is_from(step)]
            lines = {step.line for step in froms if name.stage in (None, _stage_key(step))}
            return lines.pop() if len(lines) == 1 else None
        for step in self._planned:
            stage = step.stage
            image = vertex.name.removeprefix("[internal] load metadata for ")
            if image != vertex.name and stage.parent is None and _names_image(image, stage.base):
                return stage.from_.line
        return None


def _names_image(canonical: str, written: str) -> bool:
    """Whether a canonical name (``docker.io/library/debian:latest``) is that of a short one."""
    short = canonical.removeprefix("docker.io/").removeprefix("library/")
    plain = written.removeprefix("docker.io/").removeprefix("library/")
    return short in (plain, f"{plain}:latest")


def _combined(statuses: Sequence[Status]) -> Status:
    """One status for the vertices of one step (one a platform)."""
    for status in cast(Sequence[Status], ("miss", "unknown", "not-reached")):
        if status in statuses:
            return status
    return "hit" if statuses else "not-reached"


def _provenance_lines(provenance: Mapping[str, Any]) -> dict[str, tuple[tuple[int, int], ...]]:
    """Vertex digest to ranges of lines (1-based, inclusive), from a SLSA 0.2 or 1 predicate."""
    try:
        if "buildDefinition" in provenance:
            config = provenance["buildDefinition"]["internalParameters"]["buildConfig"]
            metadata = provenance["runDetails"]["metadata"]["buildkit_metadata"]
        else:
            config = provenance["buildConfig"]
            metadata = provenance["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
        steps = config["digestMapping"]
        locations = metadata["source"]["locations"]
        found = {}
        for digest, step in steps.items():
            ranges = tuple(
                (int(area["start"]["line"]), int(area["end"]["line"]))
                for location in (locations.get(step) or {}).get("locations") or ()
                for area in location.get("ranges") or ()
            )
            if ranges:
                found[digest] = ranges
        return found
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
