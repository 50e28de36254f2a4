"""Moving changing files below the installs: the steps that move, and the files copied first."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace

from ..dockerfile import PlannedStep, Transfer
from ..model import on_one_line, top_of
from ..values import dataclass
from .directories import copying_owner, made_directories, parents
from .effects import effects_of
from .site import Site
from .standing_between import Conflict, conflict

__all__ = ["Obstacle", "Order", "sunk"]


@dataclass(frozen=True)
class Obstacle:
    """An obstacle to a move: the step that stays, the step that was to move, and the conflict.

    ``final`` says that splitting the step that stays would not help.
    """

    stays: int
    moves: int
    conflict: Conflict | None
    text: str = ""
    final: bool = False


@dataclass(frozen=True)
class Order:
    """A Dockerfile with some blocks below others.

    ``moved`` are the old lines of the moved blocks, ``below`` is the line below which they stand
    now; ``copied`` has pairs of a line and the text of a new COPY above that line; ``origins`` maps
    each new line of an instruction to its old line, 0 for a new instruction.
    """

    text: str
    moved: tuple[int, ...]
    below: int
    copied: tuple[tuple[int, str], ...] = ()
    origins: Mapping[int, int] = field(default_factory=dict)


@dataclass
class _Plan:
    """The plan of a move: the steps of one chain that move, and the steps that stay."""

    site: Site
    chain: Sequence[int]
    last: int
    moving: set[int]
    staying: set[int] = field(default_factory=set)
    needs: dict[int, dict[int, tuple[frozenset[str], frozenset[str]]]] = field(default_factory=dict)
    absolute: set[int] = field(default_factory=set)
    edited: frozenset[str] = frozenset()


def sunk(
    site: Site, guilty: Iterable[int], last: int, edited: Collection[str] = ()
) -> Order | Obstacle:
    """Move the guilty steps, and all steps that must go along, below the step at ``last``.

    ``guilty`` and ``last`` are positions in ``site.steps``. A file of a moving COPY that a staying
    step reads is copied directly above that step, unless the file is among the ``edited`` ones:
    then nothing would be won.
    """
    chain = _chain(site, last)
    wanted = set(guilty)
    if not wanted <= set(chain):
        words = _stage_between(site, last, wanted)
        return Obstacle(last, min(wanted), None, words, final=True)
    plan = _Plan(site, chain, last, set(wanted), edited=frozenset(edited))
    for _ in range(len(chain) + 1):
        again = _settled(plan, frozenset(wanted))
        if isinstance(again, Obstacle):
            return again
        if again:
            return _written(plan)
    return Obstacle(last, min(wanted), None)


def _chain(site: Site, last: int) -> list[int]:
    """The positions of the steps of a stage, down to ``last``.

    Steps of the stages that it is built from are left out: these stages are images of their own,
    which somebody may build and which a move would change.
    """
    index = site.steps[last].stage.index
    return [p for p, step in enumerate(site.steps) if step.stage.index == index and p <= last]


def _stage_between(site: Site, last: int, guilty: Iterable[int]) -> str:
    first, installs = site.steps[min(guilty)], site.steps[last]
    return (
        f'"{_cut(first)}" belongs to stage {first.stage.label}, which stage '
        f"{installs.stage.label} is built from: cut the stages so that "
        f'"{_cut(installs)}" stands on one without the source'
    )


def _cut(step: PlannedStep) -> str:
    return on_one_line(step.instruction.text, 50)


def _settled(plan: _Plan, guilty: frozenset[int]) -> bool | Obstacle:
    """One pass over the steps below the first moving step; True when all steps are decided."""
    site = plan.site
    plan.needs = {}
    plan.absolute = set()
    first = min(plan.moving)
    for position in plan.chain:
        if position <= first or position in plan.moving or _is_from(site, position):
            continue
        for mover in sorted(p for p in plan.moving if p < position):
            found = conflict(site, mover, position)
            passes = (
                found is None
                or _made_absolute(plan, mover, found)
                or _is_supplied(plan, mover, position, found)
            )
            if passes and not _lacks_directory(plan, mover, position):
                continue
            installs = position == plan.last or site.commands[position] is not None
            if not installs and position not in plan.staying:
                plan.moving.add(position)
                return False
            if mover not in guilty:
                # The mover was to go along and cannot: it stays, and the files that it reads are
                # copied.
                plan.moving.discard(mover)
                plan.staying.add(mover)
                return False
            if passes:
                return _without_directory(plan, mover, position)
            return Obstacle(position, mover, _with_edited(plan, mover, found))
    return True


def _with_edited(plan: _Plan, mover: int, found: Conflict | None) -> Conflict | None:
    """The conflict, which names an edited file among the files that are read, if there is one."""
    if found is None or found.kind != "reads" or found.needs is None:
        return found
    own = plan.site.views[mover].own.at
    edited = sorted(path for path in found.needs if own.get(path) in plan.edited)
    return replace(found, what=edited[0]) if edited else found


def _without_directory(plan: _Plan, mover: int, position: int) -> Obstacle:
    directory = _lacks_directory(plan, mover, position)
    text = f"line {plan.site.steps[position].line} works in {directory}, which only "
    text += f"line {plan.site.steps[mover].line} makes"
    return Obstacle(position, mover, None, text)


def _lacks_directory(plan: _Plan, mover: int, position: int) -> str:
    """A directory that a staying step must find, and that only a moving step makes; "" if none."""
    site = plan.site
    wanted = effects_of(site, position).directories
    made = [d for d in sorted(wanted) if d in made_directories(site, mover)]
    if not made:
        return ""
    there: set[str] = set()
    for p in plan.chain:
        if p >= position:
            break
        if p not in plan.moving:
            there |= made_directories(site, p).keys()
    for p in plan.needs:
        if p <= position:
            for files, trees in plan.needs[p].values():
                there |= {above for path in files for above in parents(path)}
                there |= {above for tree in trees for above in (tree, *parents(tree))}
    return next((directory for directory in made if directory not in there), "")


def _is_from(site: Site, position: int) -> bool:
    return site.steps[position].instruction.keyword == "FROM"


def _made_absolute(plan: _Plan, mover: int, found: Conflict) -> bool:
    """A COPY can pass a WORKDIR if its destination is written in full."""
    if found.kind != "state" or found.what != "workdir":
        return False
    step = plan.site.steps[mover]
    if step.instruction.keyword not in ("COPY", "ADD") or step.instruction.heredocs:
        return False
    if not step.known_base and not _has_workdir(plan, mover):
        return False
    plan.absolute.add(mover)
    return True


def _has_workdir(plan: _Plan, position: int) -> bool:
    return any(
        plan.site.steps[p].instruction.keyword == "WORKDIR"
        and plan.site.steps[p].instruction.value.startswith("/")
        for p in plan.chain
        if p < position
    )


def _is_supplied(plan: _Plan, mover: int, position: int, found: Conflict) -> bool:
    """Whether a COPY above a staying step can bring it the files of the moving COPY."""
    if found.kind != "reads" or found.needs is None:
        return False
    step = plan.site.steps[mover]
    if step.instruction.keyword not in ("COPY", "ADD") or step.instruction.heredocs:
        return False
    own = plan.site.views[mover].own.at
    taken = {place for place in own if any(_is_at_or_below(place, t) for t in found.needed_trees)}
    if any(own.get(path) in plan.edited for path in (*found.needs, *taken)):
        return False
    if any(tree == "/" or _is_whole(plan.site, mover, tree) for tree in found.needed_trees):
        return False
    if any(_source_of(plan.site, mover, path) is None for path in found.needs):
        return False
    if any(_source_of(plan.site, mover, tree) is None for tree in found.needed_trees):
        return False
    plan.needs.setdefault(position, {})[mover] = (found.needs, found.needed_trees)
    return True


def _is_whole(site: Site, mover: int, tree: str) -> bool:
    """Whether a tree is all that a COPY brings, so that copying the tree first would not help."""
    return any(
        posixpath.normpath(transfer.destination) == tree
        or posixpath.normpath(transfer.destination).startswith(tree.rstrip("/") + "/")
        for transfer in site.steps[mover].transfers
    )


def _source_of(site: Site, mover: int, place: str) -> str | None:
    """Where a COPY takes a container path from, as a new COPY can name it."""
    step = site.steps[mover]
    view = site.views[mover]
    for transfer in step.transfers:
        if transfer.origin == "context":
            if place in view.own.at:
                return _in_its_context(site, transfer, view.own.at[place])
            below = [other for other in view.own.at if other.startswith(place + "/")]
            if below:
                rest = below[0][len(place) :]
                origin = _in_its_context(site, transfer, view.own.at[below[0]])
                return origin[: -len(rest)] if origin and origin.endswith(rest) else None
            return None
        return _source_in_stage(transfer, place)
    return None


def _in_its_context(site: Site, transfer: Transfer, path: str) -> str | None:
    """A file as a source of the context that a COPY takes it from; None if it is not there.

    A file of two contexts is known by its path in one of them.
    """
    if top_of(path) == transfer.context:
        return path[len(transfer.context) :].lstrip("/") if transfer.context else path
    head = f"{transfer.context}/"
    for own, entry in site.snapshot.tree.entries.items():
        if entry.same == path and own.startswith(head):
            return own[len(head) :]
    return None


def _source_in_stage(transfer: Transfer, place: str) -> str | None:
    if len(transfer.sources) != 1 or transfer.parents or transfer.exclude:
        return None
    source = transfer.sources[0]
    if re.search(r"[*?\[]", source):
        return None
    destination = posixpath.normpath(transfer.destination)
    if place == destination:
        return source
    if destination == "/" or place.startswith(destination + "/"):
        return posixpath.join(source, posixpath.relpath(place, destination))
    return None


def _written(plan: _Plan) -> Order | Obstacle:
    site = plan.site
    sheet = site.sheet
    last = site.steps[plan.last]
    copied: list[tuple[int, str]] = []
    supplied: dict[str, int] = {}
    for position in plan.chain:
        if position not in plan.needs:
            continue
        texts: list[str] = []
        for mover, (files, trees) in _last_writers(plan, position).items():
            new = frozenset(
                path
                for path in files
                if not any(supplied.get(place) == mover for place in (path, *parents(path)))
            )
            supplied |= dict.fromkeys((*new, *trees), mover)
            texts += _copies(site, mover, position, new, trees)
        line = site.steps[position].line
        copied += [(line, text) for text in texts]
    other = _other_owner(plan)
    if other is not None:
        return other
    moved = sorted(site.steps[p].line for p in plan.moving)
    for mover in plan.absolute:
        step = site.steps[mover]
        text = _with_destination(sheet.source(step.line), step)
        if text is None:
            return Obstacle(plan.last, mover, None)
        sheet = sheet.replaced(step.line, text)
    for line in dict.fromkeys(line for line, _ in copied):
        sheet = sheet.with_text([text for where, text in copied if where == line], above=line)
    sheet = sheet.moved(moved, below=last.line)
    return Order(sheet.text, tuple(moved), last.line, tuple(copied), sheet.origins)


def _is_at_or_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _other_owner(plan: _Plan) -> Obstacle | None:
    """A directory that another step would make first, and give to another owner."""
    site = plan.site
    before: dict[str, tuple[str, int]] = {}
    for position in plan.chain:
        for directory, owner in made_directories(site, position).items():
            before.setdefault(directory, (owner, position))
    after: dict[str, tuple[str, int]] = {}
    staying = [p for p in plan.chain if p not in plan.moving]
    for position in (*staying, *sorted(plan.moving)):
        for mover, (files, trees) in plan.needs.get(position, {}).items():
            owner = copying_owner(site, mover)
            for path in (*files, *(f"{tree}/" for tree in trees)):
                for directory in parents(path):
                    after.setdefault(directory, (owner, mover))
        for directory, owner in made_directories(site, position).items():
            after.setdefault(directory, (owner, position))
    for directory, (owner, maker) in before.items():
        if directory in after and after[directory][0] != owner:
            other, now = after[directory]
            text = f"line {site.steps[maker].line} makes {directory} for {owner}, and line "
            text += f"{site.steps[now].line} would make it for {other}: make it in a step of its "
            text += "own above both"
            return Obstacle(plan.last, maker, None, text, final=True)
    return None


def _last_writers(plan: _Plan, position: int) -> dict[int, tuple[frozenset[str], frozenset[str]]]:
    """The files to copy for a step, by moving COPY; a file that two bring is the later one's."""
    found: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
    taken: set[str] = set()
    for mover in sorted(plan.needs[position], reverse=True):
        files, trees = plan.needs[position][mover]
        found[mover] = (files - taken, trees)
        taken |= files
    return {mover: found[mover] for mover in sorted(found)}


