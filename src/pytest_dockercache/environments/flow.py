"""The context files that each step sees, followed through the stages."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from ..context.entries import ContextEntry
from ..context.selection import Listing, container_paths, taken
from ..dockerfile.syntax import PlannedStep, Transfer
from ..shell.running import step_commands
from ..shell.script import Command, joined_path
from ..values import dataclass
from .tools import runner_of

__all__ = ["ContainerFiles", "Files", "Followed", "StepView", "follow_files"]


@dataclass
class Files:
    """The context files of a filesystem.

    ``at`` maps container paths to context paths; ``present`` has the files of every layer.
    """

    at: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class StepView:
    """The context files a step starts with, and those that it mounts or copies itself."""

    step: PlannedStep
    before: Files
    own: Files


Followed = tuple[dict[int, StepView], dict[int, Files]]
"""The view of every step of a plan, by position, and the final files of every stage, by index."""


@dataclass
class ContainerFiles:
    """Reads files of the context, and heredocs, at the places where the steps of a plan see them.

    ``entries`` is called only when a file is looked for; ``text`` gives the text of a context file
    by its context path, None for a file that is no text.
    """

    entries: Callable[[], Iterable[ContextEntry]]
    text: Callable[[str], str | None]
    _followed: list[tuple[Sequence[PlannedStep], Followed]] = field(
        default_factory=list, repr=False
    )

    def read(self, plan: Sequence[PlannedStep], position: int, place: str) -> str | None:
        """The text of the file at a container path, as the step at ``position`` finds it.

        None for a file that does not come from the context, and for a file that is no text.
        """
        if plan[position].instruction.keyword != "RUN":
            return None
        path = self._path(plan, position, place)
        return _heredoc(plan, position, place) if path is None else self.text(path)

    def followed(self, plan: Sequence[PlannedStep]) -> Followed:
        """The result of :func:`follow_files` for a plan, computed once per plan."""
        known = next((known for followed, known in self._followed if followed is plan), None)
        if known is None:
            known = follow_files(plan, {entry.path: entry for entry in self.entries()})
            self._followed.append((plan, known))
        return known

    def _path(self, plan: Sequence[PlannedStep], position: int, place: str) -> str | None:
        view = self.followed(plan)[0][position]
        return view.own.at.get(place) or view.before.at.get(place)


def _heredoc(plan: Sequence[PlannedStep], position: int, place: str) -> str | None:
    """The text of ``COPY <<NAME DESTINATION`` above a step, in its stage."""
    for step in reversed(plan[:position]):
        if step.stage.index != plan[position].stage.index or not step.transfers:
            continue
        destination = posixpath.normpath(step.transfers[0].destination)
        for document in step.instruction.heredocs:
            if place in (destination, posixpath.join(destination, document.name)):
                return document.body
    return None


def follow_files(plan: Sequence[PlannedStep], entries: Mapping[str, ContextEntry]) -> Followed:
    """Follow the context's files through the stages.

    Returns the view of every step, by position in ``plan``, and the final files of every stage, by
    stage index.
    """
    context = Listing(entries)
    ends: dict[int, Files] = {}
    views: dict[int, StepView] = {}
    listed: dict[int, Listing] = {}
    state = Files()
    for position, step in enumerate(plan):
        index = step.stage.index
        if step.instruction.keyword == "FROM" or index not in ends:
            parent = step.stage.parent
            state = ends[parent] if parent in ends else Files()
        own = Files()
        for transfer in step.transfers:
            _bring(transfer, context, ends, listed, own)
        views[position] = StepView(step, state, own)
        # Steps share one Files value, so a step that changes files makes a new value.
        if any(transfer.kind != "bind" for transfer in step.transfers):
            state = Files({**state.at, **own.at}, state.present | own.present)
        if step.instruction.keyword == "RUN" and state.at:
            state = _after_moves(step, state, own)
        ends[index] = state
    return views, ends


def _after_moves(step: PlannedStep, state: Files, own: Files) -> Files:
    """The files of a filesystem after a RUN whose commands copied or moved some of them."""
    at = state.at
    for command in step_commands(step, runner_of):
        if command.name in _PLACING:
            moved = relocated(command, {**at, **own.at} if own.at else at)
            at = {**at, **moved} if moved else at
    return state if at is state.at else Files(at, state.present)


_PLACING = frozenset({"cp", "mv", "ln", "install", "rsync"})


def relocated(command: Command, at: Mapping[str, str]) -> dict[str, str]:
    """The new container paths that ``cp``, ``mv``, ``ln`` or ``install`` gives to context files.

    ``at`` maps container paths to context paths. Only plain paths are followed: a file that a
    wildcard or a variable moves keeps its old path.
    """
    if command.name not in _PLACING:
        return {}
    words = [word for word in command.words[1:] if not word.text.startswith("-")]
    if len(words) < 2 or not all(word.known for word in words):
        return {}
    *sources, target = (joined_path(command.directory, word) for word in words)
    found: dict[str, str] = {}
    for source in sources:
        into = target.text
        if len(sources) > 1 or words[-1].text.endswith(("/", "/.")) or _is_directory(into, at):
            into = posixpath.join(into, posixpath.basename(source.text))
        for place, path in _at_or_below(source.text, at):
            found[posixpath.normpath(into + place[len(source.text.rstrip("/")) :])] = path
    return found


def _is_directory(place: str, at: Mapping[str, str]) -> bool:
    return next(_at_or_below(place, at), (place, ""))[0] != place


def _at_or_below(place: str, at: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The context file at a container path, or all below the path if it is a directory."""
    if place in at:
        yield place, at[place]
        return
    head = place.rstrip("/") + "/"
    for there in list(at):
        if there.startswith(head):
            yield there, at[there]


def _bring(
    transfer: Transfer,
    entries: Mapping[str, ContextEntry],
    ends: Mapping[int, Files],
    listed: dict[int, Listing],
    into: Files,
) -> None:
    places = container_paths(transfer)
    if transfer.origin == "context":
        present, at = into.present, into.at
        for item in taken(transfer, entries):
            entry = entries[item.path]
            if entry.kind == "dir":
                continue
            # A file that two contexts hold is one file.
            path = entry.same or item.path
            present.add(path)
            for place in places(item):
                at[place] = path
    elif isinstance(transfer.origin, int) and transfer.origin in ends:
        there = ends[transfer.origin]
        if transfer.origin not in listed:
            listed[transfer.origin] = _as_entries(there.at)
        local = Transfer(
            transfer.kind,
            transfer.sources,
            transfer.destination,
            "context",
            transfer.exclude,
            transfer.parents,
        )
        for item in taken(local, listed[transfer.origin]):
            origin = there.at.get("/" + item.path)
            if origin is None:
                continue
            into.present.add(origin)
            for place in places(item):
                into.at[place] = origin


def _as_entries(places: Iterable[str]) -> Listing:
    """The files of a stage as context entries; a selection reads only the kind of each."""
    file, directory = (ContextEntry("", kind, 0, 0, 0, 0, 0) for kind in ("file", "dir"))
    entries = {place[1:]: file for place in places}
    parents: set[str] = set()
    for path in entries:
        parent = path.rpartition("/")[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition("/")[0]
    for path in parents:
        entries.setdefault(path, directory)
    return Listing(entries)
