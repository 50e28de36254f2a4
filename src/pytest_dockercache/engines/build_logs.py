"""Builds that ran elsewhere, read from their logs.

A log is what a CI job keeps: BuildKit's progress as ``--progress=plain`` or
``rawjson`` writes it (``plain`` is what buildx and ``docker build`` write where
there is no terminal), or the classic builder's text; with the time stamps and
columns that GitHub, GitLab and others put before each line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from ..dockerfile import Dockerfile, PlannedStep
from ..model import CacheImport, Roles, Step
from ..regexes import regex
from ..values import dataclass
from .classic import Transcript, numbered
from .progress import Event, LogEvent, RawJson, VertexEvent
from .vertices import Observation, fits_text, parse_name

__all__ = ["LoggedBuild", "read_builds"]

_COLOURS = regex(r"\x1b\[[0-9;?]*[A-Za-z]")

_STAMP = regex(
    r"(?:[^\t]*\t[^\t]*\t\ufeff?)?"  # job and step, of `gh run view --log`
    r"(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?\s?)?"
    r"(?:\[?\d\d:\d\d:\d\d(?:\.\d+)?\]?(?:  | ))?"
    r"(?:[\da-f]{2}[OE][ +])?"  # stream and kind, of GitLab's time-stamped logs
)
"""What stands before a line; all of it may be missing."""

_VERTEX = regex(r"#(\d+) (.+)")
_ENDED = regex(r"DONE (\d+\.\d)s")
_OUTPUT = regex(r"\d+\.\d+(?: |$)")
_FAILED = regex(r"(ERROR: )?failed to (solve|build)\b")
_OF_A_TARGET = regex(r"\[(\S+) internal\] ")
_CLASSIC_STEP = regex(r"Step (\d+)/(\d+) : ")
_STARTED = 1
"""When every step of a plain log began: it has no times, only durations."""


@dataclass(frozen=True)
class LoggedBuild:
    """One build of the Dockerfile that a log tells of.

    ``steps`` are those of the Dockerfile. ``failed`` says that the build ended in an error: a step
    that such a build calls CACHED may just not have been reached (moby/buildkit #5644).
    ``imports`` are the caches that it was to import. ``line`` is the log's line, from 1, on which
    the build begins.
    """

    steps: tuple[Step, ...]
    failed: bool = False
    imports: tuple[CacheImport, ...] = ()
    line: int = 1


@dataclass
class _Section:
    """The part of a log that belongs to one run of a builder's client."""

    line: int
    lines: list[str] = field(default_factory=list)


def read_builds(
    text: str, dockerfile: Dockerfile, planned: Sequence[PlannedStep], roles: Roles
) -> tuple[tuple[LoggedBuild, ...], bool]:
    """The builds of this Dockerfile that a log tells of, and whether it tells of any build.

    ``planned`` are the Dockerfile's steps as BuildKit has them, FROM included. A build of another
    Dockerfile is left out: each environment step that the log names has to have its text.
    """
    lines = [_bare(line) for line in text.split("\n")]
    found: list[LoggedBuild] = []
    told = False
    for section in _sections(lines):
        if any(map(_CLASSIC_STEP.match, section.lines)):
            told = True
            found += _classic(section, dockerfile, roles)
            continue
        events = tuple(_events(section.lines))
        if not any(isinstance(event, VertexEvent) for event in events):
            continue
        told = True
        failed = any(map(_FAILED.match, section.lines))
        for own in _by_target(events):
            build = _buildkit(own, planned, roles, failed=failed)
            if build is not None:
                found.append(replace(build, line=section.line))
    return tuple(found), told


def _bare(line: str) -> str:
    """A line without what a CI host has put before it, and as a terminal would show it."""
    line = _COLOURS.sub("", line.rstrip("\r").rpartition("\r")[2])
    stamp = _STAMP.match(line)
    return line[stamp.end() :] if stamp is not None else line


def _sections(lines: Sequence[str]) -> Iterator[_Section]:
    """A log's runs of a builder's client, one after the other.

    BuildKit's clients number the vertices of each run anew.
    """
    section = _Section(1)
    built = False
    for number, line in enumerate(lines, 1):
        found = _VERTEX.fullmatch(line)
        begins = line.startswith(("#0 building with ", "Step 1/"))
        if found is not None and found[1] == "1" and _state(found[2]) is None:
            # The first vertex is the Dockerfile's upload, and over before any step begins.
            begins = begins or built
        if begins and any(map(str.strip, section.lines)):
            yield section
            section, built = _Section(number), False
        built = built or (found is not None and parse_name(found[2]) is not None)
        section.lines.append(line)
    yield section


def _state(rest: str) -> str | None:
    """What a line of a vertex says about it: ``ended``, ``cached``, ``output``, ``aside``.

    None for a line that can be the vertex's name.
    """
    if rest == "CACHED":
        return "cached"
    if _ENDED.fullmatch(rest) or rest.startswith("ERROR") or rest == "CANCELED":
        return "ended"
    if _OUTPUT.match(rest):
        return "output"
    return "aside" if rest == "..." else None


def _events(lines: Sequence[str]) -> Iterator[Event]:
    """The events of a run, from JSON or from plain lines."""
    decoder = RawJson()
    plain = _Plain()
    for line in lines:
        found = _VERTEX.fullmatch(line)
        if found is not None:
            yield from plain.take(found[1], found[2])
        else:
            yield from decoder.feed(line)
    yield from decoder.end()


@dataclass
class _Plain:
    """Makes events of plain progress: the first line of a number is the vertex's name."""

    _names: dict[str, str] = field(default_factory=dict)
    _cached: set[str] = field(default_factory=set)
    _pulled: set[str] = field(default_factory=set)

    def take(self, number: str, rest: str) -> Iterator[Event]:
        digest = f"#{number}"
        state = _state(rest)
        if number not in self._names:
            if state is None:
                self._names[number] = rest
                yield VertexEvent(digest, rest, self._inputs(rest))
            return
        name = self._names[number]
        told = VertexEvent(digest, name, self._inputs(name))
        if rest.startswith("extracting "):
            # The layer of a step that an imported cache holds; the step itself may not have run.
            self._pulled.add(number)
        elif state == "cached":
            self._cached.add(number)
            yield replace(told, cached=True, started=_STARTED, completed=_STARTED)
        elif state == "output":
            self._pulled.discard(number)
            yield replace(told, started=_STARTED)
            yield LogEvent(digest, f"{rest.partition(' ')[2]}\n")
        elif ended := _ENDED.fullmatch(rest):
            if number not in self._cached | self._pulled:
                took = round(float(ended[1]) * 1e9)
                yield replace(told, started=_STARTED, completed=_STARTED + max(1, took))
        elif state == "ended":
            yield replace(told, started=_STARTED, error=rest.removeprefix("ERROR: "))

    @staticmethod
    def _inputs(name: str) -> tuple[str, ...]:
        """Something for the inputs, which plain progress does not tell.

        A vertex without inputs is said to end once more, before it runs; of the steps of a
        Dockerfile only those on an empty root file system have none.
        """
        found = parse_name(name)
        return () if found is None or found.keyword == "FROM" else ("#",)


def _by_target(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """The events of each target, where ``buildx bake`` or ``compose build`` build several at once.

    They put the target's name first in the names of its vertices: ``[app internal] load build
    context``, ``[app builder 2/4] RUN …``.
    """
    vertices = [event for event in events if isinstance(event, VertexEvent)]
    named = (_OF_A_TARGET.match(event.name) for event in vertices)
    targets = dict.fromkeys(found[1] for found in named if found is not None)
    if not targets:
        yield tuple(events)
    for target in targets:
        others = tuple(f"[{other} " for other in targets if other != target)
        yield tuple(
            replace(event, name=event.name.replace(f"[{target} ", "[", 1))
            if isinstance(event, VertexEvent)
            else event
            for event in events
            if not (isinstance(event, VertexEvent) and event.name.startswith(others))
        )


def _buildkit(
    events: Sequence[Event], planned: Sequence[PlannedStep], roles: Roles, *, failed: bool
) -> LoggedBuild | None:
    """The build that these events tell of; None if it is one of another Dockerfile."""
    observation = Observation(planned, roles)
    observation.take(events)
    failed = failed or observation.failure() is not None
    names = {event.name for event in events if isinstance(event, VertexEvent)}
    texts = [found.text for found in map(parse_name, names) if found is not None]
    steps = tuple(_certain(step, texts, failed) for step in observation.steps(ended=True))
    installing = [step for step in steps if step.role == "environment"]
    if not any(fits_text(step.text, text) for step in installing for text in texts):
        return None
    return LoggedBuild(steps, failed, observation.imports())


def _certain(step: Step, texts: Sequence[str], failed: bool) -> Step:
    """A step as far as the log is certain about it."""
    note = None
    if step.role == "environment" and not any(fits_text(step.text, text) for text in texts):
        note = "the log has no step with its text"
    elif failed and step.status == "hit":
        note = "the build failed, and such a build calls CACHED what it has not reached"
    return step if note is None else replace(step, status="unknown", note=note)


def _classic(section: _Section, dockerfile: Dockerfile, roles: Roles) -> Iterator[LoggedBuild]:
    """The build that the classic builder's text tells of, unless it is another Dockerfile's."""
    first = next(found for found in map(_CLASSIC_STEP.match, section.lines) if found is not None)
    total = int(first[2])
    stages: Mapping[int, str] = {stage.index: stage.label for stage in dockerfile.stages}
    for last in stages:
        instructions = numbered(dockerfile, last)
        labelled = total == len(instructions) + 1
        if total != len(instructions) and not labelled:
            continue
        transcript = Transcript(instructions, stages, roles, labels=labelled)
        begun = False
        for line in section.lines:
            begun = begun or _CLASSIC_STEP.match(line) is not None
            if begun:
                transcript.take(f"{line}\n", 0.0)
        steps = tuple(
            replace(step, status="unknown", note="the log ends before this step")
            if step.status == "not-reached"
            else replace(step, seconds=None)
            for step in transcript.steps()
        )
        texts = [line.partition(" : ")[2] for line in section.lines if _CLASSIC_STEP.match(line)]
        steps = tuple(_certain(step, texts, failed=False) for step in steps)
        installing = [step for step in steps if step.role == "environment"]
        if any(fits_text(step.text, text) for step in installing for text in texts):
            yield LoggedBuild(steps, line=section.line)
            return