def _with_destination(source: str, step: PlannedStep) -> str | None:
    """A COPY with its destination as an absolute path."""
    if step.instruction.exec_form is not None or "$" in source:
        return None
    destination = step.transfers[0].destination if step.transfers else ""
    found = re.search(r"\S+\s*\Z", source)
    if found is None or not destination:
        return None
    return source[: found.start()] + destination


def _copies(
    site: Site, mover: int, position: int, files: Iterable[str], trees: Iterable[str]
) -> list[str]:
    """COPY instructions that bring these container paths as ``mover`` does, one a directory."""
    step = site.steps[mover]
    workdir = site.steps[position].workdir
    flags = "".join(
        f"--{flag.name}={flag.value} " if flag.value is not None else f"--{flag.name} "
        for flag in step.instruction.flags
        if flag.name in ("from", "chown", "chmod", "link")
    )
    groups: dict[str, list[str]] = {}
    lines: list[str] = []
    for place in sorted(files):
        source = _source_of(site, mover, place) or ""
        if posixpath.basename(source) == posixpath.basename(place):
            groups.setdefault(posixpath.dirname(place), []).append(source)
        else:
            lines.append(_copy(flags, [source], _shown(place, workdir)))
    for directory, sources in groups.items():
        shown = _shown(directory, workdir)
        lines.append(_copy(flags, sources, shown if shown.endswith("/") else f"{shown}/"))
    for tree in sorted(trees):
        source = _source_of(site, mover, tree) or ""
        lines.append(_copy(flags, [f"{source}/"], f"{_shown(tree, workdir)}/"))
    return lines


def _shown(path: str, workdir: str) -> str:
    """A container path as people write it: relative to the working directory below it."""
    if path == workdir:
        return "./"
    if workdir != "/" and path.startswith(workdir.rstrip("/") + "/"):
        return posixpath.relpath(path, workdir)
    return path


def _copy(flags: str, sources: Sequence[str], destination: str) -> str:
    words = [*(re.sub(r"//+\Z", "/", source) for source in sources), destination]
    if any(re.search(r"[\s$\[\]*?\\]", word) for word in words):
        return f"COPY {flags}{json.dumps(words)}"
    return f"COPY {flags}{' '.join(words)}"


def described(site: Site, order: Order, origins: Mapping[int, int]) -> str:
    """An order in words; ``origins`` maps lines of ``site`` to the user's."""
    quoted = [_quoted(site, line, origins) for line in order.moved[:4]]
    if len(order.moved) > 4:
        quoted.append(f"{len(order.moved) - 4} more")
    moved = ", ".join(quoted[:-1]) + (" and " if quoted[1:] else "") + quoted[-1]
    below = f"line {origins.get(order.below) or order.below}"
    groups: dict[int, list[str]] = {}
    for line, text in order.copied:
        groups.setdefault(line, []).append(text)
    copies = [
        f"{' and '.join(texts)} before line {origins.get(line) or line}"
        for line, texts in groups.items()
    ]
    if not copies:
        return f"move {moved} below {below}"
    if list(groups) == [order.below]:
        below = "it"
    return f"{', '.join(copies)} and move {moved} below {below}"


def _quoted(site: Site, line: int, origins: Mapping[int, int]) -> str:
    shown = _cut(next(step for step in site.steps if step.line == line))
    return f'"{shown}" (line {origins.get(line) or line})'


def unlocated(site: Site, position: int) -> str | None:
    """A manifest that an environment step is given, and nobody knows where it comes from."""
    command = site.commands[position]
    effects = effects_of(site, position)
    if command is None or not command.manifests or effects.inputs:
        return None
    for earlier in _chain(site, position)[:-1]:
        if effects_of(site, earlier).writes.meeting(effects.reads) is not None:
            return None
    return command.manifests[0]
